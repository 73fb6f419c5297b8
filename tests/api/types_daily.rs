//! The answers about modules and daily agents against the types the app parses.

use crate::contexts::write;
use crate::tables_daily as t;
use crate::types::{get, parses};
use http::Method;
use parachute_tests::Home;
use serde_json::json;

#[tokio::test]
async fn modules_parse() {
    let home = Home::new();
    write(
        &home,
        &[
            (".modules/p/manifest.yaml", "name: poems\nprovides: [Verse]"),
            (".modules/bad/manifest.yaml", "a: b: c"),
        ],
    );
    let server = home.server().await;
    let local = server.local();
    get(&local, "/api/modules", t::MODULES).await;
    let approved = local.ask(Method::POST, "/api/modules/poems/approve", None).await;
    let approved = parses(&approved, 200, t::MODULE_APPROVED);
    get(&local, "/api/modules", t::MODULES).await;
    write(&home, &[(".modules/p/CLAUDE.md", "Rhyme.")]);
    let looked_at = json!({ "digest": approved["digest"] });
    let changed = local.post("/api/modules/poems/approve", &looked_at).await;
    parses(&changed, 409, crate::tables::DETAIL);
    let anew = local.ask(Method::POST, "/api/modules/poems/approve", None).await;
    parses(&anew, 200, t::MODULE_APPROVED);
    let again = local.ask(Method::POST, "/api/modules/poems/approve", None).await;
    parses(&again, 404, crate::tables::DETAIL);
}

#[tokio::test]
async fn entries_parse() {
    let home = Home::new();
    write(&home, &[("Daily/entries/old.md", "by hand")]);
    let server = home.server().await;
    let local = server.local();
    let new = json!({ "content": "x", "metadata": { "mood": "good" } });
    let made = parses(&local.post("/api/daily/entries", &new).await, 200, t::ENTRY_MADE);
    get(&local, "/api/daily/entries", t::ENTRIES).await;
    let id = made["id"].as_str().expect("an id");
    for id in [id, "old"] {
        get(&local, &format!("/api/daily/entries/{id}"), t::ENTRY).await;
    }
}

#[tokio::test]
async fn daily_agents_parse() {
    const AT: &str = "/api/modules/daily/agents";
    let home = Home::new();
    let plan = "@@{\"text\":\"Done.\",\"tools\":1,\"thinking\":1}@@";
    write(
        &home,
        &[
            ("Daily/.agents/poet.md", "---\nschedule: 3:00\n---\nx"),
            ("Daily/.agents/other.md", "---\noutput: ../x\n---\nx"),
            ("Daily/journals/2026-11-19.md", plan),
        ],
    );
    let server = home.server().await;
    let local = server.local();
    get(&local, AT, t::AGENTS).await;
    let none = get(&local, &format!("{AT}/poet/transcript"), t::AGENT_TRANSCRIPT).await;
    assert_eq!(none["hasTranscript"], false);
    for body in [json!({ "date": "2020-01-01" }), json!({ "date": "2026-11-19", "force": true })] {
        let ran = local.post(&format!("{AT}/poet/run"), &body).await;
        parses(&ran, 200, t::AGENT_RUN);
    }
    get(&local, AT, t::AGENTS).await;
    get(&local, &format!("{AT}/poet"), t::AGENT).await;
    let days = get(&local, &format!("{AT}/status?date=2026-11-20"), t::AGENT_DAYS).await;
    // Null would break the app, which syncs what is there.
    assert_eq!(days["agents"][1]["outputPath"], "poet/2026-11-20.md");
    get(&local, &format!("{AT}/status"), t::AGENT_DAYS).await;
    let told = get(&local, &format!("{AT}/poet/transcript"), t::AGENT_TRANSCRIPT).await;
    assert!(told["sessionId"].as_str().expect("an id").len() >= 8);
    let blocks = told["messages"].as_array().expect("a list").iter();
    let blocks = blocks.flat_map(|m| m["blocks"].as_array().expect("a list"));
    assert!(blocks.filter(|b| b["type"] == "tool_use").all(|b| b["input"].is_string()));
    let reset = local.ask(Method::POST, &format!("{AT}/poet/reset"), None).await;
    parses(&reset, 200, t::AGENT_RESET);
    parses(&local.get(&format!("{AT}/nobody")).await, 404, crate::tables::DETAIL);
    let refused = local.post(&format!("{AT}/other/run"), &json!({})).await;
    parses(&refused, 409, crate::tables::DETAIL);
}
