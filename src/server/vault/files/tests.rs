//! Where paths lead, and where they do not.

use super::*;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

fn vault() -> (TempDir, Vault) {
    let top = tempfile::tempdir().expect("a folder");
    for (path, text) in [
        ("v/note.md", "note"),
        ("v/Sub/a..b.md", "dots"),
        ("v/.parachute/.token", "secret"),
        ("v/.git/config", "git"),
        ("v/Chat/sessions.db", "database"),
        ("v/.claude/settings.json", "{}"),
        ("v/.claude/commands/x.md", "command"),
        ("v-backup/secret.md", "beside"),
    ] {
        let path = top.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    for (to, from) in [
        (".parachute", "in"),
        (".parachute/.token", "token"),
        ("../v-backup", "out"),
        ("../v-backup/new.md", "dangling"),
        ("note.md", "link.md"),
        ("Sub", "sub"),
        ("loop", "loop"),
    ] {
        symlink(to, top.path().join("v").join(from)).expect("linked");
    }
    let top_of = top.path().join("v");
    let vault = Vault::open(&top_of, &top_of.join("Sub/kept.db")).expect("opened").expect("there");
    (top, vault)
}

fn read(vault: &Vault, path: &str) -> Result<Option<Vec<u8>>, ReachError> {
    let Some(spot) = spot(vault, Path::new(path))? else { return Ok(None) };
    spot.open()?.map(|mut found| found.bytes(100)).transpose()
}

fn write(vault: &Vault, path: &str) -> Result<Stamp, ReachError> {
    let spot = spot_to_write(vault, Path::new(path))?;
    Ok(spot.draft(b"new")?.settle()?)
}

#[test]
fn what_is_inside_and_open_is_read_by_any_way() {
    let (_top, vault) = vault();
    for (path, text) in [
        ("note.md", "note"),
        ("./note.md", "note"),
        ("Sub/../note.md", "note"),
        ("link.md", "note"),
        ("sub/a..b.md", "dots"),
        (".claude/commands/x.md", "command"),
    ] {
        assert_eq!(read(&vault, path).expect(path).as_deref(), Some(text.as_bytes()), "{path}");
    }
    for path in ["none.md", "none/x", "note.md/x", "Sub/none", &"x".repeat(300)] {
        assert!(read(&vault, path).expect(path).is_none(), "{path}");
    }
}

#[test]
fn traps_19_t_8_and_t_9_nothing_outside_and_nothing_closed_is_reached() {
    let (top, vault) = vault();
    let beside = top.path().join("v-backup/secret.md");
    assert!(from_vault(&top.path().join("v"), beside.to_str().expect("text")).is_err());
    for path in ["../v-backup/secret.md", "out/secret.md", "out", "Sub/../../x", "/etc/passwd"] {
        assert!(matches!(read(&vault, path), Err(ReachError::Outside)), "{path}");
        assert!(write(&vault, path).is_err(), "{path}");
    }
    for path in [
        ".parachute/.token",
        ".PARACHUTE/.token",
        ".Parachute",
        ".parachute",
        ".parachute./.token",
        ".para\u{200c}chute/.token",
        "Sub/.parachute/x",
        "in/.token",
        "in",
        "in/none",
        "in/none/more",
        "token",
        "Sub/../in/.token",
        ".git/config",
        ".GIT/hooks/x",
        "Sub/.git",
        ".mcp.json",
        "Chat/sessions.db",
        "chat/Sessions.db-wal",
        ".claude/.credentials.json",
        ".claude/settings.json",
        "Sub/.Claude/Settings.local.json",
        ".env",
        "Sub/.ENV.local",
        "Sub/kept.db",
        "Sub/KEPT.db-journal",
        "Sub/kept.db.before-v16",
    ] {
        assert!(matches!(read(&vault, path), Err(ReachError::Closed(_))), "{path}");
        let refused = write(&vault, path);
        assert!(matches!(refused, Err(ReachError::Closed(_) | ReachError::RunsLater(_))), "{path}");
    }
    fs::create_dir_all(top.path().join("v/Chat/contexts")).expect("made");
    symlink("Chat", top.path().join("v/talk")).expect("linked");
    for path in
        ["Chat/contexts/../sessions.db-journal", "talk/sessions.db-journal", "sub/kept.db-wal"]
    {
        assert!(matches!(write(&vault, path), Err(ReachError::Closed(_))), "{path}");
    }
    assert!(!top.path().join("v/Chat/sessions.db-journal").exists());
    for path in [".claude/settings.json", "Sub/.Claude/hooks/x.sh", ".modules/x", ".skills/x.md"] {
        assert!(matches!(write(&vault, path), Err(ReachError::RunsLater(_))), "{path}");
    }
    assert!(!top.path().join("v/.modules").exists() && !top.path().join("v/Sub/.Claude").exists());
}

#[test]
fn trap_t_10_a_link_is_not_followed_out_and_one_within_is() {
    let (top, vault) = vault();
    assert!(matches!(write(&vault, "dangling"), Err(ReachError::Outside)));
    assert!(!top.path().join("v-backup/new.md").exists());
    write(&vault, "link.md").expect("within");
    assert!(fs::symlink_metadata(top.path().join("v/link.md")).expect("there").is_symlink());
    assert_eq!(fs::read(top.path().join("v/note.md")).expect("read"), b"new");
    for path in ["loop", "loop/x", "note.md/x.md", "Sub", "", ".", "new/../x.md"] {
        assert!(write(&vault, path).is_err(), "{path}");
    }
}

#[test]
fn a_file_is_replaced_whole_with_its_mode_and_folders_are_made() {
    let (top, vault) = vault();
    let note = top.path().join("v/note.md");
    fs::set_permissions(&note, fs::Permissions::from_mode(0o640)).expect("set");
    write(&vault, "note.md").expect("replaced");
    assert_eq!(fs::metadata(&note).expect("there").permissions().mode() & 0o777, 0o640);
    write(&vault, "Daily/.agents/reflection.md").expect("made");
    write(&vault, &format!("long/{}", "n".repeat(255))).expect("the longest name");
    assert!(matches!(write(&vault, &"n".repeat(256)), Err(ReachError::Odd(_))));
    let spot = spot_to_write(&vault, Path::new("dropped.md")).expect("a place");
    drop(spot.draft(b"x").expect("written"));
    let names = fs::read_dir(top.path().join("v")).expect("listed").flatten();
    let names: Vec<String> =
        names.filter_map(|found| found.file_name().into_string().ok()).collect();
    assert!(
        !names.iter().any(|name| name.contains("dropped") || notes::is_draft(name)),
        "{names:?}"
    );
}

#[test]
fn a_file_that_was_changed_since_it_was_judged_is_not_deleted() {
    let (top, vault) = vault();
    let note = top.path().join("v/note.md");
    let spot = spot(&vault, Path::new("note.md")).expect("judged").expect("there");
    let judged = spot.open().expect("opened").expect("there").stamp;
    fs::write(&note, "changed since").expect("written");
    assert!(!spot.delete(&judged).expect("put back"));
    assert_eq!(fs::read(&note).expect("read"), b"changed since");
    fs::remove_file(&note).expect("removed");
    fs::create_dir(&note).expect("made");
    assert!(!spot.delete(&judged).expect("put back") && note.is_dir());
    fs::remove_dir(&note).expect("removed");
    fs::write(&note, "again").expect("written");
    let judged = spot.open().expect("opened").expect("there").stamp;
    assert!(spot.delete(&judged).expect("deleted") && !note.exists());
    assert!(spot.delete(&judged).expect("gone is gone"));
    let names = fs::read_dir(top.path().join("v")).expect("listed").flatten();
    assert!(!names.into_iter().any(|found| notes::is_draft(&found.file_name().to_string_lossy())));
}

#[test]
fn a_list_tells_links_for_what_they_lead_to_and_nothing_closed() {
    let (top, vault) = vault();
    let (_, entries) =
        list(&vault, &top.path().join("v"), Path::new(""), true).expect("listed").expect("there");
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let all = [
        ".claude", "Chat", "Sub", "dangling", "in", "link.md", "loop", "note.md", "out", "sub",
        "token",
    ];
    assert_eq!(names, all);
    let of = |name: &str| entries.iter().find(|entry| entry.name == name).expect("listed");
    assert!(of("sub").is_directory && of("sub").is_symlink && of("link.md").is_file);
    for broken in ["dangling", "in", "loop", "out", "token"] {
        assert!(of(broken).is_broken_symlink && of(broken).size.is_none(), "{broken}");
    }
    let (_, chat) =
        list(&vault, top.path(), Path::new("Chat"), true).expect("listed").expect("there");
    assert!(chat.is_empty());
    assert!(list(&vault, top.path(), Path::new("note.md"), true).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_named_nothing_closed_is_read(
        path in "([./\\\\a-zA-Z ]{0,6}|\\.parachute|\\.token|in|out|Sub|\\.\\.){0,6}"
    ) {
        let (_top, vault) = vault();
        if let Ok(Some(text)) = read(&vault, &path) {
            prop_assert!(![b"secret".as_slice(), b"git", b"database", b"beside"].contains(&&*text));
        }
    }
}
