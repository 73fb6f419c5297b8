//! Unit files on the disk: put in their place in one step, taken away, looked into. What is in
//! them is not known here.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Replaces a file, for everybody to read, if it differs; answers with whether it did.
pub(super) fn put(path: &Path, text: &str) -> io::Result<bool> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    fs::create_dir_all(folder)?;
    // systemd passes over files whose names begin so.
    let new = folder.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let put = write(&new, text).and_then(|()| fs::rename(&new, path));
    if put.is_err() {
        // It may never have come to be; the first error says more.
        let _ = fs::remove_file(&new);
    }
    put.map(|()| true)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    // Whatever the umask is.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Takes a file or a link away; answers with whether there was one. Its folder goes with it if
/// that is `in_folder` and then empty.
pub(super) fn gone(path: &Path, in_folder: bool) -> io::Result<bool> {
    let there = match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => false,
        removed => removed.map(|()| true)?,
    };
    if let Some(folder) = path.parent().filter(|_| in_folder) {
        // It stays where the owner has other files in it.
        let _ = fs::remove_dir(folder);
    }
    Ok(there)
}

/// Makes a folder for nobody but its owner.
pub(super) fn private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

/// What stands between two marks on the first line of a file that has both.
pub(super) fn between(path: &Path, start: &str, end: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let found = text.lines().find_map(|line| line.strip_prefix(start)?.strip_suffix(end));
    found.map(str::to_owned)
}

/// The string after a key of a plist, as the first such pair has it.
pub(super) fn after_key(path: &Path, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let (_, rest) = text.split_once(&format!("<key>{key}</key>"))?;
    let (value, _) = rest.trim_start().strip_prefix("<string>")?.split_once("</string>")?;
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_once_and_its_folder_leaves_with_it() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("x.d").join("50-installed.conf");
        assert!(put(&path, "a\n").unwrap() && !put(&path, "a\n").unwrap());
        assert!(put(&path, "b\n").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let own = path.with_file_name("60-mine.conf");
        fs::write(&own, "").unwrap();
        assert!(gone(&path, true).unwrap() && !gone(&path, true).unwrap());
        assert!(own.exists());
        fs::remove_file(&own).unwrap();
        assert!(!gone(&path, true).unwrap() && !path.parent().unwrap().exists());
    }

    #[test]
    fn looks_into_what_was_rendered_before() {
        let top = tempfile::tempdir().unwrap();
        let path = top.path().join("x");
        fs::write(&path, "[S]\nE=\"A=/v\"\nE=\"B=1\"\n<key>K</key>\n\t<string>4</string>\n")
            .unwrap();
        assert_eq!(between(&path, "E=\"B=", "\""), Some("1".into()));
        assert_eq!(between(&path, "E=\"C=", "\""), None);
        assert_eq!(after_key(&path, "K"), Some("4".into()));
        assert_eq!(after_key(&path, "L"), None);
    }
}
