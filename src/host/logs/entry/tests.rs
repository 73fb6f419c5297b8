//! What journalctl writes, and what we make of it.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn entry(fields: &Value) -> Entry {
    read(fields.to_string().as_bytes()).expect("an entry").entry
}

#[test]
fn a_line_of_a_service() {
    let read = read(
        br#"{"_SYSTEMD_USER_UNIT":"parachute.service","__REALTIME_TIMESTAMP":"1795156773217998",
        "MESSAGE":"a \"b\" \u00e9","SYSLOG_IDENTIFIER":"parachute-server","_COMM":"other",
        "__CURSOR":"s=a3;i=1","PRIORITY":"4","_PID":"373","PARACHUTE_SESSION":"s-1",
        "PARACHUTE_TURN":"t-1","PARACHUTE_ERROR":"gone","_CMDLINE":"/usr/bin/x -c \"y\""}"#,
    );
    let Read { entry, by_manager } = read.expect("an entry");
    let fields = json!({ "error": "gone" }).as_object().unwrap().clone();
    let expected = Entry {
        cursor: "s=a3;i=1".into(),
        time_us: Some(1_795_156_773_217_998),
        unit: Some("parachute.service".into()),
        priority: Some(4),
        pid: Some(373),
        program: Some("parachute-server".into()),
        session: Some("s-1".into()),
        turn: Some("t-1".into()),
        message: "a \"b\" é".into(),
        fields,
    };
    assert_eq!((entry, by_manager), (expected, false));
}

#[test]
fn the_managers_word_belongs_to_the_unit_it_is_about() {
    let line = json!({
        "_SYSTEMD_USER_UNIT": "init.scope", "USER_UNIT": "parachute-agent@s-9.service",
        "MESSAGE": "Failed", "_COMM": "systemd",
    });
    let read = read(line.to_string().as_bytes()).unwrap();
    assert!(read.by_manager);
    assert_eq!(read.entry.unit.as_deref(), Some("parachute-agent@s-9.service"));
    assert_eq!(read.entry.session.as_deref(), Some("s-9"));
    assert_eq!(read.entry.program.as_deref(), Some("systemd"));
}

#[test]
fn a_field_may_be_bytes_nothing_or_several() {
    let message = |value: Value| entry(&json!({ "MESSAGE": value })).message;
    assert_eq!(message(json!([97, 27, 91, 51, 49, 109, 98, 27, 91, 48, 109])), "ab");
    assert_eq!(message(json!([104, 255, 105])), "h\u{fffd}i");
    assert_eq!(message(Value::Null), "");
    assert_eq!(message(json!(["one", [116, 119, 111], null])), "one\ntwo\n");
    assert_eq!(message(json!(7)), "7");
    assert_eq!(message(json!([])), "");
    let twice = entry(&json!({ "PARACHUTE_X": ["1", "2"], "PARACHUTE_SESSION": ["a", "b"] }));
    assert_eq!(twice.fields["x"], json!(["1", "2"]));
    assert_eq!(twice.session.as_deref(), Some("a"));
    assert_eq!(entry(&json!({ "_PID": "x", "PRIORITY": "9" })), Entry::default());
}

#[test]
fn what_is_long_is_cut_and_says_so() {
    let long = "é".repeat(MESSAGE_BYTES_MAX);
    let cut = entry(&json!({ "MESSAGE": &long, "PARACHUTE_X": &long }));
    let rest = |max: usize| format!("é … ({} bytes more)", long.len() - max);
    assert!(cut.message.ends_with(&rest(MESSAGE_BYTES_MAX)), "{}", &cut.message[65_000..]);
    assert!(cut.fields["x"].as_str().unwrap().ends_with(&rest(FIELD_BYTES_MAX)));

    let head = br#"{"_PID":"1","__CURSOR":"s=0f;i=2","MESSAGE":"aaaaaaa"#;
    assert_eq!(too_long(head).cursor, "s=0f;i=2");
    assert_eq!(too_long(b"{\"__CURSOR\":\"s=0").cursor, "");
}

#[test]
fn commands_for_terminals_are_taken_out() {
    for (bytes, text) in [
        ("\x1b[1;31mred\x1b[0m\r\n", "red\n"),
        ("\x1b]0;title\x07a\x1b]8;;x\x1b\\b", "ab"),
        ("\x1b(Bx", "Bx"),
        ("a\x08b\x00c\td\x7f", "a\u{fffd}b\u{fffd}c\td\u{fffd}"),
        ("a\x1b", "a"),
        ("a\x1b[", "a"),
        ("50 %\rdone", "50 %\u{fffd}done"),
    ] {
        assert_eq!(printable(bytes.as_bytes()), text, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn no_line_panics(bytes: Vec<u8>, text: String) {
        let _ = read(&bytes);
        let _ = read(text.as_bytes());
        let _ = too_long(&bytes);
    }

    #[test]
    fn a_text_arrives_as_it_was_said(text in "[^\\p{Cc}]{0,80}", cursor in "[a-z0-9=;]{0,40}") {
        let bytes: Vec<Value> = text.bytes().map(Value::from).collect();
        for message in [Value::from(text.clone()), Value::from(bytes)] {
            let read = entry(&json!({ "MESSAGE": message, "__CURSOR": &cursor, "_X": ["1"] }));
            prop_assert_eq!(&read.message, &text);
            prop_assert_eq!(&read.cursor, &cursor);
        }
    }
}
