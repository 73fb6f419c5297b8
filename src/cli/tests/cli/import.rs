//! Importing: a file goes as it is, progress and mistakes are told, and what was not heard is
//! said.

use crate::commands::json_of;
use crate::run::{House, Running};
use crate::stub::{Answer, Piece};
use crate::terminal::{see, terminal};
use serde_json::{Value, json};
use std::fs;

fn event(event: &Value) -> Piece {
    Piece::Say(format!("data: {event}\n\n").into())
}

fn done(bad: u64, errors: &[&str], problem: Option<&str>) -> Value {
    json!({ "type": "import_done", "total_conversations": 4, "imported_count": 2,
        "skipped_count": 2, "errors": errors, "session_ids": ["a", "b"], "updated_count": 0,
        "duplicate_count": 1, "diverged_count": 1, "bad_count": bad, "empty_count": 1,
        "problem": problem })
}

#[test]
fn a_file_goes_as_it_is_and_what_came_of_it_is_said() {
    let house = House::new();
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(house.path("a.zip"), &bytes).unwrap();
    let stub = house.serve(|_, before| {
        let progress = json!({ "type": "import_progress", "total_conversations": 1,
            "imported_count": 1, "skipped_count": 0, "bytes_read": 1, "bytes_total": 2 });
        let errors = ["conversation 3 (x\u{1b}[31m): it cannot be read"];
        Answer::Stream(vec![
            event(&progress),
            event(&done(2, if before == 0 { &errors } else { &[] }, None)),
        ])
    });
    let ran = house.run(&["import", "a.zip"]);
    let said = "a.zip: 2 new, 1 with newer messages, left alone: you went on with them here, \
        1 without a word, 2 that cannot be read\n";
    assert_eq!((ran.out.as_str(), ran.status), (said, Some(0)), "{ran:?}");
    assert_eq!(ran.err, "  conversation 3 (x[31m): it cannot be read\n  and 1 more\n");
    let ran = house.run(&["import", "--archived", "--json", "a.zip", "a.zip"]);
    let told = json_of(&ran);
    assert_eq!(
        (told[1]["file"].as_str(), told[1]["imported_count"].as_u64()),
        (Some("a.zip"), Some(2))
    );
    let heard = stub.heard();
    let lines: Vec<&str> = heard.iter().map(|heard| heard.line.as_str()).collect();
    let with = |archived| format!("POST /api/import/file?archived={archived}");
    assert_eq!(lines, [with(false), with(true), with(true)]);
    let kind = heard[0].kind.as_deref().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let body = &heard[0].bytes;
    let begin = body.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let end = format!("\r\n--{boundary}--\r\n");
    assert!(body.starts_with(format!("--{boundary}\r\n").as_bytes()));
    assert!(body.ends_with(end.as_bytes()) && body[begin..body.len() - end.len()] == bytes);
}

#[test]
fn what_does_not_come_about_is_said() {
    let house = House::new();
    fs::write(house.path("a.json"), "[]").unwrap();
    let _stub = house.serve(|_, before| match before {
        0 => Answer::Stream(vec![event(&json!({ "type": "import_error", "error": "no export" }))]),
        1 => Answer::Stream(vec![Piece::Cut]),
        2 => Answer::Json(409, json!({ "detail": "another import is under way" })),
        // A problem that is not among the mistakes.
        4 => Answer::Stream(vec![event(&done(0, &[], Some("it breaks off")))]),
        _ => Answer::Stream(vec![event(&done(0, &["it breaks off"], Some("it breaks off")))]),
    });
    let ran = house.run(&["import", "a.json"]);
    assert!(ran.err.contains("a.json was not imported: no export"), "{ran:?}");
    assert_eq!(ran.status, Some(1));
    let ran = house.run(&["import", "a.json"]);
    assert!(ran.err.contains("the end of the import was not heard"), "{ran:?}");
    assert!(ran.err.contains("goes on where it ended"), "{ran:?}");
    assert_eq!(ran.status, Some(1));
    let ran = house.run(&["import", "a.json"]);
    assert!(ran.err.contains("another import is under way"), "{ran:?}");
    let ran = house.run(&["import", "a.json"]);
    assert_eq!((ran.err.as_str(), ran.status), ("  it breaks off\n", Some(1)), "{ran:?}");
    let ran = house.run(&["import", "a.json"]);
    assert_eq!((ran.err.as_str(), ran.status), ("", Some(1)), "{ran:?}");
    for wrong in ["nowhere.json", "."] {
        let ran = house.run(&["import", wrong]);
        assert_eq!(ran.status, Some(1), "{ran:?}");
        assert!(ran.err.contains("hint: name a .json or a .zip"), "{ran:?}");
    }
    assert_eq!(house.run(&["import"]).status, Some(2));
}

#[test]
fn an_import_is_followed_on_a_terminal_in_one_line() {
    let house = House::new();
    fs::write(house.path("a.json"), "[]").unwrap();
    let _stub = house.serve(|_, _| {
        let progress = json!({ "type": "import_progress", "total_conversations": 9,
            "imported_count": 7, "skipped_count": 2, "bytes_read": 30, "bytes_total": 40 });
        Answer::Stream(vec![event(&progress), event(&done(0, &[], None))])
    });
    let (mut ours, theirs) = terminal();
    let mut command = house.command(&["import", "a.json"]);
    command.env("NO_COLOR", "1").stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut running = Running(command.spawn().unwrap());
    drop(command);
    see(&mut ours, "\r\u{1b}[Ksending a.json (0 KiB)\r\u{1b}[K75 %: 7 new, 2 others\r\u{1b}[K");
    see(&mut ours, "a.json: 2 new");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}
