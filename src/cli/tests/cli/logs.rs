//! `parachute logs`.

use crate::run::{House, Ran, Running, SESSION};
use crate::stub::{Answer, Piece};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};

/// An entry of the log as the wire has it.
fn entry(cursor: &str, line: &str, priority: u8) -> Piece {
    let entry = json!({"line": format!("{line}\n"), "priority": priority, "unit": "u.service",
        "message": line, "ofALaterSupervisor": 1});
    Piece::Say(format!("id: {cursor}\ndata: {entry}\n\n").into())
}

fn begin() -> Piece {
    Piece::Say(b": hello\n\n".to_vec())
}

fn interrupt(running: &Running) {
    kill_process(Pid::from_child(&running.0), Signal::INT).unwrap();
}

#[test]
fn the_last_lines_are_shown_and_nothing_else() {
    let house = House::new();
    let stub = house.oversee(|_, _| {
        let odd = "two\nlines\u{1b}[31m\u{7}";
        Answer::Stream(vec![begin(), entry("s=a;i=1", "one", 6), entry("s=a;i=2", odd, 3)])
    });
    let ran = house.run(&["logs"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("one\ntwo\n    lines[31m\n", ""));
    assert_eq!(ran.status, Some(0));
    let all = [
        "logs",
        "-n",
        "3",
        "--unit",
        "parachute",
        "--session",
        SESSION,
        "--turn",
        "t1",
        "--priority",
        "err",
        "--since",
        "-1h",
        "--until",
        "now",
        "--grep",
        "a&b|é",
        "--boot",
        "-1",
    ];
    assert_eq!(house.run(&all).status, Some(0));
    let asked = format!(
        "GET /supervisor/logs?follow=false&lines=3&unit=parachute%2Eservice\
         &session={}&turn=t1&priority=3&since=%2D1h&until=now&grep=a%26b%7C%C3%A9&boot=%2D1",
        SESSION.replace('-', "%2D")
    );
    assert_eq!(stub.lines(), ["GET /supervisor/logs?follow=false", &asked]);
}

#[test]
fn json_is_one_entry_a_line_with_its_cursor() {
    let house = House::new();
    let _stub = house.oversee(|_, _| {
        Answer::Stream(vec![entry("s=a;i=1", "a\nb", 6), entry("s=a;i=2", "c\u{1b}", 4)])
    });
    let ran = house.run(&["logs", "--json"]);
    let entries: Vec<Value> =
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 2, "{ran:?}");
    assert_eq!(entries[0]["cursor"], "s=a;i=1");
    assert_eq!(
        (&entries[0]["message"], &entries[0]["ofALaterSupervisor"]),
        (&json!("a\nb"), &json!(1))
    );
    assert!(!ran.out.contains('\u{1b}') && entries[1]["message"] == "c\u{1b}");
}

#[test]
fn following_goes_on_after_a_break_without_loss_or_repetition() {
    let house = House::new();
    let stub = house.oversee(|_, before| match before {
        0 => Answer::Stream(vec![
            begin(),
            entry("s=a;i=1", "one", 6),
            entry("s=a;i=2", "two", 6),
            Piece::Say(b"id: s=a;i=3\ndata: {\"line\":\"th".to_vec()),
            Piece::Cut,
        ]),
        1 => Answer::Json(503, json!({"detail": "not ready"})),
        // Ended as by a supervisor that stops; where it was is said without an entry.
        2 => Answer::Stream(vec![
            entry("s=a;i=3", "three", 6),
            Piece::Say(b"id: s=a;i=4\n\n".to_vec()),
        ]),
        _ => Answer::Stream(vec![entry("s=a;i=5", "five", 6), Piece::Until("never")]),
    });
    let mut running = Running(house.command(&["logs", "-f", "-v"]).spawn().unwrap());
    let mut out = BufReader::new(running.0.stdout.take().unwrap());
    let mut seen = String::new();
    for _ in 0..4 {
        out.read_line(&mut seen).unwrap();
    }
    assert_eq!(seen, "one\ntwo\nthree\nfive\n");
    interrupt(&running);
    assert_eq!(running.0.wait().unwrap().code(), Some(130));
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(err.matches("; connecting again\n").count(), 2, "{err}");
    assert_eq!(err.lines().count(), 2, "{err}");
    let after: Vec<_> = stub.heard().into_iter().map(|heard| heard.after).collect();
    let id = |id: &str| Some(id.to_owned());
    assert_eq!(after, [None, id("s=a;i=2"), id("s=a;i=2"), id("s=a;i=4")]);
    assert!(stub.lines().iter().all(|l| l == "GET /supervisor/logs?follow=true"));
}

#[test]
fn without_following_a_break_is_mended_and_an_end_is_the_end() {
    let house = House::new();
    let stub = house.oversee(|_, before| match before {
        0 => Answer::Stream(vec![entry("c1", "one", 6), Piece::Cut]),
        _ => Answer::Stream(vec![entry("c2", "two", 6)]),
    });
    let ran = house.run(&["logs"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status), ("one\ntwo\n", "", Some(0)));
    assert_eq!(stub.heard().len(), 2);
}

#[test]
fn an_interrupt_ends_it_quietly() {
    let house = House::new();
    let _stub =
        house.oversee(|_, _| Answer::Stream(vec![entry("c1", "one", 6), Piece::Until("never")]));
    let mut running = Running(house.command(&["logs", "--follow"]).spawn().unwrap());
    let mut out = running.0.stdout.take().unwrap();
    out.read_exact(&mut [0; 4]).unwrap();
    interrupt(&running);
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((running.0.wait().unwrap().code(), err.as_str()), (Some(130), ""));
}

#[test]
fn an_error_is_told_after_what_came_before_it() {
    let house = House::new();
    let _stub = house.oversee(|_, _| {
        let error = json!({"error": "the journal cannot be read;\nadd yourself to a group"});
        let error = Piece::Say(format!("data: {error}\n\n").into());
        Answer::Stream(vec![entry("c1", "one", 6), error, entry("c2", "two", 6)])
    });
    for args in [&["logs"][..], &["logs", "-f"]] {
        let ran = house.run(args);
        assert_eq!((ran.out.as_str(), ran.status), ("one\n", Some(1)));
        assert_eq!(ran.err, "parachute: the journal cannot be read; add yourself to a group\n");
    }
}

#[test]
fn what_cannot_be_had_is_said() {
    let house = House::new();
    let ran = house.run(&["logs"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(69), ""));
    let said = "parachute: no supervisor answers at http://127.0.0.1:1: ";
    assert!(ran.err.starts_with(said), "{ran:?}");
    assert!(ran.err.contains("\n  hint: `parachute supervisor install` installs it"), "{ran:?}");
    let stub = house.oversee(|heard, _| match heard.line.contains("grep") {
        true => Answer::Json(422, json!({"detail": "grep: not a regular expression"})),
        false => Answer::Stream(vec![Piece::Say(b"data: [1]\n\n".to_vec())]),
    });
    let ran = house.run(&["logs", "-f", "--grep", "("]);
    let said = "parachute: grep: not a regular expression (the supervisor answered 422)\n";
    assert_eq!((ran.err.as_str(), ran.status), (said, Some(1)));
    let ran = house.run(&["logs"]);
    assert!(ran.err.contains("does not speak as Parachute does"), "{ran:?}");
    assert_eq!(stub.heard().len(), 2, "nothing is asked again");
}

#[test]
fn a_reader_that_leaves_ends_it_also_while_nothing_is_logged() {
    let house = House::new();
    let _stub = house.oversee(|_, _| Answer::Stream(vec![begin(), Piece::Until("never")]));
    let mut command = house.command(&["logs", "-f"]);
    let (gone, out) = std::io::pipe().unwrap();
    let mut running = Running(command.stdout(out).spawn().unwrap());
    // It holds our end of the pipe.
    drop(command);
    drop(gone);
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(err, "");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let house = House::new();
    let _stub = house.oversee(|_, _| {
        let many = (0..2000).map(|n| entry(&n.to_string(), &"x".repeat(100), 6));
        Answer::Stream(many.collect())
    });
    let mut running = Running(house.command(&["logs"]).spawn().unwrap());
    let mut out = BufReader::new(running.0.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut err = String::new();
    running.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((running.0.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn a_server_that_was_named_is_asked_for_its_supervisors_log() {
    let house = House::new();
    let own = house.oversee(|_, _| Answer::Stream(vec![entry("c", "own", 6)]));
    let server = house.serve(|_, _| Answer::Stream(vec![entry("c", "elsewhere", 6)]));
    let place = format!("unix:{}", house.socket().display());
    let supervisor = format!("unix:{}", house.supervisor_socket().display());
    assert_eq!(house.run(&["--server", &place, "logs"]).out, "elsewhere\n");
    let by = |variables: &[(&str, &str)], args: &[&str]| {
        let mut command = house.command(args);
        command.env("PARACHUTE_KEY", "para_x").envs(variables.iter().copied());
        Ran::from(command.output().unwrap()).out
    };
    assert_eq!(by(&[("PARACHUTE_SERVER", &place)], &["logs"]), "elsewhere\n");
    // What is typed counts more than a variable, and the variable of its own more than another.
    let both = [("PARACHUTE_SERVER", place.as_str()), ("PARACHUTE_SUPERVISOR", &supervisor)];
    assert_eq!(by(&both, &["logs"]), "own\n");
    assert_eq!(by(&both[1..], &["--server", &place, "logs"]), "elsewhere\n");
    assert!(server.heard()[1..].iter().all(|heard| heard.key.as_deref() == Some("para_x")));
    assert_eq!((server.heard().len(), own.heard().len()), (3, 1));
}
