//! What a model is told beside the message, the preview of it, and the prompts of modules
//! (contract-core §1.6, §1.11, §5.2).

use crate::contexts::{told, write};
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};

async fn preview(caller: &Caller, query: &str) -> Value {
    let answer = caller.get(&format!("/api/prompt/preview?{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.json());
    answer.json()
}

#[tokio::test]
async fn the_preview_shows_what_a_turn_is_told_word_for_word() {
    let home = Home::new();
    write(
        &home,
        &[
            ("CLAUDE.md", "ROOT"),
            ("Chat/CLAUDE.md", "CHAT"),
            ("Projects/x/AGENTS.md", "AGENTS"),
            ("Projects/x/CLAUDE.md", "not told"),
            ("a,b/CLAUDE.md", "comma"),
            ("f/CLAUDE.md", "FOLDER"),
            ("n.md", "---\nsecret: front\n---\nNOTE"),
            ("agents/poet.md", "---\nname: Poet\nmodel: opus\n---\nYou write poems."),
        ],
    );
    let server = home.server().await;
    let caller = server.local();
    for (query, body) in [
        ("", json!({})),
        ("contexts=,f,n.md", json!({ "contexts": ["", "f", "n.md"] })),
        ("contexts=", json!({})),
        ("workingDirectory=Projects/x", json!({ "workingDirectory": "Projects/x" })),
        (
            "workingDirectory=%2Fvault%2FProjects%2Fx&contexts=f",
            json!({ "workingDirectory": "/vault/Projects/x", "contexts": ["f"] }),
        ),
        ("workingDirectory=nowhere", json!({ "workingDirectory": "nowhere" })),
        ("customPrompt=Be%20brief&contexts=f", json!({ "systemPrompt": "Be brief" })),
        ("agentPath=agents/poet.md", json!({ "agentPath": "agents/poet.md" })),
        ("agentPath=vault-agent", json!({ "agentPath": "vault-agent" })),
        ("module=daily", json!({ "module": "daily" })),
    ] {
        let shown = preview(&caller, query).await;
        let (stream, words) = told(&caller, body).await;
        assert_eq!(format!("told: {}", shown["prompt"].as_str().expect("text")), words, "{query}");
        let mut metadata = stream.event("prompt_metadata").clone();
        metadata.as_object_mut().expect("an object").remove("type");
        for (name, value) in metadata.as_object().expect("an object") {
            assert_eq!(&shown[name], value, "{name} of {query}");
        }
        assert_eq!(shown["workingDirectory"], stream.event("session")["workingDirectory"]);
    }
    let whole = preview(&caller, "workingDirectory=Projects/x&contexts=f,n.md").await;
    let words = whole["prompt"].as_str().expect("text");
    let order = ["ROOT", "CHAT", "`Projects/x`", "AGENTS", "FOLDER", "NOTE"].map(|w| words.find(w));
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{words}");
    assert!(!words.contains("not told") && !words.contains("secret"), "{words}");
    assert_eq!(whole["workingDirectoryClaudeMd"], "Projects/x/AGENTS.md");
    assert_eq!(whole["promptSource"], "claude_code_preset");
}

#[tokio::test]
async fn an_agents_own_prompt_and_model_count_and_one_that_is_missing_is_said() {
    let home = Home::new();
    write(&home, &[("agents/poet.md", "---\nname: Poet\nmodel: opus\n---\nYou write poems.")]);
    let server = home.server().await;
    let caller = server.local();
    let (stream, words) =
        told(&caller, json!({ "agentPath": "agents/poet.md", "model": "sonnet" })).await;
    assert_eq!(words, "told: You write poems.");
    let metadata = stream.event("prompt_metadata");
    assert_eq!(metadata["promptSource"], "agent");
    assert_eq!(metadata["promptSourcePath"], "agents/poet.md");
    assert_eq!(metadata["agentName"], "Poet");
    assert_eq!(stream.event("model")["model"], "opus");
    let body = json!({ "message": "x", "agentPath": "agents/nobody.md" });
    let stream = caller.chat("", &body).await.whole().await;
    assert_eq!(stream.kinds(), ["error"]);
    assert_eq!(stream.event("error")["error"], "Agent not found: agents/nobody.md");
    assert_eq!(caller.get("/api/chat").await.json()["sessions"].as_array().map(Vec::len), Some(1));
    // No file outside, and nothing hidden, is anybody's prompt (trap 15).
    std::fs::write(home.path("outside.md"), "OUTSIDE").expect("written");
    let outside = home.path("outside.md").display().to_string();
    let token = home.vault().join(".parachute/.token");
    std::fs::write(token, "SECRET").expect("written");
    for path in ["../outside.md", &outside, "/etc/passwd", ".parachute/.token", "..", "%00"] {
        let query = format!("/api/prompt/preview?agentPath={path}");
        let answer = caller.get(&query).await;
        assert!(matches!(answer.status, 400 | 404 | 422), "{path}: {}", answer.status);
        let said = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!said.contains("OUTSIDE") && !said.contains("SECRET"), "{said}");
    }
}

#[tokio::test]
async fn a_preview_leads_nowhere_that_a_turn_does_not_traps_15_to_17() {
    let home = Home::new();
    std::fs::write(home.path("CLAUDE.md"), "OUTSIDE").expect("written");
    write(&home, &[(".parachute/CLAUDE.md", "HIDDEN")]);
    let server = home.server().await;
    let caller = server.local();
    let contexts = "..,../CLAUDE.md,.parachute,/etc,../*.md";
    let shown = preview(&caller, &format!("contexts={contexts}&workingDirectory=..")).await;
    assert_eq!(shown["prompt"], "", "{shown}");
    assert_eq!(shown["problems"].as_array().map(Vec::len), Some(6), "{shown}");
    let missing = caller.get("/api/prompt/preview?sessionId=nobody").await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_session_that_goes_on_from_another_is_told_its_history_trap_44() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "remember the heron @@{\"text\":\"I shall.\"}@@" });
    let first = caller.chat("", &body).await.whole().await.session();
    let (second, words) = told(&caller, json!({ "continuedFrom": first })).await;
    assert!(words.contains("<prior_conversation>"), "{words}");
    assert!(words.contains("[USER]: remember the heron") && words.contains("I shall."), "{words}");
    let resume = &second.event("session")["resumeInfo"];
    assert_eq!(
        (&resume["contextInjected"], &resume["messagesInjected"]),
        (&json!(true), &json!(2))
    );
    let id = second.session();
    let kept = caller.get(&format!("/api/chat/{id}")).await.json();
    assert_eq!(kept["continuedFrom"], first);
    // The CLI knows nothing of the other session, so it is told in every turn, in the same words.
    let (_, again) = told(&caller, json!({ "sessionId": id })).await;
    assert_eq!(again, words);
    let query = format!("sessionId={id}");
    let shown = preview(&caller, &query).await;
    assert_eq!(format!("told: {}", shown["prompt"].as_str().expect("text")), words);
    // What the request brings is told instead.
    let own = json!({ "continuedFrom": first, "priorConversation": "of a swan" });
    let (_, own) = told(&caller, own).await;
    assert!(own.contains("of a swan") && !own.contains("heron"), "{own}");
    for unknown in ["00000000-0000-4000-8000-00000000000f", "../x"] {
        let (third, words) = told(&caller, json!({ "continuedFrom": unknown })).await;
        assert_eq!(words, "told: ");
        let id = third.session();
        let kept = caller.get(&format!("/api/chat/{id}")).await.json();
        assert_eq!(kept["continuedFrom"], Value::Null);
    }
}

#[tokio::test]
async fn a_modules_prompt_is_read_written_and_told_trap_61() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let at = "/api/modules/chat/prompt";
    let none = caller.get(at).await.json();
    assert_eq!((&none["exists"], &none["content"]), (&json!(false), &Value::Null));
    let (_, words) = told(&caller, json!({})).await;
    assert_eq!(words, "told: ", "the text to begin with is told only once it is in the file");
    let content = json!({ "content": "# Mine\n\nBe kind.\n" });
    let put = caller.send(Method::PUT, at, &content).await;
    assert_eq!(put.json(), json!({ "success": true, "path": "Chat/CLAUDE.md" }));
    let kept = std::fs::read_to_string(home.vault().join("Chat/CLAUDE.md")).expect("a file");
    assert_eq!(kept, "# Mine\n\nBe kind.\n");
    assert_eq!(caller.get("/api/modules/CHAT/prompt").await.json()["content"], content["content"]);
    let (chat, words) = told(&caller, json!({ "module": "chat" })).await;
    assert_eq!(words, "told: # Mine\n\nBe kind.");
    assert_eq!(chat.event("prompt_metadata")["promptSourcePath"], "Chat/CLAUDE.md");
    let (daily, words) = told(&caller, json!({ "module": "daily" })).await;
    assert_eq!(words, "told: ");
    // The session's module counts, whatever a later request says.
    let (_, words) = told(&caller, json!({ "module": "chat", "sessionId": daily.session() })).await;
    assert_eq!(words, "told: ");
    let daily = caller.send(Method::PUT, "/api/modules/daily/prompt", &content).await;
    assert_eq!(daily.json()["path"], "Daily/CLAUDE.md");
    let stats = caller.get("/api/modules/daily/stats").await.json();
    assert_eq!(
        stats,
        json!({ "module": "daily", "fileCount": 1, "totalSize": 17, "hasPrompt": true })
    );
    let both = json!({ "reset": true, "content": "x" });
    let reset = caller.send(Method::PUT, at, &both).await;
    assert_eq!(reset.json(), json!({ "success": true, "reset": true }));
    assert!(!home.vault().join("Chat/CLAUDE.md").exists());
    assert_eq!(caller.send(Method::PUT, at, &json!({ "reset": true })).await.status, 200);
    for (body, status) in [
        (json!({}), 400),
        (json!({ "content": null, "reset": false }), 400),
        (json!({ "content": 1 }), 422),
        (json!({ "content": "x".repeat((1 << 20) + 1) }), 400),
    ] {
        let answer = caller.send(Method::PUT, at, &body).await;
        assert_eq!(answer.status, status, "{}", answer.json());
    }
}

#[tokio::test]
async fn only_modules_have_prompts_and_no_link_is_followed() {
    let home = Home::new();
    std::fs::write(home.path("h/CLAUDE.md"), "OUTSIDE").expect("written");
    std::os::unix::fs::symlink(home.path("h"), home.vault().join("Brain")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let content = json!({ "content": "x" });
    for module in ["nothing", "..", "%2e%2e", "..%2f..", "Chat%2f..", ".parachute", "%00", "%ff"] {
        for tail in ["prompt", "stats"] {
            let answer = caller.get(&format!("/api/modules/{module}/{tail}")).await;
            assert_eq!(answer.status, 404, "{module}/{tail}");
        }
        let path = format!("/api/modules/{module}/prompt");
        assert_eq!(caller.send(Method::PUT, &path, &content).await.status, 404, "{module}");
    }
    let put = caller.send(Method::PUT, "/api/modules/brain/prompt", &content).await;
    assert_eq!(put.status, 400, "{}", put.json());
    let shown = caller.get("/api/modules/brain/prompt").await;
    assert!(!String::from_utf8_lossy(&shown.body).contains("OUTSIDE"));
    assert_eq!(std::fs::read_to_string(home.path("h/CLAUDE.md")).expect("a file"), "OUTSIDE");
}

#[tokio::test]
async fn what_a_turn_can_call_is_said_as_far_as_its_workspace_chose_it() {
    let home = Home::new();
    write(
        &home,
        &[
            ("agents/poet.md", "---\nname: Poet\n---\nYou write poems."),
            (".skills/weekly.md", "---\nname: Weekly\n---\nReview."),
            (".skills/daily.md", "---\nname: Daily\n---\nReview."),
            (".mcp.json", r#"{"mcpServers": {"notes": {"command": "true"}}}"#),
        ],
    );
    let server = home.server().await;
    let caller = server.local();
    let sets = json!({ "skills": ["Weekly"], "agents": "none", "mcps": "none" });
    let new = json!({ "name": "w", "capabilities": sets });
    assert_eq!(caller.post("/api/workspaces", &new).await.status, 201);
    let available = |told: &Value| {
        ["availableAgents", "availableSkills", "availableMcps"].map(|name| told[name].clone())
    };
    let all = [json!(["Poet"]), json!(["Daily", "Weekly"]), json!(["notes"])];
    let (stream, _) = told(&caller, json!({})).await;
    assert_eq!(available(stream.event("prompt_metadata")), all);
    assert_eq!(available(&preview(&caller, "").await), all);
    let few = [json!([]), json!(["Weekly"]), json!([])];
    let (stream, _) = told(&caller, json!({ "workspaceId": "w" })).await;
    assert_eq!(available(stream.event("prompt_metadata")), few);
    assert_eq!(available(&preview(&caller, "workspaceId=w").await), few);
}

#[tokio::test]
async fn a_trusted_folder_is_told_by_the_cli_and_by_us_no_more_trap_60() {
    let home = Home::new();
    write(
        &home,
        &[
            ("CLAUDE.md", "ROOT"),
            ("x/CLAUDE.md", "OF X"),
            ("x/AGENTS.md", "AGENTS"),
            ("x/.claude/settings.json", "{}"),
        ],
    );
    let server = home.server().await;
    let caller = server.local();
    let query = "workingDirectory=x&contexts=";
    let before = preview(&caller, query).await["prompt"].clone();
    assert!(before.as_str().is_some_and(|p| p.contains("ROOT") && p.contains("AGENTS")));
    let trusted = caller.send(Method::PUT, "/api/trust", &json!({ "path": "x" })).await;
    assert_eq!(trusted.status, 200, "{}", trusted.json());
    let after = preview(&caller, query).await;
    let words = after["prompt"].as_str().expect("text");
    assert!(!words.contains("ROOT") && !words.contains("OF X"), "{words}");
    // That one the CLI does not read.
    assert!(words.contains("AGENTS"), "{words}");
    assert_eq!(after["promptSourcePath"], "CLAUDE.md");
}
