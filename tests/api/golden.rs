//! The predecessor's recorded answers, asked for again: each difference is either a line of
//! `tests/golden/differences.txt` with its reason, or a fault. A line that nothing matches any
//! more is a fault, too.

use crate::compare::{compare, events, outline};
use crate::golden_file::folder;
use crate::past;
use http::Method;
use parachute_tests::{Caller, Home, Supervisor};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Headers that are no part of the contract: they name the program, the moment, the length.
const OTHER_HEADERS: [&str; 5] =
    ["server", "date", "connection", "content-length", "transfer-encoding"];

/// One recorded answer.
struct Golden {
    name: String,
    file: Value,
}

impl Golden {
    fn named(name: &str, home: &Home) -> Golden {
        let path = folder().join(format!("predecessor/{name}.json"));
        let text = std::fs::read_to_string(&path).expect("a recorded answer");
        let text = text.replace("$VAULT", home.vault().to_str().expect("text"));
        Golden { name: name.into(), file: serde_json::from_str(&text).expect("JSON") }
    }

    /// What may differ from run to run.
    fn volatile(&self) -> BTreeSet<&str> {
        let lists = ["volatile", "differs_with_dependencies_of_2026_02"];
        let lists = lists.iter().filter_map(|l| self.file.get(l)?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// Asks our server the same; variables of the path and keys are of this run.
    async fn ask(&self, caller: &Caller, id: &str, key: &str) -> Value {
        let request = &self.file["request"];
        let text = |name: &str| request[name].as_str().expect("text");
        let mut caller = caller.clone();
        for header in request["headers"].as_array().into_iter().flatten() {
            let (name, value) = header.as_str().and_then(|h| h.split_once(": ")).expect("a header");
            let value = if value.contains("tRTntgkp1l") { key } else { value };
            caller = caller.with(name, value);
        }
        let body = request.get("body").map(|body| match body {
            Value::String(text) => text.clone(),
            body => body.to_string().replace("dad437c9-fbbb-480b-a9ca-99b9fc7d0cfb", id),
        });
        let method = Method::from_bytes(text("method").as_bytes()).expect("a method");
        let mut path = text("path").replace("{id}", id);
        // The predecessor's stream ended with the file (part 2: ours goes on unless told).
        if path.starts_with("/supervisor/logs") {
            path += if path.contains('?') { "&follow=false" } else { "?follow=false" };
        }
        let answer = caller.ask(method, &path, body.map(Into::into)).await;
        let headers = answer
            .headers
            .iter()
            .map(|(n, v)| (n.as_str().to_owned(), Value::from(v.to_str().expect("text"))));
        let mut out = json!({
            "status": answer.status,
            "headers": headers.collect::<Map<String, Value>>(),
        });
        let body = String::from_utf8(answer.body.to_vec()).expect("text");
        let kind = answer.headers.get("content-type").map_or("", |k| k.to_str().expect("text"));
        match kind {
            "application/json" => out["body"] = serde_json::from_str(&body).expect("JSON"),
            kind if kind.starts_with("text/event-stream") => out["events"] = events(&body),
            _ => out["text"] = body.into(),
        }
        out
    }

    /// Paths at which ours differs from the recorded one, with both values.
    fn differences(&self, ours: &Value) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let volatile = self.volatile();
        for part in ["status", "headers", "body", "text", "events"] {
            let (mut theirs, mut ours) = (self.file.get(part).cloned(), ours.get(part).cloned());
            if part == "headers" {
                for headers in [&mut theirs, &mut ours].into_iter().flatten() {
                    let headers = headers.as_object_mut().expect("headers");
                    headers.retain(|name, _| !OTHER_HEADERS.contains(&name.as_str()));
                }
            }
            // Log lines have no type and are compared as they are.
            let typed = theirs.as_ref().is_some_and(|events| events[0]["type"].is_string());
            if part == "events" && typed {
                theirs = theirs.map(|e| outline(&e));
                ours = ours.map(|e| outline(&e));
            }
            compare(&format!("$.{part}"), theirs.as_ref(), ours.as_ref(), &volatile, &mut out);
        }
        out
    }
}

/// A deliberate difference: `answers | path | reason`, `*` standing for anything.
struct Meant {
    answers: String,
    path: String,
    met: bool,
}

struct Differences(Vec<Meant>);

impl Differences {
    fn read() -> Differences {
        let text = std::fs::read_to_string(folder().join("differences.txt")).expect("the list");
        let lines = text.lines().filter(|l| !l.is_empty() && !l.starts_with('#'));
        let meant = lines.map(|line| {
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [answers, path, reason] = parts[..] else { panic!("not three parts: {line}") };
            let names = ["trap ", "DESIGN §", "part "];
            assert!(names.iter().any(|n| reason.contains(n)), "no trap, section or part: {line}");
            Meant { answers: answers.into(), path: path.into(), met: false }
        });
        Differences(meant.collect())
    }

    /// Whether somebody meant this difference.
    fn knows(&mut self, answer: &str, path: &str) -> bool {
        let mut known = false;
        for meant in &mut self.0 {
            if fits(&meant.answers, answer) && fits(&meant.path, path) {
                meant.met = true;
                known = true;
            }
        }
        known
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let (first, rest) = pattern.split_once('*').map_or((pattern, None), |(a, b)| (a, Some(b)));
    let Some(left) = text.strip_prefix(first) else {
        return false;
    };
    match rest {
        None => left.is_empty(),
        Some(rest) => {
            (0..=left.len()).any(|at| left.is_char_boundary(at) && fits(rest, &left[at..]))
        }
    }
}

/// Everything that was found so far.
struct Replay {
    meant: Differences,
    asked: BTreeSet<String>,
    faults: Vec<String>,
}

impl Replay {
    async fn ask(&mut self, name: &str, at: (&Home, &Caller), id: &str, key: &str) -> Value {
        let (home, caller) = at;
        let golden = Golden::named(name, home);
        let ours = golden.ask(caller, id, key).await;
        for (path, what) in golden.differences(&ours) {
            if !self.meant.knows(&golden.name, &path) {
                self.faults.push(format!("{path} | {what} | {name}"));
            }
        }
        self.asked.insert(name.to_owned());
        ours
    }

    async fn all(&mut self, names: &[&str], at: (&Home, &Caller)) {
        for name in names {
            self.ask(name, at, "", "").await;
        }
    }
}

#[tokio::test]
async fn each_recorded_answer_is_ours_but_for_what_is_meant() {
    let meant = Differences::read();
    let mut replay = Replay { meant, asked: BTreeSet::new(), faults: Vec::new() };
    nothing_there(&mut replay).await;
    keys(&mut replay).await;
    two_sessions(&mut replay).await;
    turns(&mut replay).await;
    capabilities(&mut replay).await;
    mcps(&mut replay).await;
    files(&mut replay).await;
    workspaces(&mut replay).await;
    cli_sessions(&mut replay).await;
    overseer(&mut replay).await;
    let files = std::fs::read_dir(folder().join("predecessor")).expect("a folder").flatten();
    for file in files {
        let name = file.file_name().into_string().expect("text");
        let name = name.trim_end_matches(".json");
        if !replay.asked.contains(name) {
            replay.faults.push(format!("{name} was not asked"));
        }
    }
    for line in replay.meant.0.iter().filter(|line| !line.met) {
        replay.faults.push(format!("no longer so: {} | {}", line.answers, line.path));
    }
    replay.faults.sort();
    assert!(replay.faults.is_empty(), "\n{}\n", replay.faults.join("\n"));
}

async fn nothing_there(replay: &mut Replay) {
    let home = Home::new();
    let server = home.server().await;
    let names = [
        "root",
        "health",
        "health_detailed",
        "error_404",
        "error_405",
        "error_422_body",
        "error_422_not_json",
        "error_422_query",
        "error_422_query_type",
        "cors_get",
        "cors_preflight_localhost",
        "cors_preflight_other",
        "sessions_empty",
        "chat_stats_empty",
        "chat_active_streams",
        "chat_empty_message",
        "chat_untrusted_no_docker",
    ];
    replay.all(&names, (&home, &server.local())).await;
}

async fn keys(replay: &mut Replay) {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    let at = (&home, &local);
    replay.all(&["auth_keys_list_empty", "auth_keys_create_empty_label"], at).await;
    let made = replay.ask("auth_keys_create", at, "", "").await;
    let text = |name: &str| made["body"][name].as_str().expect("text").to_owned();
    let (id, key) = (text("id"), text("key"));
    for name in [
        "auth_keys_list",
        "auth_settings",
        "auth_settings_put_bad",
        "auth_settings_put_always",
        "auth_always_no_key_401",
        "auth_always_bad_key_401",
        "auth_always_health_open",
        "auth_always_key_ok",
        "auth_always_bearer_ok",
        "auth_keys_list_after_use",
    ] {
        replay.ask(name, at, &id, &key).await;
    }
    // In mode `always` this is the owner's to say, or theirs who have a key (trap 5).
    let owner = server.owner();
    for name in ["auth_settings_put_remote", "auth_keys_delete", "auth_keys_delete_again_404"] {
        replay.ask(name, (&home, &owner), &id, &key).await;
    }
}

async fn two_sessions(replay: &mut Replay) {
    let home = Home::new();
    past::leave_in(&home);
    let server = home.server().await;
    let names = [
        "sessions_two",
        "sessions_two_module_daily",
        "sessions_two_offset1",
        "sessions_two_search",
        "sessions_archived",
        "chat_stats_two",
        "session_existing",
        "session_existing_no_transcript",
        "session_missing_404",
        "transcript_existing",
        "transcript_full",
        "transcript_segment0",
        "transcript_missing_404",
        "session_abort_404",
        "session_answer_404",
        "session_inject_404",
        "session_archive",
        "session_unarchive",
        "session_config_patch",
        "session_config_patch_bad",
        "session_config_patch_empty",
        "session_activate",
        "session_activate_again_400",
        "session_delete",
        "session_delete_again_404",
    ];
    replay.all(&names, (&home, &server.local())).await;
}

async fn turns(replay: &mut Replay) {
    let home = Home::new();
    let server = home.server().await;
    let local = server.local();
    let at = (&home, &local);
    let begun = replay.ask("chat_turn_new", at, "", "").await;
    let session = begun["events"][0]["sessionId"].as_str().expect("a session").to_owned();
    for name in [
        "chat_turn_resume",
        "session_after_chat",
        "transcript_after_chat",
        "session_permissions",
        "session_stream_status",
    ] {
        replay.ask(name, at, &session, "").await;
    }
    let names = [
        "chat_turn_separate_messages",
        "chat_turn_stream_events",
        "chat_turn_partial_flag",
        "chat_turn_tools",
        "chat_turn_error_result",
        "chat_turn_cli_exit1",
        "chat_turn_garbage",
        "chat_unknown_session",
        "chat_unknown_workspace",
        "chat_unknown_agent",
    ];
    replay.all(&names, at).await;
}

async fn capabilities(replay: &mut Replay) {
    let home = Home::new();
    let server = home.server().await;
    let names = [
        "skills_empty",
        "skill_create",
        "skill_get",
        "skills_one",
        "skill_delete",
        "skill_404",
        "agents_empty",
        "agent_create",
        "agent_get",
        "agents_one",
        "agent_delete",
        "agent_404",
        "plugins",
    ];
    replay.all(&names, (&home, &server.local())).await;
}

async fn mcps(replay: &mut Replay) {
    let home = Home::new();
    let server = home.server().await;
    let names = [
        "mcps",
        "mcp_create",
        "mcp_create_http",
        "mcps_three",
        "mcp_get",
        "mcp_delete",
        "mcp_404",
        "mcp_create_bad",
    ];
    replay.all(&names, (&home, &server.local())).await;
}

async fn files(replay: &mut Replay) {
    let home = Home::new();
    for folder in ["Chat", "Daily"] {
        std::fs::create_dir_all(home.vault().join(folder)).expect("a folder");
    }
    let server = home.server().await;
    let names = [
        "write",
        "write_outside",
        "read",
        "read_404",
        "read_outside",
        "ls",
        "ls_404",
        "ls_hidden",
        "sync_manifest",
    ];
    replay.all(&names, (&home, &server.local())).await;
}

async fn workspaces(replay: &mut Replay) {
    let home = Home::new();
    let server = home.server().await;
    let names = [
        "workspaces_empty",
        "workspace_create",
        "workspace_create_again",
        "workspaces_one",
        "workspace_get",
        "workspace_put",
        "workspace_sessions",
        "workspace_delete",
        "workspace_404",
        "capabilities",
        "hooks",
        "hooks_errors",
        "contexts_folders",
        "prompt_preview",
        "module_prompt",
        "module_stats",
        "brain_search",
        "modules",
        "daily_entries",
        "daily_entry_create",
    ];
    replay.all(&names, (&home, &server.local())).await;
    let mut home = Home::new();
    home.env.remove("ANTHROPIC_API_KEY");
    let server = home.server().await;
    replay.all(&["models_no_key", "usage"], (&home, &server.local())).await;
}

async fn cli_sessions(replay: &mut Replay) {
    let home = Home::new();
    past::leave_in(&home);
    // Where the predecessor's own home had it.
    let vault = home.vault().canonicalize().expect("there");
    let folder = vault.to_str().expect("text").replace('/', "-");
    let projects = home.path("h/.claude/projects");
    std::fs::rename(projects.join("-vault"), projects.join(folder)).expect("moved");
    let server = home.server().await;
    let local = server.local();
    let say = async |message: &str, session: Option<&str>| {
        let body = json!({ "message": message, "sessionId": session });
        local.chat("", &body).await.whole().await.session()
    };
    let first = say("First session\nsecond line @@{\"n\":3,\"mode\":\"cumulative\"}@@", None).await;
    say("again @@{\"n\":1}@@", Some(&first)).await;
    for message in [
        "two blocks @@{\"n\":3}@@",
        "auto @@{\"n\":5,\"mode\":\"auto\"}@@",
        "stream @@{\"n\":3,\"mode\":\"stream\"}@@",
        "tools @@{\"n\":2,\"tools\":2}@@",
        "fails @@{\"n\":2,\"fail\":\"exit1\"}@@",
        "fails @@{\"n\":2,\"fail\":\"error_result\"}@@",
        "fails @@{\"n\":2,\"fail\":\"garbage\"}@@",
        "who @@{\"n\":1}@@",
        "x @@{\"n\":1}@@",
    ] {
        say(message, None).await;
    }
    replay.all(&["claude_code_projects", "claude_code_recent"], (&home, &local)).await;
}

async fn overseer(replay: &mut Replay) {
    let mut home = Home::new();
    home.env.remove("ANTHROPIC_API_KEY");
    home.config("port: 3333\nhost: 127.0.0.1\ndefault_model: claude-sonnet-4-5-20250929\n");
    let supervisor = Supervisor::start(&home).await;
    let owner = supervisor.owner();
    let at = (&home, &owner);
    let names = [
        "supervisor_404",
        "supervisor_config",
        "supervisor_config_put_bad_model",
        "supervisor_config_put_no_values",
        "supervisor_config_put",
        "supervisor_config_after_put",
        "supervisor_logs_no_file",
        "supervisor_logs_bad_lines",
        "supervisor_models_no_key",
        "supervisor_root",
        "supervisor_status_main_down",
        "supervisor_server_stop",
    ];
    replay.all(&names, at).await;
    let put = "api_key: k\nclaude_code_oauth_token: t\nother_secret: seen\n";
    home.config(&format!("port: 3333\nhost: 127.0.0.1\ndefault_model: claude-opus-4-6\n{put}"));
    replay.ask("supervisor_config_redacted", at, "", "").await;
    let folder = home.path("s/parachute/logs");
    std::fs::create_dir_all(&folder).expect("a folder");
    let key = "para_0123456789abcdefghijklmnopqrstuv";
    let lines = format!(
        "2026-01-01 00:00:00,000 - x - INFO - one\nkey {key} CLAUDE_CODE_OAUTH_TOKEN=abc def\n\
         path /Users/somebody/x quote \" tab\t end\nlast without newline"
    );
    std::fs::write(folder.join("server.log"), lines).expect("written");
    replay.all(&["supervisor_logs_default", "supervisor_logs_3"], at).await;
    // A server that somebody else started.
    let _server = home.server().await;
    replay.ask("supervisor_status", at, "", "").await;
}
