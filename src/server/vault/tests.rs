//! A [`Folder`] is not left, whatever is asked and whatever stands in it.

use super::{FileError, Folder};
use crate::limits::VAULT_FILE_BYTES_MAX;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder, and beside it a file that is none of its business.
struct Scene {
    top: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let top = tempfile::tempdir().expect("a folder");
        for folder in ["in/sub", "out"] {
            fs::create_dir_all(top.path().join(folder)).expect("made");
        }
        fs::write(top.path().join("out/secret"), "secret").expect("written");
        fs::write(top.path().join("in/sub/a.md"), "a").expect("written");
        Scene { top }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.top.path().join(inside)
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.path("in")).expect("opened").expect("there")
    }

    /// All there is, outside of the folder: none of it may change.
    fn outside(&self) -> Vec<(PathBuf, String)> {
        let files = fs::read_dir(self.path("out")).expect("there").flatten();
        let text = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        files.map(|file| (file.path(), text(&file.path()))).collect()
    }
}

#[test]
fn links_that_lead_out_are_not_followed() {
    let scene = Scene::new();
    symlink(scene.path("out"), scene.path("in/out")).expect("linked");
    symlink("../out/secret", scene.path("in/secret.md")).expect("linked");
    symlink("sub", scene.path("in/inside")).expect("linked");
    symlink("loop", scene.path("in/loop")).expect("linked");
    let folder = scene.folder();
    for name in ["out/secret", "secret.md", "loop"] {
        let read = folder.read(Path::new(name));
        assert!(matches!(read, Err(FileError::Link(_))), "{name}: {read:?}");
        assert!(folder.replace(Path::new(name), b"x").is_err(), "{name}");
        assert!(folder.create(Path::new(name), b"x").is_err(), "{name}");
    }
    assert!(matches!(folder.folder(Path::new("out")), Err(FileError::Link(_))));
    assert!(folder.folder_made(Path::new("out/new")).is_err());
    assert_eq!(folder.read(Path::new("inside/a.md")).expect("read").as_deref(), Some("a"));
    let names: Vec<String> = folder.list().expect("listed").into_iter().map(|l| l.name).collect();
    assert_eq!(names, ["inside", "sub"]);
    // The link goes, and not what it leads to.
    assert!(folder.remove_folder(Path::new("out")).expect("removed"));
    assert_eq!(scene.outside(), [(scene.path("out/secret"), "secret".to_owned())]);
}

#[test]
fn dots_and_roots_do_not_lead_out() {
    let scene = Scene::new();
    let folder = scene.folder();
    let absolute = scene.path("out/secret");
    let made_up = [Path::new("../out/secret"), Path::new("sub/../../out/secret"), &absolute];
    for path in made_up {
        assert!(folder.read(path).is_err(), "{path:?}");
        assert!(folder.replace(path, b"x").is_err(), "{path:?}");
        assert!(folder.create(path, b"x").is_err(), "{path:?}");
        assert!(folder.remove(path).is_err(), "{path:?}");
        assert!(folder.remove_folder(path).is_err(), "{path:?}");
    }
    for path in ["..", "../out", "sub/../../out", "/"] {
        assert!(folder.folder(Path::new(path)).is_err(), "{path}");
        assert!(folder.folder_made(Path::new(path)).is_err(), "{path}");
        assert!(folder.remove_folder(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(scene.outside(), [(absolute.clone(), "secret".to_owned())]);
}

#[test]
fn a_pipe_is_no_file_and_is_not_waited_for() {
    let scene = Scene::new();
    let pipe = scene.path("in/pipe.md");
    #[allow(clippy::disallowed_methods, reason = "no call for it is on every system")]
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("there is a mkfifo").success());
    let folder = scene.folder();
    assert_eq!(folder.read(Path::new("pipe.md")).expect("no wait"), None);
    assert_eq!(folder.read(Path::new("sub")).expect("a folder is no file"), None);
}

#[test]
fn what_is_too_long_or_no_text_is_named_so() {
    let scene = Scene::new();
    let max = usize::try_from(VAULT_FILE_BYTES_MAX).expect("small");
    fs::write(scene.path("in/fits"), "x".repeat(max)).expect("written");
    fs::write(scene.path("in/long"), "x".repeat(max + 1)).expect("written");
    fs::write(scene.path("in/bytes"), [0xff, 0xfe]).expect("written");
    let folder = scene.folder();
    assert_eq!(folder.read(Path::new("fits")).expect("read").map(|t| t.len()), Some(max));
    assert!(matches!(folder.read(Path::new("long")), Err(FileError::TooLong(_))));
    assert!(matches!(folder.read(Path::new("bytes")), Err(FileError::NotText(_))));
    let long = vec![b'x'; max + 1];
    assert!(matches!(folder.create(Path::new("new"), &long), Err(FileError::TooLong(_))));
    assert!(matches!(folder.replace(Path::new("fits"), &long), Err(FileError::TooLong(_))));
    assert_eq!(folder.read(Path::new(&"x".repeat(300))).expect("no such name"), None);
    assert_eq!(folder.read(Path::new("a\0b")).expect("no such name"), None);
}

#[test]
fn a_file_is_replaced_whole_and_keeps_its_mode() {
    let scene = Scene::new();
    let folder = scene.folder();
    let path = scene.path("in/sub/a.md");
    for mode in [0o664, 0o600, 0o640] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
        folder.replace(Path::new("sub/a.md"), b"new").expect("replaced");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o7777, mode);
    }
    assert_eq!(fs::read_to_string(&path).expect("read"), "new");
    folder.replace(Path::new("fresh"), b"x").expect("made");
    let fresh = fs::metadata(scene.path("in/fresh")).expect("there");
    assert_eq!(fresh.permissions().mode() & 0o777, 0o600);
    assert!(matches!(folder.create(Path::new("fresh"), b"y"), Err(FileError::Taken(_))));
    // What cannot be replaced leaves nothing unfinished behind.
    assert!(folder.replace(Path::new("sub"), b"x").is_err());
    let names: Vec<String> = folder.list().expect("listed").into_iter().map(|l| l.name).collect();
    assert_eq!(names, ["fresh", "sub"]);
}

#[test]
fn folders_change_places_and_old_leftovers_are_swept() {
    let scene = Scene::new();
    let folder = scene.folder();
    folder.folder_made(Path::new("new")).expect("made");
    fs::write(scene.path("in/new/b.md"), "b").expect("written");
    folder.swap(Path::new("new"), Path::new("sub")).expect("swapped");
    assert_eq!(fs::read_to_string(scene.path("in/sub/b.md")).expect("read"), "b");
    assert_eq!(fs::read_to_string(scene.path("in/new/a.md")).expect("read"), "a");
    assert!(folder.swap(Path::new("none"), Path::new("sub")).is_err());
    let moved = folder.rename(Path::new("new"), &folder, Path::new("sub"));
    assert!(matches!(moved, Err(FileError::Taken(_))), "{moved:?}");
    let (fresh, old) = (folder.unfinished().expect("made"), folder.unfinished().expect("made"));
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let dir = fs::File::open(scene.path("in").join(&old)).expect("opened");
    dir.set_modified(long_ago).expect("set");
    folder.unfinished().expect("made");
    assert!(scene.path("in").join(&fresh).exists());
    assert!(!scene.path("in").join(&old).exists());
    // What is used again is kept.
    let dir = fs::File::open(scene.path("in").join(&fresh)).expect("opened");
    dir.set_modified(long_ago).expect("set");
    folder.folder(&fresh).expect("opened").expect("there").touch().expect("touched");
    folder.unfinished().expect("made");
    assert!(scene.path("in").join(&fresh).exists());
}

#[test]
fn a_link_is_neither_replaced_nor_written_through() {
    let scene = Scene::new();
    symlink("sub/a.md", scene.path("in/link.md")).expect("linked");
    let folder = scene.folder();
    let replaced = folder.replace(Path::new("link.md"), b"x");
    assert!(matches!(replaced, Err(FileError::Link(_))), "{replaced:?}");
    assert!(scene.path("in/link.md").is_symlink());
    assert_eq!(fs::read_to_string(scene.path("in/sub/a.md")).expect("read"), "a");
}

#[test]
fn a_path_without_links_is_read_and_one_with_a_link_is_not() {
    let scene = Scene::new();
    symlink("sub", scene.path("in/inside")).expect("linked");
    symlink("a.md", scene.path("in/sub/link.md")).expect("linked");
    let folder = scene.folder();
    let read = |path: &str| folder.read_unlinked(Path::new(path));
    assert_eq!(read("sub/a.md").expect("read").as_deref(), Some("a"));
    for path in ["inside/a.md", "sub/link.md", "sub/../sub/a.md", "../out/secret"] {
        assert!(read(path).is_err() || read(path).is_ok_and(|text| text.is_none()), "{path}");
    }
    for path in ["sub", "sub/none.md", "none/a.md", "sub/a.md/b"] {
        assert_eq!(read(path).expect("no such file"), None, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_path_leads_out(
        parts in prop::collection::vec("\\PC{0,5}|\\.\\.?|/|sub|out|secret", 0..8)
    ) {
        let scene = Scene::new();
        symlink(scene.path("out"), scene.path("in/sub/out")).expect("linked");
        let (folder, path) = (scene.folder(), PathBuf::from(parts.join("/")));
        if let Ok(Some(text)) = folder.read(&path) {
            prop_assert_ne!(text, "secret");
        }
        // Whether these succeed is no matter; where they act is.
        let _ = folder.create(&path, b"x");
        let _ = folder.replace(&path, b"y");
        let _ = folder.folder_made(&path);
        let _ = folder.remove(&path);
        let _ = folder.remove_folder(&path);
        prop_assert_eq!(scene.outside(), [(scene.path("out/secret"), "secret".to_owned())]);
        let beside: Vec<_> = fs::read_dir(scene.top.path()).expect("there").flatten().collect();
        prop_assert!(beside.len() <= 2);
    }
}
