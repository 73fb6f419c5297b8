//! What an agent works with: skills, agents, MCP servers and plugins that came in through the
//! API, as the real CLI says it has them; and hooks of a folder, which are run only once trusted.

use crate::confined::{bash, results, turn};
use crate::lab::{Lab, ask, text};
use crate::units::{agent_unit, systemctl};
use http::Method;
use parachute_tests::{Caller, Stream, program};
use serde_json::{Value, json};
use std::fs;

/// What the CLI says it has.
fn ready(stream: &Stream) -> Value {
    let events = stream.heard.others.iter().filter_map(|e| serde_json::from_str::<Value>(e).ok());
    events.into_iter().find(|event| event["type"] == "init").expect("an init")
}

fn names(list: &Value) -> Vec<String> {
    let items = list.as_array().expect("a list").iter();
    let name = |item: &Value| item.as_str().or(item["name"].as_str()).map(str::to_owned);
    items.filter_map(name).collect()
}

#[tokio::test]
async fn what_was_added_through_the_api_is_there_in_a_turn() {
    let Some(lab) = Lab::started("").await else { return };
    let who = lab.local();
    let skill = json!({ "name": "tidying", "description": "How to tidy", "content": "Tidy up." });
    assert!(matches!(who.post("/api/skills", &skill).await.status, 200 | 201));
    let agent = json!({ "name": "proofreader", "description": "Reads", "prompt": "Read." });
    assert_eq!(who.post("/api/agents", &agent).await.status, 200);
    let server = text(&program("scripted-mcp"));
    let mcp = json!({ "name": "scripted", "command": server, "args": [] });
    assert!(matches!(who.post("/api/mcps", &mcp).await.status, 200 | 201));
    let plugin = lab.vault.join(".parachute/plugins/helpers");
    fs::create_dir_all(plugin.join(".claude-plugin")).expect("made");
    fs::create_dir_all(plugin.join("skills/sorting")).expect("made");
    fs::write(plugin.join(".claude-plugin/plugin.json"), r#"{"name":"helpers"}"#).expect("written");
    let sorting = "---\nname: sorting\ndescription: How to sort\n---\nSort.\n";
    fs::write(plugin.join("skills/sorting/SKILL.md"), sorting).expect("written");

    let stream = turn(&lab, ask("What have you", "echo", json!({}))).await;
    let init = ready(&stream);
    println!("{init}");
    let (skills, agents) = (names(&init["skills"]), names(&init["agents"]));
    assert!(skills.iter().any(|name| name.ends_with("tidying")), "{skills:?}");
    assert!(skills.iter().any(|name| name.ends_with("sorting")), "{skills:?}");
    assert!(agents.contains(&"proofreader".to_owned()), "{agents:?}");
    let scripted = init["mcpServers"].as_array().expect("servers").iter();
    let scripted = scripted.into_iter().find(|server| server["name"] == "scripted");
    assert_eq!(scripted.expect("it")["status"], "connected");
    let tools = names(&init["tools"]);
    let tool = tools.iter().find(|name| name.starts_with("mcp__scripted__")).expect("a tool");
    // And used.
    let call = json!({ "name": tool, "input": {}, "then": "Used." });
    let mut body = ask("Use it", "tool", call);
    body["sessionId"] = stream.session().into();
    let used = turn(&lab, body).await;
    assert_eq!(results(&used).len(), 1, "{:?}", used.heard.others);
    systemctl(&["stop", &agent_unit(&stream.session())]).await;
    // Confined it has the same but for tools that nobody said are for such agents.
    let mut body = ask("What have you", "echo", json!({}));
    body["trustLevel"] = "vault".into();
    let confined = turn(&lab, body).await;
    let init = ready(&confined);
    let skills = names(&init["skills"]);
    assert!(skills.iter().any(|name| name.ends_with("tidying")), "{skills:?}");
    assert!(skills.iter().any(|name| name.ends_with("sorting")), "{skills:?}");
    assert!(names(&init["agents"]).contains(&"proofreader".to_owned()), "{init}");
    assert_eq!(init["mcpServers"], json!([]));
    systemctl(&["stop", &agent_unit(&confined.session())]).await;
}

#[tokio::test]
async fn a_folders_hooks_run_once_it_is_trusted_and_as_it_was_then() {
    let Some(lab) = Lab::started("").await else { return };
    let work = lab.vault.join("work");
    fs::create_dir_all(work.join(".claude")).expect("made");
    let settings = |mark: &str| {
        let command = format!("touch {}/{mark}", text(&work));
        let hook = json!([{ "hooks": [{ "type": "command", "command": command }] }]);
        let settings = json!({ "hooks": { "SessionStart": hook } }).to_string();
        fs::write(work.join(".claude/settings.json"), settings).expect("written");
    };
    settings("ran");
    let begin = || async {
        let mut body = ask("Hello", "echo", json!({}));
        body["workingDirectory"] = "work".into();
        let stream = turn(&lab, body).await;
        systemctl(&["stop", &agent_unit(&stream.session())]).await;
        stream
    };
    let said = |stream: &Stream| stream.heard.others.concat();
    let first = begin().await;
    assert!(!work.join("ran").exists(), "nobody trusted it");
    assert!(said(&first).contains("directory_trust"), "and it is said: {}", said(&first));
    let trusted = lab.local().send(Method::PUT, "/api/trust", &json!({ "path": "work" })).await;
    assert_eq!(trusted.status, 200);
    let second = begin().await;
    assert!(work.join("ran").exists(), "now it runs: {}", said(&second));
    // What an agent writes there later is not what was trusted.
    settings("planted");
    let third = begin().await;
    assert!(!work.join("planted").exists());
    assert!(said(&third).contains("changed since you trusted it"), "{}", said(&third));
    let listed = lab.local().get("/api/trust").await.json();
    assert_eq!(listed["folders"][0]["changed"], true, "{listed}");
    // An agent within the vault cannot bring it about either.
    let mut body = ask("Plant", "tool", bash("echo '{}' > work/.claude/settings.json"));
    body["trustLevel"] = "vault".into();
    body["workingDirectory"] = "work".into();
    let stream = turn(&lab, body).await;
    systemctl(&["stop", &agent_unit(&stream.session())]).await;
    let kept = fs::read_to_string(work.join(".claude/settings.json")).expect("there");
    assert!(kept.contains("planted"), "it is as it was");
}

#[tokio::test]
async fn attachments_are_kept_in_the_vault_and_shown_to_the_model() {
    let Some(lab) = Lab::started("").await else { return };
    // One pixel.
    let pixel = concat!(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E",
        "rkJggg=="
    );
    let image = |name: &str| {
        json!({ "id": "1", "fileName": name, "filePath": "/somewhere/x.png",
            "mimeType": "image/png", "sizeBytes": 70, "type": "image", "base64Data": pixel })
    };
    let mut body = ask("What is it", "echo", json!({}));
    body["attachments"] = json!([image("a photo.png"), image("a photo.png"),
        { "id": "2", "fileName": "broken.png", "filePath": "", "mimeType": "image/png",
          "sizeBytes": 1, "type": "image", "base64Data": "no base64" }]);
    let stream = turn(&lab, body).await;
    let said = stream.heard.others.concat();
    assert!(said.contains("broken.png was not attached"), "{said}");
    let days = fs::read_dir(lab.vault.join("Chat/assets")).expect("a folder").flatten();
    let kept: Vec<_> =
        days.flat_map(|day| fs::read_dir(day.path()).expect("a day").flatten()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let address = lab.api.url.trim_start_matches("http://").parse().expect("an address");
    let asked = Caller::tcp(address).get("/__scripted/requests").await.json().to_string();
    assert!(asked.contains(r#""media_type":"image/png""#), "{asked}");
    systemctl(&["stop", &agent_unit(&stream.session())]).await;
}
