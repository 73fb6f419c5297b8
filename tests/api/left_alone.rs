//! `.parachuteignore`: what its owner wants left alone, no file tool touches (contract-extended
//! §4.11, trap T-24), and it counts from the turn after it was written.

use parachute_tests::{Caller, Home, Stream};
use serde_json::{Value, json};

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
