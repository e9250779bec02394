use mainstay_core::ErrorKind;

use super::*;

fn file(path: &str, content: &str) -> ArtifactFile {
    ArtifactFile {
        path: path.parse().unwrap(),
        digest: Digest::of(content.as_bytes()),
        bytes: content.len() as u64,
        media_type: "application/octet-stream".into(),
    }
}

#[test]
fn one_file_is_identified_as_sha256sum_does_and_its_name_does_not_matter() {
    for path in ["model.bin", "other.bin"] {
        let artifact = Artifact::of(vec![file(path, "weights")]).unwrap();
        assert_eq!(artifact.digest, Digest::of(b"weights"));
    }
}

#[test]
fn several_files_are_identified_by_their_list_in_any_order() {
    let forth = Artifact::of(vec![file("a", "1"), file("b", "2")]).unwrap();
    let back = Artifact::of(vec![file("b", "2"), file("a", "1")]).unwrap();
    assert_eq!(forth, back);
    let moved = Artifact::of(vec![file("a", "1"), file("c", "2")]).unwrap();
    assert_ne!(forth.digest, moved.digest);
}

#[test]
fn files_that_cannot_lie_in_one_directory_are_refused() {
    for bad in [
        vec![],
        vec!["a", "a"],
        vec!["a", "A"],
        vec!["a", "a/b"],
        vec!["x", "B", "b/c"],
    ] {
        let files = bad.iter().map(|path| file(path, "x")).collect();
        assert_eq!(
            Artifact::of(files).unwrap_err().kind(),
            ErrorKind::Invalid,
            "{bad:?}"
        );
    }
}

#[test]
fn documentation_is_told_from_weights() {
    let mut markdown = file("notes.md", "x");
    markdown.media_type = "text/markdown".into();
    assert!(markdown.is_documentation() && file("docs/LICENSE", "x").is_documentation());
    assert!(!file("model.bin", "x").is_documentation());
}

#[tokio::test]
async fn a_directory_is_listed_by_relative_path() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    std::fs::write(directory.path().join("z.bin"), "z").unwrap();
    std::fs::write(directory.path().join("sub/a.json"), "{}").unwrap();
    let files = files_at(directory.path()).await.unwrap();
    let listed: Vec<_> = files
        .iter()
        .map(|file| (file.path.as_str(), file.media_type.as_str()))
        .collect();
    assert_eq!(
        listed,
        [
            ("sub/a.json", "application/json"),
            ("z.bin", "application/octet-stream")
        ]
    );
    let single = files_at(&directory.path().join("z.bin")).await.unwrap();
    assert_eq!(single[0].path.as_str(), "z.bin");
}

#[tokio::test]
async fn nothing_to_register_is_an_error_that_names_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let empty = files_at(directory.path()).await.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::Invalid);
    let missing = files_at(&directory.path().join("gone")).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().contains("gone"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_inside_a_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link")).unwrap();
    let error = files_at(directory.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
