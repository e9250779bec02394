//! The operating system: distribution, kernel, C library, memory, locale, time zone.

use etc_os_release::OsRelease;

use super::{Found, Scene};
use crate::secrets::clean;
use crate::{Distribution, Failure, Libc};

/// The most that is searched of the C library for its version.
const MAX_LIBC_BYTES: u64 = 8 << 20;

pub(crate) fn distribution(scene: &Scene<'_>) -> Found<Distribution> {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        match scene.tree.text(path) {
            Ok(Some(text)) => return Found::known(parse_os_release(&text), path),
            Ok(None) => {}
            Err(failure) => return Found::failed(failure, path),
        }
    }
    Found::absent()
}

fn parse_os_release(text: &str) -> Distribution {
    // Parsing is total: what is no assignment is skipped, a missing ID is `linux` by the standard.
    let release: OsRelease = text.lines().collect();
    Distribution {
        id: clean(release.id()),
        version: release
            .version_id()
            .map(clean)
            .filter(|version| !version.is_empty()),
    }
}

pub(crate) fn kernel(scene: &Scene<'_>) -> Found<String> {
    let path = "/proc/sys/kernel/osrelease";
    match scene.tree.text(path) {
        Ok(Some(text)) if !text.trim().is_empty() => Found::known(clean(&text), path),
        Ok(Some(_)) => Found::failed(Failure::Malformed, path),
        Ok(None) => Found::absent(),
        Err(failure) => Found::failed(failure, path),
    }
}

pub(crate) fn libc(scene: &Scene<'_>, architecture: &str) -> Found<Libc> {
    let known = |implementation: &str, version, path: &str| {
        let implementation = implementation.into();
        Found::known(
            Libc {
                implementation,
                version,
            },
            path,
        )
    };
    let musl = format!("/lib/ld-musl-{architecture}.so.1");
    if scene.tree.exists(&musl) {
        return known("musl", None, &musl);
    }
    let multiarch = format!("{architecture}-linux-gnu");
    let directories = [
        format!("/lib/{multiarch}"),
        format!("/usr/lib/{multiarch}"),
        "/lib64".into(),
        "/usr/lib64".into(),
        "/lib".into(),
        "/usr/lib".into(),
    ];
    for directory in directories {
        let path = format!("{directory}/libc.so.6");
        match scene.tree.prefix(&path, MAX_LIBC_BYTES) {
            Ok(Some(bytes)) => return known("glibc", glibc_version(&bytes), &path),
            Ok(None) => {}
            Err(failure) => return Found::failed(failure, path),
        }
    }
    Found::absent()
}

/// Finds `GNU C Library … release version 2.36.` in the library's bytes.
fn glibc_version(bytes: &[u8]) -> Option<String> {
    const BANNER: &[u8] = b"GNU C Library";
    const VERSION: &str = "release version ";
    let at = find(bytes, BANNER)?;
    let banner = &bytes[at..bytes.len().min(at + 256)];
    let banner = banner.split(|byte| matches!(byte, 0 | b'\n')).next()?;
    let version = std::str::from_utf8(banner).ok()?.split(VERSION).nth(1)?;
    let end = version
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(version.len());
    let version = version[..end].trim_end_matches('.');
    (!version.is_empty()).then(|| version.to_owned())
}

/// Finds `needle`, going from one occurrence of its first byte to the next.
pub(super) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = needle.first()?;
    let mut from = 0;
    while let Some(skip) = haystack.get(from..)?.iter().position(|byte| byte == first) {
        from += skip;
        if haystack[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
    None
}

/// Returns the machine's memory in bytes.
pub(crate) fn memory_bytes(scene: &Scene<'_>) -> Option<u64> {
    let text = scene.tree.text("/proc/meminfo").ok().flatten()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

pub(crate) fn time_zone(scene: &Scene<'_>) -> Found<String> {
    if let Some(zone) = scene.variables.get("TZ") {
        return Found::known(clean(zone.trim_start_matches(':')), "TZ");
    }
    let localtime = scene.tree.link("/etc/localtime");
    if let Some((_, zone)) = localtime
        .as_deref()
        .and_then(|to| to.split_once("/zoneinfo/"))
    {
        return Found::known(clean(zone), "/etc/localtime");
    }
    match scene.tree.text("/etc/timezone") {
        Ok(Some(zone)) if !zone.trim().is_empty() => Found::known(clean(&zone), "/etc/timezone"),
        Ok(_) => Found::absent(),
        Err(failure) => Found::failed(failure, "/etc/timezone"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_version_is_read_from_the_banner_of_glibc() {
        let check = |text: &[u8], expected: Option<&str>| {
            assert_eq!(glibc_version(text).as_deref(), expected);
        };
        check(
            b"\0\0GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.\nCopyright",
            Some("2.36"),
        );
        check(b"GNU C Library stable release version 2.39\0", Some("2.39"));
        check(b"GNU C Library\0release version 2.39", None);
        check(b"GNU C Librar", None);
    }

    proptest! {
        #[test]
        fn any_os_release_is_read(text in "(ID|VERSION_ID|[A-Z]{0,4}|=|\"|'|\\\\|\n|\\PC){0,64}") {
            drop(parse_os_release(&text));
        }

        #[test]
        fn any_library_is_searched(bytes: Vec<u8>, needle in proptest::collection::vec(0_u8..3, 1..4)) {
            drop(glibc_version(&bytes));
            let small: Vec<u8> = bytes.iter().map(|byte| byte % 3).collect();
            let expected = small.windows(needle.len()).position(|window| window == needle);
            prop_assert_eq!(find(&small, &needle), expected);
        }
    }
}
