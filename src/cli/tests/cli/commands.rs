//! Every other command.

use crate::run::{House, Ran, SESSION, lay};
use crate::stub::Answer;
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Stdio;

fn stored(id: &str, used: &str, archived: bool, title: &str) -> Value {
    json!({"id": id, "title": title, "module": "chat", "source": "parachute",
        "workingDirectory": null, "vaultRoot": null, "model": "m", "messageCount": 4,
        "archived": archived, "createdAt": "2026-01-01T10:00:00Z", "lastAccessed": used,
        "continuedFrom": null, "agentType": null, "trustLevel": "trusted",
        "linkedBotPlatform": null, "linkedBotChatId": null, "linkedBotChatType": null,
        "workspaceId": null, "metadata": null, "trust": "full", "permissionMode": "auto",
        "ofALaterServer": 1})
}

pub(crate) fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

#[test]
fn every_command_has_help() {
    let house = House::new();
    for command in [
        "",
        "chat",
        "sessions",
        "sessions show",
        "sessions delete",
        "sessions archive",
        "sessions unarchive",
        "search",
        "status",
        "logs",
        "models",
        "supervisor",
        "supervisor start",
        "supervisor stop",
        "supervisor restart",
        "supervisor status",
        "supervisor install",
        "supervisor uninstall",
        "server",
        "server start",
        "server stop",
        "server restart",
        "server status",
        "config",
        "config show",
        "config get",
        "config set",
        "config check",
        "keys",
        "keys create",
        "keys list",
        "keys revoke",
        "workspace",
        "workspace list",
        "workspace show",
        "workspace remove",
        "workspace add",
        "workspace set",
        "agent",
        "agent list",
        "agent show",
        "agent remove",
        "agent add",
        "skill",
        "skill list",
        "skill show",
        "skill remove",
        "skill add",
        "plugin",
        "plugin list",
        "plugin show",
        "plugin remove",
        "plugin add",
        "plugin update",
        "plugin check",
        "mcp",
        "mcp list",
        "mcp show",
        "mcp remove",
        "mcp add",
        "mcp test",
        "mcp tools",
        "module",
        "module list",
        "module approve",
        "module status",
        "module test",
        "sandbox",
        "sandbox build",
        "sandbox status",
        "trust",
    ] {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let ran = house.run(&args);
        assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{command}");
        assert!(ran.out.contains("Usage: parachute"), "{command}: {}", ran.out);
    }
    for (act, called) in [
        ("workspace show", "<SLUG>"),
        ("workspace add", "<NAME>"),
        ("workspace set", "--network <NETWORK> <SLUG>"),
        ("plugin update", "<SLUG>"),
        ("skill remove", "<NAME>"),
    ] {
        let args: Vec<&str> = act.split(' ').chain(["--help"]).collect();
        let ran = house.run(&args);
        assert!(ran.out.contains(&format!("Usage: parachute {act} [OPTIONS] {called}")), "{ran:?}");
    }
    let version = house.run(&["--version"]);
    assert_eq!(version.out, concat!("parachute ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_command_line_that_makes_no_sense_is_status_2() {
    let house = House::new();
    for args in [
        &["nonsense"][..],
        &["chat", "--mode", "yolo", "x"],
        &["chat", " "],
        &["chat"],
        &["--server", "https://x", "status"],
        &["--server", "nowhere", "status"],
        &["sessions", "show", "../x"],
        &["sessions", "--all", "show", "x"],
        &["server", "-f", "stop"],
        &["server", "-v"],
        &["supervisor", "-f", "stop"],
        &["supervisor", "-f", "install"],
        &["logs", "-n", "5001"],
        &["logs", "-f", "--until", "now"],
        &["logs", "--session", "../x"],
        &["workspace", "show"],
        &["workspace", "show", ""],
        &["workspace", "add", "x", "--trust", "much"],
        &["workspace", "add", "x", "--network", "host"],
        &["workspace", "set", "x"],
        &["workspace", "set", "--network", "full"],
        &["agent", "add", "x"],
        &["agent", "add", "x", "--prompt", " "],
        &["agent", "add", "x", "--prompt", "-"],
        &["skill", "add", "x.txt"],
        &["skill", "add", "folder/SKILL.md"],
        &["plugin", "add"],
        &["mcp", "add", "x"],
        &["mcp", "add", "x", "npx"],
        &["mcp", "add", "x", "--url", "https://x", "--", "npx"],
        &["sandbox", "burn"],
        &["trust", "--list", "."],
        &["trust", "--list", "--remove", "."],
        &["trust", "--remove", "a", "b"],
    ] {
        let ran = house.run(args);
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{args:?}: {ran:?}");
        assert!(ran.err.starts_with("parachute: "), "{args:?}: {ran:?}");
    }
    let mut command = house.command(&["logs"]);
    let ran: Ran = command.env("SUPERVISOR_PORT", "0").output().unwrap().into();
    assert_eq!(ran.status, Some(2), "{ran:?}");
    for args in [
        &[][..],
        &["server"],
        &["supervisor"],
        &["workspace"],
        &["agent"],
        &["skill"],
        &["plugin"],
        &["mcp"],
        &["sandbox"],
    ] {
        let ran = house.run(args);
        assert_eq!(ran.status, Some(2), "{args:?}");
        assert!(ran.err.contains("Usage: parachute"), "{args:?}: {ran:?}");
    }
}

#[test]
fn without_a_server_it_is_said_where_one_was_looked_for() {
    let house = House::new();
    let place = format!("unix:{}", house.path("none.sock").display());
    let ran = house.run(&["--server", &place, "sessions"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(69), ""));
    let said = format!("parachute: no server answers at {place}: ");
    assert!(ran.err.starts_with(&said), "{ran:?}");
    assert!(ran.err.contains("\n  hint: start it with `parachute server start`"), "{ran:?}");
}

#[test]
fn refusals_have_their_statuses() {
    let house = House::new();
    let _stub = house.serve(|heard, _| match heard.line.as_str() {
        "GET /api/chat?limit=20" => {
            Answer::Json(401, json!({"error": "Unauthorized", "message": "a key is needed"}))
        }
        "GET /api/chat/x" => Answer::Json(404, json!({"detail": "no such session"})),
        _ => Answer::Text(200, "<html>"),
    });
    let ran = house.run(&["sessions"]);
    assert_eq!(ran.status, Some(77));
    assert!(ran.err.contains("PARACHUTE_KEY"), "{ran:?}");
    let ran = house.run(&["sessions", "show", "x"]);
    let said = "parachute: no such session (the server answered 404)\n";
    assert_eq!((ran.err.as_str(), ran.status), (said, Some(1)));
    for args in [&["sessions", "show", "y"][..], &["chat", "hello"], &["status"]] {
        let ran = house.run(args);
        assert_eq!(ran.status, Some(1), "{args:?}");
        assert!(ran.err.contains("does not speak as Parachute does"), "{args:?}: {ran:?}");
    }
}

#[test]
fn sessions_are_listed_for_people_and_for_programs() {
    let house = House::new();
    let stub = house.serve(|heard, _| {
        let sessions = match heard.line.contains("archived=true") {
            true => json!([stored("old", "2026-01-02T10:00:00.5Z", true, "Put away")]),
            false => json!([
                stored("new", "2026-01-03T10:00:00Z", false, "The trip\u{1b}[31m\nto Łódź"),
                stored("mid", "2026-01-01T10:00:00Z", false, ""),
            ]),
        };
        Answer::Json(200, json!({ "sessions": sessions }))
    });
    let ran = house.run(&["sessions"]);
    let rows: Vec<&str> = ran.out.lines().collect();
    assert!(rows[0].starts_with("ID   USED"), "{ran:?}");
    assert!(rows[1].starts_with("new  ") && rows[1].ends_with("  4         The trip[31m to Łódź"));
    assert_eq!(rows.len(), 3);
    let ran = house.run(&["sessions", "--all", "--search", "a b&c", "--limit", "2", "--json"]);
    let listed = json_of(&ran);
    let ids: Vec<_> = listed["sessions"].as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(ids, ["new", "old"]);
    assert_eq!(listed["sessions"][0]["ofALaterServer"], 1);
    assert_eq!(
        stub.lines()[1..],
        [
            "GET /api/chat?limit=2&search=a%20b%26c",
            "GET /api/chat?limit=2&archived=true&search=a%20b%26c",
        ]
    );
}

#[test]
fn a_session_is_shown_archived_brought_back_and_deleted() {
    let house = House::new();
    let stub = house.serve(|heard, _| {
        let mut session = stored(SESSION, "2026-01-02T10:00:00Z", true, "The trip");
        if heard.line.starts_with("GET") {
            session["messages"] = json!([
                {"role": "user", "content": "Where to?", "timestamp": "2026-01-01T10:00:00Z"},
                {"role": "assistant", "content": "Łódź.\n", "timestamp": null},
            ]);
            return Answer::Json(200, session);
        }
        match heard.line.starts_with("DELETE") {
            true => Answer::Json(200, json!({"success": true, "deleted": SESSION})),
            false => Answer::Json(200, json!({"success": true, "session": session})),
        }
    });
    let ran = house.run(&["sessions", "show", SESSION]);
    assert!(
        ran.out.starts_with(&format!("session    {SESSION}\ntitle      The trip\n")),
        "{ran:?}"
    );
    let messages = "\nuser, 2026-01-01T10:00:00Z\nWhere to?\n\nassistant\nŁódź.\n";
    assert!(ran.out.ends_with(messages), "{ran:?}");
    assert_eq!(json_of(&house.run(&["sessions", "show", SESSION, "--json"]))["id"], SESSION);
    for (act, said) in
        [("archive", "archived"), ("unarchive", "brought back"), ("delete", "deleted")]
    {
        let ran = house.run(&["sessions", act, SESSION]);
        assert_eq!((ran.out, ran.status), (format!("{SESSION} {said}\n"), Some(0)));
    }
    assert_eq!(
        stub.lines()[2..],
        [
            format!("POST /api/chat/{SESSION}/archive"),
            format!("POST /api/chat/{SESSION}/unarchive"),
            format!("DELETE /api/chat/{SESSION}"),
        ]
    );
    let ran = house.run(&["sessions", "delete", SESSION, "--json"]);
    assert_eq!(json_of(&ran)["deleted"], SESSION);
}

#[test]
fn status_tells_a_server_that_serves_from_none() {
    let house = House::new();
    let silent = house.run(&["status"]);
    assert_eq!(silent.status, Some(3), "{silent:?}");
    assert!(silent.out.starts_with("server  not running: no server answers at "), "{silent:?}");
    let ran = house.run(&["status", "--json"]);
    assert_eq!((json_of(&ran)["state"].as_str(), ran.status), (Some("not running"), Some(3)));

    let _stub = house.serve(|_, _| {
        let health = json!({"status": "ok", "timestamp": 1, "version": "9.9.9",
            "vault": {"path": "/v", "status": "ok"}, "modules": [],
            "docker": {"available": false, "image": "i"},
            "bots": {"telegram": {"running": false}, "discord": {"running": false}},
            "uptime": 3700.2, "problem": null, "listeners": ["server.sock (bound)"], "agents": 1});
        Answer::Json(200, health)
    });
    let ran = house.run(&["status"]);
    assert_eq!(ran.status, Some(0));
    assert!(ran.out.starts_with("server      serves, version 9.9.9, up 1 h 1 min\n"), "{ran:?}");
    assert!(
        ran.out.contains("\nlisteners   server.sock (bound)\nagents      1 alive\n"),
        "{ran:?}"
    );
    let json = json_of(&house.run(&["status", "--json"]));
    assert_eq!(json["state"], "serving");
    assert_eq!(json["health"]["version"], "9.9.9");
    assert_eq!(json["manager"], Value::Null);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_service_manager_it_is_said_how_to_run_a_program() {
    let house = House::new();
    let silent = |program: &str| {
        assert_eq!(house.run(&[program, "status"]).status, Some(3));
        for act in ["start", "stop", "restart"] {
            let ran = house.run(&[program, act]);
            assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{act}");
            let said = "parachute: no service manager answers here\n  hint: ";
            assert!(
                ran.err.starts_with(&format!("{said}`parachute {program} -f` runs")),
                "{ran:?}"
            );
        }
    };
    silent("server");
    silent("supervisor");
    let _server = house.serve(|_, _| Answer::Json(200, json!({"status": "ok"})));
    // That a server was named says nothing of where the supervisor runs.
    silent("supervisor");
    let _supervisor = house.oversee(|_, _| Answer::Json(200, json!({})));
    for program in ["server", "supervisor"] {
        for act in ["start", "stop", "restart"] {
            let ran = house.run(&[program, act]);
            assert_eq!(ran.status, Some(1), "{act}");
            assert!(ran.err.ends_with("hint: stop it where it runs, with Ctrl-C\n"), "{ran:?}");
        }
        let ran = house.run(&[program, "status"]);
        assert_eq!(
            (ran.out, ran.status),
            (format!("a {program} runs in the foreground; no service manager\n"), Some(0))
        );
    }
}

/// The shell stands in for the other: it says what it was given, and its process id.
#[test]
fn in_the_foreground_the_program_becomes_the_one_beside_it() {
    let house = House::new();
    let beside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = beside.path().join("parachute");
    lay(&program);
    for name in ["server", "supervisor"] {
        symlink("/bin/sh", beside.path().join(format!("parachute-{name}"))).unwrap();
        let mut command = house.command_of(&program, &["--vault", "/my/vault", name, "-f"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"echo $0 $$ $PARACHUTE_VAULT_PATH; exit 42\n").unwrap();
        drop(input);
        let ran: Ran = child.wait_with_output().unwrap().into();
        let file = beside.path().join(format!("parachute-{name}"));
        let said = format!("{} {pid} /my/vault\n", file.display());
        assert_eq!((ran.out, ran.status), (said, Some(42)));
    }
}
