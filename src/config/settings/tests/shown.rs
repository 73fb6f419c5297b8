//! A file as JSON: its order, its secrets, and YAML that JSON does not have.

use super::super::show_file;
use super::edits::file;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

fn shown(text: &str) -> Value {
    let (_folder, path) = file(text);
    Value::Object(show_file(&path).values)
}

#[test]
fn the_file_is_shown_in_its_order_as_the_predecessor_did() {
    let text = "port: 3333\nhost: 127.0.0.1\ndefault_model: claude-opus-4-6\napi_key: canary\n\
                claude_code_oauth_token: canary\nother: seen\n";
    let shown = shown(text).to_string();
    assert_eq!(
        shown,
        r#"{"port":3333,"host":"127.0.0.1","default_model":"claude-opus-4-6","#.to_owned()
            + r#""api_key":"[REDACTED]","claude_code_oauth_token":"[REDACTED]","other":"seen"}"#
    );
}

#[test]
fn no_secret_is_shown_wherever_it_stands() {
    let text = "api_key: [canary]\n\
                claude_code_oauth_token: canary canary\n\
                My_Token: canary\n\
                other_secret: 5\n\
                DB-Password: {a: canary}\n\
                passwd: [canary]\n\
                none_key:\n\
                nested:\n\
                \x20 plain: seen\n\
                \x20 list:\n\
                \x20 - apiKey: canary\n\
                \x20   more: seen\n\
                \x20 - !tagged {credentials: canary}\n\
                \x20 ? [secret, canary]\n\
                \x20 : canary\n";
    let shown = shown(text);
    assert!(!shown.to_string().contains("credentials\":\"canary"), "{shown}");
    let mask = "[REDACTED]";
    assert_eq!(
        shown,
        json!({
            "api_key": mask,
            "claude_code_oauth_token": mask,
            "My_Token": mask,
            "other_secret": mask,
            "DB-Password": mask,
            "passwd": mask,
            "none_key": null,
            "nested": {
                "plain": "seen",
                "list": [{"apiKey": mask, "more": "seen"}, {"credentials": mask}],
                "[\"secret\",\"canary\"]": mask,
            },
        })
    );
}

#[test]
fn yaml_that_json_does_not_have_becomes_something() {
    let text = "1: one\n~: none\n2.5: half\n[a, b]: list\n{c: d}: map\ntrue: yes\n\
                a: .nan\nb: -.inf\nc: 0x10\nd: 18446744073709551615\ne: -7\nf: 1.5\n\
                g: !thing {h: !other 1}\ni: 2026-01-01\nj: &x [1]\nk: *x\ndebug: yes\n\
                idle_exit_seconds: '5'\nagents_live_max: many\n";
    assert_eq!(
        shown(text),
        json!({
            "1": "one", "null": "none", "2.5": "half", "[\"a\",\"b\"]": "list",
            "{\"c\":\"d\"}": "map", "true": "yes", "a": ".nan", "b": "-.inf", "c": 16,
            "d": 18_446_744_073_709_551_615_u64, "e": -7, "f": 1.5, "g": {"h": 1},
            "i": "2026-01-01", "j": [1], "k": [1], "debug": true, "idle_exit_seconds": 5,
            "agents_live_max": "many",
        })
    );
}

#[test]
fn a_broken_file_says_what_is_wrong_with_it() {
    for (text, said, keys) in [
        ("port: 1\nhost: [", Some("line 3"), 0),
        ("- a\n", Some("lines of `key: value`"), 0),
        ("port: 1\nhost: nowhere\n", Some("line 2: host is `nowhere`"), 2),
        ("port: {token: canary}\n", Some("port is {\"token\":\"[REDACTED]\"}"), 1),
        ("api_key: canary canary\n", Some("api_key is something else"), 1),
        ("", None, 0),
        ("# nothing\n", None, 0),
        ("unknown: 1\n", None, 1),
    ] {
        let (_folder, path) = file(text);
        let shown = show_file(&path);
        assert_eq!(shown.values.len(), keys, "{text:?}");
        assert_eq!(shown.problem.is_some(), said.is_some(), "{text:?}");
        assert!(shown.problem.iter().all(|problem| problem.contains(said.unwrap())), "{shown:?}");
        assert!(!format!("{shown:?}").contains("canary"), "{shown:?}");
    }
    let (folder, path) = file("");
    fs::write(&path, b"port: \xff").unwrap();
    let unreadable = show_file(&path);
    assert!(unreadable.problem.unwrap().contains("not UTF-8"));
    let missing = show_file(&folder.path().join("none.yaml"));
    assert!(missing.problem.is_none() && missing.values.is_empty());
    assert_ne!(unreadable.tag, missing.tag);
}

#[test]
fn a_secret_deep_in_an_open_file_is_told_of() {
    for (text, name) in [
        ("a: [{b: {my_token: x}}]\n", Some("which holds a;")),
        ("claude_code_oauth_token: x\n", Some("which holds claude_code_oauth_token;")),
        ("a: [{b: {c: x}}]\nport: 1\n", None),
    ] {
        let (_folder, path) = file(text);
        fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
        let warnings = show_file(&path).warnings;
        assert_eq!(warnings.len(), usize::from(name.is_some()), "{text}");
        assert!(warnings.iter().all(|warning| warning.contains(name.unwrap())), "{warnings:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_showing_panic(text in "[a-z:#'\"\\[\\]{}|>&*!~.? \\n\\-0-9]{0,80}") {
        let (_folder, path) = file(&text);
        let shown = show_file(&path);
        prop_assert!(shown.problem.is_none() || shown.tag != show_file(&path.join("none")).tag);
    }
}
