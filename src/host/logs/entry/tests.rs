//! What journalctl writes, and what we make of it.

use super::*;
use crate::logs::long::Long;
use proptest::prelude::*;
use serde_json::json;

/// A field in the form for values of every kind.
fn of_bytes(name: &str, value: &[u8]) -> Vec<u8> {
    let length = u64::try_from(value.len()).unwrap().to_le_bytes();
    [name.as_bytes(), b"\n", &length, value, b"\n"].concat()
}

fn entry(fields: &[&[u8]]) -> Entry {
    let bytes = [fields.concat(), b"\n__CURSOR=next".to_vec()].concat();
    match read(&bytes) {
        Piece::Entry(raw, length) => {
            assert_eq!(&bytes[length..], b"__CURSOR=next");
            raw.entry()
        }
        Piece::Part => panic!("{:?} is no entry", String::from_utf8_lossy(&bytes)),
    }
}

#[test]
fn a_line_of_a_service() {
    // As systemd 252 wrote it.
    let given = entry(&[b"__CURSOR=s=a3;i=1\n__REALTIME_TIMESTAMP=1795156773217998\n\
        __MONOTONIC_TIMESTAMP=18437866972\n_BOOT_ID=b1ee\n_TRANSPORT=journal\nPRIORITY=4\n\
        SYSLOG_IDENTIFIER=parachute-server\n_PID=373\n_UID=1000\n_COMM=other\n\
        _CMDLINE=/usr/bin/x -c \"a=b\"\n_SYSTEMD_USER_UNIT=parachute.service\n\
        PARACHUTE_SESSION=s-1\nPARACHUTE_TURN=t-1\nPARACHUTE_ERROR=gone\n\
        MESSAGE=a \"b\" = \xc3\xa9\n"]);
    let expected = Entry {
        cursor: "s=a3;i=1".into(),
        time_us: Some(1_795_156_773_217_998),
        unit: Some("parachute.service".into()),
        priority: Some(4),
        pid: Some(373),
        program: Some("parachute-server".into()),
        session: Some("s-1".into()),
        turn: Some("t-1".into()),
        message: "a \"b\" = é".into(),
        fields: json!({ "error": "gone" }).as_object().unwrap().clone(),
    };
    assert_eq!(given, expected);
}

#[test]
fn the_managers_word_belongs_to_the_unit_it_is_about() {
    let given = entry(&[b"_SYSTEMD_USER_UNIT=init.scope\n_COMM=systemd\nMESSAGE=Failed\n\
        USER_UNIT=parachute-agent@s-9.service\n"]);
    assert_eq!(given.unit.as_deref(), Some("parachute-agent@s-9.service"));
    assert_eq!(given.session.as_deref(), Some("s-9"));
    assert_eq!(given.program.as_deref(), Some("systemd"));
}

#[test]
fn a_field_may_be_of_any_bytes_or_come_several_times() {
    let message = |bytes: &[u8]| entry(&[&of_bytes("MESSAGE", bytes)]).message;
    assert_eq!(message(b"a\x1b[31mb\x1b[0m"), "ab");
    assert_eq!(message(b"h\xffi\n\nX=1"), "h\u{fffd}i\n\nX=1");
    assert_eq!(message(b""), "");
    let given = entry(&[
        b"MESSAGE=one\nPARACHUTE_X=1\nPARACHUTE_SESSION=a\n",
        b"MESSAGE=two\n\
        PARACHUTE_X=2\nPARACHUTE_SESSION=b\nPARACHUTE_X=3\n",
    ]);
    assert_eq!(given.message, "one\ntwo");
    assert_eq!(given.fields["x"], json!(["1", "2", "3"]));
    assert_eq!(given.session.as_deref(), Some("a"));
    assert_eq!(entry(&[b"_PID=x\nPRIORITY=9\n_UID=-1\n"]), Entry::default());
}

#[test]
fn what_is_long_is_cut_and_says_so() {
    let long = "é".repeat(MESSAGE_BYTES_MAX);
    let cut = entry(&[format!("MESSAGE={long}\nPARACHUTE_X={long}\n").as_bytes()]);
    let rest = |max: usize| format!("é … ({} bytes more)", long.len() - max);
    assert!(cut.message.ends_with(&rest(MESSAGE_BYTES_MAX)), "{}", &cut.message[65_000..]);
    assert!(cut.fields["x"].as_str().unwrap().ends_with(&rest(FIELD_BYTES_MAX)));
}

#[test]
fn of_what_is_too_long_it_is_known_where_it_belongs() {
    let long = "x=\n\n__CURSOR=s=1".repeat(200);
    let fields: [&[u8]; 5] = [
        b"__CURSOR=s=0f;i=2\n_UID=7\n",
        &of_bytes("MESSAGE", long.as_bytes()),
        &format!("_X={}\n", "y".repeat(3000)).into_bytes(),
        b"_SYSTEMD_USER_UNIT=a.service\nPRIORITY=3\n",
        b"\n",
    ];
    let bytes = fields.concat();
    for size in [1, 2, 7, 100, 4096, bytes.len()] {
        let mut long = Long::default();
        let mut pieces = bytes.chunks(size).peekable();
        while let Some(piece) = pieces.next() {
            let after = long.take(piece);
            let over = after.map(<[u8]>::len);
            assert_eq!(over, pieces.peek().is_none().then_some(0), "in pieces of {size}");
        }
        long.tell(|raw| {
            let entry = raw.entry();
            assert_eq!((entry.cursor.as_str(), raw.uid()), ("s=0f;i=2", Some(7)));
            assert_eq!((raw.by, entry.priority), (&b"a.service"[..], Some(3)));
            assert_eq!(entry.message, "(an entry of more than 1024 KiB, which is not shown)");
        });
    }
    assert_eq!(Long::default().take(b"A=1\n\nrest"), Some(&b"rest"[..]));
}

#[test]
fn commands_for_terminals_are_taken_out() {
    for (bytes, shown) in [
        ("\x1b[1;31mred\x1b[0m\r\n", "red\n"),
        ("\x1b]0;title\x07a\x1b]8;;x\x1b\\b", "ab"),
        ("\x1b(Bx", "Bx"),
        ("a\x08b\x00c\td\x7f", "a\u{fffd}b\u{fffd}c\td\u{fffd}"),
        ("a\u{9b}31m", "a\u{fffd}31m"),
        ("£ and \u{a0}", "£ and \u{a0}"),
        ("a\x1b", "a"),
        ("a\x1b[", "a"),
        ("50 %\rdone", "50 %\u{fffd}done"),
    ] {
        assert_eq!(text(bytes.as_bytes(), 100), shown, "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text: String, size in 1usize..9) {
        let _ = read(&bytes);
        let _ = read(text.as_bytes());
        let mut long = Long::default();
        let over = bytes.chunks(size).any(|piece| long.take(piece).is_some());
        if over {
            long.tell(|raw| drop(raw.entry()));
        }
    }

    #[test]
    fn a_message_arrives_as_it_was_said(said in "[^\\p{Cc}]{0,80}", cut in 0usize..60) {
        let line = [b"MESSAGE=", said.as_bytes(), b"\n"].concat();
        for field in [line, of_bytes("MESSAGE", said.as_bytes())] {
            prop_assert_eq!(&entry(&[&field]).message, &said);
            // Any part of it is no entry yet.
            let part = &field[..field.len().min(cut)];
            prop_assert!(matches!(read(part), Piece::Part));
        }
    }
}
