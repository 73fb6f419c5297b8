//! What is found in the notes.

use crate::commands::json_of;
use crate::run::House;
use crate::stub::Answer;
use serde_json::{Value, json};

fn found(indexing: bool) -> Value {
    let hit = json!({"para_id": "people/ada", "name": "Ada", "tags": ["person"],
        "snippet": "the first program", "path": "/v/Brain/entities/ada.md",
        "relative_path": "Brain/entities/ada.md", "modified": "2026-01-01T00:00:00Z"});
    json!({"query": "first", "count": 1, "results": [hit], "more": false, "indexing": indexing})
}

#[test]
fn notes_are_found_through_the_server() {
    let house = House::new();
    let stub = house.serve(|heard, _| Answer::Json(200, found(heard.line.contains("100%25"))));
    let ran = house.run(&["search", "first", "\"a b\""]);
    let shown = "Brain/entities/ada.md  Ada #person\n    the first program\n";
    assert_eq!((ran.out.as_str(), ran.err.as_str(), ran.status), (shown, "", Some(0)));
    let narrow = ["search", "-n", "5", "--tag", "a/b", "--folder", "x y", "--since", "2026-01-31"];
    house.run(&[&narrow[..], &["--entities", "100%"]].concat());
    assert_eq!(json_of(&house.run(&["search", "--json", "x"])), found(false));
    let ran = house.run(&["search", "100%"]);
    assert!(ran.err.contains("there may be more soon") && ran.status == Some(0), "{ran:?}");
    let lines: Vec<String> = stub.heard().into_iter().map(|heard| heard.line).collect();
    let asked = "GET /api/brain/search?q=";
    assert_eq!(lines[0], format!("{asked}first%20%22a%20b%22&scope=vault&limit=20"));
    let filters = "tag=a%2Fb&folder=x%20y&since=2026%2D01%2D31";
    assert_eq!(lines[1], format!("{asked}100%25&scope=brain&limit=5&{filters}"));
}

#[test]
fn nothing_to_look_for_and_too_much_of_it_is_a_mistake() {
    let house = House::new();
    for args in [&["search"][..], &["search", "x", "-n", "0"], &["search", "x", "-n", "1001"]] {
        assert_eq!(house.run(args).status, Some(2), "{args:?}");
    }
}
