//! The index and a vault that changes under it: what is found follows what is on the disk, and
//! the index itself may be lost, broken or old without harm.

use parachute_notes::{Found, Index, Scope, Wanted};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Whatever happens takes less.
const PATIENCE: Duration = Duration::from_secs(30);

struct Vault {
    dir: TempDir,
    index: Index,
}

impl Vault {
    fn new(notes: &[(&str, &str)]) -> Vault {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join("vault")).expect("made");
        let index = index(&dir);
        let vault = Vault { dir, index };
        notes.iter().for_each(|(path, text)| vault.write(path, text));
        vault.index.begin(|| ()).expect("begun");
        vault.index.reload().expect("looked at");
        vault
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join("vault").join(path)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("index.db")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn search(&self, wanted: &Wanted) -> Found {
        self.index.search(wanted).expect("searched").known
    }

    /// Paths of what is found in all of the vault.
    fn found(&self, query: &str) -> Vec<String> {
        paths(self.search(&all(query)))
    }

    /// Waits until that is found.
    fn until(&self, query: &str, paths: &[&str]) {
        let end = Instant::now() + PATIENCE;
        while self.found(query) != paths {
            assert!(Instant::now() < end, "{query}: {:?}, not {paths:?}", self.found(query));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The same vault with an index that begins now.
    fn again(self) -> Vault {
        let Vault { dir, index: old } = self;
        drop(old);
        let index = index(&dir);
        index.begin(|| ()).expect("begun");
        index.reload().expect("looked at");
        Vault { dir, index }
    }
}

fn index(dir: &TempDir) -> Index {
    Index::new(dir.path().join("vault"), dir.path().join("index.db"))
}

fn all(query: &str) -> Wanted {
    Wanted { query: query.into(), scope: Scope::Vault, limit: 100, ..Wanted::default() }
}

fn paths(found: Found) -> Vec<String> {
    let mut paths: Vec<String> = found.hits.into_iter().map(|hit| hit.path).collect();
    paths.sort();
    paths
}

#[test]
fn what_changes_on_the_disk_is_found() {
    let vault = Vault::new(&[("a.md", "first"), ("deep/er/b.md", "first")]);
    assert_eq!(vault.found("first"), ["a.md", "deep/er/b.md"]);
    vault.write("a.md", "second");
    vault.until("first", &["deep/er/b.md"]);
    vault.until("second", &["a.md"]);
    vault.write("new/folder/c.md", "second");
    vault.until("second", &["a.md", "new/folder/c.md"]);
    vault.write("new/folder/d.md", "third");
    vault.until("third", &["new/folder/d.md"]);
    fs::rename(vault.path("new"), vault.path("other")).expect("moved");
    vault.until("third", &["other/folder/d.md"]);
    vault.write("other/folder/e.md", "third");
    vault.until("third", &["other/folder/d.md", "other/folder/e.md"]);
    fs::rename(vault.path("other/folder/e.md"), vault.path("e.txt")).expect("moved");
    vault.until("third", &["other/folder/d.md"]);
    fs::remove_dir_all(vault.path("other")).expect("removed");
    vault.until("third", &[]);
    vault.until("second", &["a.md"]);
    // As editors do it: beside it, and then in its place.
    fs::write(vault.path(".a.md.tmp"), "fourth").expect("written");
    fs::rename(vault.path(".a.md.tmp"), vault.path("a.md")).expect("moved");
    vault.until("fourth", &["a.md"]);
}

#[test]
fn what_changed_while_nobody_looked_is_found() {
    let vault = Vault::new(&[("a.md", "one"), ("b/c.md", "one"), ("d/e.md", "one")]);
    assert_eq!(vault.found("one"), ["a.md", "b/c.md", "d/e.md"]);
    let Vault { dir, index: old } = vault;
    drop(old);
    let top = dir.path().join("vault");
    fs::write(top.join("a.md"), "two").expect("written");
    fs::rename(top.join("b"), top.join("x")).expect("moved");
    fs::remove_dir_all(top.join("d")).expect("removed");
    let vault = Vault { index: index(&dir), dir }.again();
    assert_eq!(
        (vault.found("one"), vault.found("two")),
        (vec!["x/c.md".into()], vec!["a.md".into()])
    );
}

#[test]
fn what_is_hidden_ignored_or_led_to_by_links_is_left_out() {
    let vault = Vault::new(&[
        (".parachuteignore", "private\n*.draft.md\n"),
        (".parachute/x.md", "word"),
        (".obsidian/x.md", "word"),
        ("private/x.md", "word"),
        ("a/b.draft.md", "word"),
        ("a/.hidden.md", "word"),
        ("a/x.txt", "word"),
        ("a/x.MD", "word"),
    ]);
    let outside = vault.dir.path().join("outside");
    fs::create_dir(&outside).expect("made");
    fs::write(outside.join("x.md"), "word").expect("written");
    std::os::unix::fs::symlink(&outside, vault.path("link")).expect("linked");
    std::os::unix::fs::symlink(outside.join("x.md"), vault.path("y.md")).expect("linked");
    std::os::unix::fs::symlink(vault.path("."), vault.path("a/loop")).expect("linked");
    vault.index.reload().expect("looked at");
    assert_eq!(vault.found("word"), ["a/x.MD"]);
    vault.write("private/y.md", "word");
    vault.write("a/z.md", "word");
    vault.until("word", &["a/x.MD", "a/z.md"]);
    // Rules hold as soon as they are written.
    vault.write(".parachuteignore", "a\n");
    vault.until("word", &["private/x.md", "private/y.md"]);
    fs::remove_file(vault.path(".parachuteignore")).expect("removed");
    let all = ["a/b.draft.md", "a/x.MD", "a/z.md", "private/x.md", "private/y.md"];
    vault.until("word", &all);
}

#[test]
fn rules_that_nobody_can_read_let_nothing_new_in() {
    let vault = Vault::new(&[("a.md", "word")]);
    let rules = vault.path(".parachuteignore");
    let Vault { dir, index: old } = vault;
    drop(old);
    // Not even the administrator reads a folder.
    fs::create_dir(&rules).expect("made");
    fs::create_dir(dir.path().join("vault/private")).expect("made");
    fs::write(dir.path().join("vault/private/b.md"), "word").expect("written");
    let vault = Vault { index: index(&dir), dir }.again();
    let problem = vault.index.reload().expect("asked").known.problem.expect("a problem");
    assert!(problem.contains("until .parachuteignore can be read"), "{problem}");
    // What was found before is.
    assert_eq!(vault.found("word"), ["a.md"]);
    fs::remove_dir(&rules).expect("removed");
    fs::write(&rules, "x".repeat(70_000)).expect("written");
    let problem = vault.index.reload().expect("asked").known.problem.expect("a problem");
    assert!(problem.contains("longer"), "{problem}");
    vault.write("c.md", "word");
    assert!(vault.index.reload().expect("asked").known.problem.is_some());
    assert_eq!(vault.found("word"), ["a.md"]);
    // Nobody has to say so.
    fs::write(&rules, "private\n").expect("written");
    vault.until("word", &["a.md", "c.md"]);
    assert_eq!(vault.index.reload().expect("asked").known.problem, None);
    // From now on the last word is known.
    fs::remove_file(&rules).expect("removed");
    fs::create_dir(&rules).expect("made");
    vault.write("d.md", "word");
    vault.write("private/e.md", "word");
    vault.until("word", &["a.md", "c.md", "d.md"]);
}

#[test]
fn entities_that_lie_outside_stop_nobody() {
    let vault = Vault::new(&[("a.md", "word")]);
    let outside = vault.dir.path().join("outside");
    fs::create_dir_all(outside.join("entities")).expect("made");
    std::os::unix::fs::symlink(&outside, vault.path("Brain")).expect("linked");
    fs::write(vault.path("b.md"), "word").expect("written");
    let answer = vault.index.reload().expect("looked at");
    assert_eq!((answer.known.problem, answer.known.notes), (None, 2));
    assert_eq!(vault.found("word"), ["a.md", "b.md"]);
}

#[test]
fn a_note_that_becomes_a_folder_leaves_no_ghost_nor_the_other_way_round() {
    let vault = Vault::new(&[("x.md", "ghost"), ("y.md/in.md", "ghost"), ("z.md", "end")]);
    let (note, folder) = (vault.path("x.md"), vault.path("y.md"));
    fs::remove_file(&note).expect("removed");
    fs::create_dir(&note).expect("made");
    fs::remove_dir_all(&folder).expect("removed");
    fs::write(&folder, "a note").expect("written");
    vault.until("ghost", &[]);
    vault.until("note", &["y.md"]);
    vault.write("x.md/in.md", "a folder");
    vault.until("folder", &["x.md/in.md"]);
}

#[test]
fn an_index_that_is_lost_broken_or_old_is_begun_anew() {
    let vault = Vault::new(&[("a.md", "word"), ("b.md", "word")]);
    let breaks: [&dyn Fn(&Vault); 4] = [
        &|vault| fs::remove_file(vault.file()).expect("removed"),
        &|vault| fs::write(vault.file(), "no database at all, but some text").expect("written"),
        &|vault| {
            let sql = rusqlite::Connection::open(vault.file()).expect("opened");
            sql.pragma_update(None, "user_version", 0).expect("set");
        },
        &|vault| {
            let sql = rusqlite::Connection::open(vault.file()).expect("opened");
            sql.execute_batch("DROP TABLE words").expect("dropped");
        },
    ];
    let mut vault = vault;
    for (number, damage) in breaks.iter().enumerate() {
        let Vault { dir, index: old } = vault;
        drop(old);
        vault = Vault { index: index(&dir), dir };
        damage(&vault);
        vault = vault.again();
        vault.until("word", &["a.md", "b.md"]);
        vault.write("c.md", &format!("damage{number}"));
        vault.until(&format!("damage{number}"), &["c.md"]);
    }
}

#[test]
fn an_index_that_breaks_under_us_harms_nobody() {
    let notes: Vec<(String, String)> =
        (0..300).map(|n| (format!("n{n}.md"), format!("word number{n} ").repeat(200))).collect();
    let notes: Vec<(&str, &str)> = notes.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let vault = Vault::new(&notes).again();
    assert_eq!(vault.found("number7"), ["n7.md"]);
    // All but its first pages is overwritten; searches do not fail, and are right in the end.
    let length = fs::metadata(vault.file()).expect("there").len();
    let file = fs::OpenOptions::new().write(true).open(vault.file()).expect("opened");
    let noise = vec![0x5a_u8; usize::try_from(length).expect("small") - 8192];
    std::os::unix::fs::FileExt::write_all_at(&file, &noise, 8192).expect("written");
    vault.until("number7", &["n7.md"]);
    vault.write("n7.md", "other");
    vault.until("number7", &[]);
    vault.until("number8", &["n8.md"]);
    // Taken away while it is open, it is made again with the next change.
    fs::remove_file(vault.file()).expect("removed");
    vault.write("new.md", "number8");
    vault.until("number8", &["n8.md", "new.md"]);
    assert!(vault.file().exists());
}

#[test]
fn another_vault_has_another_index_and_none_is_no_harm() {
    let vault = Vault::new(&[("a.md", "word")]);
    let other = vault.dir.path().join("other");
    let Vault { dir, index: old } = vault;
    drop(old);
    let index = Index::new(other.clone(), dir.path().join("index.db"));
    index.begin(|| ()).expect("begun");
    let answer = index.reload().expect("answered");
    assert!(answer.known.problem.is_some());
    fs::create_dir(&other).expect("made");
    fs::write(other.join("b.md"), "word").expect("written");
    let answer = index.reload().expect("answered");
    assert_eq!((answer.known.problem, answer.known.notes), (None, 1));
    assert_eq!(paths(index.search(&all("word")).expect("searched").known), ["b.md"]);
    drop(index);
    assert_eq!(Vault { index: crate::index(&dir), dir }.again().found("word"), ["a.md"]);
}

#[test]
fn before_anything_is_read_a_search_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let index = index(&dir);
    let answer = index.search(&all("word")).expect("answered");
    assert!(answer.indexing && answer.known.hits.is_empty());
}

#[test]
fn a_storm_of_changes_is_followed() {
    let vault = Vault::new(&[]);
    for folder in 0..20 {
        for note in 0..60 {
            vault.write(&format!("f{folder}/n{note}.md"), "storm");
        }
    }
    for folder in 0..19 {
        fs::remove_dir_all(vault.path(&format!("f{folder}"))).expect("removed");
    }
    let end = Instant::now() + PATIENCE;
    while vault.found("storm").len() != 60 {
        assert!(Instant::now() < end, "{}", vault.found("storm").len());
        std::thread::sleep(Duration::from_millis(5));
    }
}
