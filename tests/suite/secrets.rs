//! Canaries: secrets put wherever a supervisor might come upon them. None leaves by any door.

use crate::lab::{KEY, Lab, SERVICE};
use crate::units::{run, systemctl};
use http::Method;
use http_body_util::BodyExt;
use parachute_tests::eventually;
use serde_json::json;

/// What stands in each canary, and nowhere else.
const SONG: &str = "c4n4ry";
/// Where agents' units are.
const SLICE: &str = "--slice=parachute-agents.slice";

fn canaries() -> Vec<String> {
    let key = |middle: &str| format!("para_{middle}_{SONG}-0123456789abcdefghijkl");
    vec![
        key("plain"),
        format!("CLAUDE_CODE_OAUTH_TOKEN=sk-ant-oat01-{SONG}-env"),
        format!("MY_SECRET={SONG}secretvalue0123456789"),
        format!("Authorization: Bearer {SONG}.bearer.0123456789abcdef"),
        format!(r#"{{"api_key": "{SONG}-json-0123456789"}}"#),
        format!(r#"{{\"token\": \"{SONG}-escaped-0123456789\"}}"#),
        format!(r#"{{\\\"password\\\": \\\"{SONG}-twice-0123456789\\\"}}"#),
        format!("x-api-key: {SONG}0123456789abcdef"),
        format!("https://user:{SONG}0123456789@example.org/x"),
        format!("token: {SONG}tokenvalue0123456789"),
        format!("sk-ant-api03-{SONG}0123456789abcdefghijklmnop"),
    ]
}

#[tokio::test]
async fn no_secret_leaves_by_any_door() {
    let config = format!(
        "api_key: {SONG}-of-config-0123456789\n\
         claude_code_oauth_token: sk-ant-oat01-{SONG}-config\n\
         other_secret: {SONG}-of-the-owner\nnested:\n  password: {SONG}-below\n"
    );
    let Some(lab) = Lab::open(&config).await else { return };
    let lines = format!(
        "[Service]\nEnvironment=SOMEBODYS_API_KEY={SONG}-of-the-environment\n\
         Environment=ANTHROPIC_AUTH_TOKEN={SONG}-of-the-variable\n"
    );
    lab.drop_in("parachute-supervisor.service", &lines).await;
    systemctl(&["start", "parachute.socket", "parachute-supervisor.socket"]).await;
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    // Into the log, as any program of the suite might by mistake.
    let mut said = canaries();
    said.push(format!("the value alone: {SONG}-of-the-environment and {KEY}"));
    said.push(format!("in config {SONG}-of-config-0123456789"));
    let secrets = said.len();
    said.push("the last line".to_owned());
    // One shell writes them all and stays: of one that ends at once journald may no longer find
    // out to which unit it belonged.
    let mut singer =
        vec!["--user", "--quiet", "--collect", "--unit=singer", "--description=sings", SLICE];
    singer.extend(["sh", "-c", "printf '%s\\n' \"$@\"; exec sleep infinity", "sh"]);
    singer.extend(said.iter().map(String::as_str));
    run("systemd-run", &singer).await;
    let who = lab.overseer();
    eventually("the log has all of it", async || {
        let all = who.get("/supervisor/logs?follow=false&lines=5000").await;
        String::from_utf8_lossy(&all.body).contains("the last line").then_some(())
    })
    .await;
    systemctl(&["stop", "singer.service"]).await;
    let (port, key) = (format!("{SONG}-as-a-port"), format!("{SONG}-x"));
    let bad = json!({ "values": { "port": port, "api_key": key } });
    let refused = who.send(Method::PUT, "/supervisor/config", &bad).await;
    assert_eq!(refused.status, 400);
    let mut texts = vec![("the logs of the supervisor itself".to_owned(), {
        run(
            "journalctl",
            &["--user", "-u", "parachute-supervisor", "-u", SERVICE, "-o", "json", "--all"],
        )
        .await
    })];
    for door in [
        "/",
        "/openapi.json",
        "/supervisor/status",
        "/supervisor/config",
        "/supervisor/config/schema",
        "/supervisor/models?refresh=true",
        "/supervisor/logs?follow=false&lines=5000",
        "/supervisor/logs/export",
        "/supervisor/logs/export?format=json",
        "/supervisor/logs?follow=false&grep=secret",
        "/supervisor/logs?follow=false&lines=x",
        "/supervisor/jobs/1",
    ] {
        let answer = who.get(door).await;
        texts.push((door.to_owned(), String::from_utf8_lossy(&answer.body).into_owned()));
        let answer = lab.local().get(door).await;
        texts.push((
            format!("{door} through the server"),
            String::from_utf8_lossy(&answer.body).into_owned(),
        ));
    }
    let events = who.open(Method::GET, "/supervisor/events", None).await.expect("a stream");
    let frame = events.into_body().frame().await.expect("a frame").expect("whole");
    texts.push((
        "events".into(),
        String::from_utf8_lossy(frame.data_ref().expect("data")).into_owned(),
    ));
    let answer = who.post("/supervisor/units/parachute-agents.slice/enable", &json!({})).await;
    texts.push(("a failed order".into(), String::from_utf8_lossy(&answer.body).into_owned()));
    let (_, status) = lab.parachute(&["status"]).await;
    let (_, logs) = lab.parachute(&["logs", "-n", "5000"]).await;
    texts.extend([("parachute status".into(), status), ("parachute logs".into(), logs)]);
    let own = KEY.rsplit_once("5ecret").expect("its secret part").1;
    for (door, text) in &texts {
        // A value given by mistake for another key is told back, cut short, to who gave it.
        let mut lines = text.lines();
        let told = lines.find(|line| line.contains(SONG) || line.contains(own));
        assert_eq!(told, None, "{door}");
    }
    let (_, exported) = texts.iter().find(|(door, _)| door.ends_with("/export")).expect("it");
    let blacked = exported.lines().filter(|line| line.contains("[REDACTED")).count();
    assert!(blacked >= secrets, "the canaries were there: {exported}");
    println!("{} canaries, {} doors", secrets + 4, texts.len());
}
