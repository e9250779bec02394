//! Random tables as what they say, to be built in any encoding and told to the reference
//! implementation.

use arrow::datatypes::{ArrowPrimitiveType, Float16Type, IntervalUnit, TimeUnit};

pub(crate) mod build;
mod json;

type F16 = <Float16Type as ArrowPrimitiveType>::Native;

/// The `SplitMix64` generator.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

/// A logical type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Null,
    Bool,
    Int { bits: u32, signed: bool },
    Float { bits: u32 },
    Decimal { scale: i8 },
    Utf8,
    Binary,
    Date32,
    Date64,
    Time(TimeUnit),
    Timestamp(TimeUnit, Option<String>),
    Duration(TimeUnit),
    Interval(IntervalUnit),
    List(Box<Type>),
    Struct(Vec<(String, Type)>),
    Map(Box<Type>, Box<Type>),
    Union(Vec<(String, Type)>),
}

/// A value of a type; equal when the strict profile cannot tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Integers, unscaled decimals, and times in their unit.
    Int(i128),
    /// The bits of the same `f64`, with one NaN.
    Float(u64),
    Text(String),
    Bytes(Vec<u8>),
    Interval(Vec<i64>),
    /// Elements, fields, or the key and value of an entry.
    Many(Vec<Value>),
    Union(usize, Box<Value>),
}

pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) of: Type,
    pub(crate) values: Vec<Value>,
}

pub(crate) struct Table {
    pub(crate) rows: usize,
    pub(crate) columns: Vec<Column>,
}

const UNITS: [TimeUnit; 4] = [
    TimeUnit::Second,
    TimeUnit::Millisecond,
    TimeUnit::Microsecond,
    TimeUnit::Nanosecond,
];

const NAMES: [&str; 8] = [
    "a",
    "b",
    "",
    "é\u{1f600}",
    "q\"\\\u{1}",
    "a b",
    "A",
    "\u{7f}",
];

/// One column of every type, of one level.
pub(crate) fn every_type() -> Vec<Type> {
    let mut types = vec![Type::Null, Type::Bool, Type::Utf8, Type::Binary];
    for bits in [8, 16, 32, 64] {
        types.extend([true, false].map(|signed| Type::Int { bits, signed }));
    }
    types.extend([16, 32, 64].map(|bits| Type::Float { bits }));
    types.extend([-2, 0, 3].map(|scale| Type::Decimal { scale }));
    types.extend([Type::Date32, Type::Date64]);
    for unit in UNITS {
        types.extend([
            Type::Time(unit),
            Type::Timestamp(unit, None),
            Type::Timestamp(unit, Some("Europe/Oslo".to_owned())),
            Type::Duration(unit),
        ]);
    }
    types.extend(
        [
            IntervalUnit::YearMonth,
            IntervalUnit::DayTime,
            IntervalUnit::MonthDayNano,
        ]
        .map(Type::Interval),
    );
    let members = vec![("b".to_owned(), Type::Utf8), ("a".to_owned(), Type::Bool)];
    types.extend([
        Type::List(Box::new(Type::Float { bits: 32 })),
        Type::Struct(members.clone()),
        Type::Map(Box::new(Type::Utf8), Box::new(Type::Date32)),
        Type::Union(members),
    ]);
    types
}

pub(crate) fn random_type(random: &mut Random, depth: usize) -> Type {
    let nested = depth > 0 && random.once_in(2);
    if !nested {
        let flat: Vec<Type> = every_type().into_iter().filter(is_flat).collect();
        return random.pick(&flat);
    }
    let inner = |random: &mut Random| Box::new(random_type(random, depth - 1));
    match random.below(4) {
        0 => Type::List(inner(random)),
        1 => Type::Map(
            Box::new(random.pick(&[
                Type::Utf8,
                Type::Int {
                    bits: 16,
                    signed: false,
                },
            ])),
            inner(random),
        ),
        kind => {
            // Names of members are different: which comes first among equal ones is seen.
            let mut names = NAMES.to_vec();
            random.shuffle(&mut names);
            let count = random.below(4).max(kind - 2);
            let fields = names.into_iter().take(count);
            let fields = fields.map(|name| (name.to_owned(), *inner(random)));
            if kind == 2 {
                Type::Struct(fields.collect())
            } else {
                Type::Union(fields.collect())
            }
        }
    }
}

pub(crate) fn is_flat(of: &Type) -> bool {
    !matches!(
        of,
        Type::List(_) | Type::Struct(_) | Type::Map(..) | Type::Union(_)
    )
}

/// The seeds that a test tries: so many, or many more where time does not matter.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    let first = std::env::var("MAINSTAY_SEED").ok();
    let first = first.map_or(0, |seed| seed.parse().unwrap());
    let long = std::env::var_os("MAINSTAY_LONG").is_some();
    first..first + if long { 200 * count } else { count }
}

pub(crate) fn random_table(random: &mut Random, rows: usize) -> Table {
    let mut names = NAMES.to_vec();
    random.shuffle(&mut names);
    let count = 1 + random.below(4);
    let columns = names.into_iter().take(count).map(|name| {
        let of = random_type(random, 3);
        Column {
            name: name.to_owned(),
            values: (0..rows).map(|_| random_value(&of, random)).collect(),
            of,
        }
    });
    Table {
        rows,
        columns: columns.collect(),
    }
}

/// A value that may be null.
pub(crate) fn random_value(of: &Type, random: &mut Random) -> Value {
    let never_null = matches!(of, Type::Union(_));
    if !never_null && (*of == Type::Null || random.once_in(5)) {
        Value::Null
    } else {
        some_value(of, random)
    }
}

/// A value that is not null.
pub(crate) fn some_value(of: &Type, random: &mut Random) -> Value {
    match of {
        Type::Null => Value::Null,
        Type::Bool => Value::Bool(random.once_in(2)),
        Type::Int { bits, signed } => integer(*bits, *signed, random),
        Type::Float { bits } => float(*bits, random),
        Type::Decimal { .. } => {
            let digits = random.pick(&[2, 9, 18, 38]);
            let wide = i128::from(random.next()) * i128::from(random.next() >> 1);
            Value::Int((wide % 10_i128.pow(digits)) * random.pick(&[1, -1]))
        }
        Type::Utf8 => {
            let length = random.below(5) + 10 * usize::from(random.once_in(4));
            Value::Text(
                (0..length)
                    .map(|_| random.pick(&['a', 'b', 'ø', '\0']))
                    .collect(),
            )
        }
        Type::Binary => {
            let any = random.below(20);
            let length = random.pick(&[2, 2, 2, any]);
            Value::Bytes(
                (0..length)
                    .map(|_| random.next().to_le_bytes()[0])
                    .collect(),
            )
        }
        Type::Date32 | Type::Time(TimeUnit::Second | TimeUnit::Millisecond) => {
            integer(32, true, random)
        }
        Type::Date64 | Type::Time(_) | Type::Timestamp(..) | Type::Duration(_) => {
            integer(64, true, random)
        }
        Type::Interval(unit) => Value::Interval({
            let parts = match unit {
                IntervalUnit::YearMonth => vec![32],
                IntervalUnit::DayTime => vec![32, 32],
                IntervalUnit::MonthDayNano => vec![32, 32, 64],
            };
            let part = |bits| match integer(bits, true, random) {
                Value::Int(part) => i64::try_from(part).unwrap(),
                _ => 0,
            };
            parts.into_iter().map(part).collect()
        }),
        Type::List(item) => {
            let any = random.below(4);
            let length = random.pick(&[2, 2, any]);
            Value::Many((0..length).map(|_| random_value(item, random)).collect())
        }
        Type::Struct(fields) => {
            let fields = fields.iter().map(|(_, field)| random_value(field, random));
            Value::Many(fields.collect())
        }
        Type::Map(key, value) => Value::Many(
            (0..random.below(3))
                .map(|_| Value::Many(vec![some_value(key, random), random_value(value, random)]))
                .collect(),
        ),
        Type::Union(members) => {
            let member = random.below(members.len());
            Value::Union(member, Box::new(random_value(&members[member].1, random)))
        }
    }
}

fn integer(bits: u32, signed: bool, random: &mut Random) -> Value {
    let (min, max) = if signed {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    };
    let number = match random.below(4) {
        0 => random.pick(&[min, max, 0, 1]),
        1 => i128::from(random.next()),
        _ => i128::from(random.next() % 4),
    };
    Value::Int(min + (number - min).rem_euclid(max - min + 1))
}

fn float(bits: u32, random: &mut Random) -> Value {
    let special = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let number = if random.once_in(2) {
        random.pick(&special)
    } else {
        let any = random.next();
        let [low, high, ..] = any.to_le_bytes();
        match bits {
            16 => F16::from_le_bytes([low, high]).to_f64(),
            32 => f64::from(f32::from_bits(u32::try_from(any >> 32).unwrap())),
            _ => f64::from_bits(any),
        }
    };
    Value::Float(if number.is_nan() {
        0x7ff8 << 48
    } else {
        number.to_bits()
    })
}

/// Tables that between them have every type, no rows, and no columns.
pub(crate) fn sample_tables() -> Vec<Table> {
    let mut random = Random(0);
    let mut columns = Vec::new();
    for (index, of) in every_type().into_iter().enumerate() {
        columns.push(Column {
            name: format!("c{index}"),
            values: (0..4).map(|_| random_value(&of, &mut random)).collect(),
            of,
        });
    }
    let mut tables = vec![
        Table { rows: 4, columns },
        Table {
            rows: 2,
            columns: vec![],
        },
        random_table(&mut random, 0),
    ];
    tables.extend((0..5).map(|_| random_table(&mut random, 3)));
    tables
}
