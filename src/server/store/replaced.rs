//! Bytes that a device had replaced or deleted while it was only guessed that it had seen them:
//! in a folder of the server's own state, for the person who misses them. A file there is called
//! by its hash and by the name it had; the newest stay, for a while. It decides nothing.

use crate::limits::{SYNC_ASIDE_BYTES_MAX, SYNC_ASIDE_FILES_MAX, SYNC_ASIDE_KEPT};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is written and not yet whole.
const DRAFT: &str = "draft";
const NAME_BYTES_MAX: usize = 255;

/// The folder; it need not be there.
#[derive(Clone, Debug)]
pub(crate) struct Replaced(PathBuf);

impl Replaced {
    pub(crate) fn new(folder: PathBuf) -> Replaced {
        Replaced(folder)
    }

    /// Keeps bytes, if they are no more than `max`; answers how many are new. Blocks.
    pub(crate) fn keep(
        &self,
        hash: &str,
        name: &str,
        from: impl Read,
        max: u64,
    ) -> io::Result<u64> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        let room = NAME_BYTES_MAX.saturating_sub(hash.len() + 1);
        // The end of a name tells more, and what kind of file it is.
        let from_byte =
            (0..=name.len()).find(|at| name.is_char_boundary(*at) && name.len() - at <= room);
        let place = self.0.join(format!("{hash}-{}", &name[from_byte.unwrap_or(name.len())..]));
        match File::options().write(true).open(&place) {
            Ok(same) => return same.set_modified(SystemTime::now()).map(|()| 0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let draft = self.0.join(DRAFT);
        let mut options = File::options();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        let bytes = io::copy(&mut from.take(max.saturating_add(1)), &mut file)?;
        if bytes > max {
            fs::remove_file(&draft)?;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        file.sync_all()?;
        fs::rename(&draft, &place)?;
        Ok(bytes)
    }

    /// Where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// How many there are, and how large they are together. Blocks.
    pub(crate) fn count(&self) -> io::Result<(u64, u64)> {
        let files = self.files()?;
        Ok((files.len() as u64, files.iter().map(|(_, size, _)| size).sum()))
    }

    /// Takes away what is too old, and the oldest of what is too much. Blocks.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        let mut files = self.files()?;
        files.sort();
        let now = SystemTime::now();
        let mut bytes = 0_u64;
        for (index, (at, size, path)) in files.into_iter().rev().enumerate() {
            bytes = bytes.saturating_add(size);
            let too_old = now.duration_since(at).is_ok_and(|age| age > SYNC_ASIDE_KEPT);
            if too_old || index >= SYNC_ASIDE_FILES_MAX || bytes > SYNC_ASIDE_BYTES_MAX {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Each with its time and size.
    fn files(&self) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let file = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let found = entry.metadata()?;
            Ok((found.modified()?, found.len(), entry.path()))
        };
        entries.map(file).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(replaced: &Replaced) -> Vec<String> {
        let entries = fs::read_dir(&replaced.0).expect("listed").flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_kept_is_the_owners_alone_and_the_same_bytes_are_kept_once() {
        let top = tempfile::tempdir().expect("a folder");
        let replaced = Replaced::new(top.path().join("kept"));
        replaced.sweep().expect("nothing is there");
        assert_eq!(replaced.keep("aa", "n.md", &b"text"[..], 4).expect("kept"), 4);
        assert_eq!(replaced.keep("aa", "n.md", &b"text"[..], 4).expect("kept"), 0);
        assert!(replaced.keep("bb", "n.md", &b"texts"[..], 4).is_err());
        replaced.keep("cc", &"ü".repeat(200), &b""[..], 4).expect("kept");
        let names = names(&replaced);
        assert_eq!((names[0].as_str(), names.len(), names[1].len()), ("aa-n.md", 2, 255));
        for (path, mode) in [("kept", 0o700), ("kept/aa-n.md", 0o600)] {
            let found = fs::metadata(top.path().join(path)).expect("there");
            assert_eq!(found.permissions().mode() & 0o777, mode, "{path}");
        }
    }

    #[test]
    fn what_is_too_old_or_too_much_goes_the_oldest_first() {
        let top = tempfile::tempdir().expect("a folder");
        let replaced = Replaced::new(top.path().join("kept"));
        let age = |name: &str, seconds: u64, size: u64| {
            replaced.keep(name, "n", &b"x"[..], 1).expect("kept");
            let path = top.path().join("kept").join(format!("{name}-n"));
            let file = File::options().write(true).open(path).expect("opened");
            // Sparse: no disk is filled.
            file.set_len(size).expect("grown");
            let at = SystemTime::now() - std::time::Duration::from_secs(seconds);
            file.set_modified(at).expect("set");
        };
        age("ancient", SYNC_ASIDE_KEPT.as_secs() + 60, 1);
        age("older", 1000, SYNC_ASIDE_BYTES_MAX / 2);
        age("old", 500, SYNC_ASIDE_BYTES_MAX / 2);
        age("new", 100, SYNC_ASIDE_BYTES_MAX / 2);
        replaced.sweep().expect("swept");
        assert_eq!(names(&replaced), ["new-n", "old-n"]);
    }
}
