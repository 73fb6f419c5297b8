//! A person at a terminal, which is a pseudo-terminal here: `parachute chat`, and colours.

use crate::run::{House, Running, SESSION, done, event, session};
use crate::stub::{Answer, Piece};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;

/// Our side of the terminal and the program's.
pub(crate) fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let name = std::ffi::OsString::from_vec(name.into_bytes());
    let theirs = OpenOptions::new().read(true).write(true).open(name).unwrap();
    (ours.into(), theirs)
}

/// Reads until the terminal shows this.
pub(crate) fn see(terminal: &mut File, what: &str) -> String {
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(what.as_bytes()) {
        terminal.read_exact(&mut byte).unwrap_or_else(|e| {
            panic!("{e} before {what:?} was seen in {:?}", String::from_utf8_lossy(&seen))
        });
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

#[test]
fn a_person_grants_a_call_and_answers_a_question() {
    let house = House::new();
    let stub = house.serve(|heard, _| {
        if !heard.line.starts_with("POST /api/chat?") {
            return Answer::Json(200, json!({"success": true}));
        }
        let request = json!({"type": "permission_request", "requestId": "r1",
            "sessionId": SESSION, "toolName": "Bash", "input": {"command": "git push"},
            "description": "Push the branch", "filePath": "git push", "toolUseId": "t1",
            "timeoutSeconds": 120});
        let result = json!({"type": "tool_result", "toolUseId": "t1", "content": "pushed",
            "isError": false});
        let question = json!({"type": "user_question", "requestId": format!("{SESSION}-q-t2"),
            "sessionId": SESSION, "questions": [{"question": "Which one?", "multiSelect": false,
                "options": [{"label": "Left", "description": ""}, {"label": "Right"}]}]});
        Answer::Stream(vec![
            session(1),
            event(2, &request),
            Piece::Until("/permissions/grant"),
            event(3, &result),
            event(4, &question),
            Piece::Until("/answer"),
            done(5),
        ])
    });
    let (mut ours, theirs) = terminal();
    let mut command = house.command(&["chat", "hello"]);
    command.env("NO_COLOR", "1").stdin(theirs.try_clone().unwrap()).stderr(theirs);
    let mut running = Running(command.spawn().unwrap());
    drop(command);

    let seen = see(&mut ours, "allow? [y]es, [n]o, [a]lways Bash(git *): ");
    assert!(seen.contains("Bash asks for permission:\r\n    git push\r\n  Push the branch\r\n"));
    ours.write_all(b"sure\n").unwrap();
    see(&mut ours, "  y, n or a: ");
    ours.write_all(b"always\n").unwrap();
    let seen = see(&mut ours, "a number, or your own words: ");
    assert!(seen.contains("  ← pushed\r\n"), "{seen}");
    assert!(seen.contains("Which one?\r\n  1. Left\r\n  2. Right\r\n"), "{seen}");
    ours.write_all(b"2\n").unwrap();
    see(&mut ours, &format!("session {SESSION}\r\n"));
    assert_eq!(running.0.wait().unwrap().code(), Some(0));

    let heard = stub.heard();
    assert_eq!(heard[1].line, format!("POST /api/chat/{SESSION}/permissions/grant"));
    assert_eq!(heard[1].body, json!({"requestId": "r1", "pattern": "Bash(git *)"}));
    assert_eq!(heard[2].line, format!("POST /api/chat/{SESSION}/answer"));
    let answered =
        json!({"request_id": format!("{SESSION}-q-t2"), "answers": {"Which one?": "Right"}});
    assert_eq!(heard[2].body, answered);
}

#[test]
fn a_request_that_is_settled_elsewhere_is_not_asked_for_any_more() {
    let house = House::new();
    let stub = house.serve(|_, _| {
        let request = json!({"type": "permission_request", "requestId": "r1",
            "sessionId": SESSION, "toolName": "Write", "input": {"file_path": "a", "content": "b"},
            "description": null, "filePath": "a", "toolUseId": "t1", "timeoutSeconds": 1});
        let denied = json!({"type": "permission_denied", "requestId": "r1", "toolName": "Write",
            "reason": "timeout", "message": "nobody answered"});
        Answer::Stream(vec![session(1), event(2, &request), event(3, &denied), done(4)])
    });
    let (mut ours, theirs) = terminal();
    let mut command = house.command(&["chat", "hello"]);
    command.stdin(theirs.try_clone().unwrap()).stderr(theirs);
    let mut running = Running(command.spawn().unwrap());
    drop(command);
    let seen = see(&mut ours, &format!("session {SESSION}\u{1b}[0m\r\n"));
    assert!(seen.contains("that is settled already"), "{seen}");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    assert_eq!(stub.heard().len(), 1);
}

#[test]
fn a_list_has_colours_on_a_terminal_that_wants_them() {
    let house = House::new();
    let _stub = house.serve(|_, _| Answer::Json(200, json!({"skills": []})));
    for (variable, shown) in
        [("X", "\u{1b}[2mNAME  VERSION  DESCRIPTION\u{1b}[0m\r\n"), ("NO_COLOR", "DESCRIPTION\r\n")]
    {
        let (mut ours, theirs) = terminal();
        let mut command = house.command(&["skill", "list"]);
        command.env(variable, "1").stdout(theirs);
        let mut running = Running(command.spawn().unwrap());
        let seen = see(&mut ours, shown);
        assert_eq!(seen.contains('\u{1b}'), variable == "X", "{seen:?}");
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
    }
}
