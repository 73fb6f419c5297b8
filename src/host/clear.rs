//! Takes a folder away with all that is in it, however deep that goes: std and cap-std hold a
//! descriptor for each level meanwhile, and a process has some thousand of them. No link is
//! followed. Which folder may go is not known here.

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Levels that are open at once, each with one descriptor.
const LEVELS_MAX: usize = 32;
/// How often it is begun anew for what lay deeper; a folder that is always filled again comes to
/// an end, too.
const ROUNDS_MAX: usize = 100_000;

/// Takes a folder away with all that is in it. A link in its place is refused.
///
/// # Errors
/// There is none, or something in it cannot be taken away; what could be is gone.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    clear(rustix::fs::open(path, flags, Mode::empty())?)?;
    std::fs::remove_dir(path)
}

/// Takes away all that is in a folder, which is open for reading.
///
/// # Errors
/// Something cannot be taken away; what could be is gone.
pub fn clear(folder: impl AsFd) -> io::Result<()> {
    let mut clearing = Clearing { top: folder.as_fd(), raised: 0 };
    for _ in 0..ROUNDS_MAX {
        let before = clearing.raised;
        clearing.level(Dir::read_from(clearing.top)?, LEVELS_MAX)?;
        if clearing.raised == before {
            return Ok(());
        }
    }
    Err(io::Error::other("it is filled faster than it is emptied"))
}

struct Clearing<'f> {
    top: BorrowedFd<'f>,
    /// Names given so far to folders that lay too deep.
    raised: u64,
}

impl Clearing<'_> {
    fn level(&mut self, mut entries: Dir, left: usize) -> io::Result<()> {
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let (name, here) = (entry.file_name(), entries.fd()?);
            if [c".", c".."].contains(&name) {
                continue;
            }
            match unlinkat(here, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                // Linux says the one of a folder, POSIX the other; whether it is one, is seen next.
                Err(Errno::ISDIR | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
            if left == 0 {
                self.raise(here, name)?;
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let within = match openat(here, name, flags, Mode::empty()) {
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(Errno::PERM.into()),
                within => within?,
            };
            self.level(Dir::new(within)?, left - 1)?;
            unlinkat(here, name, AtFlags::REMOVEDIR)?;
        }
        Ok(())
    }

    /// Moves a folder up to the first level, from where it is as deep again. Names that are taken
    /// there are passed over once each.
    fn raise(&mut self, here: BorrowedFd<'_>, name: &std::ffi::CStr) -> io::Result<()> {
        loop {
            self.raised += 1;
            match renameat(here, name, self.top, format!("{}.raised", self.raised)) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR | Errno::ISDIR) => {}
                moved => return Ok(moved?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// Folders within folders, with files and links in some.
    fn deep(top: &Path, levels: usize) {
        fs::create_dir(top).expect("made");
        let mut here: OwnedFd = File::open(top).expect("opened").into();
        for level in 0..levels {
            if level % 10 == 0 {
                let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
                openat(&here, "file", flags, Mode::empty()).expect("a file");
                rustix::fs::symlinkat("../../kept", &here, "out").expect("a link");
                rustix::fs::symlinkat(".", &here, "round").expect("a link");
            }
            let name = if level % 2 == 0 { "1.raised" } else { "folder" };
            rustix::fs::mkdirat(&here, name, Mode::RWXU).expect("made");
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            here = openat(&here, name, flags, Mode::empty()).expect("opened");
        }
    }

    #[test]
    fn a_folder_goes_however_deep_it_is_and_what_links_lead_to_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("kept")).expect("made");
        fs::write(dir.path().join("kept/note.md"), "kept").expect("written");
        for levels in [0, 1, LEVELS_MAX - 1, LEVELS_MAX, LEVELS_MAX + 1, 2500] {
            let top = dir.path().join("gone");
            deep(&top, levels);
            fs::write(top.join("2.raised"), "a name that is taken").expect("written");
            remove_folder(&top).expect("removed");
            assert!(!top.exists(), "{levels}");
        }
        assert_eq!(fs::read(dir.path().join("kept/note.md")).expect("there"), b"kept");
    }

    #[test]
    fn no_more_is_open_than_some_levels() {
        let dir = tempfile::tempdir().expect("a folder");
        let top = dir.path().join("gone");
        deep(&top, 1000);
        // The other tests of this program open less than that themselves.
        let resource = rustix::process::Resource::Nofile;
        let before = rustix::process::getrlimit(resource);
        let few = rustix::process::Rlimit { current: Some(256), ..before };
        rustix::process::setrlimit(resource, few).expect("lowered");
        let removed = remove_folder(&top);
        rustix::process::setrlimit(resource, before).expect("as before");
        removed.expect("removed");
    }

    #[test]
    fn a_link_or_a_file_is_no_folder_and_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("kept")).expect("made");
        symlink("kept", dir.path().join("link")).expect("linked");
        fs::write(dir.path().join("file"), "").expect("written");
        for name in ["link", "file", "none"] {
            assert!(remove_folder(&dir.path().join(name)).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 3);
    }

    #[test]
    fn what_may_not_be_taken_away_is_said() {
        let dir = tempfile::tempdir().expect("a folder");
        let shut = dir.path().join("top/shut");
        fs::create_dir_all(shut.join("within")).expect("made");
        let mode = |mode| fs::set_permissions(&shut, fs::Permissions::from_mode(mode));
        mode(0o500).expect("shut");
        let removed = remove_folder(&dir.path().join("top"));
        // Root may everything.
        assert_eq!(removed.is_err(), shut.exists());
        if shut.exists() {
            mode(0o700).expect("opened");
        }
    }
}
