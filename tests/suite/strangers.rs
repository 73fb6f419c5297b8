//! Who must not reach the supervisor: pages of other sites, in every way a browser lets them
//! try; rebound names; other units than ours. Nothing they ask for happens.

use crate::lab::{Lab, SERVICE};
use crate::units::{main_pid, message, systemctl};
use http::Method;
use serde_json::json;
use std::time::Instant;

#[tokio::test]
async fn pages_of_other_sites_are_refused_and_nothing_happens() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let before = main_pid(SERVICE).await;
    let config = lab.vault.join(".parachute/config.yaml");
    let text = std::fs::read_to_string(&config).expect("read");
    let simple: [&[(&str, &str)]; 9] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        // Another program of this machine is another site, too.
        &[("origin", "http://localhost:8080")],
        &[("host", "evil.example")],
        &[("host", "evil.example:3334")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")],
        &[("x-forwarded-for", "127.0.0.1")],
    ];
    for headers in simple {
        let who = headers.iter().fold(lab.overseer(), |who, (name, value)| {
            let who = if *name == "host" { lab.bare() } else { who };
            who.with(name, value)
        });
        for path in ["/supervisor/server/stop", "/supervisor/units/parachute.service/stop"] {
            // A form or a no-cors fetch of a page: no preflight comes before it.
            let who = who.clone().with("content-type", "text/plain");
            let answer = who.ask(Method::POST, path, Some("{}".into())).await;
            assert_eq!(answer.status, 403, "{headers:?} {path}");
        }
        let change = json!({ "values": { "log_level": "TRACE" } });
        let answer = who.send(Method::PUT, "/supervisor/config", &change).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        for path in ["/", "/supervisor/status", "/supervisor/logs?follow=false", "/openapi.json"] {
            assert_eq!(who.get(path).await.status, 403, "{headers:?} {path}");
        }
    }
    // A person who follows a link may look.
    let link = lab.overseer().with("sec-fetch-site", "cross-site");
    let link = link.with("sec-fetch-mode", "navigate").with("sec-fetch-dest", "document");
    assert_eq!(link.get("/").await.status, 200);
    assert_eq!(link.post("/supervisor/server/stop", &json!({})).await.status, 403);
    assert_eq!(main_pid(SERVICE).await, before);
    assert_eq!(std::fs::read_to_string(&config).expect("read"), text);
}

/// The server hands on, by its own rules: it shows the same to the owner, and refuses the same.
#[tokio::test]
async fn through_the_server_the_same_holds() {
    let Some(lab) = Lab::started("").await else { return };
    let direct = lab.overseer().get("/supervisor/config").await;
    let through = lab.local().get("/supervisor/config").await;
    assert_eq!((through.status, &through.body), (200, &direct.body));
    assert_eq!(through.headers.get("etag"), direct.headers.get("etag"));
    let stale = lab.local().with("if-match", "\"0000000000000000\"");
    let change = json!({ "values": { "log_level": "TRACE" }, "restart": false });
    assert_eq!(stale.send(Method::PUT, "/supervisor/config", &change).await.status, 412);
    let page = lab.local().with("origin", "https://evil.example");
    assert_eq!(page.post("/supervisor/server/stop", &json!({})).await.status, 403);
    let elsewhere = lab.local().with("x-forwarded-for", "10.0.0.9");
    assert_eq!(elsewhere.get("/supervisor/status").await.status, 401, "it needs a key");
    let mut events = crate::overseen::Events::open(&lab.local(), "/supervisor/events", None).await;
    assert!(events.next().await.expect("the status")["units"].is_array());
    // An order that ends the server through which it came is answered all the same.
    let begun = Instant::now();
    let answer = lab.local().post("/supervisor/server/restart", &json!({})).await;
    println!("{} after {:.2?}", answer.json(), begun.elapsed());
    assert_eq!((answer.status, &answer.json()["success"]), (202, &json!(true)));
    let job = lab.overseer().get("/supervisor/jobs/1").await.json();
    assert_eq!(job["verb"], "restart");
}

#[tokio::test]
async fn no_other_unit_can_be_named() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.overseer().get("/supervisor/status").await.status, 200);
    let before = systemctl(&["show", "-p", "NJobs,NInstalledJobs", "--value"]).await;
    for unit in [
        "ssh.service",
        "dbus.service",
        "..%2Fx",
        "..%2F..%2Fparachute.service",
        "parachute-x.service",
        "parachute.service%00",
        "parachute.service%20ssh.service",
        "PARACHUTE.SERVICE",
        "parachute",
        "parachute-agent@x.service",
        "%FF",
        "*",
    ] {
        for verb in ["start", "stop", "restart", "reset-failed", "enable", "disable"] {
            let path = format!("/supervisor/units/{unit}/{verb}");
            let answer = lab.overseer().post(&path, &json!({})).await;
            assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        }
    }
    for verb in ["kill", "mask", "", "stop%00", "START"] {
        let path = format!("/supervisor/units/parachute.service/{verb}");
        let answer = lab.overseer().post(&path, &json!({})).await;
        assert!(matches!(answer.status, 307 | 400 | 404), "{path}: {}", answer.status);
    }
    // No job was made: systemd was not asked.
    let after = systemctl(&["show", "-p", "NJobs,NInstalledJobs", "--value"]).await;
    assert_eq!(before, after);
    let own = lab.journal("parachute-supervisor").await;
    assert!(!own.iter().any(|entry| message(entry) == "ordered"), "{own:?}");
}
