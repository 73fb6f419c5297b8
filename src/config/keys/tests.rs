//! Keys on real files: the predecessor's, broken ones, and those changed behind our back.

use super::*;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

/// A file of the predecessor; the key is `para_tRTntgkp1l-9hS5_5OMxPE3drtjHbHAk`.
const OLD: &str = "\
# my keys
security:
  require_auth: always
  api_keys:
  - id: k_tRTntgkp1l-9
    label: phone
    key_hash: sha256:HASH
    created_at: '2026-11-20T02:18:20.175234'
    last_used_at: null
    note: kept
# the rest
server:
  port: 3333   # old
  expose_to_tailnet: false
";
const OLD_KEY: &str = "para_tRTntgkp1l-9hS5_5OMxPE3drtjHbHAk";

fn old() -> String {
    let hash = hash(OLD_KEY.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    OLD.replace("HASH", &hex)
}

#[test]
fn a_byte_order_mark_locks_nobody_out() {
    let text = old();
    let text = text.strip_prefix("# my keys\n").unwrap();
    let (_folder, path) = file(&format!("\u{feff}{text}"));
    let keys = Keys::load(&path).unwrap();
    assert_eq!(keys.mode(), AuthMode::Always);
    assert!(keys.check(OLD_KEY).is_some());
}

fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.yaml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn minute() -> Instant {
    Instant::now() + USES_WRITTEN_EVERY
}

#[test]
fn the_predecessors_key_opens_in_every_form() {
    let (_folder, path) = file(&old());
    let keys = Keys::load(&path).unwrap();
    assert_eq!(keys.mode(), AuthMode::Always);
    let id = Some(KeyId("k_tRTntgkp1l-9".into()));
    assert_eq!(keys.check(OLD_KEY), id);
    assert_eq!(keys.check(&STANDARD.encode(OLD_KEY)), id);
    let twice = STANDARD.encode(STANDARD.encode(OLD_KEY));
    for wrong in ["", "para_wrong", "tRTntgkp1l-9hS5_5OMxPE3drtjHbHAk", &twice, &"p".repeat(9999)] {
        assert_eq!(keys.check(wrong), None, "{wrong}");
    }
    let [key] = &keys.list()[..] else { panic!() };
    assert_eq!(key.created_at.to_string(), "2026-11-20T02:18:20.175234Z");
    assert!(key.last_used_at.is_some());
}

#[test]
fn uses_are_written_once_a_minute_and_the_rest_of_the_file_stays() {
    let (_folder, path) = file(&old());
    let keys = Keys::load(&path).unwrap();
    for _ in 0..100 {
        keys.check(OLD_KEY).unwrap();
    }
    assert!(!keys.flush().unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), old(), "no request writes");
    assert!(keys.flush_at(minute()).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let used = keys.list()[0].last_used_at.unwrap();
    assert!(
        text.contains(&format!("last_used_at: \"{}\"", used.to_string().trim_end_matches('Z')))
    );
    assert!(text.starts_with("# my keys\nsecurity:\n  require_auth: \"always\"\n"), "{text}");
    assert!(text.contains("note: \"kept\"\n# the rest\nserver:\n  port: 3333   # old\n"), "{text}");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    keys.check(OLD_KEY).unwrap();
    assert!(!keys.flush_at(minute()).unwrap(), "less than a minute since the last");
    assert!(keys.close().unwrap());
    assert!(!keys.close().unwrap(), "nothing new");
    let again = Keys::load(&path).unwrap();
    assert!(again.list()[0].last_used_at.unwrap() > used);
    assert!(again.check(OLD_KEY).is_some());
}

#[test]
fn a_made_key_opens_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".parachute").join("server.yaml");
    let keys = Keys::load(&path).unwrap();
    assert!(keys.is_empty());
    assert_eq!(keys.mode(), AuthMode::Remote);
    let (info, secret) = keys.create("phone").unwrap();
    let key = secret.expose();
    assert_eq!((key.len(), &key[..5]), (48, "para_"));
    assert_eq!((info.id.len(), &info.id[..2]), (14, "k_"));
    assert!(!key.contains(&info.id[2..]), "the id gives nothing of the key away (trap 12)");
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains(key) && !text.contains(&key[5..]));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    let other = Keys::load(&path).unwrap();
    assert_eq!(other.check(key).unwrap().as_str(), info.id);
    assert!(keys.revoke(&info.id).unwrap());
    assert!(!keys.revoke(&info.id).unwrap());
    assert_eq!(keys.check(key), None);
    assert_eq!(other.check(key), None, "the file is read again when it changes");
    assert!(other.is_empty());
}

#[test]
fn a_configured_key_fits_whole_and_in_no_part() {
    let secret = Secret::new("para_configured".into());
    assert!(same(&secret, "para_configured"));
    let long = "para_configured".repeat(PRESENTED_BYTES_MAX);
    for shown in ["", "para_", "para_configurec", "para_configuredd", "PARA_CONFIGURED", &long] {
        assert!(!same(&secret, shown), "{shown:.20}");
    }
    assert!(!same(&Secret::new(String::new()), ""), "no secret is no key");
}

#[test]
fn two_programs_do_not_undo_each_other() {
    let (_folder, path) = file(&old());
    let (server, cli) = (Keys::load(&path).unwrap(), Keys::load(&path).unwrap());
    server.check(OLD_KEY).unwrap();
    let (_, laptop) = cli.create("laptop").unwrap();
    let (_, tablet) = server.create("tablet").unwrap();
    cli.set_mode(AuthMode::Remote).unwrap();
    server.close().unwrap();
    for keys in [&server, &cli, &Keys::load(&path).unwrap()] {
        assert_eq!(keys.mode(), AuthMode::Remote);
        let labels: Vec<_> = keys.list().into_iter().map(|key| key.label).collect();
        assert_eq!(labels, ["phone", "laptop", "tablet"]);
        assert!(keys.list()[0].last_used_at.is_some());
        assert!(keys.check(laptop.expose()).is_some() && keys.check(tablet.expose()).is_some());
    }
    assert!(fs::read_to_string(&path).unwrap().contains("expose_to_tailnet: false"));
}

#[test]
fn many_makers_at_once_lose_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.yaml");
    let keys = Keys::load(&path).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (keys, path) = (&keys, &path);
            scope.spawn(move || {
                keys.create(&format!("a{number}")).unwrap();
                Keys::load(path).unwrap().create(&format!("b{number}")).unwrap();
            });
        }
    });
    assert_eq!(keys.list().len(), 16);
}

#[test]
fn a_file_that_is_not_understood_lets_nobody_in_and_is_left_alone() {
    let hash = format!("sha256:{}", "0".repeat(64));
    for text in [
        "security: [",
        "- a list",
        "security: yes please",
        "security:\n  require_auth: sometimes\n",
        "security:\n  require_auth: off\n",
        "security:\n  require_auth: 1\n",
        "security:\n  api_keys: none\n",
        "security:\n  api_keys:\n  - text\n",
        &format!("security:\n  api_keys:\n  - key_hash: {hash}\n"),
        "security:\n  api_keys:\n  - {id: k_1, key_hash: 'sha256:12'}\n",
        &format!("security:\n  api_keys:\n  - id: k_1\n    key_hash: md5:{hash}\n"),
        "\u{0}\u{1}",
        &format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000)),
        &"[".repeat(100_000),
    ] {
        let (_folder, path) = file(text);
        let error = Keys::load(&path).err().unwrap_or_else(|| panic!("{text:.40}"));
        assert!(matches!(error, KeysError::Broken { .. }), "{text:.40}: {error}");
        let keys = Keys::broken(&path, &error).with_default_mode(AuthMode::Disabled);
        assert_eq!(keys.mode(), AuthMode::Remote);
        assert!(keys.is_empty() && keys.list().is_empty());
        assert_eq!(keys.check(OLD_KEY), None);
        assert_eq!(keys.problem().unwrap(), error.to_string());
        assert!(keys.create("phone").is_err() && keys.set_mode(AuthMode::Disabled).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);

        fs::write(&path, old()).unwrap();
        assert_eq!(keys.problem(), None, "mended files count at once");
        assert!(keys.check(OLD_KEY).is_some());
        fs::write(&path, text).unwrap();
        assert_eq!(keys.check(OLD_KEY), None, "and so do broken ones");
        assert!(keys.problem().is_some());
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Keys::load(folder.path()), Err(KeysError::Unreadable { .. })));
}

#[test]
fn a_file_that_does_not_say_takes_the_modes_default() {
    let texts =
        ["", "# nothing\n", "server:\n  port: 3333", "security:\n", "security: {api_keys: }"];
    for text in texts {
        let (_folder, path) = file(text);
        let keys = Keys::load(&path).unwrap().with_default_mode(AuthMode::Always);
        assert_eq!(keys.mode(), AuthMode::Always, "{text}");
        assert!(keys.is_empty());
        let (_, secret) = keys.create("phone").unwrap();
        assert_eq!(keys.mode(), AuthMode::Always, "making a key sets no mode");
        keys.set_mode(AuthMode::Disabled).unwrap();
        let again = Keys::load(&path).unwrap();
        assert_eq!(again.mode(), AuthMode::Disabled);
        assert!(again.check(secret.expose()).is_some());
    }
}

#[test]
fn labels_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let keys = Keys::load(&folder.path().join("server.yaml")).unwrap();
    assert!(matches!(keys.create(""), Err(KeysError::Label)));
    assert!(matches!(keys.create(&"x".repeat(101)), Err(KeysError::Label)));
    assert!(keys.create(&"é".repeat(100)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_label_comes_back(label in any::<String>().prop_filter("1 to 100", |label| {
        (1..=100).contains(&label.chars().count())
    })) {
        let (_folder, path) = file(&old());
        let (info, secret) = Keys::load(&path).unwrap().create(&label).unwrap();
        let again = Keys::load(&path).unwrap();
        let found = again.list().into_iter().find(|key| key.id == info.id).unwrap();
        prop_assert_eq!(found.label, label);
        prop_assert!(again.check(secret.expose()).is_some());
        let text = fs::read_to_string(&path).unwrap();
        prop_assert!(text.ends_with("  port: 3333   # old\n  expose_to_tailnet: false\n"));
    }
}
