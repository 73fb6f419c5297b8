//! Imports through their doors (contract-extended §1.10, §5.3): what comes of an export in each
//! way it can be handed in, that nothing comes twice, and what is refused. How exports are read
//! is tested in `src/imports`.

use http::Method;
use parachute_tests::{Answer, Caller, Home};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

pub(crate) const CLAUDE: &str = include_str!("../../src/imports/tests/exports/claude.json");
pub(crate) const CHATGPT: &str = include_str!("../../src/imports/tests/exports/chatgpt.json");

pub(crate) fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A conversation of so many messages.
pub(crate) fn conversation(id: &str, messages: usize) -> Value {
    let said = |n: usize| {
        let sender = if n.is_multiple_of(2) { "human" } else { "assistant" };
        json!({ "sender": sender, "text": format!("message {n} of {id}"),
            "created_at": format!("2025-01-01T10:{:02}:{:02}Z", n / 60 % 60, n % 60) })
    };
    let said: Vec<Value> = (0..messages).map(said).collect();
    json!({ "uuid": id, "name": format!("Talk {id}"), "created_at": "2025-01-01T10:00:00Z",
        "updated_at": "2025-01-02T10:00:00Z", "chat_messages": said })
}

/// The folder of `Chat`, as the CLI would name it.
fn sessions_folder(home: &Home) -> PathBuf {
    let chat = home.vault().canonicalize().expect("there").join("Chat");
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = chat.to_str().expect("text").chars().map(plain).collect();
    home.path("h/.claude/projects").join(name)
}

pub(crate) fn transcripts(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(sessions_folder(home)).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
    names.retain(|name| name.ends_with(".jsonl"));
    names.sort();
    names
}

/// All sessions, put away or not.
pub(crate) async fn sessions(caller: &Caller) -> Vec<Value> {
    let mut all = Vec::new();
    for archived in ["false", "true"] {
        let path = format!("/api/chat?limit=1000&archived={archived}");
        let list = caller.get(&path).await.json()["sessions"].take();
        all.extend(list.as_array().expect("a list").clone());
    }
    all
}

/// Total, new, skipped.
pub(crate) fn counts(answer: &Answer) -> (u64, u64, u64) {
    let answer = counted(answer);
    let number = |name: &str| answer[name].as_u64().expect("a number");
    (number("total_conversations"), number("imported_count"), number("skipped_count"))
}

pub(crate) fn counted(answer: &Answer) -> Value {
    let json = answer.json();
    assert_eq!(answer.status, 200, "{json}");
    json
}

/// Nothing of what was sent is kept.
pub(crate) fn nothing_is_left(home: &Home) {
    let left = fs::read_dir(home.path("s/parachute/imports")).expect("a folder").count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn an_export_becomes_sessions_with_their_times_and_places_trap_t88() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "data": value(CLAUDE), "archived": false });
    let answer = caller.post("/api/import", &body).await;
    assert_eq!(counts(&answer), (2, 2, 0));
    assert_eq!((&answer.json()["errors"], &answer.json()["problem"]), (&json!([]), &Value::Null));
    let id = answer.json()["session_ids"][0].as_str().expect("an id").to_owned();
    let trip = caller.get(&format!("/api/chat/{id}")).await.json();
    for (name, expected) in [
        ("title", json!("A trip to Łódź")),
        ("source", json!("claude")),
        ("module", json!("chat")),
        ("workingDirectory", json!("/vault/Chat")),
        ("messageCount", json!(3)),
        ("archived", json!(false)),
        ("createdAt", json!("2025-03-01T08:00:00.123456Z")),
        ("lastAccessed", json!("2025-03-01T08:05:00Z")),
    ] {
        assert_eq!(trip[name], expected, "{name}");
    }
    assert_eq!(trip["metadata"]["original_id"], "c1a0de00-0000-4000-8000-000000000001");
    let said: Vec<(&str, &str)> = trip["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| (m["role"].as_str().expect("text"), m["timestamp"].as_str().expect("text")))
        .collect();
    assert_eq!(
        said,
        [
            ("user", "2025-03-01T08:00:00.123Z"),
            ("assistant", "2025-03-01T08:00:05.000Z"),
            ("user", "2025-03-01T08:05:00.000Z"),
        ]
    );
    // The other one has a title of its first message, and times of its own.
    let all = sessions(&caller).await;
    assert!(all.iter().any(|s| s["title"] == "No title here"), "{all:?}");
    let file = sessions_folder(&home).join(format!("{id}.jsonl"));
    let mode = fs::metadata(&file).expect("a transcript").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&file).expect("text");
    assert!(!text.contains("not a word of it") && !text.contains("not to be told"), "{text}");
    nothing_is_left(&home);
}

#[tokio::test]
async fn nothing_is_imported_twice_trap_t88() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let whole = json!({ "data": value(CLAUDE) });
    assert_eq!(counts(&caller.post("/api/import", &whole).await), (2, 2, 0));
    let before = (sessions(&caller).await, transcripts(&home));
    let again = caller.post("/api/import", &whole).await;
    assert_eq!(counts(&again), (2, 0, 2));
    assert_eq!(
        (&again.json()["duplicate_count"], &again.json()["session_ids"]),
        (&json!(2), &json!([]))
    );
    // In whatever way it comes, and twice in one export.
    let other = format!("{{\"conversations\":{CLAUDE},\"chats\":{CLAUDE}}}");
    let upload = caller.upload("/api/import/file", "x.json", other.as_bytes()).await;
    assert_eq!(counts(&upload), (4, 0, 4));
    assert_eq!((sessions(&caller).await, transcripts(&home)), before);
    assert!(before.0.iter().all(|session| session["archived"] == true));
    // Of the other house, the same id is another conversation.
    let same = json!({ "id": "c1a0de00-0000-4000-8000-000000000001", "mapping": {
        "a": { "message": { "author": { "role": "user" }, "content": { "parts": ["x"] } } } } });
    assert_eq!(counts(&caller.post("/api/import", &json!({ "data": same })).await), (1, 1, 0));
    // What the predecessor imported is known, too.
    let db = rusqlite::Connection::open(home.vault().join("Chat/sessions.db")).expect("a database");
    let row = "INSERT INTO sessions (id, source, created_at, last_accessed, metadata)
        VALUES ('old', 'claude', '2025-01-01', '2025-01-01', ?1), ('odd', 'claude', '', '', 'x')";
    db.execute(row, [r#"{"original_id":"of-old"}"#]).expect("rows");
    let old = json!({ "data": [conversation("of-old", 9), conversation("new", 1)] });
    assert_eq!(counts(&caller.post("/api/import", &old).await), (2, 1, 1));
}

#[tokio::test]
async fn newer_messages_come_unless_somebody_went_on_here() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let import = async |messages: [usize; 2]| {
        let data = [conversation("a", messages[0]), conversation("b", messages[1])];
        counted(&caller.post("/api/import", &json!({ "data": data, "archived": false })).await)
    };
    let first = import([2, 2]).await;
    let ids: Vec<String> = serde_json::from_value(first["session_ids"].clone()).expect("ids");
    // Somebody went on with the second.
    let body = json!({ "message": "and on @@{\"n\":1}@@", "sessionId": ids[1] });
    caller.chat("", &body).await.whole().await;
    let second = import([5, 5]).await;
    assert_eq!(second["session_ids"], json!([ids[0]]));
    for (name, count) in [
        ("imported_count", 0),
        ("updated_count", 1),
        ("duplicate_count", 1),
        ("diverged_count", 1),
        ("skipped_count", 1),
    ] {
        assert_eq!(second[name], count, "{name} of {second}");
    }
    let messages = async |id: &str| {
        let shown = caller.get(&format!("/api/chat/{id}")).await.json();
        let said = shown["messages"].as_array().expect("a list").len();
        (shown["messageCount"].as_u64().expect("a number"), said)
    };
    assert_eq!(messages(&ids[0]).await, (5, 5));
    assert_eq!(messages(&ids[1]).await, (4, 4));
    // An older export changes nothing.
    let third = import([3, 2]).await;
    assert_eq!((&third["updated_count"], &third["duplicate_count"]), (&json!(0), &json!(2)));
    assert_eq!(messages(&ids[0]).await, (5, 5));
}

#[tokio::test]
async fn files_and_archives_of_both_kinds_are_taken() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let upload = async |bytes: &[u8]| caller.upload("/api/import/file", "x", bytes).await;
    assert_eq!(counts(&upload(CHATGPT.as_bytes()).await), (2, 2, 0));
    let archive = crate::skills::archive(&[("users.json", "[]"), ("e/conversations.json", CLAUDE)]);
    let path = "/api/import/file?archived=false";
    assert_eq!(counts(&caller.upload(path, "../../x.zip", &archive).await), (2, 2, 0));
    let all = sessions(&caller).await;
    let named = |title: &str| all.iter().find(|s| s["title"] == title).expect("imported").clone();
    let (bread, trip) = (named("Bread"), named("A trip to Łódź"));
    assert_eq!((&bread["source"], &bread["archived"]), (&json!("chatgpt"), &json!(true)));
    assert_eq!(
        (&bread["createdAt"], &trip["archived"]),
        (&json!("2025-03-01T12:00:00.250000Z"), &json!(false))
    );
    for (bytes, said) in [
        (&b"not json"[..], "this is no export"),
        (b"", "the export breaks off after 0 bytes"),
        (b"{\"conversations\":[", "the export breaks off"),
        (&crate::skills::archive(&[("a.txt", "x")]), "there is no conversations.json"),
        (
            &crate::skills::archive(&[("../conversations.json", CLAUDE)]),
            "there is no conversations",
        ),
        (&archive[..archive.len() / 2], "this is no ZIP archive that can be read"),
    ] {
        let answer = upload(bytes).await;
        let detail = answer.json()["detail"].as_str().expect("a reason").to_owned();
        assert!(answer.status == 400 && detail.starts_with(said), "{} {detail}", answer.status);
    }
    let form = caller.post("/api/import/file", &json!({})).await;
    assert_eq!((form.status, &form.json()["detail"][0]["loc"]), (422, &json!(["body", "file"])));
    assert_eq!(sessions(&caller).await.len(), 4);
    nothing_is_left(&home);
}

#[tokio::test]
async fn what_is_bad_is_named_and_what_is_whole_is_imported() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let good = conversation("good", 2).to_string();
    let text = format!(
        r#"[{good}, {{"uuid":"broken","chat_messages":[nul]}}, 7,
            {{"uuid":"e","chat_messages":[]}}"#
    );
    let answer = caller.upload("/api/import/file", "x.json", text.as_bytes()).await;
    assert_eq!(counts(&answer), (3, 1, 2));
    let json = answer.json();
    assert_eq!((&json["bad_count"], &json["empty_count"]), (&json!(2), &json!(1)));
    let errors: Vec<&str> =
        json["errors"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(errors[0].starts_with("conversation 2 (broken): it cannot be read"), "{errors:?}");
    assert_eq!(errors[1], "conversation 3: it is no object");
    assert!(errors[2].starts_with("the export breaks off after "), "{errors:?}");
    assert_eq!(json["problem"], errors[2]);
    // Mistakes without number fill no memory.
    let many = format!("[{}7]", "7,".repeat(5000));
    let answer = counted(&caller.upload("/api/import/file", "x.json", many.as_bytes()).await);
    assert_eq!(
        (answer["errors"].as_array().map(Vec::len), &answer["bad_count"]),
        (Some(100), &json!(5001))
    );
}

#[tokio::test]
async fn the_body_is_judged_as_the_contract_says() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (body, kind, place) in [
        ("{}", "missing", json!(["body", "data"])),
        ("{\"data\":[],\"archived\":\"yes\"}", "bool_type", json!(["body", "archived"])),
        ("not json", "json_invalid", json!(["body"])),
        ("{\"data\":[", "json_invalid", json!(["body"])),
        ("", "json_invalid", json!(["body"])),
        ("[]", "json_invalid", json!(["body"])),
    ] {
        let answer = caller.ask(Method::POST, "/api/import", Some(body.into())).await;
        let detail = &answer.json()["detail"][0];
        assert_eq!(
            (answer.status, &detail["type"], &detail["loc"]),
            (422, &json!(kind), &place),
            "{body}"
        );
    }
    for data in ["7", "null", "\"x\"", "true"] {
        let body = format!("{{\"data\":{data}}}");
        let answer = caller.ask(Method::POST, "/api/import", Some(body.into())).await;
        assert_eq!(answer.status, 400, "{data}: {}", answer.json());
    }
    // What `archived` says counts, wherever it stands.
    for (archived, at_end) in [(true, true), (false, true), (false, false)] {
        let data = json!([conversation(&format!("{archived}{at_end}"), 1)]);
        let body = match at_end {
            true => format!("{{\"data\":{data},\"archived\":{archived}}}"),
            false => format!("{{\"archived\":{archived},\"data\":{data}}}"),
        };
        let answer = caller.ask(Method::POST, "/api/import", Some(body.into())).await;
        let id = counted(&answer)["session_ids"][0].as_str().expect("an id").to_owned();
        let shown = caller.get(&format!("/api/chat/{id}")).await.json();
        assert_eq!(shown["archived"], archived);
    }
    assert_eq!(counts(&caller.post("/api/import", &json!({ "data": [] })).await), (0, 0, 0));
}

#[tokio::test]
async fn trap_t12_only_files_that_one_may_name_are_imported_by_their_path() {
    let home = Home::new();
    let outside = home.path("h/export.json");
    fs::write(&outside, CLAUDE).expect("written");
    fs::write(home.vault().join("in the vault.json"), CLAUDE).expect("written");
    fs::write(home.vault().join(".parachute/x.json"), CLAUDE).expect("written");
    symlink(&outside, home.vault().join("out.json")).expect("linked");
    symlink(home.path("h"), home.vault().join("out")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let import = async |caller: &Caller, path: &str| {
        let path = percent(path);
        caller.ask(Method::POST, &format!("/api/import/path?path={path}"), None).await
    };
    let text = |path: PathBuf| path.to_str().expect("text").to_owned();
    let refused = import(&caller, &text(outside.clone())).await;
    assert_eq!(refused.status, 403);
    // Nothing tells what is there from what is not.
    for path in [
        text(home.path("h/nowhere.json")),
        "/etc/passwd".into(),
        "/etc/nowhere".into(),
        "../h/export.json".into(),
        "../nowhere".into(),
        "out.json".into(),
        "out/export.json".into(),
        "out/nowhere.json".into(),
        ".parachute/x.json".into(),
        ".parachute/nowhere.json".into(),
        "/vault/../h/export.json".into(),
    ] {
        let answer = import(&caller, &path).await;
        assert_eq!((answer.status, answer.json()), (403, refused.json()), "{path}");
    }
    for path in ["nowhere.json", "/vault/nowhere.json", "Chat"] {
        assert_eq!(import(&caller, path).await.status, 404, "{path}");
    }
    assert_eq!(caller.ask(Method::POST, "/api/import/path", None).await.status, 422);
    assert_eq!(sessions(&caller).await.len(), 0);
    assert_eq!(counts(&import(&caller, "/vault/in the vault.json").await), (2, 2, 0));
    let absolute = text(home.vault().canonicalize().expect("there").join("in the vault.json"));
    assert_eq!(counts(&import(&caller, &absolute).await), (2, 0, 2));
    let owner = server.owner();
    assert_eq!(counts(&import(&owner, &text(outside)).await), (2, 0, 2));
    for path in ["/nowhere.json", "/etc", "/dev/zero"] {
        assert_eq!(import(&owner, path).await.status, 404, "{path}");
    }
    for path in ["../h/export.json", ".parachute/x.json"] {
        assert_eq!(import(&owner, path).await.status, 403, "{path}");
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn what_was_imported_is_found_where_chat_is_a_link() {
    let home = Home::new();
    fs::create_dir(home.vault().join("Talk")).expect("made");
    symlink("Talk", home.vault().join("Chat")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "data": [conversation("a", 2)] });
    assert_eq!(counts(&caller.post("/api/import", &body).await), (1, 1, 0));
    let synced = counted(&caller.ask(Method::POST, "/api/import/sync", None).await);
    assert_eq!((&synced["discovered"], &synced["skipped"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn transcripts_without_a_session_are_taken_up() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let sync = async |query: &str| {
        counted(&caller.ask(Method::POST, &format!("/api/import/sync{query}"), None).await)
    };
    assert_eq!(sync("").await["discovered"], 0);
    let line = |source: &str, time: &str| {
        let said = "Tell me of the sea, and of all that there is to know of it, please";
        json!({ "type": "user", "timestamp": time, "metadata": { "source": source },
            "message": { "role": "user", "content": [{ "type": "text", "text": said }] } })
    };
    let chat = home.vault().canonicalize().expect("there").join("Chat");
    let old = chat.to_str().expect("text").replace('/', "-");
    let folders = [sessions_folder(&home), home.path("h/.claude/projects").join(old)];
    for folder in &folders {
        fs::create_dir_all(folder).expect("made");
    }
    let lines = format!(
        "{}\nno JSON\n{}\n",
        line("claude_web", "2025-01-02T10:00:00+02:00"),
        line("", "2025-01-01T10:00:00Z")
    );
    fs::write(folders[0].join("one.jsonl"), lines).expect("written");
    fs::write(folders[0].join("empty.jsonl"), "").expect("written");
    fs::write(folders[0].join("-no id.jsonl"), "").expect("written");
    let other = line("chatgpt", "2025-01-01T10:00:00Z").to_string();
    fs::write(folders[1].join("two.jsonl"), other).expect("written");
    let synced = sync("?archived=false").await;
    let expected = |all, new, renewed, rest| {
        let errors: [&str; 0] = [];
        json!({ "discovered": all, "synced": new, "updated": renewed, "skipped": rest,
            "errors": errors })
    };
    assert_eq!(synced, expected(3, 2, 0, 1));
    let one = caller.get("/api/chat/one").await.json();
    for (name, value) in [
        ("title", json!("Tell me of the sea, and of all that there is to kn")),
        ("source", json!("claude")),
        ("workingDirectory", json!("/vault/Chat")),
        ("messageCount", json!(2)),
        ("archived", json!(false)),
        ("createdAt", json!("2025-01-01T10:00:00Z")),
        ("lastAccessed", json!("2025-01-02T08:00:00Z")),
    ] {
        assert_eq!(one[name], value, "{name}");
    }
    assert_eq!(caller.get("/api/chat/two").await.json()["source"], "chatgpt");
    assert_eq!(sync("").await, expected(3, 0, 0, 3));
    fs::write(folders[0].join("one.jsonl"), line("", "2025-01-05T10:00:00Z").to_string())
        .expect("written");
    assert_eq!(sync("?force=true").await, expected(3, 0, 2, 1));
    let one = caller.get("/api/chat/one").await.json();
    assert_eq!((&one["messageCount"], &one["archived"]), (&json!(1), &json!(false)));
    assert_eq!(one["createdAt"], "2025-01-05T10:00:00Z");
}

#[tokio::test]
async fn notes_about_a_person_are_counted() {
    let home = Home::new();
    crate::contexts::write(
        &home,
        &[
            ("Chat/contexts/me.md", "# Me\n> Who I am\n## Facts\n- a\n- b\n## History\n* c\n"),
            ("Chat/contexts/plain.md", "words"),
            ("Chat/contexts/.hidden.md", "# x"),
            ("Chat/contexts/other.txt", "# x"),
        ],
    );
    symlink("/etc/passwd", home.vault().join("Chat/contexts/link.md")).expect("linked");
    fs::write(home.vault().join("Chat/contexts/bytes.md"), b"\xff").expect("written");
    let server = home.server().await;
    let found = server.local().get("/api/import/contexts").await.json();
    assert_eq!((&found["total_facts"], &found["total_history_entries"]), (&json!(2), &json!(1)));
    let files = found["files"].as_array().expect("a list");
    assert_eq!(files.len(), 2, "{found}");
    assert_eq!(
        (&files[0]["path"], &files[0]["name"]),
        (&json!("Chat/contexts/me.md"), &json!("Me"))
    );
    assert_eq!(
        (&files[0]["is_native_format"], &files[1]["is_native_format"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn the_real_cli_goes_on_with_what_was_imported() {
    let Some(home) = Home::real() else { return };
    let server = home.server().await;
    let caller = server.local();
    let answer = caller.post("/api/import", &json!({ "data": value(CLAUDE) })).await;
    let id = counted(&answer)["session_ids"][0].as_str().expect("an id").to_owned();
    let body = json!({ "message": "and back again?", "sessionId": id });
    let stream = caller.chat("", &body).await.whole().await;
    assert_eq!(stream.session(), id, "{:?}", stream.kinds());
    assert_eq!(stream.event("done")["messageCount"], 5, "{:?}", stream.events);
    let api = home.env["ANTHROPIC_BASE_URL"].trim_start_matches("http://").parse();
    let asked = Caller::tcp(api.expect("an address")).get("/__scripted/requests").await;
    let text = String::from_utf8(asked.body.to_vec()).expect("text");
    for said in
        ["How do I get there?", "From Warsaw it is an hour.", "Thank you", "and back again?"]
    {
        assert!(text.contains(said), "{said} was not told to the model");
    }
    // It goes on in the same file, and is told as one conversation.
    let shown = caller.get(&format!("/api/chat/{id}")).await.json();
    assert_eq!(shown["messageCount"], 5, "{shown}");
    assert_eq!(transcripts(&home).len(), 2);
    let transcript = caller.get(&format!("/api/chat/{id}/transcript")).await.json();
    assert_eq!(transcript["segments"][0]["preview"], "How do I get there?");
}
