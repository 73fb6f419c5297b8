//! Changing one key of a file: which line changes, what is refused, what is proven.

use super::super::edit::{edited, mapping};
use super::super::{ConfigError, Key, set};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(super) fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn edit(text: &str, key: &str, value: &str) -> Result<String, ConfigError> {
    let key = Key::named(key).unwrap();
    let value = key.kind.read_text(value).unwrap();
    edited(text, Path::new("config.yaml"), &[(key, Some(value))]).map(|edited| edited.text)
}

#[test]
fn only_the_value_of_the_line_changes() {
    for (before, key, value, after) in [
        ("port: 1\n", "port", "2", "port: 2\n"),
        ("port: 1", "port", "2", "port: 2"),
        ("# a\nport:   1   # why\nz: 1\n", "port", "2", "# a\nport:   2   # why\nz: 1\n"),
        ("port: 1\r\nz: 1\r\n", "port", "2", "port: 2\r\nz: 1\r\n"),
        ("z: 1\r\n", "port", "2", "z: 1\r\nport: 2\r\n"),
        ("\u{feff}port: 1\n", "port", "2", "\u{feff}port: 2\n"),
        ("port:\nz: 1\n", "port", "2", "port: 2\nz: 1\n"),
        ("port:  # none\n", "port", "2", "port: 2  # none\n"),
        ("\"port\" : '1' # x\n", "port", "2", "\"port\" : 2 # x\n"),
        ("default_model: \"a \\\" # b\" # c\n", "default_model", "m", "default_model: m # c\n"),
        ("default_model: 'it''s' # c\n", "default_model", "m", "default_model: m # c\n"),
        ("default_model: a#b\n", "default_model", "m", "default_model: m\n"),
        ("---\nport: 1\n", "port", "2", "---\nport: 2\n"),
        ("z: |\n  port: 5\nport: 1\n", "port", "2", "z: |\n  port: 5\nport: 2\n"),
        ("ports: 1\nport: 1\n", "port", "2", "ports: 1\nport: 2\n"),
        ("", "port", "2", "port: 2\n"),
        ("# only words\n", "port", "2", "# only words\nport: 2\n"),
        ("z: 1", "port", "2", "z: 1\nport: 2\n"),
        ("z: yes\n", "debug", "on", "z: yes\ndebug: true\n"),
        ("", "default_model", "3", "default_model: \"3\"\n"),
        ("", "default_model", "yes", "default_model: \"yes\"\n"),
        ("", "default_model", "a: #b \"c\"\\", "default_model: \"a: #b \\\"c\\\"\\\\\"\n"),
        ("", "host", "127.0.0.1", "host: 127.0.0.1\n"),
        ("", "host", "::1", "host: \"::1\"\n"),
        ("", "vault_path", "~/N otes", "vault_path: \"~/N otes\"\n"),
        ("", "log_level", "debug", "log_level: DEBUG\n"),
    ] {
        assert_eq!(edit(before, key, value).unwrap(), after, "{before:?}");
    }
}

#[test]
fn what_cannot_be_changed_by_one_line_is_refused() {
    for text in [
        "{port: 1}",
        "? port\n: 1\n",
        "port: &a 1\nz: *a\n",
        "port: !!int 1\n",
        "port: >-\n  1\n",
        "port: 1\n  2\n",
        "z: \"x\nport: 3\n\"\nport: 1\n",
        "z: {a: 1,\nport: 3}\nport: 1\n",
    ] {
        assert!(matches!(edit(text, "port", "2"), Err(ConfigError::Unproven { .. })), "{text:?}");
    }
    for text in ["z: 1\n...\n", "{z: 1}\n", "z: |\n  a"] {
        assert!(matches!(edit(text, "port", "2"), Err(ConfigError::Unproven { .. })), "{text:?}");
    }
    for text in ["port: [1]\n", "port:\n- 1\n", "port:\n  a: 1\n"] {
        assert!(matches!(edit(text, "port", "2"), Err(ConfigError::NotScalar { .. })), "{text:?}");
    }
}

#[test]
fn a_set_value_is_in_the_file_and_the_file_keeps_its_mode() {
    let (folder, path) = file("# mine\nport: 1\nother: [a]\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    set(&path, "port", "8080").unwrap();
    set(&path, "default_model", "claude-opus-4-6").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "# mine\nport: 8080\nother: [a]\ndefault_model: claude-opus-4-6\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);

    let link = folder.path().join("link.yaml");
    symlink(&path, &link).unwrap();
    set(&link, "port", "8081").unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "a link stays one");
    assert!(fs::read_to_string(&path).unwrap().contains("port: 8081"));

    let new = folder.path().join("vault/.parachute/config.yaml");
    set(&new, "debug", "yes").unwrap();
    assert_eq!(fs::read_to_string(&new).unwrap(), "debug: true\n");
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_may_not_be_set_leaves_the_file_alone() {
    let text = "port: 1 # one\n";
    let (_folder, path) = file(text);
    for (key, value, said) in [
        ("port", "70000", "port is `70000`; it must be a whole number from 1 to 65535"),
        ("port", "", "a whole number"),
        ("host", "my-machine", "an IP address"),
        ("default_model", "a\nb: c", "one line"),
        ("claude_code_oauth_token", "x", "is a secret"),
        ("token", "x", "is a secret"),
        ("api_key", "x", "is a secret"),
        ("plugin_dirs", "[\"a\"]", "is not a single value"),
        ("log_format", "x", "cannot be set; the keys that can be are vault_path, port"),
        ("nonsense", "x", "cannot be set"),
    ] {
        let error = set(&path, key, value).unwrap_err().to_string();
        assert!(error.contains(said), "{key}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    for broken in ["port: [", "- a\n"] {
        fs::write(&path, broken).unwrap();
        set(&path, "port", "2").unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), broken, "trap 83");
    }
}

#[test]
fn setters_at_once_lose_nothing() {
    let (_folder, path) = file("");
    std::thread::scope(|scope| {
        for (key, value) in [("port", "1"), ("debug", "1"), ("host", "::"), ("log_level", "info")] {
            let path = &path;
            scope.spawn(move || set(path, key, value).unwrap());
        }
    });
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(mapping(&text, &path).unwrap().len(), 4, "{text}");
}

/// A block of lines that belong together, with a key of its own.
fn block(number: usize) -> impl Strategy<Value = String> {
    let comment = prop_oneof![Just(""), Just("  # port: 9"), Just(" #x")];
    let scalar = prop_oneof![
        Just("1"),
        Just("yes"),
        Just("''"),
        Just("'it''s # x'"),
        Just("\"a \\\" b\""),
        Just("plain words"),
        Just("a#b"),
        Just(""),
        Just("~"),
        Just("[a, 'b']"),
        Just("{c: d}"),
        Just("2026-01-01"),
        Just("\"\\u00e9\""),
        Just("é🪂"),
    ];
    let nested = prop_oneof![
        Just("\n  port: 3\n  # port: 4\n  x:\n  - 1"),
        Just("\n- port: 1\n- b"),
        Just(" |\n  port: 5\n  text"),
        Just(" >-\n  folded\n\n  port: 6"),
    ];
    prop_oneof![
        4 => (scalar, comment).prop_map(move |(value, comment)| {
            format!("key_{number}: {value}{comment}\n")
        }),
        1 => nested.prop_map(move |value| format!("key_{number}:{value}\n")),
        1 => "# [a-z: ]{0,20}\n",
        1 => Just("\n".to_owned()),
    ]
}

pub(super) fn blocks() -> impl Strategy<Value = Vec<String>> {
    (0_usize..8).prop_flat_map(|count| (0..count).map(block).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn an_edit_changes_one_line_and_one_key(
        before in blocks(), after in blocks(), there in any::<bool>(),
        model in "[ -~é]{1,20}".prop_filter("a value", |text| !text.trim().is_empty()),
        old in prop_oneof![Just("old"), Just("'a # b'"), Just("\"\\\"\""), Just(""), Just("7")],
        why in prop_oneof![Just(""), Just(" # why"), Just("   #default_model: x")],
    ) {
        // The keys of the second half get names of their own.
        let after: String = after.concat().replace("key_", "other_");
        let before = before.concat();
        let line = if there { format!("default_model: {old}{why}\n") } else { String::new() };
        let text = format!("{before}{line}{after}");
        let edited = edit(&text, "default_model", &model).unwrap();

        let path = Path::new("config.yaml");
        let mut expected = mapping(&text, path).unwrap();
        let value = serde_yaml::Value::String(model.trim().to_owned());
        expected.insert("default_model".into(), value);
        prop_assert_eq!(mapping(&edited, path).unwrap(), expected);

        if there {
            let rest = edited.strip_prefix(&before).unwrap().strip_suffix(&after).unwrap();
            prop_assert!(rest.starts_with("default_model: "));
            let end = format!("{why}\n");
            prop_assert!(rest.ends_with(&end));
            prop_assert_eq!(rest.lines().count(), 1);
        } else {
            prop_assert!(edited.strip_prefix(&text).unwrap().starts_with("default_model: "));
        }
    }

    #[test]
    fn no_text_makes_it_panic_or_lie(text in "[a-z:#'\"\\[\\]{}|>& \\n\\-0-9]{0,60}") {
        let text = text.replace("p", "port: ");
        let path = Path::new("config.yaml");
        if let Ok(edited) = edit(&text, "port", "2") {
            let mut expected = mapping(&text, path).unwrap();
            expected.insert("port".into(), 2.into());
            prop_assert_eq!(mapping(&edited, path).unwrap(), expected);
        }
    }
}
