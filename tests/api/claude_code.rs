//! Sessions of the Claude CLI through their doors (contract-extended §1.12, §5.5).

use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const FIRST: &str = "00000000-0000-4000-8000-0000000000a1";
const SECOND: &str = "00000000-0000-4000-8000-0000000000a2";

/// Two messages, a tool between them, in this folder.
fn told(cwd: &str, words: &str, day: u8) -> String {
    let at = |second: u8| format!("2026-01-{day:02}T10:00:{second:02}.000Z");
    let text = |words: &str| json!([{ "type": "text", "text": words }]);
    let answer = |content: Value| {
        let model = "claude-opus-5-5";
        json!({ "id": "msg_1", "role": "assistant", "model": model, "content": content })
    };
    let call = json!([{ "type": "tool_use", "id": "t", "name": "Read", "input": {} }]);
    let result = json!([{ "type": "tool_result", "tool_use_id": "t", "content": "ok" }]);
    let lines = [
        json!({ "type": "mode", "mode": "default" }),
        json!({ "type": "user", "cwd": cwd, "timestamp": at(1),
            "message": { "role": "user", "content": words } }),
        json!({ "type": "assistant", "cwd": cwd, "timestamp": at(2), "message": answer(call) }),
        json!({ "type": "user", "cwd": cwd, "timestamp": at(3),
            "message": { "role": "user", "content": result } }),
        json!({ "type": "assistant", "cwd": cwd, "timestamp": at(4),
            "message": answer(text("an answer")) }),
    ];
    lines.map(|line| line.to_string() + "\n").concat()
}

fn put(home: &Home, project: &str, id: &str, text: &str) -> PathBuf {
    let folder = home.path("h/.claude/projects").join(project);
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(format!("{id}.jsonl"));
    fs::write(&file, text).expect("written");
    file
}

fn ids(answer: &Value) -> Vec<&str> {
    let list = answer["sessions"].as_array().expect("a list");
    list.iter().map(|s| s["sessionId"].as_str().expect("an id")).collect()
}

async fn list(caller: &Caller, path: &str) -> Value {
    let answer = caller.get(path).await;
    assert_eq!(answer.status, 200, "{path}");
    answer.json()
}

#[tokio::test]
async fn trap_t86_a_folder_with_a_hyphen_keeps_it() {
    let home = Home::new();
    put(&home, "-h-my-notes-v1-2", FIRST, &told("/h/my-notes/v1.2", "one", 1));
    put(&home, "-h-my-notes-v1-2", SECOND, &told("/h/my-notes/v1.2", "two", 2));
    // One without a word of where it worked.
    let blind = told("x", "three", 3).replace("\"cwd\"", "\"was\"");
    put(&home, "-h-other", "blind", &blind);
    put(&home, "-h-empty", "empty", "{\"type\":\"summary\",\"summary\":\"nothing\"}\n");
    let server = home.server().await;
    let caller = server.local();
    let projects = list(&caller, "/api/claude-code/projects").await;
    let expected = json!([
        { "encodedName": "-h-empty", "path": "/h/empty", "sessionCount": 1 },
        { "encodedName": "-h-my-notes-v1-2", "path": "/h/my-notes/v1.2", "sessionCount": 2 },
        { "encodedName": "-h-other", "path": "/h/other", "sessionCount": 1 },
    ]);
    assert_eq!(projects["projects"], expected);
    let recent = list(&caller, "/api/claude-code/recent?limit=500").await;
    assert_eq!(ids(&recent), ["blind", SECOND, FIRST]);
    let one = &recent["sessions"][1];
    for (name, value) in [
        ("title", json!("two")),
        ("firstMessage", json!("two")),
        ("cwd", json!("/h/my-notes/v1.2")),
        ("projectPath", json!("/h/my-notes/v1.2")),
        ("projectDisplayName", json!("/h/my-notes/v1.2")),
        ("createdAt", json!("2026-01-02T10:00:01Z")),
        ("lastTimestamp", json!("2026-01-02T10:00:04Z")),
    ] {
        assert_eq!(one[name], value, "{name}");
    }
    assert_eq!(
        (&recent["sessions"][0]["cwd"], &recent["sessions"][0]["projectPath"]),
        (&Value::Null, &json!("/h/other"))
    );
    for path in ["/h/my-notes/v1.2", "-h-my-notes-v1-2", "%2Fh%2Fmy-notes%2Fv1.2"] {
        let found = list(&caller, &format!("/api/claude-code/sessions?path={path}")).await;
        assert_eq!(ids(&found), [SECOND, FIRST], "{path}");
    }
    assert_eq!(ids(&list(&caller, "/api/claude-code/recent?limit=1").await), ["blind"]);
}

#[tokio::test]
async fn trap_t87_counts_and_models_are_true_and_no_folder_is_no_error() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (path, list_of) in
        [("recent", "sessions"), ("projects", "projects"), ("sessions?path=/x", "sessions")]
    {
        let found = list(&caller, &format!("/api/claude-code/{path}")).await;
        assert_eq!(found[list_of], json!([]), "{path}");
    }
    let vault = home.vault().canonicalize().expect("there");
    fs::create_dir_all(vault.join("my-work")).expect("made");
    let cwd = vault.join("my-work");
    put(&home, "-x", FIRST, &told(cwd.to_str().expect("text"), "a question", 1));
    let recent = list(&caller, "/api/claude-code/recent").await;
    let one = &recent["sessions"][0];
    assert_eq!((&one["messageCount"], &one["model"]), (&json!(2), &json!("claude-opus-5-5")));
    // The app sends no body at all.
    let adopt = format!("/api/claude-code/adopt/{FIRST}");
    let adopted = caller.clone().with("content-type", "application/json");
    let adopted = adopted.ask(Method::POST, &adopt, None).await.json();
    assert_eq!((&adopted["messageCount"], &adopted["alreadyAdopted"]), (&json!(2), &json!(false)));
    assert_eq!(adopted["parachuteSessionId"], FIRST);
    let session = caller.get(&format!("/api/chat/{FIRST}")).await.json();
    for (name, value) in [
        ("source", json!("claude-code")),
        ("title", json!("a question")),
        ("messageCount", json!(2)),
        ("model", json!("claude-opus-5-5")),
        ("workingDirectory", json!("/vault/my-work")),
        ("createdAt", json!("2026-01-01T10:00:01Z")),
    ] {
        assert_eq!(session[name], value, "{name}");
    }
    assert_eq!(session["messages"].as_array().map(Vec::len), Some(2));
    let again = caller.post(&adopt, &json!({ "workingDirectory": "nowhere" })).await.json();
    assert_eq!((&again["alreadyAdopted"], again.get("messageCount")), (&json!(true), None));
    // It is gone on with under the same id.
    let body = json!({ "message": "x @@{\"n\":1}@@", "sessionId": FIRST });
    let stream = caller.chat("", &body).await.whole().await;
    assert_eq!(stream.event("session")["sessionResume"]["method"], "sdk_resume");
}

#[tokio::test]
async fn a_session_is_adopted_where_the_caller_says() {
    let home = Home::new();
    put(&home, "-x", FIRST, &told("/gone/for good", "a", 1));
    put(&home, "-x", SECOND, &told("/gone/for good", "b", 1));
    put(&home, "-x", "empty", "{\"type\":\"user\",\"message\":{}}\nno JSON");
    fs::create_dir_all(home.vault().join("there")).expect("made");
    let server = home.server().await;
    let caller = server.local();
    let adopt = async |id: &str, body: Value| {
        caller.post(&format!("/api/claude-code/adopt/{id}"), &body).await
    };
    for (body, status) in [
        (json!({ "workingDirectory": "../h" }), 400),
        (json!({ "workingDirectory": "nowhere" }), 400),
        (json!({ "workingDirectory": 7 }), 422),
        (json!({ "workingDirectory": "there" }), 200),
    ] {
        assert_eq!(adopt(FIRST, body.clone()).await.status, status, "{body}");
    }
    assert_eq!(adopt(SECOND, json!({})).await.status, 200);
    let place = async |id: &str| {
        caller.get(&format!("/api/chat/{id}")).await.json()["workingDirectory"].clone()
    };
    assert_eq!(place(FIRST).await, "/vault/there");
    assert_eq!(place(SECOND).await, "/gone/for good");
    let empty = adopt("empty", json!({})).await;
    assert_eq!(empty.status, 400, "{}", empty.json());
    assert_eq!(adopt("nobody", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_session_is_shown_without_its_tools() {
    let home = Home::new();
    put(&home, "-a", FIRST, &told("/a", "here", 1));
    let file = put(&home, "-b", FIRST, &told("/b", "there", 2));
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
    File::options().append(true).open(file).expect("opened").set_modified(later).expect("set");
    let server = home.server().await;
    let caller = server.local();
    let show = async |query: &str| {
        list(&caller, &format!("/api/claude-code/sessions/{FIRST}{query}")).await
    };
    // The newest of two with one id, unless a folder is named.
    assert_eq!(show("").await["title"], "there");
    let one = show("?path=/a").await;
    assert_eq!((&one["cwd"], &one["model"]), (&json!("/a"), &json!("claude-opus-5-5")));
    assert_eq!(one["createdAt"], "2026-01-01T10:00:01Z");
    let expected = json!([
        { "type": "user", "content": "here", "timestamp": "2026-01-01T10:00:01.000Z" },
        { "type": "assistant", "content": "an answer", "timestamp": "2026-01-01T10:00:04.000Z" },
    ]);
    assert_eq!(one["messages"], expected);
    let nowhere = format!("/api/claude-code/sessions/{FIRST}?path=/c");
    assert_eq!(caller.get(&nowhere).await.status, 404);
}

#[tokio::test]
async fn of_a_session_without_end_the_end_is_shown() {
    let home = Home::new();
    let said = |words: &str| json!({ "type": "user", "message": { "content": words } }).to_string();
    let short = (said("x") + "\n").repeat(1000);
    put(&home, "-a", FIRST, &format!("{short}{}\n{}\n", said(&"x".repeat(16 << 20)), said("y")));
    let server = home.server().await;
    let one = list(&server.local(), &format!("/api/claude-code/sessions/{FIRST}")).await;
    let expected = json!([{ "type": "user", "content": "y", "timestamp": null }]);
    assert_eq!((&one["messages"], &one["leftOut"]), (&expected, &json!(1001)));
}

#[tokio::test]
async fn trap_t13_no_path_and_no_id_leads_out() {
    let home = Home::new();
    put(&home, "-a", FIRST, &told("/a", "inside", 1));
    let outside = told("/a", "outside", 2);
    fs::write(home.path("h/.claude/history.jsonl"), &outside).expect("written");
    fs::write(home.path("h/secret.jsonl"), &outside).expect("written");
    let folder = home.path("h/.claude/projects/-a");
    symlink(home.path("h/secret.jsonl"), folder.join("link.jsonl")).expect("linked");
    symlink(home.path("h"), home.path("h/.claude/projects/-out")).expect("linked");
    fs::create_dir(folder.join("folder.jsonl")).expect("made");
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(ids(&list(&caller, "/api/claude-code/recent").await), [FIRST]);
    for path in ["..", ".", "", "../projects", "-a/..", "-a/../..", "%2F", "-out", "*"] {
        let found = list(&caller, &format!("/api/claude-code/sessions?path={path}")).await;
        assert_eq!(found["sessions"], json!([]), "{path}");
    }
    for id in
        ["history", "secret", "link", "folder", "..%2F..%2Fhistory", "..%2Fhistory", "%00", "a.b"]
    {
        for path in ["", "?path=..", "?path=-out", "?path=-a"] {
            let show = caller.get(&format!("/api/claude-code/sessions/{id}{path}")).await;
            assert_eq!(show.status, 404, "{id}{path}");
            let adopt = format!("/api/claude-code/adopt/{id}{path}");
            assert_eq!(caller.ask(Method::POST, &adopt, None).await.status, 404, "{id}{path}");
        }
    }
    for path in ["recent?limit=0", "recent?limit=501", "recent?limit=x", "sessions"] {
        assert_eq!(caller.get(&format!("/api/claude-code/{path}")).await.status, 422, "{path}");
    }
}

#[tokio::test]
async fn trap_t89_a_file_that_did_not_change_is_not_read_again() {
    let home = Home::new();
    let file = put(&home, "-a", FIRST, &told("/a", "one", 1));
    for n in 0..50 {
        put(&home, "-b", &format!("s{n:02}"), &told("/b", "x", 2));
    }
    let server = home.server().await;
    let caller = server.local();
    let title = async || {
        let found = list(&caller, "/api/claude-code/sessions?path=/a").await;
        found["sessions"][0]["title"].clone()
    };
    assert_eq!(title().await, "one");
    let written = fs::metadata(&file).expect("there").modified().expect("a time");
    let change = |words: &str, at| {
        fs::write(&file, told("/a", words, 1)).expect("written");
        File::options().append(true).open(&file).expect("opened").set_modified(at).expect("set");
    };
    // As long as it was, and as old: nobody looks into it.
    change("two", written);
    assert_eq!(title().await, "one");
    change("two", written + std::time::Duration::from_millis(1));
    assert_eq!(title().await, "two");
    change("three", written + std::time::Duration::from_millis(1));
    assert_eq!(title().await, "three");
    assert_eq!(ids(&list(&caller, "/api/claude-code/recent?limit=500").await).len(), 51);
    assert_eq!(ids(&list(&caller, "/api/claude-code/recent?limit=7").await).len(), 7);
}

#[tokio::test]
async fn what_the_cli_never_wrote_harms_nobody() {
    let home = Home::new();
    put(&home, "-a", FIRST, &told("/a", "good", 1));
    put(&home, "-a", "zeros", &"\0".repeat(100_000));
    put(&home, "-a", "deep", &format!("{}\n{}", "[".repeat(100_000), told("/a", "deep", 2)));
    put(
        &home,
        "-a",
        "odd",
        "{\"type\":\"user\",\"message\":{\"content\":[[{\"text\":{}}]]},\"cwd\":[]}",
    );
    let bytes = [b"\xff\xfe\n".to_vec(), told("/a", "bytes", 3).into_bytes()].concat();
    fs::write(home.path("h/.claude/projects/-a/bytes.jsonl"), bytes).expect("written");
    let pipe = home.path("h/.claude/projects/-a/pipe.jsonl");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("a pipe");
    let server = home.server().await;
    let found = list(&server.local(), "/api/claude-code/recent").await;
    assert_eq!(ids(&found), ["bytes", "deep", FIRST]);
}
