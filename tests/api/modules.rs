//! Modules: those that come with the server, and those that others made, which wait for their
//! owner's word and are never run (contract-core §6).

use crate::contexts::write;
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

const AT: &str = "/api/modules";

/// The predecessor's hash of `weather`'s two files, by its own program.
const WEATHER: &str = "db138daeeb8cbcca4364dda5489cbc8e1031bf4f22a6852cc8ee395fd9d68ad1";

fn weather(home: &Home) {
    write(
        home,
        &[
            (".modules/weather/manifest.yaml", "name: weather\n"),
            (".modules/weather/module.py", "print(1)\n"),
        ],
    );
}

/// A module without programs.
fn prompt_alone(home: &Home) {
    let manifest = "name: poems\nversion: 1.2\ndescription: Writes\nprovides: [Verse]\n";
    write(
        home,
        &[(".modules/p/manifest.yaml", manifest), (".modules/p/CLAUDE.md", "Rhyme always.")],
    );
}

async fn module(caller: &Caller, name: &str) -> Value {
    let list = caller.get(AT).await.json();
    let found = list["modules"].as_array().expect("a list").iter().find(|m| m["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}")).clone()
}

async fn approve(caller: &Caller, name: &str) -> parachute_tests::Answer {
    caller.ask(Method::POST, &format!("{AT}/{name}/approve"), None).await
}

fn hashes(home: &Home) -> PathBuf {
    home.vault().join(".parachute/module_hashes.json")
}

/// What a new chat of a module would be told.
async fn told(caller: &Caller, module: &str) -> String {
    caller.get(&format!("/api/prompt/preview?module={module}")).await.json()["prompt"].to_string()
}

#[tokio::test]
async fn traps_84_and_t20_new_modules_wait_and_changed_ones_again() {
    let home = Home::new();
    prompt_alone(&home);
    let server = home.server().await;
    let caller = server.local();
    let new = module(&caller, "poems").await;
    assert_eq!((&new["status"], &new["known_hash"]), (&json!("pending_approval"), &Value::Null));
    assert_eq!((&new["version"], &new["provides"]), (&json!("1.2"), &json!(["Verse"])));
    assert!(!told(&caller, "poems").await.contains("Rhyme"));

    let said = approve(&caller, "poems").await;
    assert_eq!((said.status, &said.json()["approved"]), (200, &json!(true)), "{}", said.json());
    let loaded = module(&caller, "poems").await;
    assert_eq!((&loaded["status"], &loaded["path"]), (&json!("loaded"), &json!(".modules/p")));
    assert!(told(&caller, "poems").await.contains("Rhyme"));
    assert_eq!(approve(&caller, "poems").await.status, 404);

    // The predecessor's hash is the same, and the change is seen.
    write(&home, &[(".modules/p/CLAUDE.md", "Do as I say.")]);
    let changed = module(&caller, "poems").await;
    assert_eq!(changed["status"], "pending_approval");
    assert_eq!(changed["known_hash"], changed["current_hash"]);
    assert!(changed["problem"].as_str().expect("a sentence").contains("changed"));
    assert!(!told(&caller, "poems").await.contains("Do as I say"));
    assert_eq!(approve(&caller, "poems").await.status, 200);
    assert!(told(&caller, "poems").await.contains("Do as I say"));
}

async fn approve_as(caller: &Caller, name: &str, digest: &Value) -> parachute_tests::Answer {
    caller.post(&format!("{AT}/{name}/approve"), &json!({ "digest": digest })).await
}

#[tokio::test]
async fn what_changed_between_looking_and_approving_is_not_approved() {
    let home = Home::new();
    prompt_alone(&home);
    let server = home.server().await;
    let caller = server.local();
    let looked_at = module(&caller, "poems").await["digest"].clone();
    assert_eq!(looked_at.as_str().map(str::len), Some(64), "{looked_at}");
    assert_eq!(module(&caller, "chat").await.get("digest"), None);
    write(&home, &[(".modules/p/CLAUDE.md", "Do as I say.")]);
    let refused = approve_as(&caller, "poems", &looked_at).await;
    let now = module(&caller, "poems").await;
    assert_eq!(refused.status, 409);
    let said = refused.json()["detail"].as_str().expect("a sentence").to_owned();
    let digest = now["digest"].as_str().expect("a digest");
    assert!(said.contains("looked at") && said.contains(digest), "{said}");
    assert_ne!(now["digest"], looked_at);
    assert_eq!((&now["status"], &now["known_hash"]), (&json!("pending_approval"), &Value::Null));
    assert!(!hashes(&home).exists());
    assert!(!told(&caller, "poems").await.contains("Do as I say"));

    // By its folder's name, too, and as it was looked at again.
    assert_eq!(approve_as(&caller, "p", &looked_at).await.status, 409);
    let approved = approve_as(&caller, "poems", &now["digest"]).await;
    assert_eq!((approved.status, &approved.json()["digest"]), (200, &now["digest"]));
    assert!(told(&caller, "poems").await.contains("Do as I say"));
    // What stood there once is not approved after the fact, and takes no approval away.
    assert_eq!(approve_as(&caller, "poems", &looked_at).await.status, 409);
    assert_eq!(approve_as(&caller, "poems", &now["digest"]).await.status, 404);
    assert_eq!(module(&caller, "poems").await["status"], "loaded");
}

#[tokio::test]
async fn a_module_is_approved_as_it_is_where_no_digest_is_named() {
    let home = Home::new();
    prompt_alone(&home);
    let server = home.server().await;
    let caller = server.local();
    for wrong in [json!({ "digest": 5 }), json!([]), json!("x")] {
        let refused = caller.post(&format!("{AT}/poems/approve"), &wrong).await;
        assert!((400..500).contains(&refused.status), "{wrong}: {}", refused.status);
    }
    for wrong in ["", "0", &"0".repeat(64), &"0".repeat(100_000)] {
        assert_eq!(approve_as(&caller, "poems", &json!(wrong)).await.status, 409);
    }
    assert!(!hashes(&home).exists());
    for body in [Some(json!({})), Some(json!({ "digest": null })), None] {
        let text = format!("{body:?}");
        write(&home, &[(".modules/p/CLAUDE.md", &text)]);
        let approved = match body {
            Some(body) => caller.post(&format!("{AT}/poems/approve"), &body).await,
            None => approve(&caller, "poems").await,
        };
        assert_eq!(approved.status, 200, "{text}");
        let stands = module(&caller, "poems").await;
        assert_eq!(stands["status"], "loaded");
        assert_eq!(approved.json()["digest"], stands["digest"]);
    }
}

#[tokio::test]
async fn a_change_that_was_made_to_look_like_none_is_seen() {
    let home = Home::new();
    prompt_alone(&home);
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(approve(&caller, "poems").await.status, 200);
    let prompt = home.vault().join(".modules/p/CLAUDE.md");
    let before = fs::metadata(&prompt).expect("there");
    let health = async || caller.get("/api/health?detailed=true").await.json()["modules"].clone();
    for (text, status) in [("Obey  always.", "pending_approval"), ("Rhyme always.", "loaded")] {
        assert_eq!(before.len(), text.len() as u64);
        fs::write(&prompt, text).expect("written");
        let times = fs::FileTimes::new().set_modified(before.modified().expect("a time"));
        let file = fs::File::options().write(true).open(&prompt).expect("opened");
        file.set_times(times).expect("set back");
        assert_eq!(told(&caller, "poems").await.contains(text), status == "loaded");
        assert_eq!(module(&caller, "poems").await["status"], status);
        assert_eq!(health().await[3]["status"], status);
    }
}

#[tokio::test]
async fn programs_of_others_are_named_and_never_run() {
    let home = Home::new();
    let ran = home.path("ran");
    weather(&home);
    let program = format!("open({:?}, 'w')\n", ran.display().to_string());
    write(
        &home,
        &[(".modules/other/manifest.yaml", "name: other"), (".modules/other/module.py", &program)],
    );
    let mut server = home.server().await;
    let caller = server.local();
    for name in ["weather", "other"] {
        assert_eq!(approve(&caller, name).await.status, 200);
        let module = module(&caller, name).await;
        assert_eq!(
            (&module["status"], &module["has_router"]),
            (&json!("unsupported"), &json!(false))
        );
        assert!(module["problem"].as_str().expect("a sentence").contains("not run"), "{module}");
    }
    // In the file that the predecessor reads, under its hash.
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(hashes(&home)).expect("a file")).expect("JSON");
    assert_eq!(kept["weather"], WEATHER);
    assert_eq!(module(&caller, "weather").await["hash"], WEATHER[..12]);
    server.restart();
    assert_eq!(module(&caller, "other").await["status"], "unsupported");
    assert!(!ran.exists());
}

#[tokio::test]
async fn what_the_predecessor_approved_is_kept_and_is_not_enough() {
    let home = Home::new();
    weather(&home);
    let old = json!({ "weather": WEATHER, "brain": "571e", "gone": "x", "odd": { "a": 1 } });
    write(&home, &[(".parachute/module_hashes.json", &old.to_string())]);
    fs::set_permissions(hashes(&home), fs::Permissions::from_mode(0o640)).expect("changed");
    let server = home.server().await;
    let caller = server.local();
    let waits = module(&caller, "weather").await;
    assert_eq!(waits["status"], "pending_approval");
    assert!(waits["problem"].as_str().expect("a sentence").contains("Only its Python programs"));
    // Nobody is listed who is not there, or comes with the server.
    let list = caller.get(AT).await.json();
    assert_eq!(list["modules"].as_array().map(Vec::len), Some(4), "{list}");
    write(&home, &[(".modules/p/manifest.yaml", "name: p")]);
    assert_eq!(approve(&caller, "p").await.status, 200);
    let kept: Value =
        serde_json::from_str(&fs::read_to_string(hashes(&home)).expect("a file")).expect("JSON");
    for (name, value) in old.as_object().expect("a map") {
        assert_eq!(&kept[name], value, "{name}");
    }
    let mode = fs::metadata(hashes(&home)).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o640);
}

#[tokio::test]
async fn hashes_that_cannot_be_read_approve_nothing_and_stay() {
    let home = Home::new();
    prompt_alone(&home);
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(approve(&caller, "poems").await.status, 200);
    for bad in ["{", "[]", "\"x\"", "\u{0}"] {
        fs::write(hashes(&home), bad).expect("written");
        let list = caller.get(AT).await.json();
        assert!(
            list["error"].as_str().expect("a sentence").contains("module_hashes.json"),
            "{list}"
        );
        assert_eq!(module(&caller, "poems").await["status"], "pending_approval");
        assert!(!told(&caller, "poems").await.contains("Rhyme"));
        assert_eq!(approve(&caller, "poems").await.status, 409);
        assert_eq!(fs::read_to_string(hashes(&home)).expect("there"), bad);
    }
}

#[tokio::test]
async fn trap_87_one_name_is_one_module() {
    let home = Home::new();
    let caller_files = [
        (".modules/a/manifest.yaml", "name: same"),
        (".modules/b/manifest.yaml", "name: same\nversion: 2"),
        (".modules/folder/manifest.yaml", "name: named"),
        // The server has this one itself; nothing of it counts.
        (".modules/brain/manifest.yaml", "name: brain\nversion: 9"),
    ];
    write(&home, &caller_files);
    let server = home.server().await;
    let caller = server.local();
    let list = caller.get(AT).await.json();
    let names: Vec<&str> = list["modules"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|m| m["name"].as_str())
        .collect();
    assert_eq!(names, ["brain", "chat", "daily", "same", "b", "named"]);
    assert_ne!(list["modules"][0]["version"], "9");
    let second = module(&caller, "b").await;
    assert_eq!(second["status"], "broken");
    assert!(second["problem"].as_str().expect("a sentence").contains(".modules/a"), "{second}");
    assert_eq!(approve(&caller, "b").await.status, 409);
    // By its folder, as the predecessor's command line named it.
    assert_eq!(approve(&caller, "folder").await.status, 200);
    assert_eq!(module(&caller, "named").await["status"], "loaded");
    assert_eq!(approve(&caller, "brain").await.status, 404);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_the_others_are_there() {
    let home = Home::new();
    prompt_alone(&home);
    let mut bomb = String::from("name: bomb\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..9 {
        let above = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("a{level}: &a{level} [{above}]\n"));
    }
    write(
        &home,
        &[
            (".modules/bad yaml/manifest.yaml", "a: b: c"),
            (".modules/bomb/manifest.yaml", &bomb),
            (".modules/hostile/manifest.yaml", "name: ../../etc"),
            (".modules/list/manifest.yaml", "- a"),
            (".modules/long/manifest.yaml", &"x".repeat(70_000)),
            (".modules/none/module.py", "x"),
            (".modules/nul/manifest.yaml", "name: \"a\\0b\""),
            (".modules/a file", "x"),
            (".modules/.git/HEAD", "x"),
            (".modules/__pycache__/x.pyc", "x"),
        ],
    );
    fs::create_dir_all(home.vault().join(".modules/x.py/x.py")).expect("made");
    fs::write(home.vault().join(".modules/x.py/manifest.yaml"), "name: folder").expect("written");
    symlink("p", home.vault().join(".modules/z-link")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let list = caller.get(AT).await.json();
    let listed = list["modules"].as_array().expect("a list");
    let broken: Vec<&str> = listed
        .iter()
        .filter(|m| m["status"] == "broken")
        .inspect(|m| assert!(m["problem"].is_string(), "{m}"))
        .filter_map(|m| m["name"].as_str())
        .collect();
    let all = ["bad yaml", "bomb", "hostile", "list", "long", "none", "nul", "z-link"];
    assert_eq!(broken, all, "{list}");
    // Trap 85: that folder's name stopped the predecessor.
    assert_eq!(module(&caller, "folder").await["status"], "pending_approval");
    assert_eq!(module(&caller, "poems").await["status"], "pending_approval");
    assert_eq!(listed.len(), 3 + all.len() + 2);
    for name in ["bomb", "z-link"] {
        assert_eq!(approve(&caller, name).await.status, 409);
    }
    for name in ["nobody", "..", "%2e%2e%2fx", "%00", "a%0ab"] {
        let status = approve(&caller, name).await.status;
        assert!(status == 404, "{name}: {status}");
    }
    assert!(!hashes(&home).exists());
}

#[tokio::test]
async fn trap_80_every_module_is_counted() {
    let home = Home::new();
    prompt_alone(&home);
    let server = home.server().await;
    let caller = server.local();
    let health = caller.get("/api/health?detailed=true").await.json();
    let names: Vec<&Value> =
        health["modules"].as_array().expect("a list").iter().map(|m| &m["name"]).collect();
    assert_eq!(names, ["brain", "chat", "daily", "poems"]);
    assert_eq!(health["modules"][3]["status"], "pending_approval");
    assert_eq!(health["modules"][0].get("version"), None);
    let body = json!({ "message": "x @@{\"n\":1}@@", "module": "poems" });
    caller.chat("", &body).await.whole().await;
    let stats = caller.get("/api/chat/stats").await.json();
    assert_eq!(stats["by_module"]["poems"], 1, "{stats}");
    // A door with a name in it and those of the daily module do not hide each other.
    for path in ["daily/prompt", "daily/stats", "daily/agents", "daily/agents/status"] {
        assert_eq!(caller.get(&format!("{AT}/{path}")).await.status, 200, "{path}");
    }
}
