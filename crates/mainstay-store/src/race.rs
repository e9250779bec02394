//! What can be told of writers that created one key at the same time.

use bytes::Bytes;
use mainstay_core::{Error, Result};

use crate::{Key, PutOutcome, Storage, StorageExt as _};

/// What one writer was told.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) created: Result<PutOutcome>,
    /// What it read right after.
    pub(crate) read: Result<Option<Bytes>>,
}

/// Creates `key` and reads it.
pub(crate) async fn create_and_read(storage: &dyn Storage, key: &Key, bytes: Bytes) -> Answer {
    let created = storage.create(key, bytes).await;
    let read = storage.get_all(key).await;
    Answer { created, read }
}

/// The judgment on one race.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The writers that were told whether they won.
    pub(crate) answered: u64,
    /// The writers that were told that they won, and the one that got an error but did win.
    pub(crate) winners: u64,
    /// The writers that were told that they won and whose bytes are not there.
    pub(crate) lost: u64,
    /// Whether the writer whose bytes are there was told that it lost.
    pub(crate) winner_refused: bool,
    /// The writers that got an answer and then read anything but the bytes that are there.
    pub(crate) mismatched: u64,
    /// Calls that failed.
    pub(crate) failed: u64,
    /// The error of the first of them.
    pub(crate) error: Option<Error>,
}

impl Verdict {
    /// Judges a race of which `bytes` are what each writer wrote, all different, and `stored` is
    /// what is there after the last answer.
    pub(crate) fn of(answers: Vec<Answer>, bytes: &[Bytes], stored: Result<Option<Bytes>>) -> Self {
        let mut verdict = Self::default();
        let stored = verdict.note(stored);
        for (answer, wrote) in answers.into_iter().zip(bytes) {
            let holds = matches!(&stored, Some(Some(there)) if there == wrote);
            let created = verdict.note(answer.created);
            let read = verdict.note(answer.read);
            verdict.answered += u64::from(created.is_some());
            match created {
                Some(PutOutcome::Written) => {
                    verdict.winners += 1;
                    verdict.lost += u64::from(stored.is_some() && !holds);
                }
                Some(PutOutcome::Exists) => verdict.winner_refused |= holds,
                None => verdict.winners += u64::from(holds),
            }
            // A writer without an answer may have read before anybody wrote.
            if let (Some(_), Some(read), Some(stored)) = (created, read, &stored) {
                verdict.mismatched += u64::from(read != *stored || read.is_none());
            }
        }
        verdict
    }

    /// Says what is wrong, if anything is.
    pub(crate) fn complaint(&self) -> Option<String> {
        if self.winners > 1 {
            return Some(format!("{} concurrent creators won", self.winners));
        }
        if self.lost > 0 {
            return Some("the bytes of the creator that won are not there".into());
        }
        if self.winner_refused {
            return Some("a creator was refused although it won".into());
        }
        if self.mismatched > 0 {
            return Some(format!(
                "{} creators did not read the winner's bytes",
                self.mismatched
            ));
        }
        (self.winners == 0 && self.failed == 0).then(|| "none of the creators won".into())
    }

    /// Counts an error.
    pub(crate) fn note<T>(&mut self, result: Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                self.failed += 1;
                self.error.get_or_insert(error);
            })
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use mainstay_core::ErrorKind;

    use super::*;

    const WON: Result<PutOutcome> = Ok(PutOutcome::Written);
    const LOST: Result<PutOutcome> = Ok(PutOutcome::Exists);

    type Read = Result<Option<&'static str>>;
    const A: Read = Ok(Some("a"));
    const B: Read = Ok(Some("b"));
    const NOTHING: Read = Ok(None);

    fn bytes(read: Read) -> Result<Option<Bytes>> {
        read.map(|text| text.map(Bytes::from))
    }

    fn failed<T>() -> Result<T> {
        Err(Error::new(ErrorKind::Unavailable, "cut"))
    }

    /// Judges writers of "a", "b", … by what they were told and read.
    fn judge(answers: Vec<(Result<PutOutcome>, Read)>, stored: Read) -> Verdict {
        let wrote = ["a", "b", "c"].map(Bytes::from);
        let answers = answers
            .into_iter()
            .map(|(created, read)| Answer {
                created,
                read: bytes(read),
            })
            .collect();
        Verdict::of(answers, &wrote, bytes(stored))
    }

    #[test]
    fn one_winner_whose_bytes_all_read_is_no_complaint() {
        let verdict = judge(vec![(LOST, B), (WON, B), (LOST, B)], B);
        assert_eq!((verdict.winners, verdict.complaint()), (1, None));
    }

    #[test]
    fn a_creator_that_failed_and_finds_its_bytes_is_the_winner() {
        let verdict = judge(vec![(failed(), A), (LOST, A)], A);
        assert_eq!((verdict.winners, verdict.failed), (1, 1));
        assert_eq!(verdict.complaint(), None);
        assert!(verdict.error.is_some());
    }

    #[test]
    fn each_way_to_lie_is_a_complaint() {
        let several = judge(vec![(WON, B), (WON, B)], B);
        assert_eq!((several.winners, several.lost), (2, 1));
        let lost = judge(vec![(WON, A), (LOST, B)], NOTHING);
        assert_eq!((lost.winners, lost.lost, lost.mismatched), (1, 1, 2));
        let refused = judge(vec![(LOST, A), (LOST, A)], A);
        assert!(refused.winner_refused && refused.winners == 0);
        let stale = judge(vec![(WON, A), (LOST, NOTHING)], A);
        assert_eq!(stale.mismatched, 1);
        let none = judge(vec![(LOST, NOTHING), (LOST, NOTHING)], NOTHING);
        assert_eq!(none.winners, 0);
        for verdict in [several, lost, refused, stale, none] {
            assert!(verdict.complaint().is_some(), "{verdict:?}");
        }
    }

    #[test]
    fn calls_that_failed_are_no_complaint_on_their_own() {
        let cut = judge(vec![(failed(), failed()), (LOST, failed())], failed());
        assert_eq!((cut.failed, cut.complaint()), (4, None));
        let early = judge(vec![(failed(), NOTHING), (WON, B)], B);
        assert_eq!((early.failed, early.complaint()), (1, None));
    }
}
