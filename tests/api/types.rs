//! Every answer against the types the app parses (contract-core §1.1–§1.5), and every event of
//! a stream (§2.2). A field that is missing or mistyped fails, and each table is shown to find
//! that.

use crate::brain as b;
use crate::dart::{Field, faults, unguarded};
use crate::imports_types as i;
use crate::past::{self, FIRST, SECOND};
use crate::plugins::Repository;
use crate::tables as t;
use crate::tables_context as c;
use crate::tables_daily as d;
use crate::tables_files as f;
use crate::tables_mcps as m;
use crate::tables_migration;
use http::Method;
use parachute_tests::{Answer, Caller, Home, ScriptedApi, Stream, Supervisor};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) fn parses(answer: &Answer, status: u16, fields: &'static [Field]) -> Value {
    let json = answer.json();
    assert_eq!(answer.status, status, "{json}");
    assert_eq!(faults(&json, fields), Vec::<String>::new(), "{json}");
    assert_eq!(unguarded(&json, fields), Vec::<String>::new());
    let kind = answer.headers["content-type"].to_str().expect("text");
    assert_eq!(kind, "application/json");
    json
}

pub(crate) async fn get(caller: &Caller, path: &str, fields: &'static [Field]) -> Value {
    parses(&caller.get(path).await, 200, fields)
}

/// Every event fits its table; those of no table are ones the app ignores.
fn events_parse(stream: &Stream) {
    for (_, event) in &stream.events {
        let kind = event["type"].as_str().expect("a type");
        let table = t::EVENTS.iter().find(|(name, _)| *name == kind);
        let (_, fields) = table.unwrap_or_else(|| panic!("{kind} is in no table"));
        assert_eq!(faults(event, fields), Vec::<String>::new(), "{event}");
        assert_eq!(unguarded(event, fields), Vec::<String>::new());
    }
}

/// Every door and what its answer is judged by; a new door needs a table.
const JUDGED: &[(&str, &str, &[Field])] = &[
    ("GET", "/", t::ROOT),
    ("GET", "/api/health", t::HEALTH_DETAILED),
    ("GET", "/openapi.json", &[]),
    ("GET", "/api/auth/keys", t::KEYS),
    ("POST", "/api/auth/keys", t::KEY_MADE),
    ("DELETE", "/api/auth/keys/{key_id}", t::KEY_DELETED),
    ("GET", "/api/auth/settings", t::AUTH_SETTINGS),
    ("PUT", "/api/auth/settings", t::AUTH_SETTINGS),
    ("POST", "/api/chat", EVENTS),
    ("GET", "/api/chat/active-streams", t::ACTIVE_STREAMS),
    ("GET", "/api/chat/{id}/stream", EVENTS),
    ("GET", "/api/chat/{id}/stream-status", t::STREAM_STATUS),
    ("POST", "/api/chat/{id}/abort", t::ABORTED),
    ("POST", "/api/chat/{id}/answer", t::ANSWERED),
    ("POST", "/api/chat/{id}/inject", t::SUCCESS),
    ("GET", "/api/chat", t::SESSIONS),
    ("GET", "/api/chat/stats", t::STATS),
    ("GET", "/api/chat/{id}", t::SESSION),
    ("DELETE", "/api/chat/{id}", t::DELETED),
    ("POST", "/api/chat/{id}/archive", t::SESSION_CHANGED),
    ("POST", "/api/chat/{id}/unarchive", t::SESSION_CHANGED),
    ("POST", "/api/chat/{id}/activate", t::SESSION_CHANGED),
    ("PATCH", "/api/chat/{id}/config", t::SESSION_CHANGED),
    ("GET", "/api/chat/{id}/transcript", t::TRANSCRIPT),
    ("GET", "/api/chat/{id}/permissions", t::PENDING),
    ("POST", "/api/chat/{id}/permissions/grant", t::GRANTED),
    ("POST", "/api/chat/{id}/permissions/deny", t::DENIED),
    ("GET", "/api/agents", t::AGENTS),
    ("POST", "/api/agents", t::AGENT),
    ("POST", "/api/agents/upload", t::AGENT),
    ("GET", "/api/agents/{name}", t::AGENT_DETAIL),
    ("DELETE", "/api/agents/{name}", t::REMOVED),
    ("GET", "/api/plugins", t::PLUGINS),
    ("POST", "/api/plugins/install", t::PLUGIN_MADE),
    ("GET", "/api/plugins/{slug}", t::PLUGIN),
    ("DELETE", "/api/plugins/{slug}", t::REMOVED),
    ("POST", "/api/plugins/{slug}/update", t::PLUGIN_MADE),
    ("GET", "/api/plugins/{slug}/check-update", t::PLUGIN_CHECK),
    ("GET", "/api/plugins/{slug}/skills/{*name}", t::PLUGIN_SKILL),
    ("GET", "/api/plugins/{slug}/agents/{*name}", t::PLUGIN_AGENT),
    ("GET", "/api/mcps", m::SERVERS),
    ("POST", "/api/mcps", m::SAVED),
    ("GET", "/api/mcps/{name}", m::SERVER),
    ("DELETE", "/api/mcps/{name}", m::REMOVED),
    ("POST", "/api/mcps/{name}/test", m::TESTED),
    ("GET", "/api/mcps/{name}/tools", m::TOOLS),
    ("GET", "/api/skills", t::SKILLS),
    ("POST", "/api/skills", t::SKILL_MADE),
    ("POST", "/api/skills/upload", t::SKILL_MADE),
    ("GET", "/api/skills/{name}", t::SKILL),
    ("DELETE", "/api/skills/{name}", t::REMOVED),
    ("POST", "/api/sandbox/build", &[]),
    ("GET", "/api/trust", &[]),
    ("PUT", "/api/trust", &[]),
    ("DELETE", "/api/trust", &[]),
    ("GET", "/api/workspaces", c::WORKSPACES),
    ("POST", "/api/workspaces", c::WORKSPACE),
    ("GET", "/api/workspaces/{slug}", c::WORKSPACE),
    ("PUT", "/api/workspaces/{slug}", c::WORKSPACE),
    ("DELETE", "/api/workspaces/{slug}", c::WORKSPACE_DELETED),
    ("GET", "/api/workspaces/{slug}/sessions", c::WORKSPACE_SESSIONS),
    ("GET", "/api/contexts/folders", c::CONTEXT_FOLDERS),
    ("GET", "/api/contexts/chain", c::CHAIN),
    ("GET", "/api/contexts/session/{session_id}", c::SESSION_CONTEXTS),
    ("PUT", "/api/contexts/session/{session_id}", c::SESSION_CONTEXTS),
    ("POST", "/api/contexts/session/{session_id}/add", c::SESSION_CONTEXTS),
    ("DELETE", "/api/contexts/session/{session_id}/remove", c::SESSION_CONTEXTS),
    ("GET", "/api/prompt/preview", c::PREVIEW),
    ("GET", "/api/brain/search", b::FOUND),
    ("GET", "/api/brain/entities/{*para_id}", b::ENTITY),
    ("GET", "/api/brain/resolve/{name}", b::ENTITY),
    ("GET", "/api/brain/backlinks/{*para_id}", b::BACKLINKS),
    ("GET", "/api/brain/tags", b::TAGS),
    ("POST", "/api/brain/reload", b::RELOADED),
    ("GET", "/api/modules", d::MODULES),
    ("POST", "/api/modules/{name}/approve", d::MODULE_APPROVED),
    ("POST", "/api/daily/entries", d::ENTRY_MADE),
    ("GET", "/api/daily/entries", d::ENTRIES),
    ("GET", "/api/daily/entries/{id}", d::ENTRY),
    ("GET", "/api/modules/daily/agents", d::AGENTS),
    ("GET", "/api/modules/daily/agents/status", d::AGENT_DAYS),
    ("GET", "/api/modules/daily/agents/{name}", d::AGENT),
    ("POST", "/api/modules/daily/agents/{name}/run", d::AGENT_RUN),
    ("POST", "/api/modules/daily/agents/{name}/reset", d::AGENT_RESET),
    ("GET", "/api/modules/daily/agents/{name}/transcript", d::AGENT_TRANSCRIPT),
    ("GET", "/api/modules/{name}/prompt", c::MODULE_PROMPT),
    ("PUT", "/api/modules/{name}/prompt", c::MODULE_PROMPT_SET),
    ("GET", "/api/modules/{name}/stats", c::MODULE_STATS),
    ("GET", "/api/migration/scan", tables_migration::SCAN),
    ("POST", "/api/migration/all", tables_migration::ALL),
    ("POST", "/api/migration/session/{id}", tables_migration::ONE),
    ("GET", "/api/models", t::MODELS),
    ("GET", "/api/usage", c::USAGE),
    ("GET", "/api/capabilities", c::EVERYTHING),
    ("POST", "/api/import", i::IMPORTED),
    ("POST", "/api/import/file", i::IMPORTED),
    ("POST", "/api/import/path", i::IMPORTED),
    ("POST", "/api/import/sync", i::SYNCED),
    ("GET", "/api/import/contexts", i::NOTES),
    ("GET", "/api/claude-code/recent", i::CLI_SESSIONS),
    ("GET", "/api/claude-code/projects", i::CLI_PROJECTS),
    ("GET", "/api/claude-code/sessions", i::CLI_SESSIONS),
    ("GET", "/api/claude-code/sessions/{session_id}", i::CLI_SESSION),
    ("POST", "/api/claude-code/adopt/{session_id}", i::ADOPTED),
    ("GET", "/api/hooks", c::HOOKS),
    ("GET", "/api/hooks/errors", c::HOOK_ERRORS),
    ("GET", "/api/ls", f::LISTING),
    ("GET", "/api/read", f::TEXT),
    ("PUT", "/api/write", f::WRITTEN),
    ("GET", "/api/sync/manifest", f::MANIFEST),
    ("GET", "/api/sync/changes", f::CHANGES),
    ("POST", "/api/sync/push", f::PUSHED),
    ("POST", "/api/sync/pull", f::PULLED),
    ("DELETE", "/api/sync/files", f::DELETED),
    ("GET", "/api/sync/status", f::STATUS),
    // What the supervisor answers is judged below.
    ("GET", "/supervisor/{*path}", &[]),
    ("POST", "/supervisor/{*path}", &[]),
    ("PUT", "/supervisor/{*path}", &[]),
];

/// A stream; its events have a table each.
const EVENTS: &[Field] = &[];

#[test]
fn every_door_has_a_table_and_says_its_fields_in_the_api_document() {
    let table = parachute_server::routes::table();
    let document: Value = serde_json::from_slice(&table.openapi()).expect("JSON");
    let doors = table.doors().iter();
    let doors: BTreeSet<(&str, &str)> =
        doors.map(|d| (d.route.method.as_str(), d.route.path)).collect();
    let judged: BTreeSet<(&str, &str)> = JUDGED.iter().map(|(m, p, _)| (*m, *p)).collect();
    assert_eq!(doors, judged);
    for (method, path, fields) in JUDGED.iter().filter(|(_, _, fields)| !fields.is_empty()) {
        let operation = &document["paths"][*path][method.to_lowercase()];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let told = schema.to_string();
        let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next());
        let whole = name.map(|name| document["components"]["schemas"][name].to_string());
        let told = whole.unwrap_or(told);
        for field in *fields {
            assert!(told.contains(&format!("\"{}\"", field.name)), "{path}: {}", field.name);
        }
    }
}

#[tokio::test]
async fn root_and_health() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    get(&local, "/", t::ROOT).await;
    let basic = get(&local, "/api/health", t::HEALTH).await;
    assert!(basic.get("vault").is_none(), "{basic}");
    let detailed = get(&local, "/api/health?detailed=true", t::HEALTH_DETAILED).await;
    assert_eq!(detailed["vault"]["path"], home.vault().to_str().expect("text"));
}

#[tokio::test]
async fn keys_and_who_has_to_show_one() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    assert_eq!(get(&local, "/api/auth/keys", t::KEYS).await["keys"], json!([]));
    let made = local.post("/api/auth/keys", &json!({ "label": "phone" })).await;
    let made = parses(&made, 200, t::KEY_MADE);
    let unused = get(&local, "/api/auth/keys", t::KEYS).await;
    assert_eq!(unused["keys"][0]["last_used_at"], Value::Null);
    get(&local, "/api/auth/settings", t::AUTH_SETTINGS).await;
    let always = json!({ "require_auth": "always" });
    let put = local.send(Method::PUT, "/api/auth/settings", &always).await;
    assert_eq!(parses(&put, 200, t::AUTH_SETTINGS)["key_count"], 1);
    parses(&local.get("/api/chat").await, 401, t::UNAUTHORIZED);
    let key = made["key"].as_str().expect("a key");
    let keyed = local.clone().with("x-api-key", key);
    get(&keyed, "/api/chat", t::SESSIONS).await;
    let used = get(&local, "/api/auth/keys", t::KEYS).await;
    assert!(used["keys"][0]["last_used_at"].is_string(), "{used}");
    let path = format!("/api/auth/keys/{}", made["id"].as_str().expect("an id"));
    parses(&local.ask(Method::DELETE, &path, None).await, 401, t::UNAUTHORIZED);
    parses(&keyed.ask(Method::DELETE, &path, None).await, 200, t::KEY_DELETED);
    parses(&local.ask(Method::DELETE, &path, None).await, 404, t::DETAIL);
    let sometimes = json!({ "require_auth": "sometimes" });
    parses(&local.send(Method::PUT, "/api/auth/settings", &sometimes).await, 400, t::DETAIL);
}

#[tokio::test]
async fn sessions_of_the_predecessor() {
    let home = Home::new();
    past::leave_in(&home);
    let server = home.server().await;
    let local = server.local();
    let list = get(&local, "/api/chat?limit=500", t::SESSIONS).await;
    assert_eq!(list["sessions"].as_array().map(Vec::len), Some(2));
    get(&local, "/api/chat?archived=true&search=x&workspaceId=y", t::SESSIONS).await;
    get(&local, "/api/chat/stats", t::STATS).await;
    get(&local, &format!("/api/chat/{FIRST}"), t::SESSION).await;
    get(&local, &format!("/api/chat/{SECOND}"), t::SESSION).await;
    for query in ["", "?full=true", "?segment=0", "?after_compact=false"] {
        get(&local, &format!("/api/chat/{FIRST}/transcript{query}"), t::TRANSCRIPT).await;
    }
    parses(&local.get(&format!("/api/chat/{SECOND}/transcript")).await, 404, t::DETAIL);
    get(&local, &format!("/api/chat/{FIRST}/stream-status"), t::STREAM_STATUS).await;
    get(&local, "/api/chat/active-streams", t::ACTIVE_STREAMS).await;
    get(&local, &format!("/api/chat/{FIRST}/permissions"), t::PENDING).await;
}

#[tokio::test]
async fn changes_of_a_session() {
    let home = Home::new();
    past::leave_in(&home);
    let server = home.server().await;
    let local = server.local();
    for verb in ["archive", "unarchive"] {
        let path = format!("/api/chat/{FIRST}/{verb}");
        parses(&local.ask(Method::POST, &path, None).await, 200, t::SESSION_CHANGED);
    }
    let sheet = json!({ "trustLevel": "trusted", "workspaceId": "", "responseMode": "all_messages",
        "mentionPattern": "@me" });
    let path = format!("/api/chat/{SECOND}/activate");
    parses(&local.post(&path, &sheet).await, 200, t::SESSION_CHANGED);
    parses(&local.post(&path, &sheet).await, 400, t::DETAIL);
    let path = format!("/api/chat/{SECOND}/config");
    let changed = parses(
        &local.send(Method::PATCH, &path, &json!({ "trust_level": "sandboxed" })).await,
        200,
        t::SESSION_CHANGED,
    );
    assert_eq!(changed["session"]["trustLevel"], "untrusted");
    parses(&local.send(Method::PATCH, &path, &json!({})).await, 400, t::DETAIL);
    let path = format!("/api/chat/{FIRST}");
    parses(&local.ask(Method::DELETE, &path, None).await, 200, t::DELETED);
    parses(&local.ask(Method::DELETE, &path, None).await, 404, t::DETAIL);
    parses(&local.get(&path).await, 404, t::DETAIL);
}

#[tokio::test]
async fn events_of_a_turn_with_thinking_and_tools() {
    let home = Home::new();
    let server = home.server().await;
    let body = json!({
        "message": "go @@{\"n\":40,\"thinking\":5,\"tools\":2}@@", "sessionId": "new",
        "module": "chat", "model": "sonnet", "contexts": [""], "trustLevel": "trusted",
    });
    let stream = server.local().chat("", &body).await.whole().await;
    assert_eq!(stream.headers["content-type"], "text/event-stream; charset=utf-8");
    events_parse(&stream);
    for kind in [
        "session",
        "user_message",
        "prompt_metadata",
        "init",
        "model",
        "thinking",
        "text",
        "tool_use",
        "tool_result",
        "done",
    ] {
        stream.event(kind);
    }
    let session = stream.session();
    get(&server.local(), &format!("/api/chat/{session}"), t::SESSION).await;
    get(&server.local(), &format!("/api/chat/{session}/transcript"), t::TRANSCRIPT).await;
}

#[tokio::test]
async fn events_and_answers_while_somebody_is_asked() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    let body = json!({
        "message": "go @@{\"n\":4,\"ask\":\"Write\",\"question\":true}@@", "permissionMode": "ask",
    });
    let mut stream = local.chat("", &body).await;
    assert!(stream.until("permission_request").await, "{:?}", stream.kinds());
    let at = format!("/api/chat/{}", stream.session());
    get(&local, &format!("{at}/stream-status"), t::STREAM_STATUS).await;
    get(&local, "/api/chat/active-streams", t::ACTIVE_STREAMS).await;
    let pending = get(&local, &format!("{at}/permissions"), t::PENDING).await;
    let request = pending["pending"][0]["id"].as_str().expect("an id").to_owned();
    let inject = local.post(&format!("{at}/inject"), &json!({ "message": "and more" })).await;
    parses(&inject, 200, t::SUCCESS);
    let deny = json!({ "requestId": request });
    let denied = local.post(&format!("{at}/permissions/deny"), &deny).await;
    parses(&denied, 200, t::DENIED);
    let again = local.post(&format!("{at}/permissions/deny"), &deny).await;
    parses(&again, 404, t::DETAIL);
    assert!(stream.until("user_question").await, "{:?}", stream.kinds());
    let request = stream.event("user_question")["requestId"].clone();
    let answers = json!({ "request_id": request, "answers": { "Which fruit do you want?": "Plum",
        "Which colours?": ["Red", "Blue"] } });
    parses(&local.post(&format!("{at}/answer"), &answers).await, 200, t::ANSWERED);
    let stream = stream.whole().await;
    events_parse(&stream);
    stream.event("permission_denied");
    stream.event("done");
}

#[tokio::test]
async fn events_of_turns_that_end_otherwise() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    for (message, last) in [
        ("x @@{\"n\":4,\"fail\":\"crash\"}@@", "typed_error"),
        ("x @@{\"n\":4,\"fail\":\"error_result\"}@@", "typed_error"),
        ("", "error"),
    ] {
        let stream = local.chat("", &json!({ "message": message })).await.whole().await;
        events_parse(&stream);
        assert_eq!(stream.kinds().last().map(String::as_str), Some(last));
    }
    let body = json!({ "message": "x @@{\"n\":100000,\"delay_us\":1000}@@" });
    let mut stream = local.chat("", &body).await;
    assert!(stream.until("text").await);
    let path = format!("/api/chat/{}/abort", stream.session());
    parses(&local.ask(Method::POST, &path, None).await, 200, t::ABORTED);
    let stream = stream.whole().await;
    events_parse(&stream);
    stream.event("aborted");
    parses(&local.ask(Method::POST, &path, None).await, 404, t::DETAIL);
}

#[tokio::test]
async fn a_grant_repeats_the_pattern() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    let body = json!({ "message": "go @@{\"ask\":\"Bash\"}@@", "permissionMode": "ask" });
    let mut stream = local.chat("", &body).await;
    assert!(stream.until("permission_request").await, "{:?}", stream.kinds());
    let at = format!("/api/chat/{}", stream.session());
    // The predecessor took both spellings.
    let grant = json!({
        "request_id": stream.event("permission_request")["requestId"], "pattern": "Bash(touch *)",
    });
    let granted = local.post(&format!("{at}/permissions/grant"), &grant).await;
    let granted = parses(&granted, 200, t::GRANTED);
    assert_eq!(granted["pattern"], "Bash(touch *)");
    events_parse(&stream.whole().await);
}

#[tokio::test]
async fn skills_parse() {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    get(&local, "/api/skills", t::SKILLS).await;
    let new = json!({ "name": "Review", "description": "d", "content": "Do it." });
    parses(&local.post("/api/skills", &new).await, 200, t::SKILL_MADE);
    parses(&local.post("/api/skills", &new).await, 409, t::DETAIL);
    let folder = home.path("vault/.skills/folder");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("SKILL.md"), "Do it otherwise.").expect("written");
    get(&local, "/api/skills", t::SKILLS).await;
    get(&local, "/api/skills/folder", t::SKILL).await;
    let gone = local.ask(Method::DELETE, "/api/skills/Review", None).await;
    parses(&gone, 200, t::REMOVED);
    let gone = local.ask(Method::DELETE, "/api/skills/Review", None).await;
    parses(&gone, 404, t::DETAIL);
}

#[tokio::test]
async fn agent_definitions_parse() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("vault/agents")).expect("a folder");
    std::fs::write(home.path("vault/agents/note.md"), "You note.").expect("written");
    let server = home.server().await;
    let local = server.local();
    let new = json!({ "name": "reviewer", "prompt": "Review.", "description": "d",
        "tools": ["Read"], "model": "haiku" });
    parses(&local.post("/api/agents", &new).await, 200, t::AGENT);
    parses(&local.post("/api/agents", &new).await, 409, t::DETAIL);
    get(&local, "/api/agents", t::AGENTS).await;
    get(&local, "/api/agents/reviewer", t::AGENT_DETAIL).await;
    for name in ["vault-agent", "note"] {
        let detail = get(&local, &format!("/api/agents/{name}"), t::AGENT_DETAIL).await;
        assert_eq!(faults(&detail, t::AGENT_BOUNDS), Vec::<String>::new(), "{detail}");
        assert!(detail.get("mcp_servers").is_some(), "{detail}");
        let gone = local.ask(Method::DELETE, &format!("/api/agents/{name}"), None).await;
        parses(&gone, 403, t::DETAIL);
    }
    let file = local.upload("/api/agents/upload", "other.md", b"Do.").await;
    parses(&file, 200, t::AGENT);
    let gone = local.ask(Method::DELETE, "/api/agents/reviewer", None).await;
    parses(&gone, 200, t::REMOVED);
    let gone = local.ask(Method::DELETE, "/api/agents/reviewer", None).await;
    parses(&gone, 404, t::DETAIL);
}

#[tokio::test]
async fn plugins_parse() {
    let home = Home::new();
    let repository = Repository::new(&home, "tools");
    let server = home.server().await;
    let (local, owner) = (server.local(), server.owner());
    get(&local, "/api/plugins", t::PLUGINS).await;
    let new = json!({ "url": repository.url() });
    parses(&owner.post("/api/plugins/install", &new).await, 200, t::PLUGIN_MADE);
    parses(&owner.post("/api/plugins/install", &new).await, 400, t::DETAIL);
    get(&local, "/api/plugins", t::PLUGINS).await;
    get(&local, "/api/plugins/tools", t::PLUGIN).await;
    get(&local, "/api/plugins/tools/skills/hello", t::PLUGIN_SKILL).await;
    get(&local, "/api/plugins/tools/agents/helper", t::PLUGIN_AGENT).await;
    get(&owner, "/api/plugins/tools/check-update", t::PLUGIN_CHECK).await;
    repository.put(&[("more.txt", "more")]);
    get(&owner, "/api/plugins/tools/check-update", t::PLUGIN_CHECK).await;
    let updated = owner.ask(Method::POST, "/api/plugins/tools/update", None).await;
    parses(&updated, 200, t::PLUGIN_MADE);
    let gone = local.ask(Method::DELETE, "/api/plugins/tools", None).await;
    parses(&gone, 200, t::REMOVED);
    let gone = local.ask(Method::DELETE, "/api/plugins/tools", None).await;
    parses(&gone, 404, t::DETAIL);
}

#[tokio::test]
async fn the_supervisors_answers_parse() {
    let home = Home::new();
    let supervisor = Supervisor::start(&home).await;
    let owner = supervisor.owner();
    for verb in ["start", "restart", "stop", "start"] {
        let path = format!("/supervisor/server/{verb}");
        parses(&owner.post(&path, &json!({})).await, 200, t::ORDERED);
        get(&owner, "/supervisor/status", t::SUPERVISOR_STATUS).await;
    }
    // The app asks the server for it where the ports are not the usual ones.
    get(&supervisor.server(), "/supervisor/status", t::SUPERVISOR_STATUS).await;
    let config = json!({ "values": { "log_level": "DEBUG" } });
    let changed = owner.send(Method::PUT, "/supervisor/config", &config).await;
    parses(&changed, 200, t::CONFIG_CHANGED);
    get(&owner, "/supervisor/config", t::CONFIG).await;
}

#[tokio::test]
async fn the_models_parse() {
    let api = ScriptedApi::start();
    let mut home = Home::new();
    home.set("ANTHROPIC_BASE_URL", &api.url.clone());
    let supervisor = Supervisor::start(&home).await;
    let owner = supervisor.owner();
    for path in ["/supervisor/models", "/supervisor/models?show_all=true"] {
        get(&owner, path, t::MODELS).await;
    }
}
