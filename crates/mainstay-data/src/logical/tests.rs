use std::sync::Arc;

use super::*;

fn spelled(data_type: DataType) -> Result<String> {
    logical_type(&Field::new("c", data_type, true), Profile::Strict)
}

#[test]
fn encodings_of_one_meaning_are_one_type() {
    let item = |t| Arc::new(Field::new("item", t, true));
    for (types, expected) in [
        (
            vec![
                DataType::Utf8,
                DataType::LargeUtf8,
                DataType::Utf8View,
                DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
                DataType::RunEndEncoded(item(DataType::Int32), item(DataType::LargeUtf8)),
            ],
            "utf8",
        ),
        (
            vec![DataType::Decimal128(10, 2), DataType::Decimal256(40, 2)],
            "decimal(2)",
        ),
        (
            vec![
                DataType::List(item(DataType::Int8)),
                DataType::FixedSizeList(item(DataType::Int8), 3),
                DataType::LargeListView(item(DataType::Int8)),
            ],
            "list(int8)",
        ),
    ] {
        for data_type in types {
            assert_eq!(spelled(data_type).unwrap(), expected);
        }
    }
}

#[test]
fn struct_fields_are_sorted_and_quoted() {
    let fields = Fields::from(vec![
        Field::new("b\":int8,\"c", DataType::Int8, true),
        Field::new("a", DataType::Boolean, true),
    ]);
    assert_eq!(
        spelled(DataType::Struct(fields)).unwrap(),
        r#"struct("a":bool,"b\":int8,\"c":int8)"#
    );
}

#[test]
fn members_of_a_union_are_sorted_like_fields_and_their_ids_are_not_seen() {
    let members = arrow::datatypes::UnionFields::try_new(
        [5, 9],
        [
            Field::new("b", DataType::Int8, true),
            Field::new("a", DataType::Boolean, true),
        ],
    );
    let union = DataType::Union(members.unwrap(), arrow::datatypes::UnionMode::Sparse);
    assert_eq!(spelled(union).unwrap(), r#"union("a":bool,"b":int8)"#);
}

#[test]
fn the_semantic_profile_knows_neither_width_nor_unit_nor_zone() {
    let item = Arc::new(Field::new(
        "item",
        DataType::Timestamp(TimeUnit::Second, Some("Europe/Oslo".into())),
        true,
    ));
    let fields = Fields::from(vec![
        Field::new("a", DataType::UInt8, true),
        Field::new("b", DataType::Float16, true),
        Field::new("c", DataType::List(item), true),
        Field::new("d", DataType::Decimal128(9, 1), true),
    ]);
    let field = Field::new("c", DataType::Struct(fields), true);
    assert_eq!(
        logical_type(&field, Profile::Semantic).unwrap(),
        r#"struct("a":int,"b":float,"c":list(timestamp(utc)),"d":decimal(1))"#
    );
}

#[test]
fn what_has_no_logical_form_is_refused_by_column_and_type() {
    let entries = Field::new("entries", DataType::Int8, false);
    let error = spelled(DataType::Map(Arc::new(entries), false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let shown = error.to_string();
    assert!(
        shown.contains("column: c") && shown.contains("Map"),
        "{shown}"
    );
}

#[test]
fn deep_nesting_is_refused() {
    let deep = (0..MAX_DEPTH).fold(DataType::Int8, |inner, _| {
        DataType::List(Arc::new(Field::new("item", inner, true)))
    });
    assert_eq!(spelled(deep).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn repeated_column_names_are_refused() {
    let schema = Schema::new(vec![
        Field::new("a", DataType::Int8, true),
        Field::new("b", DataType::Int8, true),
        Field::new("a", DataType::Utf8, true),
    ]);
    let error = check_names(&schema).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("column: a"), "{error}");
}

#[test]
fn a_strict_type_tells_the_semantic_one() {
    let units = [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ];
    let times = units.into_iter().flat_map(|unit| {
        [
            DataType::Timestamp(unit, None),
            DataType::Timestamp(unit, Some("Europe/Berlin".into())),
            DataType::Duration(unit),
        ]
    });
    let others = [
        DataType::Int8,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float64,
        DataType::Date32,
        DataType::Date64,
        DataType::Time32(TimeUnit::Second),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Utf8View,
        DataType::Binary,
        DataType::Boolean,
        DataType::Null,
        DataType::Decimal128(10, 2),
    ];
    for data_type in others.into_iter().chain(times) {
        let semantic = Field::new("c", data_type.clone(), true);
        let semantic = logical_type(&semantic, Profile::Semantic).unwrap();
        assert_eq!(semantic_type(&spelled(data_type).unwrap()), semantic);
    }
}
