//! Numbers in an order, many of which follow each other.

/// How many bits of a number a byte holds; the highest tells that more follow.
const BITS: u32 = 7;
const MORE: u8 = 1 << BITS;

/// Numbers in an order.
///
/// Memory: a few bytes for each run of successive numbers, at most 6 and mostly 3 or 4.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// Of each run but the last how far it begins from the end of the one before, and how long it is.
    runs: Vec<u8>,
    /// Where the run before the last ends.
    end: u32,
    /// The last: the first number, and how many there are.
    last: (u32, u32),
}

impl Sequence {
    pub(super) fn push(&mut self, number: u32) {
        let (first, count) = self.last;
        if count > 0 && first.wrapping_add(count) == number {
            self.last.1 += 1;
            return;
        }
        self.close();
        self.last = (number, 1);
    }

    /// Gives back memory that was kept for more.
    pub(super) fn shrink(&mut self) {
        self.runs.shrink_to_fit();
    }

    fn close(&mut self) {
        let (first, count) = self.last;
        if count > 0 {
            encode(&mut self.runs, distance(self.end, first));
            encode(&mut self.runs, count);
            self.end = first.wrapping_add(count);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        let (mut runs, mut end) = (self.runs.as_slice(), 0);
        let closed = std::iter::from_fn(move || {
            let first = behind(end, decode(&mut runs)?);
            let count = decode(&mut runs)?;
            end = first.wrapping_add(count);
            Some((first, count))
        });
        let runs = closed.chain([self.last]);
        runs.flat_map(|(first, count)| (0..count).map(move |at| first.wrapping_add(at)))
    }
}

/// How far a number is from another, such that near ones are small whichever is larger.
fn distance(from: u32, to: u32) -> u32 {
    let forwards = to.wrapping_sub(from);
    let backwards = from.wrapping_sub(to);
    if forwards <= u32::MAX / 2 {
        forwards << 1
    } else {
        ((backwards - 1) << 1) | 1
    }
}

/// What is so [far](distance) from a number.
fn behind(from: u32, distance: u32) -> u32 {
    let by = distance >> 1;
    if distance & 1 == 0 {
        from.wrapping_add(by)
    } else {
        from.wrapping_sub(by).wrapping_sub(1)
    }
}

fn encode(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= u32::from(MORE) {
        bytes.push(number.to_le_bytes()[0] | MORE);
        number >>= BITS;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn decode(bytes: &mut &[u8]) -> Option<u32> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & !MORE) << shift;
        if byte & MORE == 0 {
            return Some(number);
        }
        shift += BITS;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sequence(numbers: impl IntoIterator<Item = u32>) -> Sequence {
        let mut sequence = Sequence::default();
        numbers.into_iter().for_each(|number| sequence.push(number));
        sequence
    }

    proptest! {
        #[test]
        fn a_sequence_gives_back_what_was_put_into_it(
            runs in proptest::collection::vec((any::<u32>(), 0..5_u32, any::<bool>()), 0..50)
        ) {
            let mut numbers = Vec::new();
            for (first, count, is_near) in runs {
                let first = if is_near { first % 1_000 } else { first };
                numbers.extend((0..count).map(|at| first.wrapping_add(at)));
            }
            let sequence = sequence(numbers.iter().copied());
            prop_assert_eq!(sequence.iter().collect::<Vec<_>>(), numbers);
        }
    }

    #[test]
    fn what_follows_each_other_takes_nothing_and_anything_else_little() {
        assert_eq!(sequence(0..1_000_000).runs.len(), 0);
        // One of a hundred is another.
        let changed = (0..1_000_000).map(|n| if n % 100 == 0 { 1_000_000 + n / 100 } else { n });
        assert!(sequence(changed).runs.len() < 20_000 * 4);
        let scattered = (0..1_000_000_u32).map(|n| n.wrapping_mul(2_654_435_761) % 1_000_000);
        assert!(sequence(scattered).runs.len() <= 1_000_000 * 4);
    }
}
