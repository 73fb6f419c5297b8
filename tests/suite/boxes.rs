//! Containers of a workspace: a session has one for itself with what its next turn asks for, and a
//! network only where the owner said so.

use crate::confined::{bash, escapes, furnish, results, turn};
use crate::lab::{KEY, Lab, ask, state, text};
use crate::sandboxed::{container, containers, opened, sandboxed};
use crate::units::{agent_unit, run, systemctl};
use parachute_tests::{Caller, Stream, eventually};
use serde_json::json;
use std::fs;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

async fn workspace(lab: &Lab, name: &str) {
    let new = json!({ "name": name, "default_trust_level": "untrusted" });
    assert_eq!(lab.local().post("/api/workspaces", &new).await.status, 201);
}

/// What the model was sent last.
async fn sent(lab: &Lab) -> String {
    let address = lab.api.url.trim_start_matches("http://").parse().expect("an address");
    let all = Caller::tcp(address).get("/__scripted/requests").await.json();
    all.as_array().and_then(|all| all.last()).expect("a request").to_string()
}

async fn gone(sessions: &[&str]) {
    for session in sessions {
        systemctl(&["stop", &agent_unit(session)]).await;
    }
    eventually("containers are gone", async || containers().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn sessions_of_a_workspace_are_apart_and_go_on_in_a_new_container() {
    let Some(lab) = opened("").await else { return };
    workspace(&lab, "Both").await;
    for folder in ["one", "two"] {
        fs::create_dir_all(lab.vault.join(folder)).expect("made");
    }
    let begin = async |said: &str, folder: &str, session: Option<&str>, command: &str| {
        let mut body = ask(said, "tool", bash(command));
        body["workspaceId"] = "both".into();
        body["workingDirectory"] = folder.into();
        body["sessionId"] = session.into();
        turn(&lab, body).await
    };
    let one = begin("Cranberries", "one", None, "echo x > mine && echo x > ../two/not; ls").await;
    // Neither the other's folder nor what was said in it.
    let runs = text(&state().join("runs"));
    let look = format!("echo y > mine; echo x > ../one/not; ls /proc/*/cwd/../one; ls {runs}");
    let two = begin("Gooseberries", "two", None, &look).await;
    let (session, other) = (one.session(), two.session());
    assert!(results(&one).concat().contains("mine"), "{:?}", one.heard.others);
    let said = results(&two).concat();
    assert!(said.contains(&other) && !said.contains(&session), "{said}");
    assert!(lab.vault.join("one/mine").exists() && lab.vault.join("two/mine").exists());
    for folder in ["one", "two"] {
        assert!(!lab.vault.join(folder).join("not").exists(), "each writes where it works");
    }
    assert_eq!(containers().await.len(), 2);

    // Its agent leaves; the next one goes on, in another container, with what was said.
    let first = container(&session).await;
    systemctl(&["stop", &agent_unit(&session)]).await;
    let again = begin("Redcurrants", "one", Some(&session), "ls").await;
    assert_eq!(again.event("session")["sessionResume"]["method"], "sdk_resume");
    let second = container(&session).await;
    assert_ne!(first["Id"], second["Id"]);
    let told = sent(&lab).await;
    assert!(told.contains("Cranberries") && told.contains("Redcurrants"), "{told}");
    assert!(!told.contains("Gooseberries"), "{told}");

    // Its next turn works elsewhere: there it may write then, and not where it was.
    let moved = begin("Moved", "two", Some(&session), "echo z > new; echo z > ../one/new").await;
    assert!(lab.vault.join("two/new").exists() && !lab.vault.join("one/new").exists());
    assert_eq!(moved.event("session")["sessionResume"]["method"], "sdk_resume");
    assert_ne!(container(&session).await["Id"], second["Id"]);
    assert!(sent(&lab).await.contains("Cranberries"));
    gone(&[&session, &other]).await;
}

#[tokio::test]
async fn skills_and_plugins_are_there_in_a_container_and_new_ones_in_the_next_turn() {
    let Some(lab) = opened("").await else { return };
    let plugin = lab.vault.join(".parachute/plugins/kit");
    for (name, said) in [
        (".claude-plugin/plugin.json", r#"{ "name": "kit", "version": "1.0.0" }"#),
        ("skills/greeting/SKILL.md", "---\nname: greeting\ndescription: How to greet\n---\nBow."),
    ] {
        let file = plugin.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(file, said).expect("written");
    }
    let mut session = None;
    for (name, words) in [("tidying", "Tidy it all up."), ("sorting", "Sort it by size.")] {
        let skill = json!({ "name": name, "description": "How to", "content": words });
        assert!(matches!(lab.local().post("/api/skills", &skill).await.status, 200 | 201));
        let uses = |skill: &str| json!({ "name": "Skill", "input": { "skill": skill } });
        let calls = json!([uses(&format!("vault:{name}")), uses("kit:greeting")]);
        let mut body = sandboxed("Use them", "tools", json!({ "calls": calls }));
        body["sessionId"] = session.clone().into();
        let stream = turn(&lab, body).await;
        let said = results(&stream);
        assert_eq!(said.len(), 2, "{said:?}");
        // They are read in the container, and what they say is sent to the model.
        let told = sent(&lab).await;
        assert!(told.contains(words) && told.contains("Bow."), "{said:?}: {told}");
        session = Some(stream.session());
    }
    gone(&[&session.expect("a session")]).await;
}

/// Somebody at the bridge's own address of this machine, who says a word to whoever comes.
async fn neighbour() -> String {
    let bridge = run("ip", &["-4", "-o", "address", "show", "docker0"]).await;
    let after = bridge.split_once("inet ").map(|(_, after)| after).unwrap_or_default();
    let here = after.split('/').next().unwrap_or_default();
    let listener = TcpListener::bind((here, 0)).await.expect("a port of the bridge");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // Who leaves before has not heard it, and says so.
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nreached\n").await;
        }
    });
    url
}

#[tokio::test]
async fn a_container_has_a_network_only_where_the_owner_said_so() {
    let Some(lab) = opened("").await else { return };
    furnish(&lab.vault).await;
    workspace(&lab, "Box").await;
    let look =
        format!("ls /sys/class/net; curl -s -m 5 {} || echo out of reach", neighbour().await);
    let begin = async |workspace: &str, session: Option<&str>, command: &str| {
        let mut body = sandboxed("Look", "tool", bash(command));
        body["workspaceId"] = workspace.into();
        body["sessionId"] = session.into();
        turn(&lab, body).await
    };
    let heard = |stream: &Stream| results(stream).concat();
    let mode = async |session: &str| container(session).await["HostConfig"]["NetworkMode"].clone();
    let closed = begin("box", None, &look).await;
    let session = closed.session();
    assert_eq!(heard(&closed).trim(), "lo\nout of reach");
    assert_eq!(mode(&session).await, "none");

    // Its next turn is connected; and what is said to the model goes through our endpoint still,
    // for the vendor's stand-in is at an address that nobody reaches from there.
    let set = ["workspace", "set", "box", "--network", "full"];
    assert_eq!(lab.parachute(&set).await, (true, "box changed\n".to_owned()));
    let shown = lab.parachute(&["workspace", "show", "box"]).await.1;
    assert!(shown.contains("memory 1g, processors 1.0, 3600 s a turn, network full"), "{shown}");
    let look = format!("{look}; curl -s -m 5 {} || echo no stand-in; env", lab.api.url);
    let open = begin("box", Some(&session), &look).await;
    let said = heard(&open);
    assert!(said.contains("eth0\n") && said.contains("reached\n"), "{said}");
    assert!(said.contains("no stand-in\n") && !said.contains("HTTPS_PROXY"), "{said}");
    let found = container(&session).await;
    assert_eq!(found["HostConfig"]["NetworkMode"], "bridge");
    assert_eq!(found["HostConfig"]["CapDrop"], json!(["ALL"]));
    assert_eq!(found["HostConfig"]["ReadonlyRootfs"], true);
    assert!(!found.to_string().contains(KEY), "no secret is in it");

    // All other walls stand.
    let (outside, attempts) = escapes(&lab).await;
    let tried = begin("box", Some(&session), &attempts).await;
    fs::remove_file(&outside).expect("removed");
    let said = heard(&tried);
    let got: Vec<&str> = said.lines().filter(|line| line.starts_with("GOT")).collect();
    assert_eq!(got, ["GOT see a network"], "{said}");
    assert!(said.lines().filter(|line| line.starts_with("denied")).count() >= 40, "{said}");

    // A request does not bring a session there that is in no workspace, or in another.
    workspace(&lab, "Other").await;
    let begun = |workspace: Option<&str>| {
        let mut body = sandboxed("Begin", "echo", json!({}));
        body["workspaceId"] = workspace.into();
        body
    };
    let mut others = Vec::new();
    for workspace in [None, Some("other")] {
        let other = turn(&lab, begun(workspace)).await.session();
        begin("box", Some(&other), "true").await;
        assert_eq!(mode(&other).await, "none", "{workspace:?}");
        others.push(other);
    }
    // And it ends as it began.
    lab.parachute(&["workspace", "set", "box", "--network", "none"]).await;
    begin("box", Some(&session), "true").await;
    assert_eq!(mode(&session).await, "none");
    gone(&[&session, &others[0], &others[1]]).await;
}
