//! What both streams hold after a turn's events.

use super::*;
use serde_json::{Value, json};

fn look(terminal: bool) -> Look {
    Look { json: false, thinking: false, terminal, columns: Some(60), ink: Ink::NONE }
}

/// What both streams hold after these events.
fn shown(look: Look, events: &[Value]) -> (String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen::new(&mut out, &mut err, look);
    for event in events {
        let data = event.to_string();
        match serde_json::from_str(&data) {
            Ok(event) => screen.event(&event, &data).unwrap(),
            Err(_) => screen.unknown(&data).unwrap(),
        }
    }
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn text(delta: &str) -> Value {
    json!({"type": "text", "delta": delta})
}

fn tool(command: &str) -> Value {
    json!({"type": "tool_use", "tool": {"id": "t", "name": "Bash", "input": {"command": command}}})
}

fn result(content: &str) -> Value {
    json!({"type": "tool_result", "toolUseId": "t", "content": content, "isError": false})
}

fn done() -> Value {
    json!({"type": "done", "response": "", "sessionId": "s", "messageCount": 2, "model": "m",
        "durationMs": 1234, "spawned": [], "usage": {"costUsd": 0.0125}})
}

#[test]
fn the_answer_is_on_one_stream_and_all_about_it_on_the_other() {
    let events =
        [text("Let me"), text(" see.\n"), tool("ls -l"), result("a\nb"), text("Two."), done()];
    let (out, err) = shown(look(false), &events);
    assert_eq!(out, "Let me see.\nTwo.\n");
    assert_eq!(err, "  → Bash ls -l\n  ← (2 lines) a\nm · 1.2 s · $0.0125\n");
}

#[test]
fn a_tool_call_ends_a_paragraph_and_a_warning_does_so_only_on_a_terminal() {
    let warning = json!({"type": "warning", "code": "c", "title": "T", "message": "m",
        "details": ["d"], "sessionId": null});
    let events = [text("a"), warning, text("b"), tool("x"), text("c")];
    assert_eq!(shown(look(false), &events).0, "ab\nc");
    let (out, err) = shown(look(true), &events);
    assert_eq!(out, "a\nb\nc");
    assert_eq!(err, "  ! T: m\n    d\n  → Bash x\n");
}

#[test]
fn a_line_about_the_answer_is_one_line_that_fits() {
    let (_, err) = shown(look(true), &[tool(&format!("a\n\u{1b}[2J{}", "b".repeat(99)))]);
    assert_eq!(err.lines().count(), 1);
    assert!(err.starts_with("  → Bash a [2Jbbb") && err.ends_with("b…\n"), "{err}");
    assert_eq!(err.trim_end().chars().count(), 60);
}

#[test]
fn a_terminal_is_sent_no_escape_sequence_and_a_file_every_byte() {
    let events = [text("a\u{1b}]0;x\u{7}b\tc\n")];
    assert_eq!(shown(look(true), &events).0, "a]0;xb\tc\n");
    assert_eq!(shown(look(false), &events).0, "a\u{1b}]0;x\u{7}b\tc\n");
}

#[test]
fn a_reset_repeats_only_what_it_changes() {
    let reset = |content| json!({"type": "text_reset", "content": content});
    let same = [text("Hello wor"), reset("Hello wor"), text("ld")];
    assert_eq!(shown(look(true), &same).0, "Hello world");
    let more = [text("Hello"), reset("Hello wor"), text("ld")];
    assert_eq!(shown(look(true), &more).0, "Hello world");
    let (out, err) = shown(look(true), &[text("Hello wor"), reset("Hell"), text("o")]);
    assert_eq!(out, "Hello wor\nHello");
    assert!(err.contains("once more:"), "{err}");
    let twice = [text("a"), reset("b"), text("c"), reset("bcd")];
    assert_eq!(shown(look(true), &twice).0, "a\nbcd");
}

#[test]
fn thinking_is_shown_only_when_asked_for() {
    let think = |delta, block| json!({"type": "thinking", "delta": delta, "block": block});
    let events = [think("one ", 0), think("two", 0), think("three", 1), text("Answer")];
    assert_eq!(shown(look(true), &events), ("Answer".into(), String::new()));
    let (out, err) = shown(Look { thinking: true, ..look(true) }, &events);
    assert_eq!((out.as_str(), err.as_str()), ("Answer", "one two\nthree\n"));
}

#[test]
fn json_is_every_event_as_it_came() {
    let later = json!({"type": "from_a_later_server", "x": 1});
    let (out, err) = shown(Look { json: true, ..look(false) }, &[text("a"), later, done()]);
    let kinds: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(kinds.len(), 3);
    assert_eq!(kinds[1]["x"], 1);
    assert_eq!(err, "");
}

#[test]
fn each_end_says_what_happened_and_has_its_status() {
    for (event, status, said) in [
        (done(), 0, "m · 1.2 s · $0.0125\n"),
        (
            json!({"type": "aborted", "message": "stopped", "sessionId": "s",
                "partialResponse": null, "messageCount": 1}),
            130,
            "stopped\n",
        ),
        (json!({"type": "error", "error": "empty"}), 1, "parachute: empty\n"),
        (
            json!({"type": "typed_error", "code": "c", "title": "Billing", "message": "pay",
                "actions": [], "canRetry": false, "retryDelayMs": null,
                "originalError": "402", "sessionId": null}),
            1,
            "parachute: Billing: pay\n  402\n",
        ),
        (
            json!({"type": "session_unavailable", "reason": "r", "sessionId": "s",
                "hasMarkdownHistory": true, "messageCount": 0, "message": "gone"}),
            1,
            "parachute: gone\n",
        ),
    ] {
        assert_eq!(shown(look(false), std::slice::from_ref(&event)).1, said);
        assert_eq!(exit_of(event["type"].as_str().unwrap()), Some(status));
    }
    assert_eq!(exit_of("text"), None);
    assert_eq!(exit_of("from_a_later_server"), None);
}
