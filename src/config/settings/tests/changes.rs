//! A change of several keys: what is refused and how, what it leaves alone, and how it is undone.

use super::super::{
    Asked, ChangeError, Changed, ConfigError, Fault, Tag, change, put_back, set, show_file,
};
use super::edits::file;
use serde_json::{Map, Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

pub(super) fn map(values: &Value) -> Map<String, Value> {
    values.as_object().unwrap().clone()
}

pub(super) fn ask(path: &Path, values: &Value) -> Result<Changed, ChangeError> {
    let values = map(values);
    let asked = Asked { values: &values, only_if: None, known_models: &[], dry_run: false };
    change(path, &asked)
}

fn faults(path: &Path, values: &Value) -> Vec<Fault> {
    match ask(path, values) {
        Err(ChangeError::Refused(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

/// The names in a folder.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_fault_is_told_at_once_and_nothing_is_written() {
    let text = "port: 1 # one\n";
    let (folder, path) = file(text);
    let found = faults(
        &path,
        &json!({
            "debug": true,
            "port": 70000,
            "prot": 1,
            "api_key": "x",
            "claude_code_oauth_token": null,
            "token": "x",
            "plugin_dirs": ["a"],
            "log_format": "x",
            "vault_path": "/elsewhere",
            "host": {"a": 1},
            "default_model": "gpt-4",
        }),
    );
    let said: Vec<(&str, &str)> =
        found.iter().map(|fault| (fault.key.as_str(), fault.said.as_str())).collect();
    for (at, (key, words)) in [
        ("port", "port is 70000; it must be a whole number from 1 to 65535"),
        ("prot", "nobody knows the key prot"),
        ("api_key", "api_key is a secret and is not set this way"),
        ("claude_code_oauth_token", "claude_code_oauth_token is a secret"),
        ("token", "token is a secret"),
        ("plugin_dirs", "plugin_dirs is not changed this way; edit config.yaml by hand"),
        ("log_format", "log_format is not changed this way"),
        ("vault_path", "run: parachute config set vault_path <path>"),
        ("host", "host is an object; it must be an IP address or localhost"),
        ("default_model", "Invalid model ID format"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(said[at].0 == key && said[at].1.contains(words), "{key}: {:?}", said[at]);
    }
    assert_eq!(said.len(), 10);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(names(folder.path()), ["config.yaml"], "not even a lock was taken");

    let only = ask(&path, &json!({"default_model": "gpt-4"})).unwrap_err();
    assert_eq!(only.to_string(), "Invalid model ID format");
    let many: Map<_, _> = (0..1000).map(|n| ("x".repeat(n), json!(1))).collect();
    let found = faults(&path, &many.into());
    assert_eq!(found.len(), 32);
    assert!(found.iter().all(|fault| fault.said.len() < 100), "{found:?}");
}

#[test]
fn values_are_taken_in_every_form_of_the_file() {
    for (values, line) in [
        (json!({"port": 8080}), "port: 8080\n"),
        (json!({"port": 8080.0}), "port: 8080\n"),
        (json!({"port": " 8080 "}), "port: 8080\n"),
        (json!({"debug": true}), "debug: true\n"),
        (json!({"debug": "off"}), "debug: false\n"),
        (json!({"debug": 1}), "debug: true\n"),
        (json!({"log_level": "debug"}), "log_level: DEBUG\n"),
        (json!({"host": "::1"}), "host: \"::1\"\n"),
        (
            json!({"anthropic_base_url": "https://x.test"}),
            "anthropic_base_url: \"https://x.test\"\n",
        ),
    ] {
        let (_folder, path) = file("");
        let changed = ask(&path, &values).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line, "{values}");
        assert_eq!(changed.after.expose(), line);
    }
    for values in [
        json!({"port": 80.5}),
        json!({"port": -1}),
        json!({"port": 18_446_744_073_709_551_615_u64}),
        json!({"port": 1e300}),
        json!({"port": true}),
        json!({"port": ""}),
        json!({"port": [80]}),
        json!({"debug": 2}),
        json!({"debug": "maybe"}),
        json!({"auth_mode": "sometimes"}),
        json!({"host": "my-machine"}),
        json!({"cors_origins": 5}),
        json!({"cors_origins": "a\nport: 5"}),
        json!({"anthropic_base_url": "https://u:p@x"}),
        json!({"default_model": 5}),
        json!({"agents_live_max": 65}),
    ] {
        let (_folder, path) = file("");
        let name = values.as_object().unwrap().keys().next().unwrap().clone();
        let [fault] = &faults(&path, &values)[..] else { panic!("{values}") };
        assert!(fault.said.starts_with(&format!("{name} is ")), "{fault:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }
}

#[test]
fn a_models_id_looks_like_one_or_is_known() {
    let known = ["gpt-4".to_owned()];
    let judged = |id: &str, known_models: &[String]| {
        let (_folder, path) = file("");
        let values = map(&json!({"default_model": id}));
        let asked = Asked { values: &values, only_if: None, known_models, dry_run: true };
        match change(&path, &asked) {
            Ok(changed) => changed.changes[0].to == json!(id),
            Err(error) => {
                assert_eq!(error.to_string(), "Invalid model ID format", "{id:?}");
                false
            }
        }
    };
    for id in [
        "claude-opus-4-6",
        "claude-3-5-sonnet-20241022",
        "claude-sonnet-4-5-20250929[1m]",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "claude-opus-4-1@20250805",
        "arn:aws:bedrock:eu:1:inference-profile/eu.anthropic.claude_x",
        "default",
        "sonnet",
        "opus[1m]",
        "haiku",
        "opusplan",
    ] {
        assert!(judged(id, &[]), "{id}");
    }
    let long = format!("claude-{}", "x".repeat(194));
    for id in [
        "gpt-4",
        "",
        " ",
        "Sonnet",
        "sonnet[2m]",
        "[1m]",
        "claude-opus-4-6\n",
        " claude-opus-4-6",
        "claude opus",
        "claude-öpus",
        "claude-\0",
        "claude-x\"",
        &long,
    ] {
        assert!(!judged(id, &[]), "{id:?}");
    }
    assert!(judged(&long[..200], &[]));
    assert!(judged("gpt-4", &known), "the vendor has it");
    assert!(!judged("gpt-4\n", &known));
    // A rule of the change alone: a gateway may call its models as it likes.
    let (_folder, path) = file("default_model: gpt-4\n");
    assert_eq!(show_file(&path).problem, None);
    ask(&path, &json!({"port": 2})).unwrap();
    set(&path, "default_model", "gpt-5").unwrap();
}

#[test]
fn several_keys_change_in_one_go_and_null_takes_a_line_away() {
    for (before, values, after) in [
        (
            "# mine\r\nport: 1 # why\r\n\r\nmore: [a]\r\ndebug: yes\r\n",
            json!({"debug": null, "port": 2, "host": "::"}),
            "# mine\r\nport: 2 # why\r\n\r\nmore: [a]\r\nhost: \"::\"\r\n",
        ),
        ("\u{feff}port: 1\nz: 1\n", json!({"port": null}), "\u{feff}z: 1\n"),
        ("\u{feff}port: 1\n", json!({"port": null}), "\u{feff}"),
        ("z: 1\nport: 1", json!({"port": null}), "z: 1\n"),
        ("---\nport: 1 # one\n", json!({"port": null}), "---\n"),
        ("'port': \"1\"\nz: 1", json!({"port": null}), "z: 1"),
        ("a: 1\nport: x\nz: 1\n", json!({"port": null}), "a: 1\nz: 1\n"),
        ("a: 1\nport: 1\nb: 2\nc: 3\n", json!({"port": null}), "a: 1\nb: 2\nc: 3\n"),
        ("", json!({"port": 5, "debug": true}), "port: 5\ndebug: true\n"),
        ("port: 1", json!({"debug": true}), "port: 1\ndebug: true\n"),
    ] {
        let (_folder, path) = file(before);
        let changed = ask(&path, &values).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), after, "{before:?}");
        assert_eq!(changed.before.unwrap().expose(), before);
        assert_eq!(changed.tag, show_file(&path).tag);
    }
    let (_folder, path) = file("port: '1'\nhost: 1.2.3.4\nlog_level: loud\n");
    let values = json!({"port": 1, "log_level": null, "host": "1.2.3.5", "debug": null});
    let changes = serde_json::to_value(ask(&path, &values).unwrap().changes).unwrap();
    assert_eq!(
        changes,
        json!([
            {"key": "log_level", "from": "loud", "to": null},
            {"key": "host", "from": "1.2.3.4", "to": "1.2.3.5"},
        ])
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "port: '1'\nhost: 1.2.3.5\n");
}

#[test]
fn what_says_so_already_is_not_written() {
    let text = "port: '8080' # mine\nlog_level: debug\ndebug: yes\nhost:\n";
    let (_folder, path) = file(text);
    let inode = fs::metadata(&path).unwrap().ino();
    let values = json!({
        "port": 8080, "log_level": "DEBUG", "debug": true, "host": null, "agents_live_max": null,
    });
    let changed = ask(&path, &values).unwrap();
    assert!(changed.changes.is_empty(), "{changed:?}");
    set(&path, "port", "8080").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "it is the same file");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    ask(&path, &json!({})).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode);
}

#[test]
fn a_change_is_made_only_of_the_file_that_was_seen() {
    let (folder, path) = file("port: 1\n");
    let values = map(&json!({"port": 2}));
    let ask_if = |tag: &Tag, dry_run| {
        let asked = Asked { values: &values, only_if: Some(tag), known_models: &[], dry_run };
        change(&path, &asked)
    };
    let seen = show_file(&path).tag;
    assert_eq!(seen.as_str().len(), 16);
    assert_eq!(ask_if(&seen, true).unwrap().tag, seen, "nothing has changed");
    fs::write(&path, "port: 1\n# by another hand\n").unwrap();
    for dry_run in [true, false] {
        let Err(ChangeError::Stale { now }) = ask_if(&seen, dry_run) else { panic!() };
        assert_eq!(now, show_file(&path).tag);
    }
    assert!(fs::read_to_string(&path).unwrap().starts_with("port: 1\n"));
    let given = Tag::given(show_file(&path).tag.as_str());
    assert_eq!(ask_if(&given, false).unwrap().tag, show_file(&path).tag);
    assert!(ask_if(&Tag::given("nonsense"), false).is_err());

    let missing = folder.path().join("new/config.yaml");
    let (of_empty, empty) = file("");
    let tag = show_file(&missing).tag;
    assert_eq!(tag, show_file(&empty).tag);
    let asked = Asked { values: &values, only_if: Some(&tag), known_models: &[], dry_run: false };
    assert!(change(&missing, &asked).unwrap().before.is_none());
    drop(of_empty);
}

#[test]
fn a_file_that_is_no_config_or_would_be_none_is_left_alone() {
    for (text, values, said) in [
        ("a: 1\nport: [", json!({"port": 2}), "line 3"),
        ("a: 1\n b: 2\n", json!({"port": 2}), "line 2"),
        ("- a\n", json!({"port": 2}), "lines of `key: value`"),
        ("a: 1\nhost: x\n", json!({"port": 2}), "line 2: host is `x`; it must be"),
        ("plugin_dirs: 5\n", json!({"port": 2}), "line 1: plugin_dirs is 5"),
        ("port: [1]\n", json!({"port": 2}), "not a single value"),
        ("port: >-\n  1\n", json!({"port": 2}), "edit the file by hand"),
        ("port: >-\n  1\n", json!({"port": null}), "edit the file by hand"),
        ("port: 1\n  2\n", json!({"port": null}), "edit the file by hand"),
        ("port:\n  1\n", json!({"port": null}), "edit the file by hand"),
        ("port: &a 1\n", json!({"port": null}), "edit the file by hand"),
        ("port: &a 1\nz: *a\n", json!({"port": null}), "edit the file by hand"),
        ("{port: 1}\n", json!({"port": null}), "edit the file by hand"),
        ("port: {a: 1}\n", json!({"debug": true, "port": null}), "not a single value"),
    ] {
        let (folder, path) = file(text);
        let error = ask(&path, &values).unwrap_err();
        assert!(matches!(error, ChangeError::File(_)), "{text:?}: {error:?}");
        assert!(error.to_string().contains(said), "{text:?}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(names(folder.path()), [".config.lock", "config.yaml"]);
    }
    let (_folder, path) = file("port: x\nhost: y\n");
    ask(&path, &json!({"port": 1})).unwrap_err();
    ask(&path, &json!({"port": 1, "host": null})).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "port: 1\n");

    let long = format!("#{}\n", "x".repeat((1 << 20) - 4));
    fs::write(&path, &long).unwrap();
    let error = ask(&path, &json!({"port": 1})).unwrap_err();
    assert!(error.to_string().contains("longer than"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), long);
}

#[test]
fn a_dry_run_touches_nothing() {
    let (folder, path) = file("port: 1\n");
    let missing = folder.path().join("vault/.parachute/config.yaml");
    let values = map(&json!({"port": 2, "debug": null}));
    let asked = Asked { values: &values, only_if: None, known_models: &[], dry_run: true };
    for (path, from) in [(&path, json!(1)), (&missing, json!(null))] {
        let changed = change(path, &asked).unwrap();
        assert_eq!(changed.after.expose(), "port: 2\n");
        assert_eq!(changed.changes.len(), 1);
        assert_eq!((&changed.changes[0].from, &changed.changes[0].to), (&from, &json!(2)));
        assert_eq!(changed.tag, show_file(path).tag);
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "port: 1\n");
    assert_eq!(names(folder.path()), ["config.yaml"]);
}

#[test]
fn what_stood_before_is_put_back_unless_somebody_came_between() {
    let text = "# é\r\nport: 1";
    let (_folder, path) = file(text);
    let changed = ask(&path, &json!({"port": 2})).unwrap();
    assert!(put_back(&path, &changed.tag, changed.before.as_ref()).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert!(!put_back(&path, &changed.tag, changed.before.as_ref()).unwrap(), "only once");

    let changed = ask(&path, &json!({"port": 3})).unwrap();
    set(&path, "debug", "yes").unwrap();
    let others = fs::read_to_string(&path).unwrap();
    assert!(!put_back(&path, &changed.tag, changed.before.as_ref()).unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), others);

    fs::remove_file(&path).unwrap();
    let changed = ask(&path, &json!({"port": 4})).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert!(put_back(&path, &changed.tag, None).unwrap());
    assert!(!path.exists(), "there was none");
    assert!(!put_back(&path, &changed.tag, None).unwrap());
    fs::write(&path, b"\xff").unwrap();
    let error = put_back(&path, &changed.tag, None).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error}");
}

#[test]
fn a_file_keeps_its_mode_and_secrets_that_others_may_read_are_told_of() {
    let canary = "canary-4711";
    let (_folder, path) = file(&format!("api_key: {canary}\nport: 1\n"));
    for (mode, warned) in [(0o600, false), (0o644, true), (0o640, true)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let changed = ask(&path, &json!({"port": mode})).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, mode);
        assert_eq!(changed.warnings.len(), usize::from(warned), "{changed:?}");
        assert_eq!(changed.warnings, show_file(&path).warnings);
        for warning in &changed.warnings {
            assert!(warning.contains("which holds api_key; run: chmod 600 "), "{warning}");
        }
        assert!(changed.after.expose().contains(canary));
        assert!(!format!("{changed:?}").contains(canary), "{changed:?}");
    }
    let (_folder, open) = file("port: 1\napi_key:\n");
    fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
    assert!(ask(&open, &json!({"port": 2})).unwrap().warnings.is_empty(), "no secret in it");
}

#[test]
fn what_a_killed_writer_left_is_cleared_away_and_nothing_else() {
    let (folder, path) = file("port: 1\n");
    let theirs = [
        ".config.yaml.AbC123",
        ".config.yaml.backup",
        ".config.yaml.parachute",
        ".config.yaml.0123456789abcdeg.parachute",
        ".config.yml.0123456789abcdef.parachute",
        "config.yaml.0123456789abcdef.parachute",
    ];
    let ours = ".config.yaml.0123456789abcdef.parachute";
    for name in theirs.iter().chain([&ours]) {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    ask(&path, &json!({"port": 2})).unwrap();
    let mut left: Vec<&str> = theirs.into_iter().chain([".config.lock", "config.yaml"]).collect();
    left.sort_unstable();
    assert_eq!(names(folder.path()), left);
}
