//! `parachute chat`.

use crate::run::{House, Ran, Running, SESSION, done, event, session, text};
use crate::stub::{Answer, Piece};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};

fn say(bytes: &[u8]) -> Piece {
    Piece::Say(bytes.to_vec())
}

fn one_turn(pieces: fn() -> Vec<Piece>) -> (Ran, Vec<crate::stub::Heard>) {
    let house = House::new();
    let stub = house.serve(move |_, _| Answer::Stream(pieces()));
    let ran = house.run(&["chat", "hello"]);
    (ran, stub.heard())
}

#[test]
fn a_turn_is_streamed_and_its_session_named() {
    let house = House::new();
    let stub = house.serve(|_, _| {
        let tool = json!({"type": "tool_use", "tool": {"id": "t1", "name": "Read",
            "input": {"file_path": "notes/a.md"}}});
        let result = json!({"type": "tool_result", "toolUseId": "t1", "content": "one\ntwo",
            "isError": false});
        Answer::Stream(vec![
            say(b": hello\n\n"),
            session(1),
            text(2, "Let me "),
            text(3, "look."),
            event(4, &tool),
            event(5, &result),
            text(6, "Found.\n"),
            done(7),
        ])
    });
    let mut command = house.command(&[
        "chat",
        "--session",
        SESSION,
        "--mode",
        "ask",
        "--model",
        "haiku",
        "--dir",
        "sub",
        "hello",
    ]);
    let ran: Ran = command.env("PARACHUTE_KEY", "para_x").output().unwrap().into();
    assert_eq!(ran.out, "Let me look.\nFound.\n");
    let about =
        format!("  → Read notes/a.md\n  ← (2 lines) one\nscripted · 1.5 s\nsession {SESSION}\n");
    assert_eq!((ran.err, ran.status), (about, Some(0)));
    let heard = stub.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].line, "POST /api/chat?text=delta");
    assert_eq!(heard[0].key.as_deref(), Some("para_x"));
    let body = &heard[0].body;
    assert_eq!(body["message"], "hello");
    assert_eq!(body["sessionId"], SESSION);
    assert_eq!(body["permissionMode"], "ask");
    assert_eq!(body["model"], "haiku");
    let folder = house.path("sub").canonicalize().unwrap_or_else(|_| house.path("sub"));
    assert_eq!(body["workingDirectory"], folder.to_str().unwrap());
}

#[test]
fn the_message_may_come_by_standard_input() {
    for args in [&["chat"][..], &["chat", "-"]] {
        let house = House::new();
        let stub = house.serve(|_, _| Answer::Stream(vec![session(1), done(2)]));
        let ran = house.run_with(args, "two\nlines é".as_bytes());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert_eq!(stub.heard()[0].body["message"], "two\nlines é");
        assert_eq!(stub.heard()[0].body["sessionId"], Value::Null);
    }
}

#[test]
fn a_broken_stream_is_taken_up_where_it_broke_until_the_turn_ends() {
    let house = House::new();
    let stub = house.serve(|_, before| match before {
        // Broken in the middle of an event, and of a character.
        0 => Answer::Stream(vec![
            session(1),
            text(2, "Hällo "),
            say(b"id: 3\ndata: {\"type\":\"text\",\"delta\":\"W\xc3"),
            Piece::Cut,
        ]),
        1 => Answer::Json(503, json!({"detail": "not ready"})),
        // Broken before anything new was said.
        2 => Answer::Stream(vec![say(b": hello\n\n"), Piece::Cut]),
        // Ended as by a server that stops, not broken.
        3 => Answer::Stream(vec![text(3, "Wörld"), text(4, ", and")]),
        _ => Answer::Stream(vec![text(5, " more"), done(6)]),
    });
    let ran = house.run(&["chat", "hello"]);
    assert_eq!((ran.out.as_str(), ran.status), ("Hällo Wörld, and more\n", Some(0)));
    assert_eq!(ran.err, format!("scripted · 1.5 s\nsession {SESSION}\n"));
    let follow = format!("GET /api/chat/{SESSION}/stream?text=delta");
    let expected = ["POST /api/chat?text=delta", &follow, &follow, &follow, &follow];
    assert_eq!(stub.lines(), expected, "the message is sent once");
    let after: Vec<_> = stub.heard().into_iter().map(|heard| heard.after).collect();
    let id = |n: &str| Some(n.to_owned());
    assert_eq!(after, [None, id("2"), id("2"), id("2"), id("4")]);
}

#[test]
fn breaks_are_spoken_of_only_when_asked() {
    let house = House::new();
    let _stub = house.serve(|_, before| match before {
        0 => Answer::Stream(vec![session(1), Piece::Cut]),
        _ => Answer::Stream(vec![done(2)]),
    });
    let ran = house.run(&["chat", "-v", "hello"]);
    assert!(ran.err.contains("; connecting again\n"), "{ran:?}");
    assert_eq!(ran.status, Some(0));
}

#[test]
fn a_session_that_is_gone_meanwhile_ends_the_wait() {
    let house = House::new();
    let _stub = house.serve(|_, before| match before {
        0 => Answer::Stream(vec![session(1), Piece::Cut]),
        _ => Answer::Json(404, json!({"detail": "no such session"})),
    });
    let ran = house.run(&["chat", "hello"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("parachute: no such session (the server answered 404)\n"), "{ran:?}");
}

#[test]
fn a_later_turn_is_not_taken_for_ours() {
    let house = House::new();
    let _stub = house.serve(|_, before| match before {
        0 => Answer::Stream(vec![session(1), text(2, "a"), Piece::Cut]),
        _ => {
            let reset = json!({"type": "reset", "oldest": 90, "message": "the log begins at 90"});
            let other = json!({"type": "session", "sessionId": SESSION, "resumeInfo": {},
                "workingDirectory": null, "sessionResume": {}, "trustLevel": null, "trust": null,
                "title": null, "turnId": "another"});
            Answer::Stream(vec![event(89, &reset), event(90, &other), text(91, "b"), done(92)])
        }
    });
    let ran = house.run(&["chat", "hello"]);
    assert_eq!((ran.out.as_str(), ran.status), ("a\n", Some(69)));
    assert!(ran.err.contains("the log begins at 90\n"), "{ran:?}");
    assert!(ran.err.contains("parachute: the end of the turn was not heard: "), "{ran:?}");
}

#[test]
fn nothing_is_repeated_when_the_turn_never_said_its_session() {
    let (ran, heard) = one_turn(|| vec![say(b": hello\n\n"), Piece::Cut]);
    assert_eq!((ran.status, heard.len()), (Some(69), 1), "{ran:?}");
    assert!(ran.err.ends_with("hint: the turn may go on: see `parachute sessions`\n"), "{ran:?}");
}

#[test]
fn json_is_one_event_a_line() {
    let house = House::new();
    let later = json!({"type": "of_a_later_server", "x": [1]});
    let _stub = house.serve(move |_, _| {
        Answer::Stream(vec![session(1), text(2, "a\nb"), event(3, &later), done(4)])
    });
    let ran = house.run(&["chat", "--json", "hello"]);
    let events: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["session", "text", "of_a_later_server", "done"]);
    assert_eq!((events[1]["delta"].as_str(), ran.status), (Some("a\nb"), Some(0)));
}

#[test]
fn a_turn_that_fails_says_why() {
    let (ran, _) = one_turn(|| {
        let error = json!({"type": "typed_error", "code": "cli_missing",
            "title": "Claude CLI not found", "message": "install it", "actions": [],
            "canRetry": false, "retryDelayMs": null, "originalError": null,
            "sessionId": SESSION, "messageCount": null});
        vec![session(1), event(2, &error)]
    });
    let said = format!("parachute: Claude CLI not found: install it\nsession {SESSION}\n");
    assert_eq!((ran.err, ran.status), (said, Some(1)));
    let (ran, _) = one_turn(|| vec![say(b"data: {\"type\":\"error\",\"error\":\"too long\"}\n\n")]);
    assert_eq!((ran.err.as_str(), ran.status), ("parachute: too long\n", Some(1)));
}

#[test]
fn the_first_interrupt_aborts_the_turn_and_its_end_is_heard() {
    let house = House::new();
    let stub = house.serve(|heard, _| match heard.line.ends_with("/abort") {
        true => Answer::Json(200, json!({"success": true, "message": "m", "sessionId": SESSION})),
        false => {
            let aborted = json!({"type": "aborted", "message": "stopped by you",
                "sessionId": SESSION, "partialResponse": "Half", "messageCount": 1});
            let end = event(3, &aborted);
            Answer::Stream(vec![session(1), text(2, "Half"), Piece::Until("/abort"), end])
        }
    });
    let mut running = Running(house.command(&["chat", "hello"]).spawn().unwrap());
    let mut out = running.0.stdout.take().unwrap();
    out.read_exact(&mut [0; 4]).unwrap();
    let pid = rustix::process::Pid::from_child(&running.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    assert!(err.contains("stopped by you\n"), "{err}");
    assert_eq!(stub.lines()[1], format!("POST /api/chat/{SESSION}/abort"));
}

#[test]
fn the_second_interrupt_leaves_the_turn_to_itself() {
    let house = House::new();
    let stub = house.serve(|heard, _| match heard.line.ends_with("/abort") {
        true => Answer::Json(404, json!({"detail": "no active stream"})),
        false => Answer::Stream(vec![session(1), text(2, "Half"), Piece::Until("never")]),
    });
    let mut running = Running(house.command(&["chat", "hello"]).spawn().unwrap());
    let mut out = running.0.stdout.take().unwrap();
    out.read_exact(&mut [0; 4]).unwrap();
    let pid = rustix::process::Pid::from_child(&running.0);
    let mut err = BufReader::new(running.0.stderr.take().unwrap());
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (mut blank, mut said) = (String::new(), String::new());
    err.read_line(&mut blank).unwrap();
    err.read_line(&mut said).unwrap();
    assert_eq!(said, "stopping the turn; Ctrl-C again leaves it to itself\n");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    assert!(stub.heard().len() <= 2);
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let house = House::new();
    let _stub = house.serve(|_, _| Answer::Stream(vec![session(1), text(2, "a"), done(3)]));
    let mut command = house.command(&["chat", "hello"]);
    let (gone, out) = std::io::pipe().unwrap();
    drop(gone);
    let ran: Ran = command.stdout(out).output().unwrap().into();
    assert_eq!((ran.status, ran.err), (Some(0), format!("session {SESSION}\n")));
}

#[test]
fn where_nobody_can_be_asked_requests_are_reported_and_left() {
    let (ran, heard) = one_turn(|| {
        let request = json!({"type": "permission_request", "requestId": "r1",
            "sessionId": SESSION, "toolName": "Bash", "input": {"command": "rm x"},
            "description": null, "filePath": "rm x", "toolUseId": "t1", "timeoutSeconds": 120});
        let question = json!({"type": "user_question", "requestId": format!("{SESSION}-q-t2"),
            "sessionId": SESSION, "questions": [{"question": "Which?", "options": []}]});
        let denied = json!({"type": "permission_denied", "requestId": "r1", "toolName": "Bash",
            "reason": "timeout", "message": "nobody answered"});
        vec![session(1), event(2, &request), event(3, &question), event(4, &denied), done(5)]
    });
    assert_eq!((ran.status, heard.len()), (Some(0), 1));
    assert!(
        ran.err.starts_with(
            "  ? Bash asks for permission: rm x; without an answer it is denied after 120 s\n  \
         ? the model asks: Which?; without an answer it goes on after a while\n  \
         × Bash: nobody answered\n"
        ),
        "{ran:?}"
    );
}
