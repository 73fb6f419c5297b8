//! What is drawn from the supervisor: `parachute status` and `parachute models`.

use crate::run::{House, Ran};
use crate::stub::{Answer, Heard};
use serde_json::{Value, json};

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

fn unit(name: &str, words: &str) -> Value {
    json!({"name": name, "about": "a", "load": "loaded", "active": "active", "sub": "running",
        "result": "success", "words": words, "last_exit": null, "restarts": 2,
        "since": null, "pid": 42, "memory_bytes": 9 << 20, "cpu_seconds": 1.25, "tasks": 7,
        "listens": [], "enabled": "static", "file": "same", "drop_ins": [], "verbs": ["stop"]})
}

fn status() -> Value {
    let mut server = unit("parachute.service", "runs");
    server["last_exit"] = json!({"at": "2026-01-01T10:00:00Z", "result": "watchdog",
        "words": "killed by the watchdog after 30 s", "code": null, "signal": 6});
    server["file"] = "differs".into();
    let mut absent = unit("parachute-telegram.service", "not installed");
    absent["load"] = "not-found".into();
    let agents = json!([
        {"session": "s-1", "turn": "t-1", "pid": 7, "memory_bytes": 5 << 20, "since": null},
        {"session": "s-2", "turn": null, "pid": 8, "memory_bytes": null, "since": null},
    ]);
    json!({"supervisor_uptime_seconds": 61, "supervisor_version": "0.3.1",
        "main_server_healthy": true, "main_server_status": "running",
        "main_server_uptime_seconds": 3700, "main_server_version": "9.9.9",
        "main_server_port": 3333, "config_loaded": false, "mode": "systemd",
        "main_server_words": "runs\u{1b}[31m and answers", "main_server_sleeping": false,
        "config_problem": "config.yaml line 4: port is not a number",
        "units": [server, unit("parachute.socket", "listens"), absent],
        "agents": agents, "jobs": [], "of_a_later_supervisor": 1})
}

fn says(status: Value) -> impl Fn(&Heard, usize) -> Answer {
    move |_, _| Answer::Json(200, status.clone())
}

#[test]
fn status_is_one_overview_of_what_the_supervisor_says() {
    let house = House::new();
    let stub = house.oversee(says(status()));
    let ran = house.run(&["status"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    let out = ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines: Vec<String> = out.collect();
    let when = lines.last().unwrap().strip_prefix("parachute.service ").unwrap().to_owned();
    assert!(when.ends_with(" ago killed by the watchdog after 30 s"), "{ran:?}");
    assert_eq!(
        lines[..lines.len() - 1],
        [
            "server runs[31m and answers",
            "version 9.9.9, up 1 h 1 min",
            "port 3333",
            "kept by systemd",
            "supervisor 0.3.1, up 1 min",
            "problem: config.yaml line 4: port is not a number",
            "parachute.service: its file is not the one of this version",
            "",
            "UNIT SINCE MEMORY CPU RESTARTS STATE",
            "parachute.service - 9 MiB 1.2 s 2 runs",
            "parachute.socket - 9 MiB 1.2 s 2 listens",
            "",
            "AGENT OF SESSION SINCE MEMORY TURN",
            "s-1 - 5 MiB t-1",
            "s-2 - - waits for one",
            "",
            "ENDED BADLY WHEN HOW",
        ]
    );
    assert_eq!(stub.lines(), ["GET /supervisor/status"], "the server is not asked");
}

#[test]
fn json_is_the_supervisors_answer_and_what_status_always_says() {
    let house = House::new();
    let _stub = house.oversee(says(status()));
    let mut shown = json_of(&house.run(&["status", "--json"]));
    let mut take = |key: &str| shown.as_object_mut().unwrap().shift_remove(key).unwrap();
    assert_eq!(take("state"), "serving");
    assert_eq!(take("place"), "http://127.0.0.1:3333");
    assert_eq!(take("supervisor"), format!("unix:{}", house.supervisor_socket().display()));
    assert_eq!(take("manager"), "systemd");
    assert_eq!(take("problem"), Value::Null);
    assert_eq!(shown, status());
}

#[test]
fn whether_anything_serves_is_the_exit_status() {
    for (state, healthy, sleeping, word, exit) in [
        ("running", true, false, "serving", 0),
        ("stopped", false, true, "waiting", 0),
        ("starting", false, false, "serving", 0),
        ("running", false, false, "not running", 3),
        ("stopped", false, false, "not running", 3),
        ("failed", false, false, "not running", 3),
        ("crashed", false, false, "not running", 3),
    ] {
        let house = House::new();
        let mut said = status();
        said["main_server_status"] = state.into();
        said["main_server_healthy"] = healthy.into();
        said["main_server_sleeping"] = sleeping.into();
        said["mode"] = "direct".into();
        let _stub = house.oversee(says(said));
        let ran = house.run(&["status", "--json"]);
        assert_eq!(ran.status, Some(exit), "{state}");
        let shown = json_of(&ran);
        assert_eq!((&shown["state"], &shown["manager"]), (&json!(word), &Value::Null), "{state}");
        assert_eq!(shown["problem"].is_null(), exit == 0, "{state}");
        let hangs = state == "running" && !healthy;
        let problem = shown["problem"].as_str().unwrap_or_default();
        assert_eq!(problem.ends_with(", and does not answer"), hangs, "{state}");
        assert_eq!(house.run(&["status"]).status, Some(exit), "{state}");
    }
}

fn health() -> Value {
    json!({"status": "ok", "timestamp": 1, "version": "9.9.9",
        "vault": {"path": "/v", "status": "ok"}, "modules": [],
        "docker": {"available": false, "image": "i"},
        "bots": {"telegram": {"running": false}, "discord": {"running": false}},
        "uptime": 3700.2, "problem": null, "listeners": [], "agents": 1})
}

#[test]
fn a_supervisor_that_is_broken_is_told_and_done_without() {
    let house = House::new();
    let _server = house.serve(|_, _| Answer::Json(200, health()));
    let _stub = house.oversee(|_, _| Answer::Text(200, "<html>"));
    let ran = house.run(&["status"]);
    assert_eq!(ran.status, Some(0));
    assert!(ran.out.starts_with("server      serves, version 9.9.9, up 1 h 1 min\n"), "{ran:?}");
    assert!(ran.err.starts_with("  ! what answers at unix:"), "{ran:?}");
    let shown = json_of(&house.run(&["status", "--json"]));
    assert_eq!((&shown["state"], &shown["supervisor"]), (&json!("serving"), &Value::Null));
}

#[test]
fn a_server_that_was_named_need_not_have_a_supervisor() {
    for (status, said) in
        [(404, json!({"detail": "Not Found"})), (503, json!({"detail": "away"})), (401, json!({}))]
    {
        let house = House::new();
        let stub = house.serve(move |heard, _| match heard.line.contains("/supervisor/") {
            true => Answer::Json(status, said.clone()),
            false => Answer::Json(200, health()),
        });
        let place = format!("unix:{}", house.socket().display());
        let ran = house.run(&["--server", &place, "status"]);
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{status}");
        assert!(ran.out.starts_with("server      serves, version 9.9.9"), "{ran:?}");
        assert_eq!(stub.lines()[0], "GET /supervisor/status");
        let ran = house.run(&["--server", &place, "-v", "status"]);
        assert!(ran.err.starts_with("  ! "), "{ran:?}");
    }
}

fn models(stale: bool) -> Value {
    let model = |id: &str, family: &str| {
        json!({"id": id, "display_name": format!("Claude {family}\u{1b}"), "family": family,
            "created_at": "2026-02-01T00:00:00Z", "is_latest": true})
    };
    json!({"models": [model("claude-opus-9", "opus"), model("claude-haiku-9", "haiku")],
        "count": 2, "show_all": false, "current_model": "claude-haiku-9",
        "cached_at": "2026-02-01T00:00:00Z", "is_stale": stale, "of_a_later_supervisor": 1,
        "problem": "the vendor answered 429"})
}

#[test]
fn models_are_listed_with_the_one_in_use_and_their_age() {
    let house = House::new();
    let stub =
        house.oversee(|heard, _| Answer::Json(200, models(heard.line.ends_with("refresh=true"))));
    let ran = house.run(&["models"]);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert_eq!(
        rows[..4],
        [
            "   ID              FAMILY  DATE        NAME",
            "   claude-opus-9   opus    2026-02-01  Claude opus",
            "*  claude-haiku-9  haiku   2026-02-01  Claude haiku",
            "",
        ]
    );
    assert!(rows[4].starts_with("* is default_model; as the vendor said "), "{ran:?}");
    assert_eq!((rows.len(), ran.status), (5, Some(0)));
    let ran = house.run(&["models", "--all", "--refresh"]);
    assert!(ran.out.ends_with("\nthis may be out of date: the vendor answered 429\n"), "{ran:?}");
    assert_eq!(json_of(&house.run(&["models", "--json"])), models(false));
    assert_eq!(
        stub.lines(),
        [
            "GET /supervisor/models?show_all=false&refresh=false",
            "GET /supervisor/models?show_all=true&refresh=true",
            "GET /supervisor/models?show_all=false&refresh=false",
        ]
    );
}

#[test]
fn models_that_cannot_be_had_come_with_what_to_do() {
    let house = House::new();
    let ran = house.run(&["models"]);
    assert_eq!(ran.status, Some(69));
    assert!(ran.err.starts_with("parachute: no supervisor answers at "), "{ran:?}");
    let _stub = house.oversee(|_, _| Answer::Json(503, json!({"detail": "no credential"})));
    let ran = house.run(&["models", "--json"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("parachute: no credential\n  hint: "), "{ran:?}");
}
