//! Hostile and unusual trees: links, pipes, huge files, git repositories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use mainstay_env::{Capture, ContainerVerdict, Fact, Failure, Platform, Source};

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn capture(root: &Path) -> Capture {
    Capture::new()
        .with_root(root)
        .with_platform(Platform::new("linux", "x86_64"))
}

#[test]
fn links_of_a_tree_do_not_leave_it() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret", "outside");
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc/sys/kernel")).unwrap();
    let kernel = root.path().join("proc/sys/kernel/osrelease");

    symlink(outside.path().join("secret"), &kernel).unwrap();
    assert_eq!(capture(root.path()).run().identity.kernel, Fact::Absent);

    fs::remove_file(&kernel).unwrap();
    symlink("../../../../../../inside", &kernel).unwrap();
    write(root.path(), "inside", "1.2.3");
    assert_eq!(
        capture(root.path()).run().identity.kernel,
        Fact::Known("1.2.3".into())
    );

    fs::remove_file(&kernel).unwrap();
    symlink("osrelease", &kernel).unwrap();
    assert_eq!(capture(root.path()).run().identity.kernel, Fact::Absent);
}

#[test]
fn an_absolute_link_is_below_the_root() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "usr/lib/os-release", "ID=here\n");
    fs::create_dir_all(root.path().join("etc")).unwrap();
    symlink("/usr/lib/os-release", root.path().join("etc/os-release")).unwrap();
    let identity = capture(root.path()).run().identity;
    assert_eq!(identity.distribution.known().unwrap().id, "here");
}

#[test]
fn directories_and_huge_files_where_text_is_expected_are_failures() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proc/cpuinfo")).unwrap();
    write(
        root.path(),
        "proc/sys/kernel/osrelease",
        vec![b'x'; (1 << 20) + 1],
    );
    write(root.path(), "etc/os-release", b"ID=\xff\n");
    let identity = capture(root.path()).run().identity;
    assert_eq!(identity.cpu, Fact::Failed(Failure::Malformed));
    assert_eq!(identity.kernel, Fact::Failed(Failure::TooLarge));
    assert_eq!(identity.distribution, Fact::Failed(Failure::Malformed));
}

#[test]
fn a_virtual_machine_booted_from_a_container_image_is_unclear() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), ".dockerenv", "");
    fs::create_dir_all(root.path().join("proc/self/ns")).unwrap();
    let namespace = root.path().join("proc/self/ns/pid");
    symlink("pid:[4026531836]", &namespace).unwrap();
    let verdict = |root: &Path| {
        capture(root)
            .run()
            .identity
            .container
            .known()
            .unwrap()
            .verdict
    };
    assert_eq!(verdict(root.path()), ContainerVerdict::Unclear);

    fs::remove_file(root.path().join(".dockerenv")).unwrap();
    assert_eq!(verdict(root.path()), ContainerVerdict::Host);

    fs::remove_file(&namespace).unwrap();
    symlink("pid:[4026532000]", &namespace).unwrap();
    assert_eq!(verdict(root.path()), ContainerVerdict::Container);
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

fn commit(project: &Path) -> Fact<String> {
    let manifest = Capture::new().with_project(project).run();
    manifest.identity.git.map(|git| git.commit)
}

#[test]
fn the_commit_is_found_loose_packed_and_detached() {
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    write(root, ".git/HEAD", "ref: refs/heads/main\n");
    assert_eq!(commit(root), Fact::Absent);

    let packed = format!(
        "# pack-refs with: peeled\n{OTHER} refs/heads/other\n{COMMIT} refs/heads/main\n^{OTHER}\n"
    );
    write(root, ".git/packed-refs", packed);
    assert_eq!(commit(root), Fact::Known(COMMIT.into()));

    write(root, ".git/refs/heads/main", format!("{OTHER}\n"));
    assert_eq!(commit(root), Fact::Known(OTHER.into()));

    write(root, ".git/HEAD", format!("{COMMIT}\n"));
    assert_eq!(commit(root), Fact::Known(COMMIT.into()));
    fs::create_dir_all(root.join("deep/below")).unwrap();
    assert_eq!(commit(&root.join("deep/below")), Fact::Known(COMMIT.into()));
}

#[test]
fn a_worktree_has_its_own_head_and_shares_the_rest() {
    let base = tempfile::tempdir().unwrap();
    let root = base.path();
    write(root, "main/.git/HEAD", "ref: refs/heads/main\n");
    write(
        root,
        "main/.git/packed-refs",
        format!("{COMMIT} refs/heads/topic\n"),
    );
    write(
        root,
        "main/.git/config",
        "[remote \"origin\"]\n\turl = git@git.example.org:ada/x.git\n",
    );
    write(
        root,
        "main/.git/worktrees/tree/HEAD",
        "ref: refs/heads/topic\n",
    );
    write(root, "main/.git/worktrees/tree/commondir", "../..\n");
    write(root, "tree/.git", "gitdir: ../main/.git/worktrees/tree\n");
    let manifest = Capture::new().with_project(root.join("tree")).run();
    assert_eq!(manifest.identity.git.known().unwrap().commit, COMMIT);
    assert_eq!(
        manifest.volatile.git_remote.as_deref(),
        Some("ssh://git.example.org/ada/x.git")
    );
}

#[test]
fn a_damaged_head_is_a_failure() {
    let project = tempfile::tempdir().unwrap();
    for bad in [
        "",
        "nonsense",
        "ref: ../../etc/passwd",
        "ref: refs/heads/.invalid/../x",
    ] {
        write(project.path(), ".git/HEAD", bad);
        assert_eq!(
            commit(project.path()),
            Fact::Failed(Failure::Malformed),
            "{bad:?}"
        );
    }
    write(project.path(), ".git/HEAD", "ref: refs/heads/loop\n");
    write(
        project.path(),
        ".git/refs/heads/loop",
        "ref: refs/heads/loop\n",
    );
    assert_eq!(commit(project.path()), Fact::Failed(Failure::Malformed));
}

#[test]
fn lock_files_are_hashed_as_sha256sum_does() {
    let project = tempfile::tempdir().unwrap();
    let locks = |root: &Path| Capture::new().with_project(root).run().identity.locks;
    assert_eq!(locks(project.path()), Fact::Absent);
    write(project.path(), "Cargo.lock", "abc");
    let found = locks(project.path());
    assert_eq!(
        found.known().unwrap()["Cargo.lock"].to_hex(),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn a_shim_of_pyenv_leads_to_the_version_it_stands_for() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "home/ada/.pyenv/shims/python3", "#!/bin/sh\n");
    write(root.path(), "home/ada/.pyenv/version", "3.12.1\n");
    let library = "home/ada/.pyenv/versions/3.12.1/lib/python3.12/site-packages";
    write(
        root.path(),
        &format!("{library}/numpy-2.0.0.dist-info/METADATA"),
        "",
    );
    let path = (
        "PATH".to_owned(),
        "relative:/home/ada/.pyenv/shims:/usr/bin".to_owned(),
    );
    let manifest = capture(root.path()).with_variables([path].into()).run();
    assert_eq!(manifest.identity.packages.known().unwrap()[0].name, "numpy");
    assert_eq!(manifest.identity.python.known().unwrap().version, "3.12");
}

#[test]
fn an_interpreter_link_leads_to_its_installation() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "opt/py/bin/python3.11", "");
    write(
        root.path(),
        "opt/py/lib/python3.11/site-packages/old-1.dist-info/METADATA",
        "",
    );
    write(
        root.path(),
        "opt/py/lib/python3.12/site-packages/new-1.dist-info/METADATA",
        "",
    );
    fs::create_dir_all(root.path().join("usr/bin")).unwrap();
    symlink(
        "/opt/py/bin/python3.11",
        root.path().join("usr/bin/python3"),
    )
    .unwrap();
    let manifest = capture(root.path()).with_python("/usr/bin/python3").run();
    assert_eq!(manifest.identity.packages.known().unwrap()[0].name, "old");
}

#[test]
fn a_damaged_note_on_the_source_does_not_make_it_the_index() {
    let root = tempfile::tempdir().unwrap();
    let site = "opt/py/lib/python3.11/site-packages";
    write(
        root.path(),
        &format!("{site}/a-1.dist-info/direct_url.json"),
        "{",
    );
    write(
        root.path(),
        &format!("{site}/b-1.dist-info/direct_url.json"),
        b"\xff",
    );
    write(root.path(), &format!("{site}/c-1.dist-info/METADATA"), "");
    let manifest = capture(root.path()).with_python("/opt/py").run();
    let packages = manifest.identity.packages.known().unwrap();
    let sources: Vec<_> = packages
        .iter()
        .map(|package| package.source.clone())
        .collect();
    assert_eq!(
        sources,
        [Some(Source::Unknown), Some(Source::Unknown), None]
    );
}
