//! A transcript of the CLI, copied beside itself to the folder of another working directory: whole
//! or not at all, never over a file that is there, never through a link, and nowhere but in
//! Claude's own folder.

use crate::limits::TRANSCRIPT_COPIED_BYTES_MAX;
use crate::vault::{Draft, FileError, Folder, cli};
use rustix::fs::OFlags;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Claude's own folder, which has a folder for each working directory, and what is in it. Looked
/// through once: it may hold thousands of folders, and there may be thousands of sessions.
#[derive(Default)]
pub(super) struct Projects {
    root: PathBuf,
    /// In which folders there is a file of this name.
    folders: HashMap<String, Vec<String>>,
}

/// Where a session's transcript may be.
pub(super) struct Transcript {
    pub(super) projects: Arc<Projects>,
    /// The folder that it was written in, if it was not moved since.
    pub(super) written_in: String,
    /// Its file's name.
    pub(super) file: String,
}

impl Projects {
    /// What cannot be looked at counts as not there, and is said.
    pub(super) fn look(root: PathBuf) -> Projects {
        let files = cli::files(&root).unwrap_or_else(|error| {
            tracing::warn!(error = serve::fault::chain(&error), "transcripts cannot be listed");
            Vec::new()
        });
        let mut folders: HashMap<String, Vec<String>> = HashMap::new();
        for file in files {
            folders.entry(format!("{}.jsonl", file.id)).or_default().push(file.project);
        }
        Projects { root, folders }
    }
}

impl Transcript {
    /// The file, if there is one.
    pub(super) fn find(&self) -> Option<PathBuf> {
        let plain = |file: &PathBuf| file.symlink_metadata().is_ok_and(|found| found.is_file());
        let Projects { root, folders } = &*self.projects;
        let listed = folders.get(&self.file).into_iter().flatten();
        // It may have been written since they were looked through.
        let all = std::iter::once(&self.written_in).chain(listed);
        all.map(|folder| root.join(folder).join(&self.file)).find(plain)
    }

    /// Copies it to where the CLI keeps those of this working directory. False: there is none, or
    /// there is one already.
    pub(super) fn copy_for(&self, directory: &Path) -> Result<bool, FileError> {
        let Some(from) = self.find() else { return Ok(false) };
        let root = &self.projects.root;
        let (file, told) = (Path::new(&self.file), root.join(&self.file));
        let io = |source| FileError::Io { path: told.clone(), source };
        let source = opened(&from).map_err(io)?;
        if source.metadata().map_err(io)?.len() > TRANSCRIPT_COPIED_BYTES_MAX {
            return Err(io(io::Error::other("it is too long to be copied")));
        }
        let projects = Folder::made(root)?;
        let name = PathBuf::from(folder_of(directory));
        if projects.dir().symlink_metadata(&name).is_ok_and(|found| found.is_symlink()) {
            return Err(FileError::Link(root.join(name)));
        }
        let folder = projects.folder_made(&name)?;
        let dir = folder.dir();
        if dir.symlink_metadata(file).is_ok() {
            return Ok(false);
        }
        let modified = source.metadata().and_then(|found| found.modified()).map_err(io)?;
        let draft = Draft::new(&folder, file, 0o600)?.fill(|to| copied(source, to))?;
        // The CLI goes by it to say which one is the newest.
        match draft.dated(modified)?.settle_new() {
            Err(FileError::Taken(_)) => Ok(false),
            settled => settled.map(|()| true),
        }
    }
}

/// A file, and no link or pipe that took its place meanwhile.
fn opened(from: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(from)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file")),
    }
}

fn copied(source: File, to: &mut dyn Write) -> io::Result<()> {
    match io::copy(&mut source.take(TRANSCRIPT_COPIED_BYTES_MAX + 1), to)? {
        copied if copied > TRANSCRIPT_COPIED_BYTES_MAX => {
            Err(io::Error::other("it is too long to be copied"))
        }
        _ => Ok(()),
    }
}

/// How the CLI names the folder of a working directory.
pub(super) fn folder_of(directory: &Path) -> String {
    imports::project::folder(&directory.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::symlink;

    fn transcript(projects: &Path) -> Transcript {
        let written_in = folder_of(Path::new("/old/notes"));
        let projects = Arc::new(Projects::look(projects.to_owned()));
        Transcript { projects, written_in, file: "s.jsonl".into() }
    }

    fn put(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn a_copy_is_whole_and_never_over_another_file() {
        let home = tempfile::tempdir().expect("a folder");
        let projects = home.path().join("projects");
        let here = transcript(&projects);
        let new = Path::new("/new/notes");
        assert!(!here.copy_for(new).expect("nothing to do"), "there is none");
        assert!(!projects.exists(), "and nothing was made");
        put(projects.join("-old-notes/s.jsonl"), "told");
        assert!(here.copy_for(new).expect("copied"));
        let copy = projects.join("-new-notes/s.jsonl");
        assert_eq!(std::fs::read_to_string(&copy).expect("there"), "told");
        std::fs::write(&copy, "gone on with").expect("written");
        assert!(!here.copy_for(new).expect("kept"));
        assert_eq!(std::fs::read_to_string(&copy).expect("there"), "gone on with");
        let left = std::fs::read_dir(projects.join("-new-notes")).expect("a folder").count();
        assert_eq!(left, 1, "nothing unfinished stays");
    }

    #[test]
    fn no_link_is_followed_neither_from_nor_to() {
        let home = tempfile::tempdir().expect("a folder");
        let outside = home.path().join("outside");
        std::fs::create_dir(&outside).expect("made");
        put(outside.join("secret"), "secret");
        let projects = home.path().join("projects");
        let here = transcript(&projects);
        std::fs::create_dir_all(projects.join("-old-notes")).expect("made");
        symlink(outside.join("secret"), projects.join("-old-notes/s.jsonl")).expect("linked");
        assert_eq!(here.find(), None);
        std::fs::remove_file(projects.join("-old-notes/s.jsonl")).expect("removed");
        put(projects.join("-old-notes/s.jsonl"), "told");
        symlink(&outside, projects.join("-new-notes")).expect("linked");
        assert!(here.copy_for(Path::new("/new/notes")).is_err());
        assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 1);
    }

    #[test]
    fn transcripts_of_many_sessions_are_found_in_one_look() {
        let home = tempfile::tempdir().expect("a folder");
        let projects = home.path().join("projects");
        put(projects.join("-elsewhere/s.jsonl"), "told");
        put(projects.join("-elsewhere/t.jsonl"), "told");
        symlink("s.jsonl", projects.join("-elsewhere/l.jsonl")).expect("linked");
        let look = Arc::new(Projects::look(projects.clone()));
        // Nothing is listed any more: what comes later is found where it belongs.
        put(projects.join("-other/late.jsonl"), "told");
        put(projects.join("-old-notes/new.jsonl"), "told");
        let find = |file: &str| {
            let written_in = folder_of(Path::new("/old/notes"));
            Transcript { projects: look.clone(), written_in, file: file.into() }.find()
        };
        for file in ["s.jsonl", "t.jsonl"] {
            assert_eq!(find(file), Some(projects.join("-elsewhere").join(file)));
        }
        assert_eq!(find("new.jsonl"), Some(projects.join("-old-notes/new.jsonl")));
        assert_eq!((find("l.jsonl"), find("late.jsonl")), (None, None));
        std::fs::remove_file(projects.join("-elsewhere/t.jsonl")).expect("removed");
        assert_eq!(find("t.jsonl"), None, "gone meanwhile");
    }

    proptest! {
        #[test]
        fn a_folders_name_is_one_part_of_a_path(path: String) {
            let name = folder_of(Path::new(&path));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
        }
    }
}
