//! Where a distribution came from: PEP 610's `direct_url.json`, and the digest of `RECORD`.

use mainstay_core::{Digest, Hasher};
use serde::Deserialize;

use crate::Source;
use crate::probe::git::parse_hash;
use crate::secrets::clean_url;

/// The parts of `direct_url.json` that are used.
#[derive(Deserialize)]
struct DirectUrl {
    url: String,
    vcs_info: Option<VcsInfo>,
    archive_info: Option<ArchiveInfo>,
    dir_info: Option<DirInfo>,
}

#[derive(Deserialize)]
struct VcsInfo {
    vcs: String,
    commit_id: String,
}

#[derive(Deserialize)]
struct ArchiveInfo {
    hash: Option<String>,
    hashes: Option<Hashes>,
}

#[derive(Deserialize)]
struct Hashes {
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct DirInfo {
    #[serde(default)]
    editable: bool,
}

/// Reads `direct_url.json`: the source, and whether the package is run from a source directory.
/// `None` when the file does not have the standard's form.
pub(super) fn parse_direct_url(text: &str) -> Option<(Source, bool)> {
    let direct: DirectUrl = serde_json::from_str(text).ok()?;
    if let Some(vcs) = direct.vcs_info {
        let known = ["git", "hg", "bzr", "svn"]
            .into_iter()
            .find(|known| *known == vcs.vcs)?;
        let source = Source::Vcs {
            vcs: known.into(),
            url: clean_url(&direct.url),
            commit: commit(known, &vcs.commit_id)?,
        };
        return Some((source, false));
    }
    if let Some(archive) = direct.archive_info {
        let hash = archive
            .hashes
            .and_then(|hashes| hashes.sha256)
            .or_else(|| Some(archive.hash?.strip_prefix("sha256=")?.to_owned()));
        let source = Source::Archive {
            url: clean_url(&direct.url),
            sha256: hash.and_then(|hex| format!("sha256:{hex}").parse().ok()),
        };
        return Some((source, false));
    }
    let editable = direct.dir_info?.editable;
    Some((Source::Directory, editable))
}

/// Accepts a commit of a version control system: a hash, or the number or name bzr and svn use.
fn commit(vcs: &str, id: &str) -> Option<String> {
    match vcs {
        "git" | "hg" => parse_hash(id),
        _ => {
            let plain = id.len() <= 20 && id.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| id.to_owned())
        }
    }
}

/// Computes the digest of a distribution's installed files from `RECORD`: SHA-256 over its lines
/// `path,hash,size`, sorted, each ended by a newline.
///
/// Left out is what differs between installations of one wheel: entries without a hash, scripts
/// outside of the package directory, and what the installer notes about itself.
pub(super) fn record_digest(record: &str) -> Digest {
    const NOTES: [&str; 4] = [
        "/INSTALLER",
        "/REQUESTED",
        "/direct_url.json",
        "/uv_cache.json",
    ];
    let kept = |line: &&str| {
        let mut fields = line.rsplitn(3, ',');
        let (size, hash, path) = (fields.next(), fields.next(), fields.next());
        size.is_some()
            && hash.is_some_and(|hash| !hash.is_empty())
            && path.is_some_and(|path| {
                let path = path.trim_matches('"');
                !path.starts_with("../") && !NOTES.iter().any(|note| path.ends_with(note))
            })
    };
    let mut lines: Vec<&str> = record.lines().map(str::trim_end).filter(kept).collect();
    lines.sort_unstable();
    let mut hasher = Hasher::new();
    for line in lines {
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn each_form_of_direct_url_is_read_without_credentials_and_paths() {
        let vcs = format!(
            r#"{{"url":"https://ada:pw@git.example.org/x.git?key=1#frag","vcs_info":{{"vcs":"git","commit_id":"{COMMIT}","requested_revision":"main"}}}}"#
        );
        assert_eq!(
            parse_direct_url(&vcs),
            Some((
                Source::Vcs {
                    vcs: "git".into(),
                    url: Some("https://git.example.org/x.git".into()),
                    commit: COMMIT.into(),
                },
                false
            ))
        );
        let hex = "a".repeat(64);
        let archive = format!(
            r#"{{"url":"file:///home/ada/x.whl","archive_info":{{"hash":"sha256={hex}"}}}}"#
        );
        assert_eq!(
            parse_direct_url(&archive),
            Some((
                Source::Archive {
                    url: None,
                    sha256: Some(format!("sha256:{hex}").parse().unwrap()),
                },
                false
            ))
        );
        let editable = r#"{"url":"file:///home/ada/x","dir_info":{"editable":true}}"#;
        assert_eq!(parse_direct_url(editable), Some((Source::Directory, true)));
    }

    #[test]
    fn other_json_is_no_source() {
        for bad in [
            "",
            "{}",
            r#"{"url":"https://x"}"#,
            r#"{"url":"https://x","vcs_info":{"vcs":"cvs","commit_id":"1"}}"#,
        ] {
            assert_eq!(parse_direct_url(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_record_digest_ignores_order_scripts_and_notes() {
        let a = "x/__init__.py,sha256=aa,10\nx/b.py,sha256=bb,3\nx-1.dist-info/RECORD,,\n";
        let b = "x/b.py,sha256=bb,3\r\n../../../bin/x,sha256=cc,9\nx/__init__.py,sha256=aa,10\n\
            x-1.dist-info/INSTALLER,sha256=dd,4\nx/__pycache__/b.pyc,,\n";
        assert_eq!(record_digest(a), record_digest(b));
        assert_ne!(record_digest(a), record_digest("x/b.py,sha256=b0,3\n"));
    }

    proptest! {
        #[test]
        fn any_direct_url_and_record_is_read(text in "(\\{|\\}|\"url\"|:|,|\"|vcs_info|sha256=|\n|\\PC){0,32}") {
            drop(parse_direct_url(&text));
            prop_assert_eq!(record_digest(&text), record_digest(&text.replace('\n', "\r\n")));
        }
    }
}
