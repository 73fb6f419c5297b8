//! What the app reads of imports and of the CLI's sessions (contract-extended §1.10, §1.12), and
//! the answers judged by it.

use crate::dart::Dart::{Bool, Date, Int, List, Str, Strings};
use crate::dart::{Field, may, need, null};
use crate::imports::{CHATGPT, CLAUDE};
use crate::types::{get, parses};
use http::Method;
use parachute_tests::Home;
use serde_json::{Value, json};

pub(crate) const IMPORTED: &[Field] = &[
    need("total_conversations", Int),
    need("imported_count", Int),
    need("skipped_count", Int),
    need("errors", Strings),
    need("session_ids", Strings),
];

pub(crate) const SYNCED: &[Field] = &[
    need("discovered", Int),
    need("synced", Int),
    need("updated", Int),
    need("skipped", Int),
    need("errors", Strings),
];

pub(crate) const NOTES: &[Field] = &[
    need(
        "files",
        List(&[
            need("path", Str),
            need("name", Str),
            need("description", Str),
            need("facts_count", Int),
            need("focus_count", Int),
            need("history_count", Int),
            need("is_native_format", Bool),
            null("last_modified", Date),
        ]),
    ),
    need("total_facts", Int),
    need("total_history_entries", Int),
];

pub(crate) const CLI_SESSIONS: &[Field] = &[need(
    "sessions",
    List(&[
        need("sessionId", Str),
        null("title", Str),
        null("firstMessage", Str),
        need("messageCount", Int),
        null("model", Str),
        null("cwd", Str),
        need("projectPath", Str),
        need("projectDisplayName", Str),
        null("createdAt", Date),
        null("lastTimestamp", Date),
    ]),
)];

pub(crate) const CLI_PROJECTS: &[Field] = &[need(
    "projects",
    List(&[need("encodedName", Str), need("path", Str), need("sessionCount", Int)]),
)];

pub(crate) const CLI_SESSION: &[Field] = &[
    need("sessionId", Str),
    null("title", Str),
    null("cwd", Str),
    null("model", Str),
    null("createdAt", Date),
    need("messages", List(&[need("type", Str), need("content", Str), null("timestamp", Date)])),
];

pub(crate) const ADOPTED: &[Field] = &[
    need("success", Bool),
    need("alreadyAdopted", Bool),
    need("parachuteSessionId", Str),
    may("messageCount", Int),
    need("message", Str),
];

#[tokio::test]
async fn imports_and_the_clis_sessions_parse() {
    let home = Home::new();
    crate::contexts::write(&home, &[("Chat/contexts/me.md", "# Me\n## Facts\n- a\n")]);
    let server = home.server().await;
    let local = server.local();
    let data: Value = serde_json::from_str(CLAUDE).expect("JSON");
    let imported = local.post("/api/import", &json!({ "data": data, "archived": true })).await;
    parses(&imported, 200, IMPORTED);
    let text =
        CHATGPT.replace("\"conversation_id\"", "\"no_id\"").replace("\"id\": \"67", "\"x\": \"67");
    let file = local.upload("/api/import/file", "x.json", text.as_bytes()).await;
    assert_eq!(parses(&file, 200, IMPORTED)["bad_count"], 2);
    std::fs::write(home.vault().join("x.json"), CHATGPT).expect("written");
    let path = local.ask(Method::POST, "/api/import/path?path=x.json", None).await;
    parses(&path, 200, IMPORTED);
    parses(&local.ask(Method::POST, "/api/import/sync?force=true", None).await, 200, SYNCED);
    get(&local, "/api/import/contexts", NOTES).await;
    parses(&local.post("/api/import", &json!({ "data": 7 })).await, 400, crate::tables::DETAIL);
    let recent = get(&local, "/api/claude-code/recent?limit=500", CLI_SESSIONS).await;
    assert_eq!(recent["sessions"].as_array().map(Vec::len), Some(4));
    let projects = get(&local, "/api/claude-code/projects", CLI_PROJECTS).await;
    let path = projects["projects"][0]["path"].as_str().expect("a path").to_owned();
    get(&local, &format!("/api/claude-code/sessions?path={path}"), CLI_SESSIONS).await;
    let id = recent["sessions"][0]["sessionId"].as_str().expect("an id");
    get(&local, &format!("/api/claude-code/sessions/{id}"), CLI_SESSION).await;
    let adopt = format!("/api/claude-code/adopt/{id}");
    let adopted = parses(&local.ask(Method::POST, &adopt, None).await, 200, ADOPTED);
    assert_eq!(adopted["alreadyAdopted"], true);
    local.ask(Method::DELETE, &format!("/api/chat/{id}"), None).await;
    let adopted = parses(&local.ask(Method::POST, &adopt, None).await, 200, ADOPTED);
    assert_eq!(adopted["alreadyAdopted"], false);
    parses(&local.get("/api/claude-code/sessions/nobody").await, 404, crate::tables::DETAIL);
}
