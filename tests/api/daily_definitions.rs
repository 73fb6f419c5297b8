//! What daily agents are made of: definitions as people write them, and what each remembers.

use crate::contexts::write;
use crate::daily_agents::{AT, DAY, home, ran, run, state};
use http::Method;
use parachute_tests::Home;
use serde_json::json;
use std::fs;

#[tokio::test]
async fn trap_t58_definitions_are_read_as_their_authors_meant_them() {
    let home = Home::new();
    let long = "x".repeat(2 << 20);
    write(
        &home,
        &[
            (
                "Daily/.agents/evening-review.md",
                "---\nschedule: 3:00\ndescription: Looks back\n---\nx",
            ),
            ("Daily/.agents/off.md", "---\nschedule:\n  enabled: no\n  time: \"22:30\"\n---\nx"),
            ("Daily/.agents/out.md", "---\noutput: {path: \"../{date}.md\"}\n---\nx"),
            ("Daily/.agents/journal.md", "---\noutput: Daily/journals/{date}.md\n---\nx"),
            ("Daily/.agents/status.md", "x"),
            ("Daily/.agents/bad|name.md", "x"),
            ("Daily/.agents/long.md", &long),
            ("Daily/.agents/notes.txt", "x"),
        ],
    );
    let server = home.server().await;
    let caller = server.local();
    let list = caller.get(AT).await.json();
    let agents = list["agents"].as_array().expect("a list");
    let names: Vec<&str> = agents.iter().filter_map(|a| a["name"].as_str()).collect();
    assert_eq!(names, ["evening-review", "journal", "off", "out", "status"]);
    assert_eq!(agents[0]["schedule"], json!({ "enabled": true, "time": "03:00" }));
    assert_eq!(agents[0]["displayName"], "Evening Review");
    assert_eq!(agents[2]["schedule"], json!({ "enabled": false, "time": "22:30" }));
    assert_eq!(list["problems"].as_array().map(Vec::len), Some(2), "{list}");
    for agent in ["out", "journal"] {
        let refused = run(&caller, agent, &json!({ "date": DAY })).await;
        assert_eq!((refused.status, refused.json()["detail"].is_string()), (409, true));
    }
    for date in ["yesterday", "2026-02-30", "../../x", "", "2026-11-19T00:00"] {
        assert_eq!(run(&caller, "off", &json!({ "date": date })).await.status, 400, "{date}");
        let status =
            caller.get(&format!("{AT}/status?date={}", date.replace('/', "%2f"))).await.status;
        assert_eq!(status, 400, "{date}");
    }
    for name in ["nobody", "..%2fx", "%00", ".agents", "evening-review.md"] {
        assert_eq!(run(&caller, name, &json!({})).await.status, 404, "{name}");
        assert_eq!(caller.get(&format!("{AT}/{name}")).await.status, 404, "{name}");
        assert_eq!(caller.get(&format!("{AT}/{name}/transcript")).await.status, 404, "{name}");
        let reset = caller.ask(Method::POST, &format!("{AT}/{name}/reset"), None).await;
        assert_eq!(reset.status, 404, "{name}");
    }
}

#[tokio::test]
async fn a_state_that_is_not_its_own_is_not_used_and_one_that_is_bad_stays() {
    let home = home("@@{\"text\":\"Own.\"}@@");
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "mine @@{\"n\":1}@@" });
    let mine = caller.chat("", &body).await.whole().await.session();
    let planted = json!({ "sdk_session_id": mine, "mine": [1], "run_count": "many" });
    write(&home, &[("Daily/.poet/state.json", &planted.to_string())]);
    let run_of = ran(&caller).await;
    assert_eq!(run_of["status"], "completed");
    assert_ne!(run_of["sdk_session_id"], mine.as_str());
    let kept = state(&home);
    assert_eq!((&kept["mine"], &kept["run_count"]), (&json!([1]), &json!(1)));
    let session = caller.get(&format!("/api/chat/{mine}")).await.json();
    assert_eq!(session["messages"].as_array().map(Vec::len), Some(2));
    for bad in ["{", "[]"] {
        write(&home, &[("Daily/.poet/state.json", bad)]);
        assert_eq!(run(&caller, "poet", &json!({ "date": DAY })).await.status, 409);
        let reset = caller.ask(Method::POST, &format!("{AT}/poet/reset"), None).await;
        assert_eq!(reset.status, 409);
        let shown = caller.get(&format!("{AT}/poet")).await.json();
        assert!(shown["problems"].to_string().contains("state.json"), "{shown}");
        let text = fs::read_to_string(home.vault().join("Daily/.poet/state.json")).expect("there");
        assert_eq!(text, bad);
    }
}
