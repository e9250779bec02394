//! Systems with none of it. What may be tried is refused as an older Linux would.

use std::fs::File;

use rustix::fs::OFlags;
use rustix::io::Errno;

pub(in crate::local) fn open_beneath(_: &File, _: &str, _: OFlags) -> Result<File, Errno> {
    Err(Errno::NOSYS)
}

pub(in crate::local) fn open_cached(_: &File, _: &str, _: OFlags) -> Result<File, Errno> {
    Err(Errno::NOSYS)
}

pub(in crate::local) fn opens_beneath() -> bool {
    false
}

pub(in crate::local) fn opens_cached() -> bool {
    false
}

pub(in crate::local) fn read_cached(_: &File, _: &mut [u8], _: u64) -> Result<usize, Errno> {
    Err(Errno::NOSYS)
}

pub(in crate::local) fn create_anonymous(_: &File) -> Result<File, Errno> {
    Err(Errno::NOSYS)
}

pub(in crate::local) fn link_open(_: &File, _: &File, _: &str) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

pub(in crate::local) fn sync_file_system(_: &File) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

pub(in crate::local) fn set_direct(_: &File, _: bool) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
