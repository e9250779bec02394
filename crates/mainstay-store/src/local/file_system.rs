//! Which file system a directory is on.

use std::io;
use std::path::Path;

/// What is known of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileSystem {
    /// For people, as `xfs`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// On a disk of this machine, and one call makes all of it durable and reports its errors.
    Journaled,
    /// On a disk of this machine.
    Disk,
    /// Gone when the machine restarts.
    Memory,
    /// Kept by somebody else: another machine, or a program behind FUSE.
    Remote,
    Unknown,
}

impl FileSystem {
    /// The file system of `path`, or, as that may be yet to be made, of what is to be around it.
    #[cfg(target_os = "linux")]
    pub(super) fn around(path: &Path) -> io::Result<Self> {
        let there = path.ancestors().find(|path| path.exists());
        let stat = rustix::fs::statfs(there.unwrap_or(path))?;
        // The type's width and sign depend on the architecture; the numbers have 32 bits.
        let number = i128::from(stat.f_type) & 0xffff_ffff;
        Ok(u32::try_from(number).map_or(UNKNOWN, Self::of_number))
    }

    /// Other systems do not number their file systems: what they have is taken for a local disk.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn around(_path: &Path) -> io::Result<Self> {
        Ok(Self {
            name: "unidentified",
            kind: Kind::Disk,
        })
    }

    /// Finds a file system by the number that Linux gives it.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "Linux numbers"))]
    fn of_number(number: u32) -> Self {
        let found = KNOWN.iter().find(|(known, ..)| *known == number);
        found.map_or(UNKNOWN, |&(_, name, kind)| Self { name, kind })
    }

    /// Whether what it promises has to be tried before it is relied on.
    pub(super) fn is_foreign(self) -> bool {
        matches!(self.kind, Kind::Remote | Kind::Unknown)
    }
}

const UNKNOWN: FileSystem = FileSystem {
    name: "unknown",
    kind: Kind::Unknown,
};

/// The numbers are in `linux/magic.h`, statfs(2) and, for those outside the kernel, the `stat`
/// program of GNU coreutils.
const KNOWN: &[(u32, &str, Kind)] = &[
    (0x0000_ef53, "ext", Kind::Journaled),
    (0x5846_5342, "xfs", Kind::Journaled),
    (0x9123_683e, "btrfs", Kind::Journaled),
    (0xf2f5_2010, "f2fs", Kind::Journaled),
    (0x2fc1_2fc1, "zfs", Kind::Disk),
    (0xca45_1a4e, "bcachefs", Kind::Disk),
    (0x794c_7630, "overlay", Kind::Disk),
    (0x3153_464a, "jfs", Kind::Disk),
    (0x5265_4973, "reiserfs", Kind::Disk),
    (0x0000_3434, "nilfs", Kind::Disk),
    (0x2405_1905, "ubifs", Kind::Disk),
    (0x0000_72b6, "jffs2", Kind::Disk),
    (0x0000_f15f, "ecryptfs", Kind::Disk),
    (0x0001_1954, "ufs", Kind::Disk),
    (0x0000_482b, "hfs+", Kind::Disk),
    (0x1501_3346, "udf", Kind::Disk),
    (0x7366_746e, "ntfs3", Kind::Disk),
    (0x5346_544e, "ntfs", Kind::Disk),
    (0x0000_4d44, "fat", Kind::Disk),
    (0x2011_bab0, "exfat", Kind::Disk),
    (0x0102_1994, "tmpfs", Kind::Memory),
    (0x8584_58f6, "ramfs", Kind::Memory),
    (0x0000_6969, "nfs", Kind::Remote),
    (0x0000_517b, "smb", Kind::Remote),
    (0xfe53_4d42, "smb2", Kind::Remote),
    (0xff53_4d42, "cifs", Kind::Remote),
    (0x0102_1997, "9p", Kind::Remote),
    (0x6573_5546, "fuse", Kind::Remote),
    (0x5346_414f, "afs", Kind::Remote),
    (0x6b41_4653, "kafs", Kind::Remote),
    (0x00c3_6400, "ceph", Kind::Remote),
    (0x7375_7245, "coda", Kind::Remote),
    (0x0bd0_0bd0, "lustre", Kind::Remote),
    (0x1983_0326, "beegfs", Kind::Remote),
    (0x4750_4653, "gpfs", Kind::Remote),
    (0x7461_636f, "ocfs2", Kind::Remote),
    (0x0116_1970, "gfs2", Kind::Remote),
    (0x2003_0528, "orangefs", Kind::Remote),
    (0xaad7_aaea, "panfs", Kind::Remote),
    (0xa501_fcf5, "vxfs", Kind::Remote),
    (0xbeef_dead, "snfs", Kind::Remote),
    (0xbacb_acbc, "vmhgfs", Kind::Remote),
    (0x786f_4256, "vboxsf", Kind::Remote),
    (0x7c7c_6673, "prl_fs", Kind::Remote),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn file_systems_are_told_by_their_numbers() {
        for (number, name, foreign) in [
            (0xef53, "ext", false),
            (0x0102_1994, "tmpfs", false),
            (0x6969, "nfs", true),
            (0xff53_4d42, "cifs", true),
            (0x6573_5546, "fuse", true),
            (0x1234_5678, "unknown", true),
        ] {
            let found = FileSystem::of_number(number);
            assert_eq!((found.name, found.is_foreign()), (name, foreign));
        }
        let numbers: BTreeSet<_> = KNOWN.iter().map(|(number, ..)| number).collect();
        let names: BTreeSet<_> = KNOWN.iter().map(|(_, name, _)| name).collect();
        assert_eq!((numbers.len(), names.len()), (KNOWN.len(), KNOWN.len()));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_path_that_is_yet_to_be_made_is_on_the_file_system_around_it() {
        let found = FileSystem::around(Path::new("/proc/absent/deep"));
        assert_eq!(found.unwrap(), UNKNOWN);
        let dir = tempfile::tempdir().unwrap();
        let around = FileSystem::around(dir.path()).unwrap();
        let yet_to_be = dir.path().join("a/b");
        assert_eq!(FileSystem::around(&yet_to_be).unwrap(), around);
        assert!(!around.is_foreign(), "the tests need a local file system");
    }
}
