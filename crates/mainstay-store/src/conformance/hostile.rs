//! Names that somebody would like to be taken for something else.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use mainstay_core::ErrorKind;

use super::scratch::for_each;
use super::{Failure, Outcome, check};
use crate::mix::mix;
use crate::{Key, Prefix, PutOutcome, Storage, StorageExt as _};

/// Climbing, hidden, absolute, reserved somewhere, magic to a shell, a server or a client, or easily
/// confused with another.
#[rustfmt::skip]
const SEGMENTS: &[&str] = &[
    "", ".", "..", "...", "....", "..x", ".x", "x.", "x..", "x...", ".staging", ".git", ".tmp",
    "../x", "../../etc/passwd", "/etc/passwd", "/", "//", "x/", "x//y", "./x", "x/./y", "x/../y",
    "\\", "..\\x", "x\\y", "\\\\host\\share", "C:", "c:", "C:\\x", "c%3a", "file:", "file:///x",
    "%", "%%", "%2", "%zz", "%2e", "%2e%2e", "%2e%2e%2f", "%252e", "%252e%252e", "%2f", "%252f",
    "%2F", "%5c", "%00", "%0a", "%20", "%23", "x%2fy", "x%252fy", "x%5cy", "x%00y", "x%231", "\0",
    "x\0", "x\0y", "\n", "x\r\ny", "\t", "\u{1b}[2j", "\u{7f}", " ", "x ", " x", "x y", "con",
    "prn", "aux", "nul", "com1", "com9", "lpt1", "lpt9", "con.txt", "aux.tar.gz", "nul.", "CON",
    "NUL", "conin%24", "clock%24", "thumbs.db", "desktop.ini", "lost+found", "+", "x+y", "#1",
    "x#1", "?", "x?y=z", "*", "<", ">", "|", "\"", "'", "`", ":", ";", "&", "$home", "$(x)", "~",
    "x~", "~root", "!", "[x]", "{x}", "x=y", "x@y", "x,y", "x'--", "x;drop table objects", "\u{e9}",
    "e\u{301}", "%c3%a9", "e%cc%81", "\u{130}", "\u{131}", "\u{df}", "ss", "\u{212a}", "k",
    "\u{202e}x", "\u{200b}", "\u{feff}x", "\u{ff0e}\u{ff0e}", "\u{2215}", "\u{1f4a9}", "a", "A",
    "x-y", "x.y", "x_y", "x%y", "-", "--", "-rf", "_", "__", "0", "00", "000", "null", "index",
    "versions",
];

/// What random names are made of.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    ".", "..", "%", "%2", "2e", "%2e", "%25", "-", "_", "x", "A", "\\", " ", "\0", "+", "#", ":",
    "\u{301}", "e", "0",
];

pub(super) async fn hostile_keys_are_refused_or_kept_apart(
    storage: Arc<dyn Storage>,
    seed: u64,
) -> Outcome {
    let keys = accepted(&names(seed))?;
    // All at the same time, so that two taken for one are noticed.
    for_each(&keys, |key| created(&storage, key)).await?;
    for_each(&keys, |key| expect(&storage, key, true)).await?;
    let listing = storage.list(&Prefix::all(), None);
    let listed: Vec<_> = listing
        .map_ok(|object| (object.key, object.size))
        .try_collect()
        .await?;
    let wanted: Vec<_> = keys
        .iter()
        .map(|key| (key.clone(), key.as_str().len() as u64))
        .collect();
    if let Some((found, wanted)) = listed.iter().zip(&wanted).find(|(a, b)| a != b) {
        return Err(Failure::new(format!("{wanted:?} is listed as {found:?}")));
    }
    check!(
        listed.len() == wanted.len(),
        "{} keys are listed of {}",
        listed.len(),
        wanted.len()
    );
    let deleted: Vec<_> = keys.iter().step_by(2).collect();
    let kept = keys.iter().skip(1).step_by(2);
    for_each(deleted.iter().copied(), async |key| {
        Ok::<_, Failure>(storage.delete(key).await?)
    })
    .await?;
    for_each(deleted, |key| expect(&storage, key, false)).await?;
    for_each(kept, |key| expect(&storage, key, true)).await
}

async fn created(storage: &Arc<dyn Storage>, key: &Key) -> Outcome {
    let bytes = Bytes::copy_from_slice(key.as_str().as_bytes());
    let outcome = storage.create(key, bytes).await?;
    check!(
        outcome == PutOutcome::Written,
        "{key} was taken for another key"
    );
    Ok(())
}

async fn expect(storage: &Arc<dyn Storage>, key: &Key, there: bool) -> Outcome {
    let wanted = there.then_some(key.as_str().as_bytes());
    let found = storage.get_all(key).await?;
    check!(
        found.as_deref() == wanted,
        "{key} reads as {found:?}, it was {}",
        if there { "written" } else { "deleted" }
    );
    Ok(())
}

/// Returns the keys among the names, sorted, and checks that the others are refused as they should.
fn accepted(names: &BTreeSet<String>) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    for name in names {
        match (Key::new(name.as_str()), Prefix::directory(name)) {
            (Ok(key), Ok(_)) => {
                check!(key.as_str() == name, "{name:?} became {key}");
                keys.push(key);
            }
            (Err(key), Err(prefix)) => {
                let kinds = [key.kind(), prefix.kind()];
                check!(
                    kinds == [ErrorKind::Invalid; 2],
                    "{name:?} is refused as {kinds:?}"
                );
            }
            (key, prefix) => {
                let message = format!("{name:?} is a key or a prefix but not both");
                return Err(Failure::new(format!("{message}: {key:?}, {prefix:?}")));
            }
        }
    }
    Ok(keys)
}

/// Makes the names. None that is a key has another below it.
fn names(seed: u64) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for segment in SEGMENTS {
        names.insert((*segment).to_owned());
        names.insert(format!("last/{segment}"));
        names.insert(format!("first/{segment}/x"));
        // With a `/` inside it might be below another.
        if !segment.contains('/') {
            names.insert(format!("inside/x{segment}x"));
        }
    }
    names.extend((0..=u8::MAX).map(|byte| format!("escape/%{byte:02x}")));
    for len in [199, 200, 201, 255, 256, 4096, 1 << 16] {
        names.extend(["x", ".", "%", "-", "0"].map(|text| text.repeat(len)));
        names.insert(format!("{}y", "x".repeat(len - 1)));
    }
    names.extend([1, 2, 10, 50, 100, 150, 1000].map(|depth| format!("{}x", "d/".repeat(depth))));
    names.extend((0..100).map(|number| format!("random/{}", random(seed ^ mix(number)))));
    names
}

fn random(mut seed: u64) -> String {
    let mut name = String::new();
    seed = mix(seed);
    for _ in 0..=seed % 6 {
        seed = mix(seed);
        let index = usize::try_from(seed % PIECES.len() as u64).unwrap_or(0);
        name.push_str(PIECES.get(index).copied().unwrap_or("x"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_hundreds_of_both_sorts_and_no_key_is_above_another() {
        for seed in 0..20 {
            let names = names(seed);
            let keys = accepted(&names).unwrap();
            assert!(names.len() > 800, "{} names", names.len());
            assert!(keys.len() > 400, "{} keys", keys.len());
            assert!(names.len() - keys.len() > 300);
            for key in &keys {
                let above = key
                    .as_str()
                    .match_indices('/')
                    .map(|(at, _)| &key.as_str()[..at]);
                for directory in above {
                    let directory = Key::new(directory).unwrap();
                    assert!(keys.binary_search(&directory).is_err(), "{key}");
                }
            }
        }
    }
}
