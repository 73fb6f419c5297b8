//! `parachute config` and `parachute keys`: no server, only a vault.

use crate::run::{House, Ran};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A house with a vault in it, and this as its `config.yaml`.
fn house(config: &str) -> House {
    let house = House::new();
    fs::create_dir_all(house.path("vault/.parachute")).unwrap();
    fs::write(house.path("vault/.parachute/config.yaml"), config).unwrap();
    house
}

fn run(house: &House, args: &[&str]) -> Ran {
    let all = [&["--vault", "vault"], args].concat();
    house.run(&all)
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
}

#[test]
fn each_value_is_shown_with_where_it_comes_from_and_no_secret_is() {
    let house = house("port: 4444\nclaude_code_oauth_token: sk-very-secret\nodd: 1\n");
    let mut command = house.command(&["--vault", "vault", "config", "show"]);
    let ran: Ran = command.env("DEFAULT_MODEL", "opus").output().unwrap().into();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let row = |key: &str| {
        let row = ran.out.lines().find(|row| row.starts_with(key)).unwrap();
        row.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("port "), "file 4444");
    assert_eq!(row("default_model "), "env opus");
    assert_eq!(row("idle_exit_seconds "), "default 600");
    assert!(!format!("{ran:?}").contains("very-secret"));
    assert!(ran.err.contains("nobody knows the key odd\n"), "{ran:?}");
    let shown = run(&house, &["config", "show", "--json"]);
    assert!(!format!("{shown:?}").contains("very-secret"));
    let settings = json_of(&shown)["settings"].as_array().unwrap().clone();
    let port = settings.iter().find(|setting| setting["key"] == "port").unwrap();
    assert_eq!((&port["value"], &port["origin"]), (&4444.into(), &"file".into()));
}

#[test]
fn one_value_is_printed_bare_and_a_mistyped_key_is_guessed() {
    let house = house("port: 4444\n");
    assert_eq!(run(&house, &["config", "get", "port"]).out, "4444\n");
    assert_eq!(json_of(&run(&house, &["config", "get", "port", "--json"]))["origin"], "file");
    for args in [&["config", "get", "prot"][..], &["config", "set", "prot", "1"]] {
        let ran = run(&house, args);
        assert_eq!((ran.status, ran.out.as_str()), (Some(2), ""), "{args:?}");
        let said = "parachute: nobody knows the key \"prot\"\n  hint: port is the nearest; ";
        assert!(ran.err.starts_with(said), "{ran:?}");
    }
}

#[test]
fn setting_a_key_changes_its_line_and_nothing_else() {
    let house = house("# mine\nport: 4444 # why\nodd: 1\n");
    let file = house.path("vault/.parachute/config.yaml");
    let ran = run(&house, &["config", "set", "port", "5555"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\nport: 5555 # why\nodd: 1\n");
    let ran = run(&house, &["config", "set", "port", "70000"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.err.contains("from 1 to 65535\n"), "{ran:?}");
    let ran = run(&house, &["config", "set", "claude_code_oauth_token", "sk-very-secret"]);
    assert_eq!(ran.status, Some(2));
    assert!(!ran.err.contains("very-secret"), "{ran:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\nport: 5555 # why\nodd: 1\n");
    let mut command = house.command(&["--vault", "vault", "config", "set", "port", "6666"]);
    let ran: Ran = command.env("PORT", "1").output().unwrap().into();
    assert_eq!(ran.err, "  ! env says otherwise, and comes before it\n");
}

#[test]
fn the_vault_is_named_where_the_server_looks_for_it() {
    let house = house("");
    let vault = house.path("vault").canonicalize().unwrap();
    let vault = vault.to_str().unwrap();
    let ran = house.run(&["config", "set", "vault_path", vault]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(house.path("Parachute/.parachute/config.yaml").is_file());
    assert_eq!(house.run(&["config", "get", "vault_path"]).out, format!("{vault}\n"));
    assert_eq!(house.run(&["config", "set", "port", "5555"]).status, Some(0));
    assert_eq!(run(&house, &["config", "get", "port"]).out, "5555\n");
}

#[test]
fn a_config_is_judged_in_force_or_on_its_own() {
    let house = house("port: 4444\n");
    let ran = run(&house, &["config", "check"]);
    assert_eq!((ran.status, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.ends_with("/vault/.parachute/config.yaml is good\n"), "{ran:?}");
    fs::write(house.path("bad.yaml"), "port: many\n").unwrap();
    let ran = run(&house, &["config", "check", "bad.yaml"]);
    assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("parachute: bad.yaml line 1: port is `many`; "), "{ran:?}");
    let ran = run(&house, &["config", "check", "bad.yaml", "--json"]);
    assert_eq!((json_of(&ran)["valid"].as_bool(), ran.status), (Some(false), Some(1)));
    let ran = run(&house, &["config", "check", "none.yaml"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    fs::copy(house.path("bad.yaml"), house.path("vault/.parachute/config.yaml")).unwrap();
    assert_eq!(run(&house, &["config", "check"]).status, Some(1));
}

#[test]
fn the_port_of_the_config_is_where_a_server_is_looked_for() {
    let house = house("port: 1\n");
    let ran = run(&house, &["sessions"]);
    assert_eq!(ran.status, Some(69));
    let said = "parachute: no server answers at http://127.0.0.1:1: ";
    assert!(ran.err.starts_with(said), "{ran:?}");
}

#[test]
fn a_key_is_made_shown_once_listed_and_revoked() {
    let house = house("");
    let file = house.path("vault/.parachute/server.yaml");
    let ran = run(&house, &["keys", "create", "phone"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let key = ran.out.trim_end().to_owned();
    assert!(key.starts_with("para_") && ran.out.lines().count() == 1, "{ran:?}");
    assert!(ran.err.contains("is shown this once") && !ran.err.contains(&key), "{ran:?}");
    assert!(!fs::read_to_string(&file).unwrap().contains(&key));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let made = json_of(&run(&house, &["keys", "create", "laptop", "--json"]));
    assert!(made["key"].as_str().unwrap().starts_with("para_"));
    let listed = run(&house, &["keys", "list"]);
    let rows: Vec<&str> = listed.out.lines().collect();
    assert!(rows[0].starts_with("ID  ") && rows[1].ends_with("  never  phone"), "{listed:?}");
    assert_eq!(rows.len(), 3);

    let id = made["id"].as_str().unwrap();
    assert_eq!(run(&house, &["keys", "revoke", id]).out, format!("{id} opens no door any more\n"));
    let ran = run(&house, &["keys", "revoke", id]);
    assert_eq!(ran.status, Some(1));
    let said = format!("parachute: there is no key \"{id}\"\n  hint: `parachute keys list` shows");
    assert!(ran.err.starts_with(&said), "{ran:?}");
    let left = json_of(&run(&house, &["keys", "list", "--json"]));
    assert_eq!(left["keys"].as_array().unwrap().len(), 1);
    assert_eq!(left["auth_mode"], "remote");
    assert_eq!(run(&house, &["keys", "create", ""]).status, Some(2));
}

#[test]
fn no_vault_is_made_by_looking_for_one() {
    let house = House::new();
    for args in [&["keys", "create", "x"][..], &["config", "set", "port", "1"]] {
        let ran = house.run(args);
        assert_eq!((ran.status, ran.out.as_str()), (Some(1), ""), "{args:?}");
        assert!(ran.err.contains("hint: name it with --vault, or for good with"), "{ran:?}");
    }
    assert!(!house.path("sample-vault").exists());
    assert_eq!(house.run(&["config", "show"]).status, Some(0));
}

#[test]
fn keys_that_are_not_understood_are_not_written_over() {
    let house = house("");
    let file = house.path("vault/.parachute/server.yaml");
    fs::write(&file, "security: [broken\n").unwrap();
    for args in [&["keys", "create", "x"][..], &["keys", "list"]] {
        assert_eq!(run(&house, args).status, Some(1), "{args:?}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "security: [broken\n");
}
