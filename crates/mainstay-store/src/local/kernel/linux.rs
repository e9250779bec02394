//! Linux.

use std::fs::File;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd as _;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, ReadWriteFlags};

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS);

fn open(root: &File, path: &str, flags: OFlags, resolve: ResolveFlags) -> Result<File, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve).map(File::from)
}

/// Opens a path beneath `root` without following any link.
pub(in crate::local) fn open_beneath(
    root: &File,
    path: &str,
    flags: OFlags,
) -> Result<File, Errno> {
    open(root, path, flags, BENEATH)
}

/// The same if it needs no disk; [`Errno::AGAIN`] otherwise.
pub(in crate::local) fn open_cached(root: &File, path: &str, flags: OFlags) -> Result<File, Errno> {
    open(root, path, flags, BENEATH | ResolveFlags::CACHED)
}

fn works(resolve: ResolveFlags) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // Refused by kernels that lack it and by sandboxes that have not heard of it.
    rustix::fs::openat2(CWD, ".", flags, Mode::empty(), resolve).is_ok()
}

pub(in crate::local) fn opens_beneath() -> bool {
    works(BENEATH)
}

pub(in crate::local) fn opens_cached() -> bool {
    works(BENEATH | ResolveFlags::CACHED)
}

/// Reads from the page cache as much as is there, without blocking.
pub(in crate::local) fn read_cached(
    file: &File,
    bytes: &mut [u8],
    offset: u64,
) -> Result<usize, Errno> {
    let mut bytes = [IoSliceMut::new(bytes)];
    rustix::io::preadv2(file, &mut bytes, offset, ReadWriteFlags::NOWAIT)
}

/// Creates a file without a name in `directory`.
pub(in crate::local) fn create_anonymous(directory: &File) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    rustix::fs::openat(directory, ".", flags, mode).map(File::from)
}

/// Gives an open file a name.
pub(in crate::local) fn link_open(file: &File, to: &File, name: &str) -> Result<(), Errno> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    match rustix::fs::linkat(CWD, path, to, name, AtFlags::SYMLINK_FOLLOW) {
        // Without /proc there is another way, which older kernels keep for the superuser.
        Err(Errno::NOENT) => rustix::fs::linkat(file, "", to, name, AtFlags::EMPTY_PATH),
        linked => linked,
    }
}

/// Waits until everything written to the file system of `root` is on the disk.
pub(in crate::local) fn sync_file_system(root: &File) -> Result<(), Errno> {
    rustix::fs::syncfs(root)
}

/// Says whether writes to an open file go past the cache.
pub(in crate::local) fn set_direct(file: &File, direct: bool) -> Result<(), Errno> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    rustix::fs::fcntl_setfl(
        file,
        if direct {
            flags | OFlags::DIRECT
        } else {
            flags - OFlags::DIRECT
        },
    )
}
