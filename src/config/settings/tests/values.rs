//! Single values: what fits a key, and what is said of what does not.

use super::super::{KEYS, Kind, Layer, MASK, Value, schema};
use serde_json::json;
use std::path::Path;

fn yaml(text: &str) -> Result<Layer, String> {
    let mut warnings = Vec::new();
    let layer = Layer::of_yaml(text, Path::new("/v/config.yaml"), &mut warnings);
    layer.map_err(|error| error.to_string())
}

fn said(text: &str) -> serde_json::Value {
    let key = text.trim_start_matches('\u{feff}').split(':').next().unwrap();
    yaml(text).unwrap().get(key).map_or(json!(null), |(value, _)| value.to_json(MASK))
}

#[test]
fn every_default_fits_its_key() {
    for key in KEYS {
        assert_eq!(key.default.is_some(), key.default_value().is_some(), "{}", key.name);
        assert!(!key.about.is_empty() && key.about.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn values_are_read_as_a_person_writes_them() {
    for (text, value) in [
        ("port: 8080", json!(8080)),
        ("port: '8080'", json!(8080)),
        ("port: 8080.0", json!(8080)),
        ("debug: yes", json!(true)),
        ("debug: Off", json!(false)),
        ("debug: 1", json!(true)),
        ("debug: \"n\"", json!(false)),
        ("include_user_plugins: false", json!(false)),
        ("log_level: warning", json!("WARNING")),
        ("auth_mode: Always", json!("always")),
        ("host: localhost", json!("localhost")),
        ("host: '::1'", json!("::1")),
        ("host: 0.0.0.0", json!("0.0.0.0")),
        ("plugin_dirs: [a, ~/b]", json!(["a", "~/b"])),
        ("default_model: ", json!(null)),
        ("default_model: ~", json!(null)),
        ("default_model: on", json!("on")),
        ("anthropic_base_url: https://x.test/v1", json!("https://x.test/v1")),
        ("api_key: hush", json!("[REDACTED]")),
        ("idle_exit_seconds: 0", json!(0)),
        ("agents_live_max: 64", json!(64)),
        ("reload: true", json!(true)),
        ("\u{feff}port: 1\nhost: '::'", json!(1)),
    ] {
        assert_eq!(said(text), value, "{text}");
    }
}

#[test]
fn a_value_that_does_not_fit_is_named_with_its_line_and_what_would() {
    for (text, said) in [
        ("a: 1\nport: 99999", "line 2: port is 99999; it must be a whole number from 1 to 65535"),
        ("port: 0", "port is 0"),
        ("port: true", "port is true"),
        ("port: 80.5", "port is 80.5"),
        ("port: [1]", "port is [1]"),
        ("\"port\": x", "line 1: port is `x`"),
        ("host: my-machine", "host is `my-machine`; it must be an IP address or localhost"),
        ("host: 10", "host is 10"),
        ("debug: maybe", "must be true or false"),
        ("debug: 2", "must be true or false"),
        ("log_level: loud", "one of TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("agents_live_max: 65", "from 1 to 64"),
        ("vault_path: ~other/x", "a path"),
        ("vault_path: ''", "a path"),
        ("vault_path: !tagged x", "a path"),
        ("default_model: 4", "in quotes"),
        ("default_model: \"a\\nb\"", "one line"),
        ("plugin_dirs: a", "a list of paths"),
        ("plugin_dirs: [1]", "a list of paths"),
        ("anthropic_base_url: ftp://x", "http://"),
        ("anthropic_base_url: http://u:p@x", "http://"),
        ("api_key: hush hush", "api_key is something else; it must be one word"),
        ("api_key: [hush]", "api_key is something else"),
    ] {
        let error = yaml(text).unwrap_err();
        assert!(error.contains(said) && error.contains("/v/config.yaml"), "{text}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
    let long = yaml(&format!("port: {}", "9".repeat(500))).unwrap_err();
    assert!(long.len() < 200, "{long}");
}

#[test]
fn what_is_no_config_says_why() {
    for (text, said) in [
        ("port: [", "not valid YAML: "),
        ("a: 1\n b: 2\n", "line 2"),
        ("port: 1\nport: 2\n", "port"),
        ("- a\n", "lines of `key: value`"),
        ("text", "lines of `key: value`"),
        ("a: &a [*a, *a]", "YAML"),
        ("a: 1\n---\nb: 2\n", "YAML"),
    ] {
        let error = yaml(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
    let bomb = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        let before = n - 1;
        text + &format!("a{n}: &a{n} [*a{before}, *a{before}, *a{before}, *a{before}]\n")
    });
    assert!(yaml(&bomb).unwrap_err().contains("YAML"));
}

#[test]
fn variables_are_read_like_text() {
    assert_eq!(Kind::List.read_text(r#"["a"]"#), Some(Value::List(vec!["a".into()])));
    assert_eq!(Kind::List.read_text("a,b"), None);
    assert_eq!(Kind::Flag.read_text(" TRUE "), Some(Value::Flag(true)));
    assert_eq!(Kind::Path.read_text("a\u{fffd}"), None, "was no UTF-8");
    assert_eq!(Kind::Text.read_text(&"a".repeat(5000)), None);
}

#[test]
fn the_schema_says_what_the_table_says() {
    let schema = schema();
    let of = |key: &str| schema["properties"][key].clone();
    assert_eq!(
        of("port"),
        json!({
            "type": "integer", "minimum": 1, "maximum": 65535, "default": 3333,
            "description": "Port of the server.", "x-writable": true,
        })
    );
    assert_eq!(of("auth_mode")["enum"], json!(["always", "remote", "disabled"]));
    assert_eq!(of("api_key")["writeOnly"], json!(true));
    assert_eq!(schema["properties"].as_object().unwrap().len(), KEYS.len());
}
