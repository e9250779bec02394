//! Files: read within bounds, compared with a digest, replaced atomically.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind as Io, Read as _, Write as _};
use std::path::Path;

use mainstay_core::{Digest, Error, ErrorKind, Hasher, Result};

const PREFIX: &str = ".mainstay-";
const SUFFIX: &str = ".tmp";

/// Runs what waits for the disk where that holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        Error::new(ErrorKind::Internal, "writing a layout panicked").with_source(error)
    })?
}

/// Reads a regular file of at most `max_bytes`; `None` when there is nothing.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>> {
    let read = || {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() => {}
            // A pipe would never end, a link may lead anywhere.
            Ok(_) => return Err(Error::invalid("not a regular file")),
            Err(error) if error.kind() == Io::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let mut bytes = Vec::new();
        let file = File::open(path)?;
        file.take(max_bytes + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max_bytes {
            return Err(Error::invalid(format!("more than {max_bytes} bytes")));
        }
        Ok(Some(bytes))
    };
    read().map_err(|error| error.context("path", path.display()))
}

/// Reports whether `path` is a regular file of these bytes.
pub(super) fn holds(path: &Path, digest: Digest, bytes: u64) -> Result<bool> {
    let compare = || {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_file() && found.len() == bytes => {}
            Ok(_) => return Ok(false),
            Err(error) if error.kind() == Io::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let mut file = File::open(path)?;
        let (mut hasher, mut buffer) = (Hasher::new(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish() == digest),
                read => hasher.update(&buffer[..read]),
            }
        }
    };
    compare().map_err(|error: Error| error.context("path", path.display()))
}

/// Makes a directory, and those above it; durable when it returns.
pub(super) fn create_directory(path: &Path) -> Result<()> {
    let create = || {
        fs::create_dir_all(path)?;
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
            _ => Ok(()),
        }
    };
    create().map_err(|error| Error::from(error).context("path", path.display()))
}

/// Replaces a file atomically; durable when it returns.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let directory = path.parent().unwrap_or(Path::new("."));
        // Removed when it is dropped.
        let mut file = temporary(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_directory(directory)
    };
    write().map_err(|error: std::io::Error| Error::from(error).context("path", path.display()))
}

/// Reports whether a name is one that a file has until it is whole.
pub(super) fn is_temporary(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(PREFIX.as_bytes()) && name.ends_with(SUFFIX.as_bytes())
}

/// Creates a file with the permissions any new file of this process gets.
fn temporary(directory: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Elsewhere a rename is durable with the file.
#[cfg(not(unix))]
fn sync_directory(_directory: &Path) -> std::io::Result<()> {
    Ok(())
}
