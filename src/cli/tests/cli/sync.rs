//! What is known of synchronised folders.

use crate::commands::json_of;
use crate::run::House;
use crate::stub::Answer;
use serde_json::json;

#[test]
fn synchronised_folders_are_told_with_their_last_push() {
    let house = House::new();
    let stub = house.serve(|_, _| {
        Answer::Json(
            200,
            json!({"version": 9, "roots": [
                {"root": "", "files": 3, "tombstones": 0, "last_push": null,
                    "last_push_by": null, "last_push_files": null},
                {"root": "Daily\u{1b}[2J", "files": 12, "tombstones": 4,
                    "last_push": "2000-01-01T00:00:00Z", "last_push_by": "device phone",
                    "last_push_files": 2}],
                "aside": {"folder": "/s/sync-replaced", "files": 2, "bytes": 2048, "days": 30}}),
        )
    });
    let ran = house.run(&["sync", "status"]);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert_eq!((rows.len(), ran.status), (6, Some(0)), "{ran:?}");
    assert!(rows[0].starts_with("FILES  DELETED  LAST PUSH"), "{ran:?}");
    assert!(rows[1].starts_with("3      0        never"), "{ran:?}");
    assert!(rows[1].ends_with("(the vault)"), "{ran:?}");
    assert!(rows[2].starts_with("12     4") && rows[2].contains("device phone"), "{ran:?}");
    assert!(rows[2].ends_with("Daily[2J"), "{ran:?}");
    assert_eq!(rows[5], "(2 texts, 2 KiB): /s/sync-replaced");
    assert_eq!(json_of(&house.run(&["sync", "status", "--json"]))["version"], 9);
    assert_eq!(stub.lines(), ["GET /api/sync/status", "GET /api/sync/status"]);
    assert_eq!(house.run(&["sync"]).status, Some(2));
}
