//! Contexts of vaults with everything in them that may be: links, patterns, hidden files.

use super::*;
use proptest::prelude::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

fn vault(files: &[(&str, &str)]) -> (TempDir, Folder) {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let vault = Folder::open(dir.path()).expect("opened").expect("there");
    (dir, vault)
}

fn paths(texts: &[&str]) -> Vec<ContextPath> {
    in_order(texts.iter().map(|text| ContextPath::parse(text).expect("a path")).collect())
}

fn told(gathered: &Gathered) -> Vec<(&str, Option<&str>)> {
    gathered.files.iter().map(|f| (f.path.as_str(), f.text.as_deref())).collect()
}

#[test]
fn folders_say_agents_md_before_claude_md_and_the_less_deep_first() {
    let (_dir, vault) = vault(&[
        ("b/c/CLAUDE.md", "deep"),
        ("b/AGENTS.md", " agents "),
        ("b/CLAUDE.md", "claude"),
        ("a/CLAUDE.md", "a"),
        ("CLAUDE.md", "root"),
        (".hidden/CLAUDE.md", "no"),
        ("node_modules/x/CLAUDE.md", "no"),
    ]);
    let listed: Vec<String> =
        folders(&vault).expect("listed").into_iter().map(|f| f.path).collect();
    assert_eq!(listed, ["", "a", "b", "b/c"]);
    let mut so_far = Told::default();
    let asked = paths(&["b/c", "b/", "./a", "", "none"]);
    let gathered = so_far.gather(&vault, &asked, 1000);
    assert_eq!(
        told(&gathered),
        [
            ("CLAUDE.md", Some("root")),
            ("a/CLAUDE.md", Some("a")),
            ("b/AGENTS.md", Some("agents")),
            ("none/CLAUDE.md", None),
            ("b/c/CLAUDE.md", Some("deep")),
        ]
    );
    assert!(!gathered.truncated && !gathered.files[3].exists);
}

#[test]
fn no_file_is_told_twice_whatever_leads_to_it_trap_60() {
    let (dir, vault) = vault(&[("CLAUDE.md", "root"), ("a/CLAUDE.md", "a"), ("n.md", "note")]);
    symlink("a", dir.path().join("b")).expect("linked");
    symlink("../CLAUDE.md", dir.path().join("a/x.md")).expect("linked");
    let mut so_far = Told::default();
    let first = so_far.first(&vault, Path::new("CLAUDE.md"), 100).expect("read");
    assert_eq!(first.and_then(|first| first.text).as_deref(), Some("root"));
    let again = so_far.first(&vault, Path::new("a/../CLAUDE.md"), 100).expect("read");
    assert_eq!(again, Some(First { text: None, is_cut: false }));
    let asked = paths(&["", "a", "b", "a/x.md", "n.md", "./n.md"]);
    let gathered = so_far.gather(&vault, &asked, 1000);
    let expected = [("CLAUDE.md", None), ("a/CLAUDE.md", Some("a")), ("n.md", Some("note"))];
    let mut all = told(&gathered);
    all.sort_unstable();
    assert_eq!(all, expected);
    assert_eq!(gathered.files[0].chars, 4, "it is in the prompt all the same");
}

#[test]
fn what_does_not_fit_is_cut_and_marked_or_left_out() {
    let long = "é".repeat(500);
    let (_dir, vault) = vault(&[
        ("a/CLAUDE.md", long.as_str()),
        ("b/CLAUDE.md", long.as_str()),
        ("c/CLAUDE.md", long.as_str()),
        ("d/CLAUDE.md", "short"),
    ]);
    let asked = paths(&["a", "b", "c", "d"]);
    let gathered = Told::default().gather(&vault, &asked, 700);
    let lengths: Vec<usize> = gathered.files.iter().map(|f| f.chars).collect();
    assert_eq!(lengths, [500, 200 + CUT.len()]);
    assert!(gathered.truncated);
    let gathered = Told::default().gather(&vault, &asked, 600);
    assert_eq!(told(&gathered).len(), 2, "100 characters are too few, 5 are whole");
    assert_eq!(gathered.files[1].path, "d/CLAUDE.md");
}

#[test]
fn notes_come_without_front_matter_and_patterns_find_several_trap_16() {
    let (dir, vault) = vault(&[
        ("n/a.md", "---\ntags: [x]\n---\n\nA"),
        ("n/b.md", "---\nbroken: a: b\n---\nB"),
        ("n/deep/c.md", "C"),
        ("n/.secret.md", "no"),
        ("n/d.txt", "no"),
        ("n/[e].md", "E"),
    ]);
    let outside = dir.path().with_extension("outside.md");
    std::fs::write(&outside, "outside").expect("written");
    symlink(&outside, dir.path().join("n/out.md")).expect("linked");
    let gather = |text: &str| {
        let gathered = Told::default().gather(&vault, &paths(&[text]), 10_000);
        let texts = gathered.files.iter().filter_map(|f| f.text.clone());
        (texts.collect::<Vec<_>>(), gathered.problems.len())
    };
    let broken = "---\nbroken: a: b\n---\nB".to_owned();
    assert_eq!(gather("n/a.md"), (vec!["A".into()], 0));
    assert_eq!(gather("n/*.md"), (vec!["E".into(), "A".into(), broken.clone()], 0));
    assert_eq!(gather("n/**/c.md"), (vec!["C".into()], 0));
    assert_eq!(gather("n/[e].md"), (vec!["E".into()], 0), "a file that is called so");
    assert_eq!(gather("n/out.md"), (vec![], 1));
    assert_eq!(gather("**/*.md").0.len(), 4);
    std::fs::remove_file(outside).expect("removed");
}

#[test]
fn nothing_hidden_or_outside_is_told_by_any_link_traps_16_and_17() {
    let (dir, vault) = vault(&[(".parachute/.token", "secret"), (".parachute/CLAUDE.md", "s")]);
    std::fs::create_dir(dir.path().join("a")).expect("made");
    symlink("../.parachute/.token", dir.path().join("a/CLAUDE.md")).expect("linked");
    symlink(".parachute", dir.path().join("b")).expect("linked");
    symlink("/etc/passwd", dir.path().join("p.md")).expect("linked");
    let gathered = Told::default().gather(&vault, &paths(&["a", "b", "p.md"]), 10_000);
    assert!(gathered.files.iter().all(|f| f.text.is_none()), "{:?}", gathered.files);
    assert_eq!(gathered.problems.len(), 3);
}

#[test]
fn a_path_is_one_within_the_vault() {
    let parsed = |text: &str| ContextPath::parse(text).map(|path| path.0);
    for (text, path) in
        [("", ""), ("a/b/", "a/b"), ("./a//b", "a/b"), (".", ""), ("a,b+c", "a,b+c")]
    {
        assert_eq!(parsed(text).as_deref(), Some(path), "{text:?}");
    }
    let long = "x".repeat(CONTEXT_PATH_BYTES_MAX + 1);
    for text in
        ["..", "../x", "a/../../x", "/etc", "/", ".parachute", "a/.git/x", "a\0b", "a\nb", &long]
    {
        assert_eq!(parsed(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_path_leads_out_or_to_what_is_hidden(text in "\\PC{0,40}|[./a*-]{0,14}") {
        if let Some(path) = ContextPath::parse(&text) {
            for part in path.as_str().split('/').filter(|part| !part.is_empty()) {
                prop_assert!(!part.starts_with('.'));
            }
            prop_assert!(!path.as_str().starts_with('/'));
            prop_assert_eq!(ContextPath::parse(path.as_str()), Some(path.clone()));
            let (_dir, vault) = vault(&[("a/CLAUDE.md", "a"), (".x/CLAUDE.md", "hidden")]);
            let gathered = Told::default().gather(&vault, &[path], 1000);
            prop_assert!(gathered.files.iter().all(|f| f.text.as_deref() != Some("hidden")));
        }
    }
}

#[test]
fn a_pattern_of_many_branches_is_judged_like_any_other() {
    let (_dir, vault) = vault(&[("a/one.md", "one"), ("a/two.md", "two")]);
    let branches = format!("{{{}}}", ",".repeat(21)).repeat(20);
    let asked = paths(&[&format!("a/{branches}.md"), "a/{one,none}.md", "a/{.md"]);
    let mut so_far = Told::default();
    assert_eq!(told(&so_far.gather(&vault, &asked, 1000)), [("a/one.md", Some("one"))]);
}
