//! Phase 1 of the plan that the supervisor was first described by, an acceptance line a test, in
//! its words and in its order.

use crate::lab::{Lab, SERVICE, installer, text, units_folder};
use crate::overseen::{Events, lines, status_when, unit};
use crate::units::{main_pid, run, show, systemctl, tried};
use http::Method;
use parachute_tests::eventually;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The supervisor's installed files and what is in them.
fn installed() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let folders = [units_folder(), units_folder().join("parachute-supervisor.service.d")];
    for folder in folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let ours = text(&path).contains("parachute-supervisor") && path.is_file();
            if ours {
                let content = std::fs::read_to_string(&path).expect("read");
                found.insert(path, content);
            }
        }
    }
    found
}

/// `parachute supervisor install` creates launchd plist / systemd unit
#[tokio::test]
async fn parachute_supervisor_install_creates_systemd_unit() {
    let Some(lab) = Lab::open("").await else { return };
    let by_script = installed();
    assert!(by_script.len() >= 3, "{by_script:?}");
    let vault = text(&lab.vault);
    let (well, said) = lab.parachute(&["supervisor", "uninstall"]).await;
    assert!(well, "{said}");
    assert_eq!(installed(), BTreeMap::new(), "{said}");
    let install = ["supervisor", "install", "--vault", &vault];
    let (well, said) = lab.parachute(&install).await;
    assert!(well, "{said}");
    println!("{said}");
    let by_program = installed();
    for (path, content) in &by_script {
        assert_eq!(by_program.get(path), Some(content), "{}", path.display());
    }
    assert_eq!(show("parachute-supervisor.socket", "ActiveState").await, "active");
    assert_eq!(show("parachute-supervisor.socket", "UnitFileState").await, "enabled");
    let (well, said) = lab.parachute(&install).await;
    assert!(well && !said.contains("wrote"), "{said}");
    assert_eq!(lab.overseer().get("/supervisor/status").await.status, 200);
    let (well, said) = lab.parachute(&["supervisor", "uninstall"]).await;
    assert!(well, "{said}");
    assert_eq!(show("parachute-supervisor.socket", "LoadState").await, "not-found");
}

/// `parachute supervisor start/stop/status` work correctly
#[tokio::test]
async fn parachute_supervisor_start_stop_status_work_correctly() {
    let Some(lab) = Lab::open("").await else { return };
    let (well, said) = lab.parachute(&["supervisor", "status"]).await;
    assert!(!well, "it does not run: {said}");
    let (well, said) = lab.parachute(&["supervisor", "start"]).await;
    assert!(well, "{said}");
    assert_eq!(lab.overseer().get("/supervisor/status").await.status, 200);
    let (well, said) = lab.parachute(&["supervisor", "status"]).await;
    assert!(well && said.contains("running"), "{said}");
    let before = main_pid("parachute-supervisor.service").await;
    let (well, said) = lab.parachute(&["supervisor", "restart"]).await;
    assert!(well, "{said}");
    assert_ne!(main_pid("parachute-supervisor.service").await, before);
    let (well, said) = lab.parachute(&["supervisor", "stop"]).await;
    assert!(well, "{said}");
    assert!(lab.overseer().open(Method::GET, "/", None).await.is_err(), "it stays stopped");
    let (well, _) = lab.parachute(&["supervisor", "status"]).await;
    assert!(!well);
}

/// `GET /supervisor/status` returns supervisor uptime + main server health
#[tokio::test]
async fn get_status_returns_supervisor_uptime_and_main_server_health() {
    let Some(lab) = Lab::started("").await else { return };
    // A server that sleeps is not woken by being asked about.
    let status = lab.overseer().get("/supervisor/status").await.json();
    assert_eq!(status["main_server_status"], "stopped");
    assert_eq!(status["main_server_sleeping"], true);
    assert_eq!(status["main_server_healthy"], false);
    assert_eq!(main_pid(SERVICE).await, None);
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let status = status_when(&lab, "healthy", |s| s["main_server_healthy"] == true).await;
    println!("{status:#}");
    assert!(status["supervisor_uptime_seconds"].is_u64());
    assert!(status["main_server_uptime_seconds"].is_u64());
    assert_eq!(status["main_server_status"], "running");
    assert_eq!(status["main_server_port"], 3333);
    assert_eq!(status["main_server_version"], status["supervisor_version"]);
    assert_eq!(status["config_loaded"], true);
    assert_eq!(status["mode"], "systemd");
    let server = unit(&status, SERVICE);
    assert_eq!(server["file"], "same");
    assert_eq!(server["pid"].as_u64(), main_pid(SERVICE).await.map(u64::from));
    assert!(server["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{server}");
    assert!(server["tasks"].as_u64().is_some_and(|tasks| tasks > 0), "{server}");
    let listens = &unit(&status, "parachute.socket")["listens"];
    assert!(listens.as_array().expect("a list").contains(&json!("127.0.0.1:3333")), "{listens}");
}

/// `POST /supervisor/server/restart` restarts main server within 5s
#[tokio::test]
async fn post_restart_restarts_main_server_within_5s() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    for _ in 0..5 {
        let before = main_pid(SERVICE).await;
        let begun = Instant::now();
        let answer = lab.overseer().post("/supervisor/server/restart", &json!({})).await;
        let took = begun.elapsed();
        assert_eq!(answer.status, 200, "{}", answer.json());
        let answer = answer.json();
        assert_eq!(answer["success"], true);
        assert_eq!(answer["job"]["state"], "done");
        println!("restarted in {took:.2?}: {}", answer["message"]);
        assert!(took < Duration::from_secs(5));
        let now = main_pid(SERVICE).await;
        assert!(now.is_some() && now != before);
        let id = &answer["job"]["id"];
        let job = lab.overseer().get(&format!("/supervisor/jobs/{id}")).await.json();
        assert_eq!(&job, &answer["job"]);
    }
}

/// `POST /supervisor/server/stop` stops main server cleanly (SIGTERM)
#[tokio::test]
async fn post_stop_stops_main_server_cleanly() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let answer = lab.overseer().post("/supervisor/server/stop", &json!({})).await;
    assert_eq!((answer.status, &answer.json()["message"]), (200, &json!("Server stopped")));
    assert_eq!(show(SERVICE, "Result").await, "success");
    let said = lines(&lab.overseer(), "unit=parachute.service&lines=20").await;
    let said: Vec<&str> = said.iter().filter_map(|line| line["message"].as_str()).collect();
    assert!(said.contains(&"told to stop") && said.contains(&"stopped"), "{said:?}");
    // Stop stays stopped: a connection does not bring it back.
    assert!(lab.local().open(Method::GET, "/", None).await.is_err());
    let status = lab.overseer().get("/supervisor/status").await.json();
    assert_eq!(status["main_server_status"], "stopped");
    assert_eq!(status["main_server_sleeping"], false);
    assert_eq!(status["main_server_port"], json!(null));
}

/// `POST /supervisor/server/start` starts main server if stopped
#[tokio::test]
async fn post_start_starts_main_server_if_stopped() {
    let Some(lab) = Lab::open("").await else { return };
    systemctl(&["start", "parachute-supervisor.socket"]).await;
    let answer = lab.overseer().post("/supervisor/server/start", &json!({})).await;
    assert_eq!((answer.status, &answer.json()["message"]), (200, &json!("Server started")));
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    assert!(main_pid(SERVICE).await.is_some());
}

/// `GET /supervisor/logs` streams log lines via SSE
#[tokio::test]
async fn get_logs_streams_log_lines_via_sse() {
    let Some(lab) = Lab::started("").await else { return };
    let mut events = Events::open(&lab.overseer(), "/supervisor/logs?lines=0", None).await;
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let line = events.until(|line| line["message"] == "listening").await;
    println!("{line}");
    assert!(line["line"].as_str().expect("a line").ends_with('\n'));
    assert_eq!(line["unit"], SERVICE);
    assert_eq!(line["program"], "parachute-server");
    assert_eq!(line["priority"], 6);
    assert!(line["fields"]["listener"].is_string(), "{line}");
    let id = events.last_id.clone().expect("an id");
    drop(events);
    // The cursor goes on exactly there.
    let mut again = Events::open(&lab.overseer(), "/supervisor/logs?lines=0", Some(&id)).await;
    let next = again.next().await.expect("more");
    assert_ne!(next, line);
}

/// `GET /supervisor/config` returns current config.yaml
#[tokio::test]
async fn get_config_returns_current_config_yaml() {
    let Some(lab) = Lab::started("log_level: DEBUG\n").await else { return };
    let answer = lab.overseer().get("/supervisor/config").await;
    let tag = answer.headers.get("etag").expect("a tag").to_str().expect("text").to_owned();
    let answer = answer.json();
    assert_eq!(answer["config"]["log_level"], "DEBUG");
    assert_eq!(tag, format!("\"{}\"", answer["etag"].as_str().expect("a tag")));
    assert_eq!(answer["problem"], json!(null));
}

/// `PUT /supervisor/config` writes config.yaml, returns updated values
#[tokio::test]
async fn put_config_writes_config_yaml_returns_updated_values() {
    let Some(lab) = Lab::started("# mine\nlog_level: INFO # why\nother: kept\n").await else {
        return;
    };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let before = main_pid(SERVICE).await;
    let body = json!({ "values": { "log_level": "DEBUG" } });
    let answer = lab.overseer().send(Method::PUT, "/supervisor/config", &body).await.json();
    println!("{answer}");
    assert_eq!(answer["updated_keys"], json!(["log_level"]));
    assert_eq!(answer["server_restarted"], true);
    assert_eq!(answer["changes"][0]["to"], "DEBUG");
    let text = std::fs::read_to_string(lab.vault.join(".parachute/config.yaml")).expect("read");
    assert!(text.contains("# mine\nlog_level: DEBUG # why\nother: kept\n"), "{text}");
    let now = main_pid(SERVICE).await;
    assert!(now.is_some() && now != before);
}

/// Supervisor survives main server crash (independent process)
#[tokio::test]
async fn supervisor_survives_main_server_crash() {
    let Some(lab) = Lab::started("").await else { return };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    assert_eq!(lab.overseer().get("/supervisor/status").await.status, 200);
    let ours = main_pid("parachute-supervisor.service").await;
    for _ in 0..3 {
        let before = main_pid(SERVICE).await;
        systemctl(&["kill", "--kill-whom=all", "-s", "KILL", SERVICE]).await;
        eventually("another server", async || {
            let now = main_pid(SERVICE).await;
            (now.is_some() && now != before).then_some(())
        })
        .await;
        assert_eq!(lab.overseer().get("/supervisor/status").await.status, 200);
    }
    assert_eq!(main_pid("parachute-supervisor.service").await, ours);
}

/// `install.sh` installs both daemon plists
#[tokio::test]
async fn the_installer_installs_both() {
    let Some(_lab) = Lab::open("").await else { return };
    for unit in [SERVICE, "parachute-supervisor.service"] {
        assert_eq!(show(unit, "LoadState").await, "loaded", "{unit}");
    }
    let plists = tempfile::tempdir().expect("a folder");
    let folder = text(plists.path());
    run(&installer(), &["--for", "launchd", "--prefix", &folder, "--bin", "/x"]).await;
    let (_, listed) = tried("ls", &[&folder]).await;
    for label in ["io.openparachute.server", "io.openparachute.supervisor"] {
        assert!(listed.contains(label), "{listed}");
    }
}
