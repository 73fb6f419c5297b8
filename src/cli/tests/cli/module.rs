//! `parachute module`.

use crate::commands::json_of;
use crate::run::House;
use crate::stub::Answer;
use serde_json::{Value, json};

const DIGEST: &str = "0123456789abcdef";

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
        module("new", "pending_approval", Some(".modules/n"),
            json!({"current_hash": "b", "digest": DIGEST})),
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
        "NAME   VERSION  STATE     DIGEST        PROVIDES\n\
         daily  0.1.0    builtin                 One, Two\n\
         p      0.1.0    approved\n\
         new    0.1.0    new       0123456789ab  One, Two\n\
         old    0.1.0    modified                One, Two\n\
         py     0.1.0    not run                 One, Two\n\
         bad             broken                  One, Two\n"
    );
    assert_eq!(
        (ran.status, ran.err.as_str()),
        (Some(0), "old: It[31m changed\nhashes cannot be read\n")
    );
    assert_eq!(json_of(&house.run(&["module", "list", "--json"])), modules());
    assert_eq!(stub.heard()[0].line, "GET /api/modules");
}

#[test]
fn a_module_is_shown_and_approved_as_it_was_shown() {
    let house = House::new();
    let approved =
        || json!({"approved": true, "name": "a/b", "message": "Good.", "digest": DIGEST});
    let stub = house.serve(move |heard, _| match heard.line.as_str() {
        "GET /api/modules" => {
            let more = json!({"digest": DIGEST, "description": "x\u{1b}[31m"});
            let one = module("a/b", "pending_approval", Some(".modules/n"), more);
            Answer::Json(
                200,
                json!({"modules": [module("daily", "loaded", None, json!({})), one,
                module("bad", "broken", Some(".modules/bad"), json!({"problem": "No manifest"}))]}),
            )
        }
        "POST /api/modules/a%2Fb/approve" => Answer::Json(200, approved()),
        other => panic!("{other}"),
    });
    let ran = house.run(&["module", "approve", "a/b"]);
    assert_eq!(
        ran.out,
        "module    a/b\n\
         version   0.1.0\n\
         about     x[31m\n\
         provides  One, Two\n\
         folder    .modules/n\n\
         state     new\n\
         digest    0123456789abcdef\n\
         a/b approved. Good.\n",
        "{ran:?}"
    );
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    // By its folder's name, and for a program.
    let ran = house.run(&["module", "approve", "n", "--json"]);
    assert_eq!((ran.status, json_of(&ran)), (Some(0), approved()), "{ran:?}");
    let heard = stub.heard();
    for at in [1, 3] {
        assert_eq!(heard[at].line, "POST /api/modules/a%2Fb/approve");
        assert_eq!(heard[at].body, json!({"digest": DIGEST}));
    }
    for (name, said) in [("gone", "no module"), ("daily", "comes with"), ("bad", "No manifest")] {
        let ran = house.run(&["module", "approve", name]);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.contains(said) && ran.err.contains("`parachute module list`"), "{ran:?}");
    }
    assert_eq!(stub.heard().len(), 4 + 3);
}

#[test]
fn what_changed_since_it_was_shown_is_not_approved() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/modules" => Answer::Json(200, modules()),
        _ => Answer::Json(409, json!({"detail": "not the one that was looked at"})),
    });
    let ran = house.run(&["module", "approve", "new"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.out.ends_with(&format!("digest    {DIGEST}\n")), "{ran:?}");
    assert!(
        ran.err.contains("looked at") && ran.err.contains("`parachute module list`"),
        "{ran:?}"
    );
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
