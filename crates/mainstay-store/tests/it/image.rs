//! File systems in a file, mounted through a loop device, which takes the superuser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How often the tests that mount images are to cut the power; they are skipped when it is 0.
pub(crate) fn cuts() -> usize {
    let asked = std::env::var("MAINSTAY_POWER_CUTS");
    asked.map_or(0, |cuts| cuts.parse().unwrap())
}

/// Says that what was asked for cannot be had here.
pub(crate) fn skipped(what: &str, reason: &str) {
    eprintln!("SKIPPED: {what}: asked for but not possible here: {reason}");
}

/// An image of a file system.
#[derive(Debug)]
pub(crate) struct Image(PathBuf);

impl Image {
    pub(crate) fn make(dir: &Path, file_system: &str, bytes: u64) -> Result<Self, String> {
        let path = dir.join("disk-0");
        let file = fs::File::create(&path).unwrap();
        file.set_len(bytes).unwrap();
        run(&format!("mkfs.{file_system}"), &["-q".as_ref(), &path])?;
        Ok(Self(path))
    }

    pub(crate) fn mount(&self, options: &[&str]) -> Result<Mount, String> {
        let found = run(
            "losetup",
            &["--find".as_ref(), "--show".as_ref(), self.0.as_path()],
        )?;
        let mut mount = Mount {
            device: PathBuf::from(found.trim()),
            path: self.0.with_extension("mounted"),
            is_mounted: false,
        };
        fs::create_dir_all(&mount.path).unwrap();
        let options = ["noatime"].iter().chain(options).copied();
        let options = options.collect::<Vec<_>>().join(",");
        let args = [Path::new("-o"), Path::new(&options), &mount.device];
        run("mount", &[&args[..], &[&mount.path]].concat())?;
        mount.is_mounted = true;
        Ok(mount)
    }

    /// Copies what is on the disk at one moment.
    pub(crate) fn copy(&self, mount: &Mount) -> Self {
        let number: u64 = self
            .0
            .to_string_lossy()
            .rsplit_once('-')
            .unwrap()
            .1
            .parse()
            .unwrap();
        let copy = self.0.with_file_name(format!("disk-{}", number + 1));
        loop {
            let before = mount.writes();
            run("cp", &["--sparse=always".as_ref(), self.0.as_path(), &copy]).unwrap();
            // The kernel writes on its own: then the copy is of several moments.
            if mount.writes() == before {
                fs::remove_file(&self.0).unwrap();
                return Self(copy);
            }
        }
    }
}

/// A mounted image; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Mount {
    device: PathBuf,
    path: PathBuf,
    is_mounted: bool,
}

impl Mount {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many writes the device has had, and how many requests are on their way.
    fn writes(&self) -> (String, String) {
        let name = self.device.file_name().unwrap();
        let stat = Path::new("/sys/block").join(name).join("stat");
        let stat = fs::read_to_string(stat).unwrap();
        let fields: Vec<_> = stat.split_whitespace().collect();
        (fields[4].to_owned(), fields[8].to_owned())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted
            && let Err(error) = run("umount", &[&self.path])
        {
            eprintln!("{error}");
        }
        if let Err(error) = run("losetup", &["--detach".as_ref(), self.device.as_path()]) {
            eprintln!("{error}");
        }
    }
}

/// Runs a program; an error is what it said.
fn run(program: &str, args: &[&Path]) -> Result<String, String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{program}: {}", said.trim()))
    }
}
