//! A vault that only the predecessor has worked in: looked at, copied, taken over, and still one
//! that the predecessor can go back to.

use crate::past;
use http::Method;
use parachute_tests::{Home, program};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const COPY: &str = ".parachute/before-v16";
const OLD_UNIT: &str = "[Service]\nExecStart=/x/python -m uvicorn parachute.server:app --port 1\n";

/// What the predecessor keeps beside its database (contract-core §4.2).
const FILES: [(&str, &str); 10] = [
    (".parachute/config.yaml", "# mine\nport: 3999\nnobody_knows: 1\n"),
    (".parachute/.token", "sk-ant-oat01-canary\n"),
    (".parachute/server.yaml", "security:\n  require_auth: remote\n  api_keys: []\n"),
    (".parachute/bots.yaml", "telegram:\n  enabled: true\n  bot_token: 1:canary\n"),
    (".parachute/module_hashes.json", "{\n  \"brain\": \"00\"\n}"),
    (".parachute/workspaces/work/config.yaml", "name: Work\ntrust_level: sandboxed\n"),
    (".parachute/agents/poet.md", "---\nname: poet\n---\nWrite verse.\n"),
    (".parachute/hooks/own.py", "HOOK_CONFIG = {'events': ['server.started']}\n"),
    (".skills/rhyme.md", "---\nname: rhyme\n---\nFind rhymes.\n"),
    (".mcp.json", "{\"mcpServers\": {\"one\": {\"command\": \"true\"}}}\n"),
];

fn old_vault() -> Home {
    let mut home = Home::new();
    past::leave_in(&home);
    for (path, text) in FILES {
        let path = home.vault().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    home.set("PORT", &free_port().to_string());
    home
}

/// One that nobody serves at; whether somebody does is looked at before a vault is taken over.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Every file below a folder, with its mode and its bytes.
fn all_of(top: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let mode = path.symlink_metadata().expect("there").permissions().mode();
            if path.is_dir() {
                open.push(path.clone());
            } else if path.is_file() {
                let inside = path.strip_prefix(top).expect("within").to_owned();
                found.insert(inside, (mode, fs::read(&path).expect("read")));
            }
        }
    }
    found
}

fn run(home: &Home, file: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program(file));
    command.args(arguments).env_clear().envs(&home.env);
    command.current_dir(home.path("h")).output().expect("it runs")
}

fn json_of(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn named<'v>(survey: &'v Value, kind: &str) -> &'v Value {
    let items = survey["items"].as_array().expect("a list");
    items.iter().find(|item| item["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn looking_says_what_is_there_and_changes_nothing() {
    let home = old_vault();
    let before = all_of(&home.path(""));
    for arguments in [&["--look"][..], &["migrate", "--dry-run", "--json"]] {
        let file = if arguments.len() == 1 { "parachute-server" } else { "parachute" };
        let survey = json_of(&run(&home, file, arguments));
        assert_eq!(before, all_of(&home.path("")), "{arguments:?}");
        let database = &survey["database"];
        for (name, value) in [
            ("schema", json!(15)),
            ("schema_wanted", json!(16)),
            ("is_behind", json!(true)),
            ("sessions", json!(2)),
            ("transcripts", json!(1)),
        ] {
            assert_eq!(database[name], value, "{name}");
        }
        for (kind, count, fate) in [
            ("config", 1, "used"),
            ("token", 1, "used"),
            ("keys", 0, "used"),
            ("workspaces", 1, "used"),
            ("agents", 1, "used"),
            ("skills", 1, "used"),
            ("mcps", 1, "used"),
            ("hooks", 1, "left"),
            ("bots", 1, "left"),
        ] {
            let item = named(&survey, kind);
            assert_eq!((&item["count"], &item["fate"]), (&json!(count), &json!(fate)), "{kind}");
        }
        assert!(named(&survey, "config")["notes"].to_string().contains("nobody_knows"));
        assert_eq!(survey["copy"], Value::Null);
        assert!(!survey.to_string().contains("canary"), "no secret is told");
    }
}

#[test]
fn what_cannot_be_read_is_named_and_stays_as_it_is() {
    let home = old_vault();
    let broken = [
        (".parachute/server.yaml", "keys", "security: [\n"),
        (".parachute/bots.yaml", "bots", "telegram: {bot_token: 1:canary\n"),
        (".mcp.json", "mcps", "{"),
    ];
    for (path, _, text) in broken {
        fs::write(home.vault().join(path), text).expect("written");
    }
    let looked = run(&home, "parachute-server", &["--look"]);
    let survey = json_of(&looked);
    for (_, kind, _) in broken {
        assert_eq!(named(&survey, kind)["fate"], "broken", "{kind}");
    }
    assert!(!survey.to_string().contains("canary"));
    let ran = run(&home, "parachute", &["migrate", "--json"]);
    assert_eq!(ran.status.code(), Some(1), "something is left to be corrected");
    for (path, _, text) in broken {
        assert_eq!(fs::read_to_string(home.vault().join(path)).expect("there"), text);
        let copied = fs::read_to_string(home.vault().join(COPY).join(inside(path)));
        assert_eq!(copied.expect("copied"), text);
    }
}

/// A file's place in the copy.
fn inside(path: &str) -> &str {
    path.strip_prefix(".parachute/").unwrap_or(path)
}

#[tokio::test]
async fn the_first_start_keeps_a_copy_before_it_changes_anything() {
    let home = old_vault();
    let was = fs::read(home.vault().join("Chat/sessions.db")).expect("there");
    let mut server = home.server().await;
    let copy = home.vault().join(COPY);
    assert_eq!(copy.metadata().expect("there").permissions().mode() & 0o777, 0o700);
    for (path, text) in FILES.into_iter().filter(|(path, _)| !path.starts_with(".skills")) {
        let file = copy.join(inside(path));
        assert_eq!(fs::read_to_string(&file).expect("copied"), text, "{path}");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
    let kept = Connection::open(home.vault().join("Chat/sessions.db.before-v16")).expect("open");
    let sessions = |db: &Connection| -> i64 {
        db.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).expect("counted")
    };
    assert_eq!(sessions(&kept), 2);
    assert_ne!(fs::read(home.vault().join("Chat/sessions.db")).expect("there"), was);
    // What is changed from now on is not in the copy, and no second one is made.
    fs::write(home.vault().join(".parachute/config.yaml"), "port: 4000\n").expect("written");
    server.restart();
    server.ready().await;
    let text = fs::read_to_string(copy.join("config.yaml")).expect("there");
    assert!(text.contains("3999"));
    let ours = fs::read_dir(home.vault().join(".parachute")).expect("a folder").flatten();
    let names: Vec<String> =
        ours.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(names.iter().filter(|name| name.contains("before")).count(), 1, "{names:?}");
    assert!(!names.iter().any(|name| name.ends_with(".parachute")), "{names:?}");
}

#[test]
fn migrating_takes_the_vault_over_and_the_old_daemon_out_of_use() {
    let home = old_vault();
    let units = home.path("h/.config/systemd/user");
    fs::create_dir_all(units.join("default.target.wants")).expect("made");
    fs::write(units.join("parachute.service"), OLD_UNIT).expect("written");
    let link = units.join("default.target.wants/parachute.service");
    std::os::unix::fs::symlink(units.join("parachute.service"), &link).expect("linked");
    // Ours, though of one of the names.
    let ours = units.join("parachute-supervisor.service");
    fs::write(&ours, "[Service]\nExecStart=/x/parachute-supervisor\n").expect("written");

    let ran = run(&home, "parachute", &["migrate"]);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    for words in ["brought from version 15 to 16", "before-v16", "can go back", "not run"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let moved = home.vault().join(".parachute/old-units/parachute.service");
    assert_eq!(fs::read_to_string(moved).expect("moved"), OLD_UNIT);
    assert!(!units.join("parachute.service").exists() && link.symlink_metadata().is_err());
    assert!(ours.exists());

    let again = run(&home, "parachute", &["migrate"]);
    assert!(String::from_utf8_lossy(&again.stdout).contains("there is nothing to do"));
}

#[test]
fn only_a_copy_that_is_there_is_named() {
    let home = old_vault();
    let said = || String::from_utf8(run(&home, "parachute", &["migrate"]).stdout).expect("text");
    let unit = home.path("h/.config/systemd/user/parachute.service");
    fs::create_dir_all(unit.parent().expect("a folder")).expect("made");
    let names = "its database before";
    assert!(said().contains(names));
    fs::remove_file(home.vault().join("Chat/sessions.db.before-v16")).expect("removed");
    fs::write(unit, OLD_UNIT).expect("written");
    let again = said();
    assert!(again.contains("can go back") && !again.contains(names), "{again}");
}

#[test]
fn nothing_is_taken_over_while_the_old_server_serves() {
    let mut home = old_vault();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    home.set("PORT", &port.to_string());
    let before = all_of(&home.vault());
    let ran = run(&home, "parachute", &["migrate"]);
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains(&port.to_string()) && said.contains("stop the old server"), "{said}");
    assert_eq!(before, all_of(&home.vault()));
}

/// The statements that the predecessor reads and writes its sessions with, by the columns of
/// contract-core §3.2.
#[tokio::test]
async fn the_old_program_can_go_back() {
    let home = old_vault();
    let mut server = home.server().await;
    let owner = server.owner();
    let new = owner.chat("text=delta", &json!({"message": "hello"})).await.whole().await.session();
    let body = json!({"trustLevel": "vault"});
    let lowered = owner.send(Method::PATCH, &format!("/api/chat/{new}/config"), &body).await;
    assert_eq!(lowered.status, 200);
    server.stop();

    let db = Connection::open(home.vault().join("Chat/sessions.db")).expect("open");
    let whole: String =
        db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("checked");
    assert_eq!(whole, "ok");
    let mut read = db
        .prepare(
            "SELECT id, title, module, source, working_directory, vault_root, model,
                message_count, archived, created_at, last_accessed, continued_from, agent_type,
                metadata, trust_level, linked_bot_platform, linked_bot_chat_id,
                linked_bot_chat_type, workspace_id
            FROM sessions WHERE archived = 0 ORDER BY last_accessed DESC LIMIT 100 OFFSET 0",
        )
        .expect("every column is there");
    let rows = read.query_map([], |row| {
        let trust: Option<String> = row.get("trust_level")?;
        let times: [String; 2] = [row.get("created_at")?, row.get("last_accessed")?];
        Ok((row.get::<_, String>("id")?, trust, times))
    });
    let rows: Vec<_> = rows.expect("read").collect::<Result<_, _>>().expect("rows");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].0, new, "its order by text still holds");
    for (id, trust, times) in &rows {
        // The third is a name of its own past, which it maps (contract-core §5.3).
        let known = [None, Some("trusted"), Some("untrusted"), Some("vault")];
        assert!(known.contains(&trust.as_deref()), "{id}: {trust:?}");
        for time in times {
            assert!(time.ends_with("+00:00") && time.as_bytes()[10] == b'T', "{id}: {time}");
        }
    }
    db.execute(
        "INSERT INTO sessions (id, title, module, source, working_directory, vault_root, model,
            message_count, archived, created_at, last_accessed, continued_from, agent_type,
            metadata, trust_level, linked_bot_platform, linked_bot_chat_id,
            linked_bot_chat_type, workspace_id)
        VALUES ('old-again', NULL, 'chat', 'parachute', NULL, NULL, NULL, 0, 0,
            '2026-02-01T10:00:00+00:00', '2026-02-01T10:00:00+00:00', NULL, NULL, NULL,
            'trusted', NULL, NULL, NULL, NULL)",
        [],
    )
    .expect("a row of the old program");
    let newest: i64 = db
        .query_row("SELECT count(*) FROM schema_version WHERE version IN (10, 14, 15)", [], |row| {
            row.get(0)
        })
        .expect("counted");
    assert_eq!(newest, 3, "it takes no step a second time");
    drop(read);
    drop(db);
    // And ours goes on with what it left.
    let server = home.server().await;
    let listed = server.owner().get("/api/chat").await;
    assert!(listed.json()["sessions"].to_string().contains("old-again"));
}
