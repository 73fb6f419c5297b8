//! All sources together: which one counts, where the vault is, what stands in for a bad file.

use super::super::{KEYS, Key, Origin, Sources};
use super::Place;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use wire::auth::AuthMode;

#[test]
fn with_nothing_said_the_defaults_hold() {
    let place = Place::new();
    let loaded = place.load();
    let settings = &loaded.settings;
    assert_eq!(settings.vault_path, place.path("cwd/sample-vault"));
    assert_eq!((settings.port, settings.host.to_string()), (3333, "127.0.0.1".into()));
    assert_eq!((settings.auth_mode, settings.log_level.as_str()), (AuthMode::Remote, "INFO"));
    assert_eq!((settings.debug, settings.include_user_plugins), (false, true));
    assert_eq!(settings.max_message_length, 102_400);
    assert_eq!((settings.idle_exit_seconds, settings.agent_idle_seconds), (600, 300));
    assert_eq!(settings.agents_live_max, 8);
    assert!(settings.plugin_dirs.is_empty() && settings.claude_path.is_none());
    assert!(settings.default_model.is_none() && settings.anthropic_base_url.is_none());
    assert!(settings.api_key.is_none() && settings.claude_code_oauth_token.is_none());
    assert!(settings.log_format.is_none());
    assert_eq!(settings.database(), settings.vault_path.join("Chat/sessions.db"));
    assert_eq!(
        settings.origins(),
        [
            "http://localhost:3333",
            "http://localhost:3337",
            "http://127.0.0.1:3333",
            "http://127.0.0.1:3337"
        ]
    );
    assert!(settings.host.is_loopback());
    assert!(loaded.warnings.is_empty() && loaded.problem.is_none(), "{loaded:?}");
    assert!(loaded.show().iter().all(|shown| shown.origin == Origin::Default));
    assert!(!place.path("state").exists() && !loaded.file.exists(), "nothing is made by looking");
}

#[test]
fn the_stronger_source_counts_and_each_value_says_whose_it_is() {
    let mut place = Place::new();
    place.config("port: 1\nhost: 10.0.0.1\nlog_level: error\ndb_path: ~/db\nunknown_thing: x\n");
    place.write("cwd/.env", "# mine\nexport PORT='2' # two\nLOG_LEVEL=debug\nOTHER=x\nno line\n");
    place.env("PORT", "3");
    place.env("agents_live_max", "9");
    let loaded = place.load();
    let of = |key: &str| {
        let shown = loaded.get(key).unwrap();
        (shown.value, shown.origin)
    };
    assert_eq!(of("port"), (json!(3), Origin::Environment));
    assert_eq!(of("agents_live_max"), (json!(9), Origin::Environment));
    assert_eq!(of("log_level"), (json!("DEBUG"), Origin::DotEnv));
    assert_eq!(of("host"), (json!("10.0.0.1"), Origin::File));
    assert_eq!(of("idle_exit_seconds"), (json!(600), Origin::Default));
    assert_eq!(of("default_model"), (json!(null), Origin::Default));
    assert_eq!(loaded.get("unknown_thing"), None);
    assert_eq!(loaded.show().len(), KEYS.len());
    assert!(!loaded.settings.host.to_canonical().is_loopback());
    assert_eq!(loaded.settings.db_path, Some(place.path("home/db")));
    let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    assert!(warning.contains("unknown_thing"), "{warning}");
}

#[test]
fn names_that_belong_to_everybody_are_taken_only_if_they_fit() {
    let mut place = Place::new();
    for (name, value) in [
        ("HOST", "my-laptop"),
        ("PORT", "tcp://10.0.0.1:80"),
        ("DEBUG", "express:*"),
        ("API_KEY", "two words"),
        ("LOG_LEVEL", "verbose"),
        ("RELOAD", "maybe"),
    ] {
        place.env(name, value);
    }
    let loaded = place.load();
    assert_eq!(loaded.warnings.len(), 6, "{:?}", loaded.warnings);
    assert!(loaded.warnings.iter().all(|warning| warning.starts_with("ignored, ")));
    assert!(loaded.warnings.iter().all(|warning| !warning.contains("two words")));
    assert_eq!(
        (loaded.settings.port, !loaded.settings.host.to_canonical().is_loopback()),
        (3333, false)
    );
    assert!(loaded.problem.is_none());

    place.env("PARACHUTE_PORT", "4000");
    place.env("PARACHUTE_HOST", "::");
    place.env("PARACHUTE_DEBUG", "nonsense");
    place.env("DEBUG", "1");
    place.env("PARACHUTE_CONFIG", "/x");
    place.env("AUTH_MODE", "");
    let loaded = place.load();
    assert_eq!(loaded.settings.port, 4000);
    assert!(!loaded.settings.host.to_canonical().is_loopback() && loaded.settings.debug);
}

#[test]
fn the_vault_is_found_once_and_home_is_expanded_once() {
    let mut place = Place::new();
    place.config("port: 5\n");
    let usual = place.path("home/Parachute");
    assert_eq!(place.load().settings.vault_path, usual, "not ./sample-vault (trap 81)");
    assert_eq!(place.load().settings.port, 5);

    place.config("vault_path: ~/Other\nport: 5\n");
    let loaded = place.load();
    assert_eq!(loaded.settings.vault_path, place.path("home/Other"));
    assert_eq!(loaded.get("vault_path").unwrap().origin, Origin::File);
    assert_eq!(loaded.settings.port, 3333, "the other vault has a config of its own");

    place.write("cwd/.env", "VAULT_PATH=./here\n");
    place.write("cwd/here/.parachute/config.yaml", "port: 6\nvault_path: /elsewhere\n");
    let loaded = place.load();
    assert_eq!(loaded.settings.vault_path, place.path("cwd/here"));
    assert_eq!(loaded.settings.port, 6);
    assert!(loaded.warnings[0].contains("/elsewhere"), "{:?}", loaded.warnings);

    place.env("VAULT_PATH", "~/Notes");
    let loaded = place.load();
    assert_eq!(loaded.settings.vault_path, place.path("home/Notes"));
    assert_eq!(loaded.file, place.path("home/Notes/.parachute/config.yaml"));
    let shown = loaded.get("vault_path").unwrap();
    assert_eq!(shown.value, json!(place.path("home/Notes")));
    assert_eq!(shown.origin, Origin::Environment);
}

#[test]
fn programs_keep_their_bare_names() {
    let mut place = Place::new();
    place.env("CLAUDE_PATH", "claude");
    assert_eq!(place.load().settings.claude_path.unwrap(), Path::new("claude"));
    place.env("CLAUDE_PATH", "~/bin/claude");
    assert_eq!(place.load().settings.claude_path.unwrap(), place.path("home/bin/claude"));
    place.env("PLUGIN_DIRS", r#"["~/p", "q"]"#);
    let dirs = [place.path("home/p"), place.path("cwd/q")];
    assert_eq!(place.load().settings.plugin_dirs, dirs);
}

#[test]
fn a_broken_config_gives_way_to_the_last_good_one() {
    let place = Place::new();
    place.config("port: 7\napi_key: hush\n");
    assert_eq!(place.load().settings.port, 7);
    let copy = place.path("state/last-good-config.yaml");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);

    // A hundred megabytes once it is read, and brackets that a parser goes through for minutes.
    let bomb = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000));
    let brackets = "[".repeat(100_000);
    for broken in ["port: [", "port: 99999\n", "- a\n", "\u{0}", &bomb, &brackets] {
        place.config(broken);
        let loaded = place.load();
        assert_eq!(loaded.settings.port, 7, "{broken:.40}");
        assert_eq!(loaded.settings.api_key.as_ref().unwrap().expose(), "hush");
        let problem = loaded.problem.clone().unwrap();
        assert!(problem.contains("config.yaml") && problem.contains("last good"), "{problem}");
        assert!(!format!("{loaded:?} {:?}", loaded.show()).contains("hush"));
    }
    fs::write(place.path("home/Parachute/.parachute/config.yaml"), [0xff, 0xfe]).unwrap();
    assert_eq!(place.load().settings.port, 7);

    place.config("port: 8\n");
    let loaded = place.load();
    assert_eq!((loaded.settings.port, loaded.problem), (8, None));
    assert!(loaded.settings.api_key.is_none());
}

#[test]
fn without_a_good_copy_the_defaults_hold() {
    let place = Place::new();
    place.config("port: [");
    let loaded = place.load();
    assert_eq!(loaded.settings.port, 3333);
    assert!(loaded.problem.unwrap().contains("the defaults are in force"));
    let stateless = Sources { state: None, ..place.sources() };
    assert!(super::load(&stateless).problem.is_some());
}

#[test]
fn the_copy_of_another_vaults_config_is_not_taken() {
    let mut place = Place::new();
    place.config("port: 7\n");
    place.load();
    place.write("home/b/.parachute/config.yaml", "port: [");
    place.env("VAULT_PATH", "~/b");
    assert_eq!(place.load().settings.port, 3333);
}

#[test]
fn a_broken_pointer_does_not_move_the_vault() {
    let place = Place::new();
    place.config("vault_path: ~/Other\n");
    place.write("home/Other/.parachute/config.yaml", "port: 9\n");
    assert_eq!(place.load().settings.port, 9);
    place.config("vault_path: [");
    let loaded = place.load();
    assert_eq!(loaded.settings.vault_path, place.path("home/Other"));
    assert_eq!(loaded.settings.port, 9);
    assert!(loaded.problem.unwrap().contains("home/Parachute/.parachute/config.yaml"));
}

#[test]
fn origins_are_cleaned() {
    let mut place = Place::new();
    place.env("CORS_ORIGINS", " https://a.test/ ,, http://b.test:81");
    assert_eq!(place.load().settings.origins(), ["https://a.test", "http://b.test:81"]);
}

#[test]
fn loopback_in_any_spelling_is_not_wide() {
    for (host, wide) in [
        ("127.0.0.2", false),
        ("::1", false),
        ("[::1]", false),
        ("localhost", false),
        ("::ffff:127.0.0.1", false),
        ("0.0.0.0", true),
        ("::", true),
        ("192.168.1.2", true),
    ] {
        let mut place = Place::new();
        place.env("PARACHUTE_HOST", host);
        assert_eq!(!place.load().settings.host.to_canonical().is_loopback(), wide, "{host}");
    }
}

#[test]
fn every_key_settles_from_every_kind_of_value() {
    let mut place = Place::new();
    for key in KEYS {
        let value = key.default.unwrap_or("https://x");
        place.env(&format!("PARACHUTE_{}", key.name.to_uppercase()), value);
    }
    place.env("PARACHUTE_RELOAD", "1");
    let loaded = place.load();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(loaded.show().iter().all(|shown| shown.origin == Origin::Environment));
    assert!(Key::named("no_such_key").is_none());
}
