//! No test here waits for a clock: when something is asked is said, and a file is written anew
//! until its mark is another.

use super::*;
use crate::limits::{MODULE_BYTES_MAX, MODULES_BYTES_MAX, SYNC_REST_NS};
use std::fs::{self, FileTimes, Metadata};
use std::os::unix::fs::{MetadataExt, symlink};
use tempfile::TempDir;

/// A vault with the module `m`, and what is kept of it.
struct Made {
    dir: TempDir,
    vault: Folder,
    kept: Kept,
}

impl Made {
    fn new(files: &[(&str, &str)]) -> Made {
        let dir = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        let vault = Folder::open(dir.path()).expect("read").expect("a vault");
        Made { dir, vault, kept: Kept::default() }
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    fn found(&self, inside: &str) -> Metadata {
        fs::metadata(self.path(inside)).expect("there")
    }

    fn at(&mut self, now_ns: i64) -> String {
        let mut room = MODULES_BYTES_MAX;
        let counted = self.kept.count_at(&self.vault, Path::new("m"), &mut room, now_ns);
        counted.expect("a number").digest
    }

    /// Counted when everything has rested for long.
    fn later(&mut self) -> String {
        self.at(now_ns() + 100 * SYNC_REST_NS)
    }

    /// The same by somebody who keeps nothing.
    fn anew(&self) -> String {
        let mut kept = Kept::default();
        kept.count(&self.vault, Path::new("m"), &mut { MODULES_BYTES_MAX })
            .expect("a number")
            .digest
    }

    /// Puts a name of ours in the place of the digest that is kept: who tells it read nothing.
    fn mark(&mut self) {
        let (_, tree) = self.kept.0.get_mut(Path::new("m")).expect("kept");
        tree.digest = "kept".into();
    }

    /// Changes a file in place, so that of its mark nothing but the kernel's own time is new.
    fn change_unseen(&self, inside: &str, text: &str) {
        let (path, before) = (self.path(inside), self.found(inside));
        assert_eq!(before.len(), text.len() as u64);
        loop {
            fs::write(&path, text).expect("written");
            let file = fs::File::options().write(true).open(&path).expect("opened");
            let times = FileTimes::new().set_modified(before.modified().expect("a time"));
            file.set_times(times).expect("set back");
            let after = self.found(inside);
            assert_eq!((after.ino(), after.len()), (before.ino(), before.len()));
            assert_eq!(after.modified().expect("a time"), before.modified().expect("a time"));
            // The clock of a file system ticks seldom.
            if (after.ctime(), after.ctime_nsec()) != (before.ctime(), before.ctime_nsec()) {
                return;
            }
        }
    }
}

const FILES: [(&str, &str); 4] = [
    ("m/manifest.yaml", "name: m\n"),
    ("m/CLAUDE.md", "Rhyme."),
    ("m/in/data", "12"),
    ("note.md", "nothing of it"),
];

#[test]
fn what_did_not_change_is_not_read_again_and_takes_as_much_room() {
    let mut made = Made::new(&FILES);
    let digest = made.later();
    assert_eq!(digest, made.anew());
    made.mark();
    assert_eq!(made.later(), "kept");
    // Elsewhere anything may happen.
    fs::write(made.path("note.md"), "another").expect("written");
    assert_eq!(made.later(), "kept");
    let mut room = 16;
    let counted = made.kept.count_at(&made.vault, Path::new("m"), &mut room, 0).expect("kept");
    assert_eq!((counted.digest.as_str(), room), ("kept", 0));
    let most = made.kept.count_at(&made.vault, Path::new("m"), &mut 15, 0);
    assert!(most.expect_err("too much").contains("MiB"));
}

#[test]
fn a_change_with_the_old_time_and_size_set_back_is_seen() {
    for (inside, text) in [("m/CLAUDE.md", "Do it."), ("m/in/data", "21")] {
        let mut made = Made::new(&FILES);
        made.later();
        made.mark();
        made.change_unseen(inside, text);
        let changed = made.later();
        assert_eq!(changed, made.anew(), "{inside}");
        assert_ne!(changed, Made::new(&FILES).anew(), "{inside}");
    }
}

#[test]
fn a_change_through_another_name_or_behind_a_link_is_seen() {
    let mut made = Made::new(&FILES);
    symlink("../note.md", made.path("m/linked.md")).expect("linked");
    fs::hard_link(made.path("m/in/data"), made.path("data")).expect("linked");
    for (inside, text) in [("note.md", "all__about_it"), ("data", "34")] {
        made.later();
        made.mark();
        made.change_unseen(inside, text);
        assert_ne!(made.later(), "kept", "{inside}");
        assert_eq!(made.later(), made.anew(), "{inside}");
    }
}

#[test]
fn what_comes_goes_or_takes_anothers_place_is_seen() {
    type Change = fn(&Made);
    let changes: [(&str, Change); 6] = [
        ("a file", |made| fs::write(made.path("m/new"), "").expect("written")),
        ("a folder", |made| fs::create_dir(made.path("m/new")).expect("made")),
        ("a name", |made| fs::rename(made.path("m/in/data"), made.path("m/x")).expect("moved")),
        ("none", |made| fs::remove_file(made.path("m/in/data")).expect("gone")),
        ("a link", |made| symlink("in/data", made.path("m/new")).expect("linked")),
        ("another folder", |made| {
            fs::create_dir(made.path("other")).expect("made");
            fs::write(made.path("other/data"), "12").expect("written");
            fs::rename(made.path("m/in"), made.path("old")).expect("moved");
            fs::rename(made.path("other"), made.path("m/in")).expect("moved");
        }),
    ];
    for (what, change) in changes {
        let mut made = Made::new(&FILES);
        made.later();
        made.mark();
        change(&made);
        let seen = made.later();
        assert_ne!(seen, "kept", "{what}");
        assert_eq!(seen, made.anew(), "{what}");
    }
}

#[test]
fn what_changed_a_moment_ago_is_not_kept() {
    let mut made = Made::new(&FILES);
    let ns = |found: Metadata| found.ctime() * 1_000_000_000 + found.ctime_nsec();
    let newest = FILES.iter().map(|(path, _)| ns(made.found(path))).max().expect("files");
    for now_ns in [0, newest, newest + SYNC_REST_NS] {
        made.at(now_ns);
        assert!(made.kept.0.is_empty(), "{now_ns}");
    }
    // However seldom the clock ticks: of two changes in one tick the second is seen.
    fs::write(made.path("m/in/data"), "21").expect("written");
    assert_eq!(made.at(newest), made.anew());
    made.later();
    assert_eq!(made.kept.0.len(), 1);
}

#[test]
fn what_stood_there_only_while_it_was_read_is_not_taken_for_what_stands_there() {
    let mut made = Made::new(&FILES);
    fs::create_dir(made.path("other")).expect("made");
    fs::write(made.path("other/data"), "99").expect("written");
    let swap = |from: &str, to: &str| fs::rename(made.path(from), made.path(to)).expect("moved");
    let module = Path::new("m");
    let looked = Look::at(&made.vault, module).expect("looked at");
    let before = looked.seal();
    swap("m/in", "old");
    swap("other", "m/in");
    let later = now_ns() + 100 * SYNC_REST_NS;
    let counted = looked.read(&made.vault, module, &mut { MODULES_BYTES_MAX }, later);
    let counted = counted.expect("a number");
    swap("m/in", "other");
    swap("old", "m/in");
    // What is there is as it was, and what was read is another.
    let after = Look::at(&made.vault, module).expect("looked at").seal();
    assert!(after == before && counted.is_lasting && counted.seal != after);
    made.kept.0.insert(module.into(), (counted.seal, counted.tree));
    made.mark();
    assert_eq!(made.later(), made.anew());
}

#[test]
fn what_cannot_be_counted_or_is_gone_is_not_kept() {
    let mut made = Made::new(&FILES);
    made.later();
    let large = fs::File::create(made.path("m/large")).expect("made");
    large.set_len(MODULE_BYTES_MAX + 1).expect("grown");
    let room = &mut { MODULES_BYTES_MAX };
    let counted = made.kept.count(&made.vault, Path::new("m"), room);
    assert!(counted.expect_err("too much").contains("MiB"));
    assert_eq!(*room, MODULES_BYTES_MAX, "nothing of it was read");
    fs::remove_file(made.path("m/large")).expect("gone");
    made.later();
    made.kept.retain(|module| module != Path::new("m"));
    assert!(made.kept.0.is_empty());
}
