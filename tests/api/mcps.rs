//! MCP servers through their doors (contract-extended §1.2, §4.9): put down and taken away in a
//! file that its owner edits, too; shown without secrets. How they are tried is in
//! `mcps_tried.rs`, names by the thousand in `hostile.rs`.

use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

fn file(home: &Home) -> PathBuf {
    home.vault().join(".mcp.json")
}

fn write(home: &Home, text: &str) {
    fs::write(file(home), text).expect("written");
}

fn read(home: &Home) -> String {
    fs::read_to_string(file(home)).expect("a file")
}

fn written(home: &Home) -> Value {
    serde_json::from_str(&read(home)).expect("JSON")
}

async fn names(caller: &Caller) -> Vec<String> {
    let list = caller.get("/api/mcps").await.json();
    let servers = list["servers"].as_array().expect("a list").iter();
    servers.map(|server| server["name"].as_str().expect("text").to_owned()).collect()
}

async fn delete(caller: &Caller, name: &str) -> u16 {
    caller.ask(Method::DELETE, &format!("/api/mcps/{name}"), None).await.status
}

#[tokio::test]
async fn traps_t68_and_102_both_shapes_of_a_body_are_taken() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for body in [
        json!({ "name": "wrapped", "config": { "command": "echo", "args": ["hi"] } }),
        json!({ "name": "flat", "command": "echo", "args": ["hi"] }),
        json!({ "name": "both", "config": null, "command": "echo", "args": ["hi"] }),
    ] {
        let saved = caller.post("/api/mcps", &body).await;
        assert_eq!(saved.status, 200, "{}", saved.json());
        let name = body["name"].as_str().expect("text");
        let is = json!({
            "name": name, "builtin": false, "command": "echo", "args": ["hi"],
            "displayType": "stdio", "displayCommand": "echo hi",
        });
        assert_eq!(saved.json(), json!({ "success": true, "server": is }));
        assert_eq!(caller.get(&format!("/api/mcps/{name}")).await.json(), is);
    }
    let remote = json!({ "name": "remote", "url": "http://x.test/mcp" });
    let saved = caller.post("/api/mcps", &remote).await.json();
    assert_eq!(saved["server"]["displayType"], "http");
    assert_eq!(names(&caller).await, ["wrapped", "flat", "both", "remote"]);
    let config = json!({ "command": "echo", "args": ["hi"] });
    let is = json!({ "mcpServers": {
        "wrapped": config, "flat": config, "both": config, "remote": { "url": "http://x.test/mcp" },
    } });
    assert_eq!(written(&home), is);
    let mode = fs::metadata(file(&home)).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "there may be keys in it");
}

#[tokio::test]
async fn trap_t69_a_server_is_where_the_others_are_and_goes_when_it_is_deleted() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let wrapped = "{\n    'mcpServers': {\n        'b': {\n            \
                   'command': 'b',\n            '_mine': 1\n        }\n    },\n    \
                   'other': true\n}";
    let added = "\n        },\n        'a': {\n            'command': 'a'\n        }\n    },";
    let top = "{\n\t'$schema': 'x',\n\t'b': {\n\t\t'command': 'b'\n\t}\n}\n";
    let added_at_top = "\n\t},\n\t'a': {\n\t\t'command': 'a'\n\t}\n}";
    for (before, after) in [
        (wrapped, wrapped.replace("\n        }\n    },", added)),
        (top, top.replace("\n\t}\n}", added_at_top)),
    ] {
        let (before, after) = (before.replace('\'', "\""), after.replace('\'', "\""));
        write(&home, &before);
        fs::set_permissions(file(&home), fs::Permissions::from_mode(0o640)).expect("a mode");
        let new = json!({ "name": "a", "command": "a" });
        assert_eq!(caller.post("/api/mcps", &new).await.status, 200);
        assert_eq!(read(&home), after);
        assert_eq!(delete(&caller, "a").await, 200);
        assert_eq!(read(&home), before);
        assert_eq!(delete(&caller, "a").await, 404);
        let mode = fs::metadata(file(&home)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(delete(&caller, "b").await, 200);
        assert_eq!(names(&caller).await, Vec::<String>::new());
    }
    for name in ["other", "$schema", "mcpServers"] {
        assert_eq!(delete(&caller, name).await, 404, "{name}");
    }
}

#[tokio::test]
async fn trap_59_and_t70_an_edit_by_hand_counts_at_once() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(names(&caller).await, Vec::<String>::new());
    write(&home, r#"{"one":{"command":"x","name":"other","builtin":true,"displayType":"y"}}"#);
    let one = caller.get("/api/mcps/one").await.json();
    assert_eq!((&one["name"], &one["builtin"]), (&json!("one"), &json!(false)));
    assert_eq!(one["displayType"], "stdio");
    write(&home, r#"{"mcpServers":{"two":{"url":"http://x.test"}},"one":{"command":"x"}}"#);
    assert_eq!(names(&caller).await, ["two"]);
    fs::remove_file(file(&home)).expect("removed");
    assert_eq!(names(&caller).await, Vec::<String>::new());
    assert_eq!(caller.get("/api/mcps/two").await.status, 404);
}

#[tokio::test]
async fn trap_t14_no_secret_is_shown_and_one_that_was_hidden_is_kept() {
    let mut home = Home::new();
    home.set("A_TOKEN", "canary-1");
    let text = json!({ "mcpServers": {
        "local": {
            "command": "run", "args": ["--token", "canary-2", "$A_TOKEN", "--key=canary-3"],
            "env": { "KEY": "canary-4", "REF": "${A_TOKEN}", "PORT": 8 }, "_note": "mine",
        },
        "remote": {
            "url": "https://user:canary-5@x.test/mcp?key=canary-6",
            "headers": { "Authorization": "Bearer canary-7", "X-Ref": "Bearer ${A_TOKEN}" },
        },
    } });
    write(&home, &(serde_json::to_string_pretty(&text).expect("JSON") + "\n"));
    let before = read(&home);
    let server = home.server().await;
    let caller = server.local();
    for path in ["/api/mcps", "/api/mcps/local", "/api/mcps/remote"] {
        let body = String::from_utf8(caller.get(path).await.body.to_vec()).expect("text");
        assert!(!body.contains("canary"), "{path}: {body}");
        assert!(body.contains("A_TOKEN"), "{path}: {body}");
    }
    for name in ["local", "remote"] {
        let shown = caller.get(&format!("/api/mcps/{name}")).await.json();
        // As it was shown, in both shapes.
        let saved = caller.post("/api/mcps", &shown).await;
        assert_eq!(saved.status, 200, "{}", saved.json());
        assert_eq!(saved.json()["server"], shown);
        let wrapped = json!({ "name": name, "config": shown });
        assert_eq!(caller.post("/api/mcps", &wrapped).await.status, 200);
    }
    assert_eq!(read(&home), before);
    // A change of one thing leaves the hidden rest.
    let mut shown = caller.get("/api/mcps/local").await.json();
    shown["env"]["KEY"] = "new".into();
    assert_eq!(caller.post("/api/mcps", &shown).await.status, 200);
    let mut is = text.clone();
    is["mcpServers"]["local"]["env"]["KEY"] = "new".into();
    assert_eq!(written(&home), is);
    // Where nothing is kept there is nothing to keep.
    for body in [
        json!({ "name": "local", "command": "run", "env": { "OTHER": "[REDACTED]" } }),
        json!({ "name": "new", "command": "run", "env": { "KEY": "[REDACTED]" } }),
        json!({ "name": "remote", "url": "https://[REDACTED]@evil.test/mcp?[REDACTED]" }),
    ] {
        let answer = caller.post("/api/mcps", &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.json());
    }
    assert_eq!(written(&home), is);
}

#[tokio::test]
async fn what_makes_no_server_is_refused_and_changes_nothing() {
    let home = Home::new();
    write(&home, "{\"mcpServers\":{\"odd/name\":{\"command\":\"x\"}}}");
    let server = home.server().await;
    let caller = server.local();
    let before = read(&home);
    for body in [
        json!({}),
        json!([]),
        json!({ "name": "x" }),
        json!({ "name": "x", "config": {} }),
        json!({ "name": "x", "config": [] }),
        json!({ "name": "x", "config": "command" }),
        json!({ "name": 1, "command": "x" }),
        json!({ "command": "x" }),
        json!({ "name": "x", "builtin": false, "displayType": "stdio" }),
        json!({ "name": "x", "args": ["a"] }),
        json!({ "name": "x", "command": "" }),
        json!({ "name": "x", "command": "a\u{0}b" }),
        json!({ "name": "x", "command": "a", "args": "b" }),
        json!({ "name": "x", "command": "a", "env": { "A=B": "c" } }),
        json!({ "name": "x", "url": "file:///etc/passwd" }),
        json!({ "name": "x", "url": "http://x.test", "headers": { "a": "b\r\nc: d" } }),
        json!({ "name": "x", "url": "http://x.test", "auth": "bearer" }),
        json!({ "name": "x", "command": "x", "trust_level": "root" }),
        json!({ "name": "x", "args": ["${NOT_SET}"] }),
        json!({ "name": "x", "type": "ws", "config": { "type": "ws" } }),
        json!({ "name": "", "command": "x" }),
        json!({ "name": "../x", "command": "x" }),
        json!({ "name": "a\nb", "command": "x" }),
        json!({ "name": "mcpServers", "command": "x" }),
        json!({ "name": "x".repeat(300), "command": "x" }),
    ] {
        let answer = caller.post("/api/mcps", &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.json());
        assert!(answer.json()["detail"][0]["loc"].is_array(), "{}", answer.json());
    }
    let large = json!({ "name": "x", "command": "x".repeat(2 << 20) });
    assert_eq!(caller.post("/api/mcps", &large).await.status, 400);
    assert_eq!(read(&home), before);
    // A value may be still to come.
    let later = json!({ "name": "later", "url": "${NOT_SET}/mcp" });
    let saved = caller.post("/api/mcps", &later).await;
    assert_eq!(saved.status, 200, "{}", saved.json());
    assert!(saved.json()["server"]["validationErrors"].is_array(), "{}", saved.json());
    // A name that its owner has given it is one.
    assert_eq!(caller.get("/api/mcps/odd%2Fname").await.status, 200);
    let change = json!({ "name": "odd/name", "command": "y" });
    assert_eq!(caller.post("/api/mcps", &change).await.status, 200);
    assert_eq!(delete(&caller, "odd%2Fname").await, 200);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_never_overwritten() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let new = json!({ "name": "x", "command": "x" });
    for (text, said) in [
        ("{\n  \"mcpServers\": {\n    \"a\": {},\n  }\n}\n", "line 4"),
        ("{\n  // mine\n}", "line 2"),
        ("[]", "no object"),
        ("{\"mcpServers\":[]}", "no object"),
    ] {
        write(&home, text);
        for answer in [
            caller.get("/api/mcps").await,
            caller.get("/api/mcps/a").await,
            caller.post("/api/mcps", &new).await,
            caller.ask(Method::DELETE, "/api/mcps/a", None).await,
            caller.post("/api/mcps/a/test", &json!({})).await,
            caller.get("/api/mcps/a/tools").await,
        ] {
            assert_eq!(answer.status, 409, "{text}: {}", answer.json());
            let detail = answer.json()["detail"].as_str().expect("text").to_owned();
            assert!(detail.contains(".mcp.json") && detail.contains(said), "{detail}");
        }
        assert_eq!(read(&home), text);
    }
    fs::write(file(&home), b"{\"a\":\"\xff\"}").expect("written");
    assert_eq!(caller.post("/api/mcps", &new).await.status, 400);
    // A link is neither followed out nor replaced.
    fs::remove_file(file(&home)).expect("removed");
    for to in ["../elsewhere.json", "inside.json"] {
        fs::write(home.vault().join(to), "{}").expect("written");
        symlink(to, file(&home)).expect("linked");
        assert_eq!(caller.post("/api/mcps", &new).await.status, 400, "{to}");
        assert_eq!(fs::read_to_string(home.vault().join(to)).expect("a file"), "{}");
        assert!(fs::symlink_metadata(file(&home)).expect("a link").is_symlink());
        fs::remove_file(file(&home)).expect("removed");
    }
}

#[tokio::test]
async fn many_at_once_lose_nothing() {
    let home = Home::new();
    let server = home.server().await;
    let saving = (0..40).map(|number| {
        let caller = server.local();
        tokio::spawn(async move {
            let new = json!({ "name": format!("s{number}"), "command": "x" });
            let saved = caller.post("/api/mcps", &new).await;
            assert_eq!(saved.status, 200, "{}", saved.json());
            if number % 4 == 0 {
                assert_eq!(delete(&caller, &format!("s{number}")).await, 200);
            }
        })
    });
    for saved in saving.collect::<Vec<_>>() {
        saved.await.expect("saved");
    }
    assert_eq!(names(&server.local()).await.len(), 30);
}
