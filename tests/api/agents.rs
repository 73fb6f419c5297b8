//! Agent definitions through their doors (contract-extended §1.4): what is listed can be used,
//! what is deleted is what was meant, what is hostile changes nothing.

use crate::skills::tree;
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::symlink;

fn put(home: &Home, path: &str, text: &str) {
    let path = home.vault().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

async fn names(caller: &Caller) -> Vec<String> {
    let list = caller.get("/api/agents").await.json();
    let agents = list["agents"].as_array().expect("a list");
    agents.iter().map(|a| a["name"].as_str().expect("text").to_owned()).collect()
}

async fn delete(caller: &Caller, name: &str) -> u16 {
    caller.ask(Method::DELETE, &format!("/api/agents/{name}"), None).await.status
}

#[tokio::test]
async fn every_form_of_a_definition_is_read() {
    let home = Home::new();
    put(&home, ".parachute/agents/plain.md", "You are plain.");
    let text = "---\ndescription: With: colons\ntools: Read, Bash(git log:*)\nmodel: opus\n---\nP";
    put(&home, ".parachute/agents/front.md", text);
    put(&home, ".parachute/agents/y.yaml", "prompt: |\n  Y\ntools: [Read]\nmodel: gpt-9\n");
    put(&home, ".parachute/agents/j.json", "{\n\t\"prompt\": \"J\", \"description\": \"d\"}");
    put(&home, ".parachute/agents/empty.md", "---\ndescription: nothing else\n---\n");
    put(&home, ".parachute/agents/bad.yaml", "prompt: [a");
    put(&home, ".parachute/agents/list.json", "[]");
    put(&home, ".parachute/agents/notes.txt", "no agent");
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
        c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
        e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
        g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\nprompt: x\n";
    put(&home, ".parachute/agents/bomb.yaml", bomb);
    let nested = "---\nagent:\n  name: Nested\n  type: doc\n  mcpServers: [a, b]\n  spawns: [x]\n  \
        permissions:\n    read: [Notes/*]\n    approved_mcps: [a]\n  constraints:\n    \
        max_spawns: 7\n---\nYou nest.";
    put(&home, "agents/nested.md", nested);
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(names(&caller).await, ["vault-agent", "Nested", "front", "j", "plain", "y"]);
    let front = caller.get("/api/agents/front").await.json();
    assert_eq!(front["description"], "With: colons");
    assert_eq!(front["tools"], json!(["Read", "Bash(git log:*)"]));
    assert_eq!(front["model"], "opus");
    let y = caller.get("/api/agents/y").await.json();
    assert_eq!((&y["model"], &y["system_prompt"]), (&Value::Null, &json!("Y")));
    assert_eq!(y["description"], "Agent: y");
    let nested = caller.get("/api/agents/Nested").await.json();
    assert_eq!(nested["type"], "doc");
    assert_eq!(nested["path"], "agents/nested.md");
    assert_eq!(nested["mcp_servers"], json!(["a", "b"]));
    assert_eq!(nested["permissions"]["read"], json!(["Notes/*"]));
    assert_eq!(nested["permissions"]["write"], json!(["*"]));
    assert_eq!(nested["permissions"]["approvedMcps"], json!(["a"]));
    assert_eq!(nested["constraints"], json!({ "maxSpawns": 7, "timeout": 300 }));
    assert_eq!(caller.get("/api/agents/nested").await.json(), nested, "by its file, too");
}

#[tokio::test]
async fn trap_t75_an_agent_of_the_same_name_does_not_block_deleting_a_custom_one() {
    let home = Home::new();
    put(&home, "agents/twin.md", "The note.");
    put(&home, "agents/lone.md", "The note.");
    put(&home, ".parachute/agents/twin.md", "The custom one.");
    put(&home, ".parachute/agents/twin.json", "{\"prompt\": \"Behind it.\"}");
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(delete(&caller, "twin").await, 200);
    assert!(!home.path("vault/.parachute/agents/twin.md").exists());
    assert_eq!(delete(&caller, "twin").await, 200);
    assert!(!home.path("vault/.parachute/agents/twin.json").exists());
    for name in ["twin", "lone", "vault-agent"] {
        assert_eq!(delete(&caller, name).await, 403, "{name}");
    }
    assert_eq!(delete(&caller, "nobody").await, 404);
    assert_eq!(names(&caller).await, ["vault-agent", "lone", "twin"]);
}

#[tokio::test]
async fn trap_t3_what_is_no_name_makes_no_agent() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let before = tree(&home.vault());
    for name in ["", ".", "..", "../x", "a/b", "/x", "a\\b", ".hidden", "-rf", "a\nb", "x\u{202e}"]
    {
        let answer = caller.post("/api/agents", &json!({ "name": name, "prompt": "x" })).await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.json());
        let file = format!("{name}.md");
        let answer = caller.upload("/api/agents/upload", &file, b"x").await;
        assert_eq!(answer.status, 400, "{file:?}: {}", answer.json());
    }
    for body in [
        json!({ "name": "x", "prompt": " " }),
        json!({ "name": "x", "prompt": "x", "model": "gpt-9" }),
        json!({ "name": "x", "prompt": "x", "model": "" }),
    ] {
        assert_eq!(caller.post("/api/agents", &body).await.status, 400, "{body}");
    }
    let large = vec![b'x'; 2 << 20];
    for (file, bytes) in [
        ("x.txt", &b"x"[..]),
        ("x", b"x"),
        ("x.md", b""),
        ("x.md", b"\xff\xfe"),
        ("x.md", b"---\n- a\n---\nx"),
        ("x.md", b"---\na: b\n---\n"),
        ("x.md", &large),
    ] {
        let answer = caller.upload("/api/agents/upload", file, bytes).await;
        assert_eq!(answer.status, 400, "{file}: {}", answer.json());
    }
    assert_eq!(caller.post("/api/agents", &json!({ "name": "x" })).await.status, 422);
    assert_eq!(tree(&home.vault()), before);
    let twice = json!({ "name": "vault-agent", "prompt": "x" });
    assert_eq!(caller.post("/api/agents", &twice).await.status, 409);
    // What is said in a description stays in it.
    let new = json!({ "name": "safe", "prompt": "---\nmodel: opus\n---\nx",
        "description": "d\nmodel: opus\n---\n" });
    let made = caller.post("/api/agents", &new).await.json();
    assert_eq!(
        (&made["model"], &made["description"]),
        (&Value::Null, &json!("d\nmodel: opus\n---"))
    );
    let bare = json!({ "name": "bare", "prompt": "---\nmodel: opus\n---\nx" });
    assert_eq!(caller.post("/api/agents", &bare).await.json()["model"], Value::Null);
    let shown = caller.get("/api/agents/bare").await.json();
    assert_eq!(shown["system_prompt"], "---\nmodel: opus\n---\nx");
    let shown = caller.get("/api/agents/safe").await.json();
    assert_eq!(shown["system_prompt"], "---\nmodel: opus\n---\nx");
}

#[tokio::test]
async fn links_of_an_agents_folder_are_not_followed_out() {
    let home = Home::new();
    put(&home, "private.md", "secret");
    put(&home, ".parachute/server.yaml", "prompt: secret");
    put(&home, "agents/real.md", "real");
    put(&home, ".parachute/agents/own.md", "own");
    for (to, from) in [
        ("../private.md", "agents/a.md"),
        ("../.parachute/server.yaml", "agents/b.md"),
        ("../server.yaml", ".parachute/agents/c.yaml"),
        ("../../private.md", ".parachute/agents/d.md"),
    ] {
        symlink(to, home.vault().join(from)).expect("linked");
    }
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(names(&caller).await, ["vault-agent", "real", "own"]);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(caller.get(&format!("/api/agents/{name}")).await.status, 404, "{name}");
        assert_eq!(delete(&caller, name).await, 404, "{name}");
    }
}
