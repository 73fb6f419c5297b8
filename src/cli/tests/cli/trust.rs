//! Trusted folders.

use crate::commands::json_of;
use crate::run::House;
use crate::stub::Answer;
use serde_json::json;

#[test]
fn folders_are_trusted_by_names_that_the_server_understands() {
    let house = House::new();
    let stub = house.serve(|heard, _| {
        let path = &heard.body["path"];
        Answer::Json(
            200,
            match heard.line.starts_with("PUT") {
                true => json!({"path": path, "since": "2026-01-01T10:00:00Z", "changed": false}),
                false => json!({ "path": path }),
            },
        )
    });
    let here = house.path("").canonicalize().unwrap();
    let below = here.join("a b").display().to_string();
    let here = here.display().to_string();
    for (args, path) in [
        (&["trust"][..], here.as_str()),
        (&["trust", "./a b/"], &below),
        (&["trust", "/vault/work"], "/vault/work"),
    ] {
        let ran = house.run(args);
        let said = format!("{path} is trusted, as long as its hooks and tools stay as they are\n");
        assert_eq!((ran.out, ran.status), (said, Some(0)), "{args:?}");
    }
    let ran = house.run(&["trust", "--remove", "a b"]);
    assert_eq!((ran.out, ran.status), (format!("{below} is trusted no longer\n"), Some(0)));
    assert_eq!(json_of(&house.run(&["trust", "--remove", "a b", "--json"]))["path"], below);
    let heard = stub.heard();
    assert_eq!(
        (heard[1].line.as_str(), &heard[1].body),
        ("PUT /api/trust", &json!({"path": below}))
    );
    assert_eq!(heard[3].line, "DELETE /api/trust");
    assert_eq!(heard[3].body, json!({ "path": below }));
}

#[test]
fn trusted_folders_are_listed_and_one_that_is_none_is_said() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/trust" => Answer::Json(
            200,
            json!({"folders": [
            {"path": "/a", "since": "2000-01-01T00:00:00Z", "changed": false},
            {"path": "/b\u{1b}[2J", "since": "2000-01-01T00:00:00Z", "changed": true}]}),
        ),
        "DELETE /api/trust" => Answer::Json(404, json!({"detail": "/x is not trusted"})),
        _ => Answer::Json(400, json!({"detail": "/x has no .claude and no .mcp.json to trust"})),
    });
    let ran = house.run(&["trust", "--list"]);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert!(rows[0].starts_with("TRUSTED") && rows[0].ends_with("STATE    FOLDER"), "{ran:?}");
    assert!(rows[1].ends_with(" d ago           /a"), "{ran:?}");
    assert!(rows[2].ends_with(" d ago  changed  /b[2J"), "{ran:?}");
    assert_eq!(json_of(&house.run(&["trust", "--list", "--json"]))["folders"][1]["changed"], true);
    let ran = house.run(&["trust", "--remove", "/x"]);
    let said = "parachute: /x is not trusted (the server answered 404)\n  \
                hint: `parachute trust --list` shows those that are\n";
    assert_eq!((ran.err.as_str(), ran.status), (said, Some(1)));
    let ran = house.run(&["trust", "/x"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.err.contains("no .claude and no .mcp.json"), "{ran:?}");
}
