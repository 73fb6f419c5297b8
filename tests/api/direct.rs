//! The supervisor where there is no service manager: it keeps the server itself, and everything
//! that it promises holds all the same.

use http::Method;
use parachute_tests::{Caller, Home, Supervisor, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

async fn status(who: &Caller) -> Value {
    who.get("/supervisor/status").await.json()
}

async fn order(who: &Caller, verb: &str) -> Value {
    let answer = who.post(&format!("/supervisor/server/{verb}"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn server(status: &Value) -> &Value {
    &status["units"][0]
}

fn is_alive(pid: u64) -> bool {
    std::fs::exists(format!("/proc/{pid}/exe")).unwrap_or(false)
}

#[tokio::test]
async fn the_server_is_started_stopped_and_restarted_as_a_child() {
    let home = Home::new();
    let mut supervisor = Supervisor::start(&home).await;
    let who = supervisor.owner();
    let before = status(&who).await;
    assert_eq!(
        (&before["mode"], &before["main_server_status"]),
        (&json!("direct"), &json!("stopped"))
    );
    assert_eq!(before["units"].as_array().expect("units").len(), 1, "there are no other units");

    assert_eq!(order(&who, "start").await["message"], "Server started");
    assert_eq!(supervisor.server().get("/api/health").await.status, 200);
    let running = status(&who).await;
    assert_eq!(running["main_server_healthy"], true);
    assert_eq!(running["main_server_port"], supervisor.port);
    let pid = server(&running)["pid"].as_u64().expect("a process");

    order(&who, "restart").await;
    let restarted = status(&who).await;
    let now = server(&restarted)["pid"].as_u64().expect("a process");
    assert!(now != pid && !is_alive(pid));

    order(&who, "stop").await;
    assert!(!is_alive(now));
    assert_eq!(status(&who).await["main_server_status"], "stopped");
    assert!(supervisor.server().open(Method::GET, "/", None).await.is_err());

    order(&who, "start").await;
    let pid = server(&status(&who).await)["pid"].as_u64().expect("a process");
    assert!(supervisor.end(Signal::TERM).success());
    assert!(!is_alive(pid), "it goes with its keeper");
}

#[tokio::test]
async fn a_crash_is_told_and_the_server_comes_back() {
    let home = Home::new();
    let supervisor = Supervisor::start(&home).await;
    let who = supervisor.owner();
    order(&who, "start").await;
    let pid = server(&status(&who).await)["pid"].as_u64().expect("a process");
    let raw = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    kill_process(raw, Signal::KILL).expect("killed");
    let back = eventually("it is back", async || {
        let now = status(&who).await;
        let other = server(&now)["pid"].as_u64().is_some_and(|now| now != pid);
        (other && now["main_server_healthy"] == true).then_some(now)
    })
    .await;
    assert_eq!(server(&back)["last_exit"]["words"], "killed by SIGKILL");
    assert_eq!(server(&back)["restarts"], 1);
    assert_eq!(supervisor.server().get("/api/health").await.status, 200);
    // A supervisor that is killed takes the server with it: nobody would keep it.
    let mut supervisor = supervisor;
    let pid = server(&status(&who).await)["pid"].as_u64().expect("a process");
    supervisor.end(Signal::KILL);
    eventually("the server is gone", async || (!is_alive(pid)).then_some(())).await;
}

/// With a host that others can reach and no key the server does not start (status 78).
#[tokio::test]
async fn a_configuration_it_cannot_start_with_is_undone() {
    let home = Home::new();
    home.config("# mine\nlog_level: INFO\n");
    let supervisor = Supervisor::start(&home).await;
    let who = supervisor.owner();
    order(&who, "start").await;
    let change = json!({ "values": { "host": "0.0.0.0" } });
    let answer = who.send(Method::PUT, "/supervisor/config", &change).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["rolled_back"]), (409, &json!(true)), "{said}");
    let detail = said["detail"].as_str().expect("words");
    assert!(detail.contains("exit status 78") && detail.contains("keys create"), "{detail}");
    let text = std::fs::read_to_string(home.path("vault/.parachute/config.yaml")).expect("read");
    assert_eq!(text, "# mine\nlog_level: INFO\n");
    assert_eq!(supervisor.server().get("/api/health").await.status, 200);
    let now = status(&who).await;
    assert!(now["config_problem"].as_str().expect("words").contains("host"), "{now}");
    assert_eq!(now["config_loaded"], false);
}

/// The log of the child is there to be read and followed, across a restart of the child.
#[tokio::test]
async fn the_childs_log_can_be_read() {
    let home = Home::new();
    let supervisor = Supervisor::start(&home).await;
    let who = supervisor.owner();
    order(&who, "start").await;
    order(&who, "restart").await;
    let answer = who.get("/supervisor/logs?follow=false&lines=500").await;
    let text = String::from_utf8(answer.body.to_vec()).expect("text");
    let said = |what: &str| text.matches(&format!("\"message\":\"{what}")).count();
    assert!(said("settings are read") == 2 && said("told to stop") == 1, "{text}");
    assert!(text.starts_with("id: ") && !text.contains(home.path("h").to_str().expect("text")));
}

/// A server that is there already is not fought over.
#[tokio::test]
async fn a_server_of_somebody_else_is_seen_and_left_alone() {
    let home = Home::new();
    let supervisor = Supervisor::start(&home).await;
    let server = home.server().await;
    let who = supervisor.owner();
    let seen = status(&who).await;
    assert_eq!(
        (&seen["main_server_status"], &seen["main_server_healthy"]),
        (&json!("running"), &json!(true))
    );
    let words = seen["main_server_words"].as_str().expect("words");
    assert!(words.contains("not started by"), "{words}");
    assert_eq!(server.owner().get("/api/health").await.status, 200);
}
