//! Context folders: their doors, and that a turn is told what they lead to (contract-extended
//! §1.8, contract-core §5.2).

use http::Method;
use parachute_tests::{Answer, Caller, Home, Stream};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

/// Puts notes into the vault.
pub(crate) fn write(home: &Home, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = home.vault().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
}

/// A turn whose answer is what the model was told.
pub(crate) async fn told(caller: &Caller, mut body: Value) -> (Stream, String) {
    body["message"] = "x @@{\"told\":true}@@".into();
    let stream = caller.chat("", &body).await.whole().await;
    let response = stream.event("done")["response"].as_str().expect("text").to_owned();
    (stream, response)
}

async fn session(caller: &Caller) -> String {
    caller.chat("", &json!({ "message": "x @@{\"n\":1}@@" })).await.whole().await.session()
}

async fn put(caller: &Caller, id: &str, paths: &Value) -> Answer {
    let body = json!({ "folder_paths": paths });
    caller.send(Method::PUT, &format!("/api/contexts/session/{id}"), &body).await
}

async fn kept(caller: &Caller, id: &str) -> Value {
    caller.get(&format!("/api/contexts/session/{id}")).await.json()["folder_paths"].clone()
}

fn paths(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|f| f["path"].as_str().expect("text")).collect()
}

#[tokio::test]
async fn folders_with_something_to_say_are_found() {
    let home = Home::new();
    write(
        &home,
        &[
            ("CLAUDE.md", "root"),
            ("b/my-notes/AGENTS.md", "x"),
            ("b/my-notes/CLAUDE.md", "x"),
            ("a/CLAUDE.md", "x"),
            (".git/CLAUDE.md", "x"),
            ("a/node_modules/m/CLAUDE.md", "x"),
            ("c/notes.md", "x"),
        ],
    );
    symlink(home.vault(), home.vault().join("a/loop")).expect("linked");
    let server = home.server().await;
    let found = server.local().get("/api/contexts/folders").await.json();
    assert_eq!(paths(&found["folders"]), ["", "a", "b/my-notes"]);
    assert_eq!(found["count"], 3);
    let names = |at: usize| found["folders"][at]["display_name"].clone();
    assert_eq!((names(0), names(2)), (json!("Root"), json!("My Notes")));
    assert_eq!(found["folders"][0]["context_file"], "CLAUDE.md");
    assert_eq!(found["folders"][2]["context_file"], "AGENTS.md");
}

#[tokio::test]
async fn a_chain_takes_raw_and_encoded_commas_and_spaces() {
    let home = Home::new();
    let text = "x".repeat(400);
    write(&home, &[("a b/CLAUDE.md", &text), ("c/AGENTS.md", "12345678"), ("n.md", "note")]);
    let server = home.server().await;
    let caller = server.local();
    for query in ["a%20b,c,n.md", "a%20b%2Cc%2Cn.md", "a+b,c,n.md", "n.md,c,./a%20b/,c"] {
        let chain = caller.get(&format!("/api/contexts/chain?folders={query}")).await.json();
        assert_eq!(paths(&chain["files"]), ["a b/CLAUDE.md", "c/AGENTS.md", "n.md"], "{query}");
        assert_eq!((&chain["total_tokens"], &chain["truncated"]), (&json!(103), &json!(false)));
        assert_eq!(chain["files"][0]["folder_path"], "a b");
        assert_eq!(chain["files"][0]["level"], "direct");
    }
    let small = caller.get("/api/contexts/chain?folders=a%20b,c&max_tokens=50").await.json();
    assert_eq!(small["truncated"], true);
    let none = caller.get("/api/contexts/chain?folders=,gone").await.json();
    assert_eq!(none["files"][0]["exists"], false);
    assert_eq!(caller.get("/api/contexts/chain").await.status, 422);
    for tokens in ["-1", "x", "1000001"] {
        let query = format!("/api/contexts/chain?folders=c&max_tokens={tokens}");
        assert_eq!(caller.get(&query).await.status, 422, "{tokens}");
    }
}

#[tokio::test]
async fn what_is_not_in_the_vault_or_hidden_is_refused_at_every_door_t_19() {
    let home = Home::new();
    std::fs::write(home.path("CLAUDE.md"), "outside").expect("written");
    write(&home, &[(".parachute/CLAUDE.md", "hidden")]);
    symlink(home.path("h"), home.vault().join("out")).expect("linked");
    symlink(".parachute", home.vault().join("in")).expect("linked");
    std::fs::write(home.path("h/CLAUDE.md"), "outside").expect("written");
    let server = home.server().await;
    let caller = server.local();
    let id = session(&caller).await;
    let absolute = home.path("h").display().to_string();
    for path in ["..", "../..", "a/../../x", "/etc", absolute.as_str(), ".parachute", "a/.git"] {
        let encoded = path.replace('/', "%2F");
        let chain = caller.get(&format!("/api/contexts/chain?folders={encoded}")).await;
        assert_eq!(chain.status, 400, "{path}: {}", chain.json());
        assert_eq!(put(&caller, &id, &json!(["ok", path])).await.status, 400, "{path}");
        let add = format!("/api/contexts/session/{id}/add?folder_path={encoded}");
        assert_eq!(caller.ask(Method::POST, &add, None).await.status, 400, "{path}");
    }
    for path in ["out", "in", "in/x", "out/CLAUDE.md"] {
        assert_eq!(put(&caller, &id, &json!([path])).await.status, 400, "{path}");
        let chain = caller.get(&format!("/api/contexts/chain?folders={path}")).await.json();
        assert_eq!(chain["total_tokens"], 0, "{path}: {chain}");
    }
    assert_eq!(kept(&caller, &id).await, json!([]));
    let outside = json!({ "contexts": ["..", "out", "in", absolute, ".parachute", "../../*.md"] });
    let (stream, told) = told(&caller, outside).await;
    assert!(!told.contains("outside") && !told.contains("hidden"), "{told}");
    assert_eq!(stream.event("prompt_metadata")["contextFiles"], json!([]));
    let warned = stream.event("warning");
    assert_eq!(
        (&warned["code"], warned["details"].as_array().map(Vec::len)),
        (&json!("contexts"), Some(5))
    );
}

#[tokio::test]
async fn a_sessions_contexts_are_kept_once_each() {
    let home = Home::new();
    write(&home, &[("a/CLAUDE.md", "x")]);
    let server = home.server().await;
    let caller = server.local();
    let id = session(&caller).await;
    assert_eq!(kept(&caller, &id).await, json!([]));
    let set = put(&caller, &id, &json!(["b", "", "a", "a/", "b", "Chat/contexts/x.md"])).await;
    assert_eq!(set.status, 200);
    let expected = json!({ "session_id": id, "folder_paths": ["b", "", "a", "Chat/contexts/x.md"],
        "chain": null });
    assert_eq!(set.json(), expected);
    assert_eq!(kept(&caller, &id).await, json!(["", "Chat/contexts/x.md", "a", "b"]));
    let at = format!("/api/contexts/session/{id}");
    let chain = caller.get(&format!("{at}?include_chain=true")).await.json()["chain"].clone();
    assert_eq!(chain["total_tokens"], 0);
    assert_eq!(chain["files"].as_array().map(Vec::len), Some(4));
    let add = format!("{at}/add?folder_path=c%2Fd");
    for _ in 0..2 {
        let added = caller.ask(Method::POST, &add, None).await;
        assert_eq!(
            (added.status, added.json()["folder_paths"].as_array().map(Vec::len)),
            (200, Some(5))
        );
    }
    let remove = format!("{at}/remove?folder_path=c/d");
    for _ in 0..2 {
        let removed = caller.ask(Method::DELETE, &remove, None).await;
        assert_eq!((removed.status, &removed.json()["folder_paths"][0]), (200, &json!("")));
        assert_eq!(removed.json()["folder_paths"].as_array().map(Vec::len), Some(4));
    }
    assert_eq!(put(&caller, &id, &json!([])).await.status, 200);
    assert_eq!(kept(&caller, &id).await, json!([]));
    let many: Vec<String> = (0..101).map(|n| format!("f{n}")).collect();
    assert_eq!(put(&caller, &id, &json!(many)).await.status, 400);
    assert_eq!(put(&caller, &id, &json!(many[..100])).await.status, 200);
    assert_eq!(caller.ask(Method::POST, &add, None).await.status, 400);
    for wrong in [json!("a"), json!([1]), Value::Null] {
        assert_eq!(put(&caller, &id, &wrong).await.status, 422, "{wrong}");
    }
    assert_eq!(caller.ask(Method::POST, &format!("{at}/add"), None).await.status, 422);
}

#[tokio::test]
async fn a_session_that_is_not_there_has_no_contexts_t_85() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for id in ["00000000-0000-4000-8000-00000000000f", "..%2fx", "a%20b", "%00"] {
        let at = format!("/api/contexts/session/{id}");
        assert_eq!(caller.get(&at).await.status, 404, "{id}");
        assert_eq!(put(&caller, id, &json!(["a"])).await.status, 404, "{id}");
        let add = format!("{at}/add?folder_path=a");
        assert_eq!(caller.ask(Method::POST, &add, None).await.status, 404, "{id}");
        let remove = format!("{at}/remove?folder_path=a");
        assert_eq!(caller.ask(Method::DELETE, &remove, None).await.status, 404, "{id}");
    }
    let id = session(&caller).await;
    put(&caller, &id, &json!(["a"])).await;
    caller.ask(Method::DELETE, &format!("/api/chat/{id}"), None).await;
    let db = rusqlite::Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    let left: i64 = db
        .query_row("SELECT count(*) FROM session_contexts", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn stored_contexts_are_told_in_every_turn_with_the_requests_trap_78() {
    let home = Home::new();
    write(&home, &[("a/CLAUDE.md", "WORDS OF A"), ("b/CLAUDE.md", "WORDS OF B"), ("n.md", "NOTE")]);
    let server = home.server().await;
    let caller = server.local();
    let id = session(&caller).await;
    put(&caller, &id, &json!(["a"])).await;
    let (stream, words) = told(&caller, json!({ "sessionId": id })).await;
    assert!(words.contains("WORDS OF A") && !words.contains("WORDS OF B"), "{words}");
    assert_eq!(stream.event("prompt_metadata")["contextFiles"], json!(["a/CLAUDE.md"]));
    let both = json!({ "sessionId": id, "contexts": ["b", "a", "n.md"] });
    let (stream, words) = told(&caller, both).await;
    for part in ["WORDS OF A", "WORDS OF B", "NOTE"] {
        assert_eq!(words.matches(part).count(), 1, "{part} in {words}");
    }
    let metadata = stream.event("prompt_metadata");
    assert_eq!(metadata["contextFiles"], json!(["a/CLAUDE.md", "b/CLAUDE.md", "n.md"]));
    assert_eq!(metadata["contextTokens"], 2 + 2 + 1);
    assert_eq!(metadata["contextTruncated"], false);
    // A request's own are not kept.
    assert_eq!(kept(&caller, &id).await, json!(["a"]));
}

#[tokio::test]
async fn the_apps_root_context_tells_the_vaults_prompt_once_trap_60() {
    let home = Home::new();
    write(&home, &[("CLAUDE.md", "WORDS OF THE VAULT")]);
    let server = home.server().await;
    let caller = server.local();
    let (stream, words) = told(&caller, json!({ "contexts": [""] })).await;
    assert_eq!(words.matches("WORDS OF THE VAULT").count(), 1, "{words}");
    put(&caller, &stream.session(), &json!([""])).await;
    let body = json!({ "contexts": [""], "sessionId": stream.session() });
    let (stream, words) = told(&caller, body).await;
    assert_eq!(words.matches("WORDS OF THE VAULT").count(), 1, "{words}");
    let metadata = stream.event("prompt_metadata");
    assert_eq!(metadata["promptSourcePath"], "CLAUDE.md");
    assert_eq!(metadata["contextFiles"], json!(["CLAUDE.md"]));
    assert_eq!(metadata["totalPromptTokens"], 18 / 4);
}

#[tokio::test]
async fn what_the_predecessor_stored_unseen_leads_nowhere_t_19() {
    let home = Home::new();
    crate::past::leave_in(&home);
    std::fs::write(home.path("CLAUDE.md"), "outside").expect("written");
    let mut server = home.server().await;
    let db = rusqlite::Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    let row = "INSERT INTO session_contexts (session_id, folder_path) VALUES (?1, '..')";
    db.execute(row, [crate::past::FIRST]).expect("a row");
    drop(db);
    server.restart();
    let caller = server.local();
    let (stream, words) = told(&caller, json!({ "sessionId": crate::past::FIRST })).await;
    assert!(!words.contains("outside"), "{words}");
    assert_eq!(stream.event("warning")["code"], "contexts");
    let at = format!("/api/contexts/session/{}", crate::past::FIRST);
    let shown = caller.get(&format!("{at}?include_chain=true")).await.json();
    assert_eq!((&shown["folder_paths"], &shown["chain"]["files"]), (&json!([".."]), &json!([])));
    let gone = caller.ask(Method::DELETE, &format!("{at}/remove?folder_path=.."), None).await;
    assert_eq!(gone.json()["folder_paths"], json!([]));
}
