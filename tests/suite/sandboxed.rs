//! Trust level `sandboxed`: the image is built through the API by a real engine, and a real turn
//! of the real CLI runs in a container of it. What workspaces make of it is in `boxes`, what
//! limits do in `crowded`.

use crate::confined::{bash, denied_all, escapes, furnish, results, turn};
use crate::lab::{KEY, Lab, SERVICE, ask, state, text};
use crate::units::{agent_unit, run, systemctl, tried};
use http::Method;
use http_body_util::BodyExt;
use parachute_tests::eventually;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const BASE: &str = "sandbox_base: parachute-base\n";

/// A lab with an engine that has the sandbox's image, built through the API where it is missing.
pub(crate) async fn opened(config: &str) -> Option<Lab> {
    let lab = Lab::started(&format!("{BASE}{config}")).await?;
    let (there, _) = tried("docker", &["image", "inspect", "parachute-sandbox"]).await;
    if !there {
        build(&lab).await;
    }
    Some(lab)
}

async fn build(lab: &Lab) -> Vec<Value> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/sandbox-base");
    let import = format!("'{}' | docker import - parachute-base", text(&scripts));
    run("sh", &["-c", &import]).await;
    let answer = lab.local().open(Method::POST, "/api/sandbox/build", None).await.expect("it");
    assert_eq!(answer.status(), 200);
    let body = answer.into_body().collect().await.expect("whole").to_bytes();
    let body = String::from_utf8_lossy(&body);
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events: Vec<Value> = events.map(|e| serde_json::from_str(e).expect("JSON")).collect();
    let last = events.last().expect("an event");
    assert_eq!(last["type"], "build_complete", "{body}");
    events
}

pub(crate) fn sandboxed(message: &str, scenario: &str, arguments: Value) -> Value {
    let mut body = ask(message, scenario, arguments);
    body["trustLevel"] = "untrusted".into();
    body
}

/// The container of a session, as the engine has it.
pub(crate) async fn container(session: &str) -> Value {
    let label = format!("label=io.openparachute.session={session}");
    let listed = run("docker", &["ps", "-q", "--filter", &label]).await;
    let found = run("docker", &["inspect", listed.trim()]).await;
    serde_json::from_str::<Value>(&found).expect("JSON")[0].take()
}

/// Containers of ours, running or not.
pub(crate) async fn containers() -> Vec<String> {
    let listed = run("docker", &["ps", "-aq", "--filter", "label=io.openparachute.session"]).await;
    listed.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn an_image_is_built_and_a_turn_runs_in_a_container_of_it() {
    let Some(lab) = opened("").await else { return };
    let health = lab.local().get("/api/health?detailed=true").await.json();
    assert_eq!(health["docker"]["available"], true, "{health}");
    assert_eq!(health["docker"]["image_exists"], true, "{health}");
    fs::create_dir_all(lab.vault.join("notes")).expect("made");
    fs::write(lab.vault.join("notes/a.md"), "a note\n").expect("written");
    let command = "id -u; cat notes/a.md; echo x > notes/b.md || echo read only; \
        echo y > /tmp/mine && cat /tmp/mine; touch /usr/x || echo no; ls -A /";
    let stream = turn(&lab, sandboxed("Look", "tool", bash(command))).await;
    let said = results(&stream).concat();
    assert!(said.contains("a note") && said.contains("read only"), "{said}");
    let session = stream.session();
    let shown = lab.local().get(&format!("/api/chat/{session}")).await.json();
    assert_eq!((&shown["trust"], &shown["trustLevel"]), (&json!("sandboxed"), &json!("untrusted")));
    let running = containers().await;
    assert_eq!(running.len(), 1, "it stays warm");
    // As the engine has it.
    let found = run("docker", &["inspect", &running[0]]).await;
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let host = &found[0]["HostConfig"];
    assert_eq!(host["NetworkMode"], "none");
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["CapDrop"], json!(["ALL"]));
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges"]));
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["LogConfig"]["Type"], "none", "what is said is in the session's log alone");
    assert_eq!(host["Memory"], 1 << 30);
    assert!(host["PidsLimit"].as_i64().is_some_and(|most| most > 0), "{host}");
    assert!(!found.to_string().contains(KEY), "no secret is in it");
    assert!(!found.to_string().contains("docker.sock"), "nor the engine's socket");
    // Text comes in pieces (trap 33), and the container is the same.
    let mut body = sandboxed("And again", "text", json!({ "tokens": 30, "delay": 0.02 }));
    body["sessionId"] = session.clone().into();
    let pieces = turn(&lab, body).await;
    assert!(
        pieces.kinds().iter().filter(|kind| *kind == "text").count() >= 20,
        "{:?}",
        pieces.kinds()
    );
    assert_eq!(containers().await, running);
    systemctl(&["stop", &agent_unit(&session)]).await;
    eventually("the container is gone", async || containers().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn nobody_gets_out_of_a_container() {
    let Some(lab) = opened("").await else { return };
    furnish(&lab.vault).await;
    let (outside, escapes) = escapes(&lab).await;
    let stream = turn(&lab, sandboxed("Try", "tool", bash(&escapes))).await;
    let said = results(&stream).concat();
    println!("{said}");
    fs::remove_file(&outside).expect("removed");
    denied_all(&said);
    let session = stream.session();
    systemctl(&["stop", &agent_unit(&session)]).await;
}

#[tokio::test]
async fn whoever_asks_is_answered_and_stopped_in_a_container() {
    let Some(lab) = opened("").await else { return };
    // A permission that is asked for and granted.
    fs::create_dir_all(lab.vault.join("work")).expect("made");
    let mut body = sandboxed("Write", "tool", bash("echo made > made.txt; cat made.txt"));
    body["permissionMode"] = "ask".into();
    body["workingDirectory"] = "work".into();
    let mut stream = lab.local().chat("text=delta", &body).await;
    assert!(stream.until("permission_request").await, "{:?}", stream.kinds());
    let session = stream.session();
    let pending = lab.local().get(&format!("/api/chat/{session}/permissions")).await.json();
    let request = pending["pending"][0]["id"].clone();
    let granted = json!({ "requestId": request });
    let door = format!("/api/chat/{session}/permissions/grant");
    assert_eq!(lab.local().post(&door, &granted).await.status, 200);
    let stream = stream.whole().await;
    assert!(results(&stream).concat().contains("made"), "{:?}", stream.heard.others);
    let made = fs::read_to_string(lab.vault.join("work/made.txt")).expect("where it may write");
    assert_eq!(made, "made\n");
    // A question, and its answer.
    let option = |label: &str| json!({ "label": label, "description": "a colour" });
    let options = json!([option("Red"), option("Blue")]);
    let question = json!({ "question": "Which?", "header": "Which", "options": options,
        "multiSelect": false });
    let question = json!({ "questions": [question] });
    let call = json!({ "name": "AskUserQuestion", "input": question, "then": "Answered." });
    let mut body = sandboxed("Ask", "tool", call);
    body["sessionId"] = session.clone().into();
    body["workingDirectory"] = "work".into();
    let mut stream = lab.local().chat("text=delta", &body).await;
    assert!(stream.until("user_question").await, "{:?}", stream.kinds());
    let asked = stream.event("user_question")["requestId"].clone();
    let answer = json!({ "request_id": asked, "answers": { "Which?": "Blue" } });
    let answered = lab.local().post(&format!("/api/chat/{session}/answer"), &answer).await;
    assert_eq!(answered.status, 200);
    let stream = stream.whole().await;
    assert!(results(&stream).concat().contains("Blue"), "{:?}", stream.heard.others);
    // What is said into a running turn.
    let slow = bash("perl -e 'select undef, undef, undef, 1'; echo slept");
    let mut body = sandboxed("Wait", "tool", slow);
    body["sessionId"] = session.clone().into();
    body["workingDirectory"] = "work".into();
    body["permissionMode"] = "auto".into();
    let mut stream = lab.local().chat("text=delta", &body).await;
    assert!(stream.until("tool_use").await, "{:?}", stream.kinds());
    let status = lab.local().get(&format!("/api/chat/{session}/stream-status")).await.json();
    assert_eq!(status["active"], true);
    let said = json!({ "message": "And this" });
    let injected = lab.local().post(&format!("/api/chat/{session}/inject"), &said).await;
    assert_eq!(injected.status, 200);
    let stream = stream.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("done"));
    assert!(stream.heard.others.concat().contains("And this"), "{:?}", stream.heard.others);
    // A turn that is stopped.
    let mut body = sandboxed("Stay", "tool", bash("sleep 600"));
    body["sessionId"] = session.clone().into();
    body["workingDirectory"] = "work".into();
    let mut stream = lab.local().chat("text=delta", &body).await;
    assert!(stream.until("tool_use").await, "{:?}", stream.kinds());
    let stopped = lab.local().post(&format!("/api/chat/{session}/abort"), &json!({})).await;
    assert_eq!(stopped.status, 200);
    let stream = stream.whole().await;
    assert_eq!(stream.kinds().last().map(String::as_str), Some("aborted"));
    eventually("its command is ended", async || {
        let container = container(&session).await["Id"].as_str().expect("an id").to_owned();
        let (_, said) = tried("docker", &["top", &container]).await;
        (!said.contains("sleep 600")).then_some(())
    })
    .await;
    systemctl(&["stop", &agent_unit(&session)]).await;
    eventually("the container is gone", async || containers().await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn there_is_no_silent_fallback() {
    let Some(lab) = opened("").await else { return };
    // The image is gone.
    run("docker", &["tag", "parachute-sandbox", "kept"]).await;
    run("docker", &["rmi", "parachute-sandbox"]).await;
    let body = sandboxed("Run", "tool", bash("touch ran"));
    let stream = lab.local().chat("text=delta", &body).await.whole().await;
    run("docker", &["tag", "kept", "parachute-sandbox"]).await;
    run("docker", &["rmi", "kept"]).await;
    let refused = |stream: &parachute_tests::Stream, word: &str| {
        let last: Value =
            serde_json::from_str(stream.heard.others.last().expect("an end")).expect("JSON");
        println!("{}", last["message"]);
        assert_eq!(last["code"], "trust_unavailable", "{last}");
        assert!(last["message"].as_str().is_some_and(|m| m.contains(word)), "{last}");
    };
    refused(&stream, "image");
    assert!(!lab.vault.join("ran").exists());
    // There is no engine where it is said to be.
    let session = stream.session();
    systemctl(&["stop", &agent_unit(&session)]).await;
    lab.drop_in(SERVICE, "[Service]\nEnvironment=DOCKER_HOST=unix:///nowhere/docker.sock\n").await;
    systemctl(&["restart", SERVICE]).await;
    let stream = lab.local().chat("text=delta", &body).await.whole().await;
    refused(&stream, "engine");
    assert!(!lab.vault.join("ran").exists(), "nothing ran");
    systemctl(&["stop", &agent_unit(&stream.session())]).await;
}

#[tokio::test]
async fn a_build_that_nobody_listens_to_ends() {
    let Some(lab) = Lab::started("sandbox_base: parachute-slow\n").await else { return };
    // A base whose first step does not end by itself.
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/sandbox-base");
    let slow = format!(
        "set -e; d=$(mktemp -d); '{}' >$d/base.tar; printf '#!/bin/sh\nexec sleep 6000\n' \
         >$d/dpkg; chmod 755 $d/dpkg; tar -C $d --transform 's:^:usr/bin/:' -rf $d/base.tar dpkg; \
         docker import $d/base.tar parachute-slow; rm -r $d",
        text(&scripts)
    );
    run("sh", &["-c", &slow]).await;
    let packages = state().join("sandbox/packages");
    fs::create_dir_all(&packages).expect("made");
    fs::write(packages.join("any.deb"), "none").expect("written");
    let running = async || run("docker", &["ps", "-q"]).await.lines().count();
    // Once those who listen leave, once the server does. One build beside another would be
    // refused, and nothing would run.
    for leaves in ["a client", "the server"] {
        let build = lab.local().open(Method::POST, "/api/sandbox/build", None).await.expect("it");
        assert_eq!(build.status(), 200);
        eventually("a step runs", async || (running().await == 1).then_some(())).await;
        if leaves == "the server" {
            systemctl(&["stop", SERVICE]).await;
        }
        drop(build);
        eventually("the step is ended", async || (running().await == 0).then_some(())).await;
    }
    run("docker", &["rmi", "parachute-slow"]).await;
}
