//! How lines look.

use super::*;
use serde_json::json;
use std::path::Path;
use wire::Secret;

fn teller(form: Form, grep: Option<&str>) -> Teller {
    let secrets = vec![Secret::new("canary-value".to_owned())];
    let redactor = Arc::new(Redactor::new(Path::new("/home/x"), secrets));
    let query = |grep: &str| {
        let query: crate::logs::LogsQuery =
            serde_json::from_value(json!({ "grep": grep, "unit": "parachute" })).unwrap();
        let source = host::logs::Source::Files(Vec::new());
        query.resolve(&source, None, |_| true).unwrap().grep.unwrap()
    };
    Teller::new(redactor, grep.map(query), form)
}

fn entry() -> Entry {
    let fields = json!({ "path": "/home/x/a b", "token": "hunter2", "n": "2" });
    Entry {
        cursor: "s=1;i=2".to_owned(),
        time_us: Some(1_795_155_669_123_456),
        unit: Some("parachute.service".to_owned()),
        priority: Some(4),
        pid: Some(12),
        program: Some("parachute-server".to_owned()),
        session: Some("s-1".to_owned()),
        turn: None,
        message: "said canary-value and \"this\"".to_owned(),
        fields: fields.as_object().unwrap().clone(),
    }
}

fn told(form: Form, grep: Option<&str>, entry: &Entry) -> String {
    let mut out = Vec::new();
    let wanted = teller(form, grep).tell(entry, &mut out);
    assert_eq!(wanted, !out.is_empty());
    String::from_utf8(out).unwrap()
}

#[test]
fn an_event_has_the_cursor_the_line_and_all_fields_without_secrets() {
    let event = told(Form::Events, None, &entry());
    let data = event.strip_prefix("id: s=1;i=2\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
    let line: LogLine = serde_json::from_str(data).unwrap();
    assert_eq!(
        line.line,
        "2026-11-20T06:21:09.123456Z parachute-server[12]: warning: said [REDACTED] and \"this\" \
         session=s-1 path=\"~/a b\" token=[REDACTED] n=2\n"
    );
    assert_eq!(line.message, "said [REDACTED] and \"this\"");
    assert_eq!(
        Value::Object(line.fields),
        json!({ "path": "~/a b", "token": "[REDACTED]", "n": "2" })
    );
    assert_eq!(
        (line.priority, line.pid, line.session.as_deref()),
        (Some(4), Some(12), Some("s-1"))
    );
    assert_eq!(line.time.unwrap().to_string(), "2026-11-20T06:21:09.123456Z");
}

#[test]
fn what_is_not_known_is_not_said() {
    let bare = Entry { message: "a\nb\n".to_owned(), ..Entry::default() };
    let expected = "data: {\"line\":\"a\\nb\\n\",\"message\":\"a\\nb\\n\"}\n\n";
    assert_eq!(told(Form::Events, None, &bare), expected);
    assert_eq!(told(Form::Export(Format::Text), None, &bare), "a\nb\n");
    let forged = Entry { cursor: "x\ndata: forged".to_owned(), ..bare };
    assert_eq!(told(Form::Events, None, &forged), expected);
    let usual = Entry { priority: Some(6), ..entry() };
    let line = told(Form::Export(Format::Text), None, &usual);
    assert!(line.contains("]: said"), "{line}");
    let object = told(Form::Export(Format::Json), None, &usual);
    serde_json::from_str::<LogLine>(object.strip_suffix('\n').unwrap()).unwrap();
}

#[test]
fn one_looks_for_what_is_shown_and_so_cannot_guess_a_secret() {
    for (grep, found) in [
        ("WARNING", false),
        ("warning", true),
        ("Canary-value", false),
        ("canary", false),
        ("hunter", false),
        ("/home", false),
        ("token=.redacted. n=2$", true),
        ("^2026.*server", true),
    ] {
        assert_eq!(!told(Form::Events, Some(grep), &entry()).is_empty(), found, "{grep}");
    }
}

#[test]
fn trouble_is_said_without_secrets_in_every_form() {
    let said = |form| String::from_utf8(teller(form, None).trouble("canary-value in /home/x/y"));
    let text = "[REDACTED] in ~/y";
    let object = format!("{{\"error\":\"{text}\"}}\n");
    assert_eq!(said(Form::Events).unwrap(), format!("data: {object}\n"));
    assert_eq!(said(Form::Export(Format::Json)).unwrap(), object);
    assert_eq!(said(Form::Export(Format::Text)).unwrap(), format!("({text})\n"));
}
