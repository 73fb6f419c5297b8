//! Changes of any file to any values: every other line stays as it is, the file says exactly what
//! was asked, and what is refused writes nothing.

use super::super::edit::mapping;
use super::super::{ChangeError, ConfigError, KEYS, Key, Layer, MASK};
use super::changes::{ask, names};
use super::edits::{blocks, file};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use serde_yaml::Value as Yaml;
use std::fs;
use std::path::Path;

/// The keys of these tests, with lines that may stand in a file.
const LINES: &[(&str, &[&str])] = &[
    ("port", &["port: 1", "port:   '8080'  # why", "\"port\" : 8080.0", "port:", "port: 99 #x"]),
    ("debug", &["debug: yes", "debug: 0 # port: 1", "'debug': \"off\"", "debug:  # none"]),
    ("host", &["host: 127.0.0.1", "host: '::'\t# all", "host: localhost"]),
    ("log_level", &["log_level: warning", "log_level: \"DEBUG\" # \"x\""]),
    (
        "default_model",
        &["default_model: claude-a", "default_model: 'it''s # x' #y", "default_model: ~"],
    ),
    ("cors_origins", &["cors_origins: \"*\"", "cors_origins: 'a # b' # c", "cors_origins: a#b"]),
    ("idle_exit_seconds", &["idle_exit_seconds: 0", "idle_exit_seconds: 600 # ten minutes"]),
    ("claude_path", &["claude_path: ~/bin/claude", "claude_path: \"\\u0061 b\""]),
];

fn good(key: &str) -> BoxedStrategy<Value> {
    match key {
        "port" => prop_oneof![(1..=65_535_i64).prop_map(|n| json!(n)), Just(json!("8080"))].boxed(),
        "debug" => select(vec![json!(true), json!(false), json!("yes"), json!(0)]).boxed(),
        "host" => select(vec![json!("::1"), json!("10.0.0.1"), json!("localhost")]).boxed(),
        "log_level" => select(vec![json!("debug"), json!("INFO")]).boxed(),
        "default_model" => "claude-[a-z0-9.@/:\\[\\]-]{0,20}".prop_map(|id| json!(id)).boxed(),
        "idle_exit_seconds" => (0..600_i64).prop_map(|n| json!(n)).boxed(),
        "claude_path" => "[/a-z][ -~é]{0,20}".prop_map(|text| json!(text)).boxed(),
        _ => "[!-~é][ -~é]{0,20}".prop_map(|text| json!(text)).boxed(),
    }
}

/// A file: blocks of other keys, comments and blank lines, and among them lines of ours.
fn files() -> impl Strategy<Value = String> {
    let line = |of: &'static (&str, &[&str])| {
        prop_oneof![Just(String::new()), select(of.1).prop_map(|line| format!("{line}\n"))]
    };
    let ours = LINES.iter().map(line).collect::<Vec<_>>();
    let places = vec(any::<Index>(), LINES.len());
    (blocks(), ours, places, any::<(bool, bool, bool)>()).prop_map(
        |(mut blocks, ours, places, (mark, returns, cut))| {
            for (line, place) in ours.into_iter().zip(places) {
                blocks.insert(place.index(blocks.len() + 1), line);
            }
            blocks.retain(|block| !block.is_empty());
            // A text block without its last line feed is another text, so that one keeps it.
            if cut && let Some(last) = blocks.last_mut().filter(|last| last.lines().count() == 1) {
                last.pop();
            }
            let mark = if mark { "\u{feff}" } else { "" };
            let text = format!("{mark}{}", blocks.concat());
            if returns { text.replace('\n', "\r\n") } else { text }
        },
    )
}

/// Keys in any order, each with a value or with null.
fn changes() -> impl Strategy<Value = Map<String, Value>> {
    let one = |of: &'static (&str, &[&str])| {
        let value = prop_oneof![2 => good(of.0), 1 => Just(Value::Null)];
        (Just(of.0.to_owned()), prop::option::of(value))
    };
    let all = LINES.iter().map(one).collect::<Vec<_>>().prop_shuffle();
    all.prop_map(|all| all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

/// Whether a line is the one of a top-level key.
fn is_of(line: &str, key: &str) -> bool {
    let rest = line.trim_start_matches(['"', '\'']).strip_prefix(key);
    rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
}

/// The lines of all keys but these, as they are; the mark before the first left out.
fn others<'a>(text: &'a str, keys: &[&str]) -> Vec<&'a str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split_inclusive('\n').filter(|line| !keys.iter().any(|key| is_of(line, key))).collect()
}

fn layer(text: &str) -> Layer {
    Layer::of_yaml(text, Path::new("config.yaml"), &mut Vec::new()).unwrap()
}

proptest! {
    #[test]
    fn a_change_changes_its_keys_and_nothing_else(text in files(), values in changes()) {
        let (_folder, path) = file(&text);
        let changed = ask(&path, &Value::Object(values.clone())).unwrap();
        let after = fs::read_to_string(&path).unwrap();
        prop_assert_eq!(changed.after.expose(), &after);
        prop_assert_eq!(after.starts_with('\u{feff}'), text.starts_with('\u{feff}'));

        let keys: Vec<&str> = changed.changes.iter().map(|change| change.key.as_str()).collect();
        let mut lines = others(&text, &keys);
        let end = if text.contains('\r') { "\r\n" } else { "\n" };
        // A last line without an end gets one when another follows.
        let ended = lines.last().map(|last| format!("{last}{end}"));
        let left = others(&after, &keys);
        if let (Some(ended), Some(last)) = (&ended, lines.last_mut())
            && !last.ends_with('\n')
            && left.last() != Some(last)
        {
            prop_assert!(!after.ends_with(*last), "only if another follows");
            *last = ended.as_str();
        }
        prop_assert_eq!(left, lines);

        // Parsed: these keys in their places, with these values, and all others as they were.
        let mut wanted = mapping(&text, &path).unwrap();
        let (was, is) = (layer(&text), layer(&after));
        for (name, value) in &values {
            let key = Key::named(name).unwrap();
            let as_text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let asked = (!value.is_null()).then(|| key.kind.read_text(&as_text).unwrap());
            prop_assert_eq!(is.get(name).map(|(value, _)| value), asked.as_ref(), "{}", name);
            let before = was.get(name).map(|(value, _)| value);
            prop_assert_eq!(before != asked.as_ref(), keys.contains(&name.as_str()), "{}", name);
            if before == asked.as_ref() {
                continue;
            }
            match asked {
                None => drop(wanted.shift_remove(name.as_str())),
                Some(value) => {
                    let yaml: Yaml = serde_yaml::to_value(value.to_json(MASK)).unwrap();
                    wanted.insert(name.as_str().into(), yaml);
                }
            }
        }
        let found = mapping(&after, &path).unwrap();
        prop_assert!(found.iter().eq(wanted.iter()), "{:?}\n{:?}", found, wanted);
    }

    #[test]
    fn what_is_refused_writes_nothing(
        text in prop_oneof![files(), "[a-z:#'\"\\[\\]{}|>& \\n\\-0-9]{0,60}"],
        values in vec((names_of_keys(), any_json()), 1..6),
    ) {
        let (folder, path) = file(&text);
        let values: Map<String, Value> = values.into_iter().collect();
        let writable = values.keys().all(|name| Key::named(name).is_some_and(Key::is_writable));
        match ask(&path, &Value::Object(values.clone())) {
            Ok(changed) => {
                prop_assert!(writable, "{:?}", values);
                let after = fs::read_to_string(&path).unwrap();
                prop_assert_eq!(changed.after.expose(), &after);
                layer(&after);
            }
            Err(error) => {
                prop_assert_eq!(fs::read_to_string(&path).unwrap(), text);
                let refused = matches!(error, ChangeError::Refused(_));
                prop_assert!(refused || writable, "{:?}", error);
            }
        }
        prop_assert!(names(folder.path()).iter().all(|name| !name.ends_with(".parachute")));
    }

    #[test]
    fn one_bad_value_spoils_the_change(
        text in files(), mut values in changes(), bad in bad(), at in any::<Index>(),
    ) {
        let (_folder, path) = file(&text);
        values.remove(bad.0);
        values.shift_insert(at.index(values.len() + 1), bad.0.to_owned(), bad.1);
        let Err(ChangeError::Refused(faults)) = ask(&path, &Value::Object(values)) else {
            panic!("it was taken");
        };
        prop_assert_eq!(faults.len(), 1);
        prop_assert_eq!(&faults[0].key, bad.0);
        prop_assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn any_line_of_text_is_taken_as_it_is_or_left_to_a_person(text in "\\PC{1,30}") {
        let (_folder, path) = file("port: 1\n");
        match ask(&path, &json!({ "cors_origins": text })) {
            Ok(_) => {
                let after = fs::read_to_string(&path).unwrap();
                let layer = layer(&after);
                let (value, _) = layer.get("cors_origins").unwrap();
                prop_assert_eq!(value.to_json(MASK), json!(text.trim()));
            }
            Err(ChangeError::Refused(_)) => {
                prop_assert!(text.trim().is_empty() || text.contains('\u{fffd}'), "{:?}", text);
            }
            Err(ChangeError::File(ConfigError::Unproven { .. })) => {
                prop_assert_eq!(fs::read_to_string(&path).unwrap(), "port: 1\n");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

fn names_of_keys() -> impl Strategy<Value = String> {
    let known = KEYS.iter().map(|key| key.name.to_owned()).collect::<Vec<_>>();
    prop_oneof![8 => select(known), 1 => "[a-z_]{0,8}", 1 => ".{0,5}", 1 => Just("token".into())]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..100_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[a-z0-9:/.]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,4}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A key and a value that it never takes.
fn bad() -> impl Strategy<Value = (&'static str, Value)> {
    select(vec![
        ("port", json!(0)),
        ("port", json!("eighty")),
        ("port", json!([1])),
        ("debug", json!("perhaps")),
        ("host", json!("example.org")),
        ("log_level", json!("")),
        ("default_model", json!("gpt-4")),
        ("default_model", json!("claude-x\n")),
        ("cors_origins", json!("a\nb")),
        ("cors_origins", json!("x".repeat(5000))),
        ("idle_exit_seconds", json!(-1)),
        ("claude_path", json!("~other/claude")),
        ("api_key", json!("x")),
        ("token", json!(null)),
        ("vault_path", json!("/x")),
        ("db_path", json!("/x")),
        ("unheard_of", json!(null)),
    ])
}
