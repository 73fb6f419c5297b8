//! `parachute module`.

use crate::commands::json_of;
use crate::run::House;
use crate::stub::Answer;
use serde_json::{Value, json};

fn module(name: &str, status: &str, path: Option<&str>, more: Value) -> Value {
    let mut module = json!({"name": name, "status": status, "version": "0.1.0",
        "description": "x", "provides": ["One", "Two"], "trust_level": "trusted",
        "has_router": path.is_none(), "path": path, "ofALaterServer": 1});
    for (field, value) in more.as_object().unwrap() {
        module[field] = value.clone();
    }
    module
}

fn modules() -> Value {
    let known = json!({"known_hash": "a", "current_hash": "b", "problem": "It\u{1b}[31m changed"});
    json!({"modules": [
        module("daily", "loaded", None, json!({"hash": "a"})),
        module("p", "loaded", Some(".modules/p"), json!({"provides": []})),
        module("new", "pending_approval", Some(".modules/n"), json!({"current_hash": "b"})),
        module("old", "pending_approval", Some(".modules/o"), known),
        module("py", "unsupported", Some(".modules/y"), json!({})),
        module("bad", "broken", Some(".modules/b"), json!({"version": ""})),
    ], "error": "hashes cannot be read"})
}

#[test]
fn modules_are_listed_and_their_problems_told() {
    let house = House::new();
    let stub = house.serve(|_, _| Answer::Json(200, modules()));
    let ran = house.run(&["module", "list"]);
    assert_eq!(
        ran.out,
        "NAME   VERSION  STATE     PROVIDES\n\
         daily  0.1.0    builtin   One, Two\n\
         p      0.1.0    approved\n\
         new    0.1.0    new       One, Two\n\
         old    0.1.0    modified  One, Two\n\
         py     0.1.0    not run   One, Two\n\
         bad             broken    One, Two\n"
    );
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (Some(0), "old: It[31m changed\nhashes cannot be read\n")
    );
    assert_eq!(json_of(&house.run(&["module", "list", "--json"])), modules());
    assert_eq!(stub.heard()[0].line, "GET /api/modules");
}

#[test]
fn a_module_is_approved_by_its_owner() {
    let house = House::new();
    let stub = house.serve(|heard, _| match heard.line.as_str() {
        "POST /api/modules/a%2Fb/approve" => {
            Answer::Json(200, json!({"approved": true, "name": "a/b", "message": "Good."}))
        }
        _ => Answer::Json(404, json!({"detail": "not pending"})),
    });
    let ran = house.run(&["module", "approve", "a/b"]);
    assert_eq!((ran.out.as_str(), ran.status), ("a/b approved. Good.\n", Some(0)), "{ran:?}");
    let ran = house.run(&["module", "approve", "gone"]);
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.err.contains("not pending") && ran.err.contains("`parachute module list`"),
        "{ran:?}"
    );
    assert_eq!(stub.heard().len(), 2);
}

#[test]
fn the_doors_of_modules_are_tried() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/modules" => {
            let own = |name: &str| module(name, "loaded", None, json!({}));
            Answer::Json(200, json!({"modules": [own("brain"), own("chat"), own("daily")]}))
        }
        "POST /api/brain/reload" => Answer::Json(500, json!({"detail": "broken"})),
        "GET /api/brain/search?q=parachute" | "GET /api/daily/entries?limit=1" => {
            Answer::Json(200, json!({}))
        }
        other => panic!("{other}"),
    });
    let ran = house.run(&["module", "test"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.out.ends_with("2 passed, 1 failed, 1 skipped\n"), "{ran:?}");
    assert!(ran.out.contains("FAIL") && ran.out.contains("broken"), "{ran:?}");
    let ran = house.run(&["module", "test", "daily", "--json"]);
    assert_eq!((ran.status, &json_of(&ran)["passed"]), (Some(0), &json!(1)), "{ran:?}");
    let ran = house.run(&["module", "test", "nobody"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("no module"), "{ran:?}");
}

#[test]
fn the_server_and_its_modules_are_told_together() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/modules" => Answer::Json(200, modules()),
        "GET /api/health?detailed=true" => Answer::Json(
            200,
            json!({"status": "ok", "timestamp": 1, "version": "9.9",
                "vault": {"path": "/v", "status": "ok"}, "modules": [],
                "docker": {"available": false, "image": "x"},
                "bots": {"telegram": {"running": false}, "discord": {"running": false}},
                "uptime": 1.0, "problem": null, "listeners": [], "agents": 0}),
        ),
        other => panic!("{other}"),
    });
    let ran = house.run(&["module", "status"]);
    assert!(ran.out.starts_with("version  9.9\nvault    /v\n\nNAME "), "{ran:?}");
    assert!(ran.out.contains("daily  builtin   /api/daily  One, Two\n"), "{ran:?}");
    let told = json_of(&house.run(&["module", "status", "--json"]));
    assert_eq!((&told["version"], &told["vault"]), (&json!("9.9"), &json!("/v")));
    assert_eq!(told["modules"], modules()["modules"]);
}
