//! Writing large files past the kernel's cache.
//!
//! Who waits for the disk anyway gains nothing from a copy of all bytes in memory, which costs more
//! than hashing them, and pushes out what others want to read.

use std::fs::File;
use std::io::{self, Write as _};

use super::kernel;

/// A file of so many bytes is large.
pub(super) const LARGE_BYTES: usize = 4 << 20;

/// What disks want addresses and lengths to be multiples of: 512, or 4,096, or less than either.
const BLOCK: usize = 4_096;

/// What is handed to the disk at a time.
const STEP: usize = 4 << 20;

/// Writes all bytes to a file that is empty, past the cache where the file system can.
pub(super) fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let written = if kernel::set_direct(file, true).is_ok() {
        let written = write_blocks(file, blocks.as_flattened());
        kernel::set_direct(file, false)?;
        written?
    } else {
        0
    };
    file.write_all(&bytes[written..])
}

/// Writes what it can of whole blocks; returns how many bytes that is.
fn write_blocks(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    let mut copy = Aligned::default();
    let mut written = 0;
    while written < bytes.len() {
        let rest = &bytes[written..];
        let piece = &rest[..rest.len().min(STEP)];
        match file.write(copy.of(piece)) {
            // To be reported by who writes the rest.
            Ok(0) => break,
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Some file systems say only now that they cannot.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
        if written % BLOCK != 0 {
            break;
        }
    }
    Ok(written)
}

/// Memory that disks can read from.
#[derive(Default)]
struct Aligned(Vec<u8>);

impl Aligned {
    /// Returns the bytes where they are, if disks can read them there; else a copy.
    fn of<'a>(&'a mut self, bytes: &'a [u8]) -> &'a [u8] {
        if bytes.as_ptr().align_offset(BLOCK) == 0 {
            return bytes;
        }
        if self.0.len() < bytes.len() + BLOCK {
            self.0 = vec![0; bytes.len() + BLOCK];
        }
        let start = self.0.as_ptr().align_offset(BLOCK);
        let copy = &mut self.0[start..start + bytes.len()];
        copy.copy_from_slice(bytes);
        copy
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};

    use super::*;

    #[test]
    fn files_of_any_length_are_written_whole() {
        for len in [
            0,
            1,
            BLOCK - 1,
            BLOCK,
            BLOCK + 1,
            STEP,
            STEP + 1,
            2 * STEP + BLOCK + 17,
        ] {
            let bytes: Vec<u8> = (0_u32..)
                .map(|n| (n / 7 % 251) as u8)
                .take(len + BLOCK)
                .collect();
            let aligned = bytes.as_ptr().align_offset(BLOCK);
            for start in [aligned, (aligned + 1) % BLOCK] {
                let bytes = &bytes[start..start + len];
                let mut file = tempfile::tempfile().unwrap();
                write(&file, bytes).unwrap();
                file.rewind().unwrap();
                let mut read = Vec::new();
                file.read_to_end(&mut read).unwrap();
                assert!(read == bytes, "{len} from {start}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_so_is_written_as_ever() {
        let (mut reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        let bytes = vec![7; BLOCK + 1];
        write(&writer, &bytes).unwrap();
        drop(writer);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read == bytes);
    }
}
