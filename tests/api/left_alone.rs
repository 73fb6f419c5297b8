//! `.parachuteignore`: what its owner wants left alone, no file tool touches (contract-extended
//! §4.11, trap T-24), and it counts from the turn after it was written.

use parachute_tests::{Caller, Home, Stream, real_claude};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

/// A turn in which the CLI reads a journal and a note; whether each was refused.
async fn reads(caller: &Caller, session: Option<&str>) -> (Stream, bool, bool) {
    let read = |file: &str| json!({ "name": "Read", "input": { "file_path": file } });
    let uses = json!({ "uses": [read("Journal/a.md"), read("Notes/a.md")] });
    let body = json!({ "message": format!("x @@{uses}@@"), "sessionId": session });
    let stream = caller.chat("", &body).await.whole().await;
    stream.event("done");
    let results: Vec<bool> = stream
        .events
        .iter()
        .filter(|(_, event)| event["type"] == "tool_result")
        .map(|(_, event)| event["isError"] == true)
        .collect();
    let [journal, note] = results[..] else { panic!("{:?}", stream.kinds()) };
    (stream, journal, note)
}

fn warning(stream: &Stream) -> Option<&Value> {
    let found = stream.events.iter().find(|(_, event)| event["type"] == "warning");
    found.map(|(_, event)| event)
}

#[tokio::test]
async fn what_the_owner_lists_no_file_tool_touches_trap_t_24() {
    let home = Home::new();
    for folder in ["Journal", "Notes"] {
        std::fs::create_dir_all(home.vault().join(folder)).expect("a folder");
        std::fs::write(home.vault().join(folder).join("a.md"), "x").expect("written");
    }
    let rules = home.vault().join(".parachuteignore");
    std::fs::write(&rules, "# mine alone\nJournal/\n[z-a\n").expect("written");
    let server = home.server().await;
    let caller = server.local();
    let (stream, journal, note) = reads(&caller, None).await;
    assert_eq!((journal, note), (true, false));
    let refused = stream.event("permission_denied");
    assert_eq!(refused["reason"], "denied_by_ignore_list");
    assert!(refused["message"].as_str().expect("text").contains(".parachuteignore"), "{refused}");
    let told = warning(&stream).expect("a line is no rule");
    assert_eq!(told["code"], "ignore_rules");
    assert!(told["details"][0].as_str().expect("text").starts_with(".parachuteignore:3: "));
    let session = stream.session();
    let session = Some(session.as_str());
    // The same is not said in every turn.
    let (stream, journal, note) = reads(&caller, session).await;
    assert_eq!((journal, note, warning(&stream)), (true, false, None));
    // What is changed counts from the next turn on, with the same CLI.
    std::fs::write(&rules, "Notes/*\n").expect("written");
    let (stream, journal, note) = reads(&caller, session).await;
    assert_eq!((journal, note, warning(&stream)), (false, true, None));
    // A file that cannot be read takes nothing out of force.
    std::fs::remove_file(&rules).expect("removed");
    std::fs::create_dir(&rules).expect("made");
    let (stream, journal, note) = reads(&caller, session).await;
    assert_eq!((journal, note), (false, true));
    assert!(warning(&stream).expect("it is said")["message"].as_str().is_some());
    std::fs::remove_dir(&rules).expect("removed");
    let (stream, journal, note) = reads(&caller, session).await;
    assert_eq!((journal, note, warning(&stream)), (false, false, None));
}

/// A turn in which the real CLI makes these calls at once; what came of each, by its input.
async fn calls(caller: &Caller, session: Option<&str>, calls: &Value) -> (Stream, Vec<String>) {
    let message = format!("[[scripted:tools {}]]", json!({ "calls": calls }));
    let body = json!({ "message": message, "sessionId": session });
    let stream = caller.chat("text=delta", &body).await.whole().await;
    stream.event("done");
    let events = || stream.events.iter().map(|(_, event)| event);
    let result = |call: &Value| {
        let of =
            |event: &&Value| event["type"] == "tool_result" && event["toolUseId"] == call["id"];
        events().find(of).expect("a result")["content"].as_str().expect("text").to_owned()
    };
    let used = events().filter(|event| event["type"] == "tool_use");
    let results = used.map(|event| result(&event["tool"])).collect();
    (stream, results)
}

#[tokio::test]
async fn the_real_clis_searches_leave_it_out_too() {
    let Some(mut home) = Home::real() else { return };
    for file in ["Journal/a.md", "Notes/a.md", "Notes/x.draft.md", ".parachute/ours.md"] {
        let path = home.vault().join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, "a heron").expect("written");
    }
    let rules = home.vault().join(".parachuteignore");
    std::fs::write(&rules, "Journal/\n").expect("written");
    // By itself it has no such tools: it searches by commands.
    let script = home.path("claude");
    let claude = real_claude().expect("asked for before");
    let text = format!("#!/bin/sh\nexec '{}' \"$@\" --tools=Read,Grep,Glob\n", claude.display());
    std::fs::write(&script, text).expect("written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("made a program");
    home.set("CLAUDE_PATH", script.to_str().expect("text"));
    let server = home.server().await;
    let caller = server.local();
    let searches = json!([
        { "name": "Grep", "input": { "pattern": "heron" } },
        { "name": "Glob", "input": { "pattern": "**/*.md" } },
        { "name": "Read", "input": { "file_path": home.vault().join("Journal/a.md") } },
    ]);
    let (stream, results) = calls(&caller, None, &searches).await;
    assert_eq!(stream.event("session")["trust"], "full");
    for found in &results[..2] {
        assert!(found.contains("Notes/a.md") && found.contains("x.draft.md"), "{found}");
        assert!(!found.contains("Journal") && !found.contains("ours.md"), "{found}");
    }
    assert!(!results[2].contains("heron"), "{}", results[2]);
    // It refuses that by itself, and we say so as ever.
    let refused = stream.event("permission_denied");
    assert_eq!(refused["reason"], "denied_by_ignore_list");
    assert!(refused["message"].as_str().expect("text").contains(".parachuteignore"), "{refused}");
    assert_eq!(stream.event("done")["permissionDenials"].as_array().map(Vec::len), Some(1));
    // The same CLI is told what the file says next.
    std::fs::write(&rules, "*.draft.md\n").expect("written");
    let session = stream.session();
    let (stream, results) = calls(&caller, Some(&session), &searches).await;
    for found in &results[..2] {
        assert!(found.contains("Journal/a.md") && found.contains("Notes/a.md"), "{found}");
        assert!(!found.contains("x.draft.md") && !found.contains("ours.md"), "{found}");
    }
    assert!(results[2].contains("heron"), "{}", results[2]);
    assert!(stream.events.iter().all(|(_, event)| event["type"] != "permission_denied"));
}
