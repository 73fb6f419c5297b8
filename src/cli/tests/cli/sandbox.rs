//! The image of the sandbox.

use crate::commands::json_of;
use crate::run::{House, event};
use crate::stub::{Answer, Piece};
use serde_json::{Value, json};

fn line(id: u64, line: &str) -> Piece {
    event(id, &json!({"type": "build_progress", "line": line}))
}

fn last(kind: &str) -> Piece {
    event(9, &json!({"type": kind, "error": "no space left\non the device"}))
}

#[test]
fn a_build_shows_its_lines_and_ends_as_it_ended() {
    let house = House::new();
    let stub = house.serve(|_, before| {
        let pieces = vec![line(1, "Step 1\u{1b}[2J"), Piece::Say(b": still here\n\n".to_vec())];
        let end = if before % 2 == 0 { "build_complete" } else { "build_error" };
        Answer::Stream(pieces.into_iter().chain([line(2, "Step 2\n"), last(end)]).collect())
    });
    let ran = house.run(&["sandbox", "build"]);
    let said = "Step 1[2J\nStep 2\nthe image is built\n";
    assert_eq!((ran.out.as_str(), ran.status), (said, Some(0)), "{ran:?}");
    let ran = house.run(&["sandbox", "build"]);
    assert_eq!((ran.out.as_str(), ran.status), ("Step 1[2J\nStep 2\n", Some(1)), "{ran:?}");
    let said = "parachute: the image was not built: no space left on the device\n  hint: ";
    assert!(ran.err.starts_with(said), "{ran:?}");
    let ran = house.run(&["sandbox", "build", "--json"]);
    let lines: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines.len(), &lines[2]["type"]), (3, &json!("build_complete")));
    assert_eq!(stub.lines()[0], "POST /api/sandbox/build");
}

#[test]
fn a_build_whose_end_is_not_heard_is_told_from_one_that_failed() {
    let house = House::new();
    let _stub = house.serve(|_, before| {
        Answer::Stream(match before {
            0 => vec![line(1, "Step 1")],
            _ => vec![line(1, "Step 1"), Piece::Cut],
        })
    });
    for _ in 0..2 {
        let ran = house.run(&["sandbox", "build"]);
        assert_eq!((ran.out.as_str(), ran.status), ("Step 1\n", Some(69)), "{ran:?}");
        assert!(ran.err.starts_with("parachute: the end of the build was not heard: "), "{ran:?}");
        assert!(ran.err.ends_with("build it again\n"), "{ran:?}");
    }
}

#[test]
fn a_sandbox_is_told_with_what_is_missing() {
    let house = House::new();
    let health = |docker: Value| {
        json!({"status": "ok", "timestamp": 1, "version": "9.9.9",
            "vault": {"path": "/v", "status": "ok"}, "modules": [], "docker": docker,
            "bots": {"telegram": {"running": false}, "discord": {"running": false}},
            "uptime": 1.5, "problem": null, "listeners": [], "agents": 0})
    };
    let _stub = house.serve(move |heard, before| {
        assert_eq!(heard.line, "GET /api/health?detailed=true");
        Answer::Json(
            200,
            match before {
                0 => health(json!({"available": true, "image": "i:1", "image_exists": true})),
                1 | 2 => health(json!({"available": true, "image": "i:1", "image_exists": false})),
                3 => health(json!({"available": false, "image": "i:1"})),
                _ => json!({"status": "ok", "timestamp": 1, "version": "9.9.9"}),
            },
        )
    });
    let ran = house.run(&["sandbox", "status"]);
    let said = "engine  answers\nimage   i:1; it is there\n";
    assert_eq!((ran.out.as_str(), ran.status), (said, Some(0)));
    let ran = house.run(&["sandbox", "status"]);
    let said = "engine  answers\nimage   i:1; missing: `parachute sandbox build` builds it\n";
    assert_eq!((ran.out.as_str(), ran.status), (said, Some(3)));
    let ran = house.run(&["sandbox", "status", "--json"]);
    assert_eq!((&json_of(&ran)["image_exists"], ran.status), (&json!(false), Some(3)));
    let ran = house.run(&["sandbox", "status"]);
    let said = "engine  none answers; install Docker or Podman, and start it\nimage   i:1\n";
    assert_eq!((ran.out.as_str(), ran.status), (said, Some(3)));
    let ran = house.run(&["sandbox", "status"]);
    assert_eq!(ran.status, Some(77), "{ran:?}");
    assert!(ran.err.contains("PARACHUTE_KEY"), "{ran:?}");
}
