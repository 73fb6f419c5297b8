//! Folders that are the same on several devices (contract-extended §1.11, §5.1, §5.2).

use crate::contexts::write;
use crate::files::put;
use crate::tables_files as t;
use crate::types::{get, parses};
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

/// A device, told from others by the name it gives.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) caller: Caller,
    name: Option<&'static str>,
}

impl Device {
    pub(crate) fn new(caller: &Caller, name: &'static str) -> Device {
        Device { caller: caller.clone(), name: Some(name) }
    }

    pub(crate) async fn push(&self, files: Value) -> Value {
        let body = json!({ "root": "Daily", "files": files, "device": self.name });
        parses(&self.caller.post("/api/sync/push", &body).await, 200, t::PUSHED)
    }

    async fn text(&self, path: &str, text: &str) -> Value {
        self.push(json!([{ "path": path, "content": text }])).await
    }

    pub(crate) async fn on(&self, path: &str, text: &str, base: &str) -> Value {
        self.push(json!([{ "path": path, "content": text, "base": base }])).await
    }

    pub(crate) async fn pull(&self, paths: &[&str]) -> Value {
        let body = json!({ "root": "Daily", "paths": paths, "device": self.name });
        parses(&self.caller.post("/api/sync/pull", &body).await, 200, t::PULLED)
    }

    pub(crate) async fn delete(&self, path: &str, base: Option<&str>) -> Value {
        let base = base.map(|base| format!("&bases={base}")).unwrap_or_default();
        let device = self.name.map(|name| format!("&device={name}")).unwrap_or_default();
        let path = format!("/api/sync/files?root=Daily&paths={path}{base}{device}");
        parses(&self.caller.ask(Method::DELETE, &path, None).await, 200, t::DELETED)
    }
}

pub(crate) async fn manifest(caller: &Caller, query: &str) -> Value {
    get(caller, &format!("/api/sync/manifest?root=Daily&{query}"), t::MANIFEST).await
}

fn paths(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|f| f["path"].as_str().expect("text")).collect()
}

pub(crate) fn on_disk(home: &Home, path: &str) -> Option<String> {
    fs::read_to_string(home.vault().join("Daily").join(path)).ok()
}

/// As if the file had been there for long, so that its hash may be kept.
fn age(home: &Home, path: &str) {
    let file = fs::File::options().write(true).open(home.vault().join(path)).expect("opened");
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).expect("set");
}

#[tokio::test]
async fn a_manifest_has_the_files_of_the_contract_and_no_others() {
    let home = Home::new();
    write(
        &home,
        &[
            ("Daily/journals/2026-01-02.md", "j"),
            ("Daily/journals/a..b.md", "d"),
            ("Daily/chat-log/2026-01-02.json", "{}"),
            ("Daily/assets/2026-01/2026-01-02_x.txt", "x"),
            ("Daily/assets/2026-01/2026-01-03_x.txt", "x"),
            ("Daily/assets/x.PNG", "png"),
            ("Daily/.agents/reflection.md", "agent"),
            ("Daily/.reflection/state.json", "{}"),
            ("Daily/.versions/x.md", "old"),
            ("Daily/private/x.md", "mine"),
            (".parachuteignore", "private/\n"),
            ("Notes/x.md", "elsewhere"),
        ],
    );
    symlink("../../Notes/x.md", home.vault().join("Daily/journals/link.md")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let notes = manifest(&caller, "").await;
    let all = [".agents/reflection.md", "journals/2026-01-02.md", "journals/a..b.md"];
    assert_eq!(paths(&notes["files"]), all);
    let hash = "189f40034be7a199f1fa9891668ee3ab6049f82d38c68be70f596eab2e1857b7";
    assert_eq!(notes["files"][1]["hash"], hash);
    let whole = manifest(&caller, "pattern=*").await;
    assert_eq!(paths(&whole["files"]).len(), 6, "{whole}");
    let binary = manifest(&caller, "pattern=*&include_binary=true").await;
    assert_eq!(paths(&binary["files"]).len(), 7);
    let day = manifest(&caller, "date=2026-01-02&pattern=none").await;
    let of_day =
        ["assets/2026-01/2026-01-02_x.txt", "chat-log/2026-01-02.json", "journals/2026-01-02.md"];
    assert_eq!(paths(&day["files"]), of_day);
    let quick = manifest(&caller, "quick=true").await;
    let file = &quick["files"][1];
    assert_eq!(file["hash"], format!("{:?}", file["modified"].as_f64().expect("a number")));
    let since = file["modified"].as_f64().expect("a number") - 100.0;
    let path = |since: f64| format!("/api/sync/changes?root=Daily&pattern=*&since={since}");
    let changes = get(&caller, &path(since), t::CHANGES).await;
    assert_eq!(paths(&changes["files"]).len(), 6);
    let none = get(&caller, &path(since + 1e6), t::CHANGES).await;
    assert_eq!(paths(&none["files"]).len(), 0);
    let missing = get(&caller, "/api/sync/manifest?root=Nowhere", t::MANIFEST).await;
    assert_eq!(missing["files"], json!([]));
}

#[tokio::test]
async fn traps_t_11_and_t_82_what_is_hidden_or_leads_out_is_refused_at_each_door() {
    let home = Home::new();
    write(
        &home,
        &[
            (".parachute/.token", "secret"),
            ("Daily/.x/y.md", "hidden"),
            ("Daily/a..b.md", "dots"),
            ("../vault-backup/x.md", "outside"),
            ("../outside.md", "outside"),
            ("note.md", "x"),
        ],
    );
    symlink("../.parachute", home.vault().join("Daily/in")).expect("linked");
    symlink("../../outside.md", home.vault().join("Daily/out.md")).expect("linked");
    symlink("a..b.md", home.vault().join("Daily/link.md")).expect("linked");
    symlink("../vault-backup", home.vault().join("away")).expect("linked");
    symlink("Daily/.x", home.vault().join("shown")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let backup = home.path("vault-backup").display().to_string();
    for root in [
        ".parachute",
        ".PARACHUTE",
        "..",
        "../vault-backup",
        &backup,
        "/",
        "Daily/..",
        "Daily/.x",
        "away",
        "shown",
        "note.md",
        "Daily/in",
    ] {
        let path = format!("/api/sync/manifest?root={root}");
        let status = caller.get(&path).await.status;
        assert!(matches!(status, 400 | 403), "{root}: {status}");
        let push = json!({ "root": root, "files": [{ "path": "x.md", "content": "x" }] });
        assert_eq!(caller.post("/api/sync/push", &push).await.status, status, "{root}");
        let pull = json!({ "root": root, "paths": ["x.md"] });
        assert_eq!(caller.post("/api/sync/pull", &pull).await.status, status, "{root}");
        let path = format!("/api/sync/files?root={root}&paths=x.md");
        assert_eq!(caller.ask(Method::DELETE, &path, None).await.status, status, "{root}");
    }
    let device = Device::new(&caller, "a");
    for path in [
        ".x/y.md",
        "../outside.md",
        "in/.token",
        "in/x.md",
        "out.md",
        "link.md",
        "/etc/passwd",
        "../.parachute/.token",
        ".parachute/.token",
        "a/../../x.md",
        ".versions/x.md",
        "",
    ] {
        let pushed = device.text(path, "x").await;
        assert_eq!(
            (&pushed["pushed"], pushed["errors"][0].is_string()),
            (&json!(0), true),
            "{path}"
        );
        assert_eq!(device.pull(&[path]).await["files"], json!([]), "{path}");
        assert_eq!(device.delete(path, None).await["deleted"], 0, "{path}");
    }
    assert_eq!(fs::read_to_string(home.path("outside.md")).expect("read"), "outside");
    assert_eq!(device.pull(&["a..b.md"]).await["files"][0]["content"], "dots");
    assert_eq!(device.text("a..b.md", "new").await["pushed"], 1);
    assert_eq!(device.text(".agents/new.md", "new").await["pushed"], 1);
    // The vault itself may be a root; what is hidden in it is not told.
    let whole = get(&caller, "/api/sync/manifest?root=&pattern=*", t::MANIFEST).await;
    let told = paths(&whole["files"]);
    assert_eq!(told, ["Daily/.agents/new.md", "Daily/a..b.md", "note.md"]);
    let chat = get(&caller, "/api/sync/manifest?root=Chat&pattern=*", t::MANIFEST).await;
    assert_eq!(chat["files"], json!([]));
    for query in ["pattern=", "pattern=/etc/*", "pattern=../*", "pattern={a", "date=2026-02-30"] {
        let path = format!("/api/sync/manifest?root=Daily&{query}");
        assert_eq!(caller.get(&path).await.status, 400, "{query}");
    }
    assert_eq!(caller.get("/api/sync/manifest").await.status, 422);
    assert_eq!(caller.get("/api/sync/changes?root=Daily&since=x").await.status, 422);
    assert_eq!(caller.ask(Method::DELETE, "/api/sync/files?root=Daily", None).await.status, 422);
    let many: Vec<String> = (0..1001).map(|n| format!("{n}.md")).collect();
    let many = json!({ "root": "Daily", "paths": many });
    assert_eq!(caller.post("/api/sync/pull", &many).await.status, 400);
}

#[tokio::test]
async fn trap_t_81_what_comes_and_goes_is_the_same_to_the_byte() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let device = Device::new(&caller, "a");
    let files = json!([
        { "path": "crlf.md", "content": "\u{feff}a\r\nb\r" },
        { "path": "voice.m4a", "content": "AAECA/8=", "is_binary": true },
        { "path": "odd.md", "content": "/w==", "is_binary": true },
        { "path": "bad.png", "content": "no base64", "is_binary": true },
        { "path": "crlf.md", "content": "twice" },
        { "path": &"x".repeat(256), "content": "x" },
    ]);
    let pushed = device.push(files).await;
    assert_eq!(pushed["pushed"], 3, "{pushed}");
    assert_eq!(pushed["errors"].as_array().map(Vec::len), Some(3), "{pushed}");
    let all = manifest(&caller, "pattern=*&include_binary=true").await;
    assert_eq!(paths(&all["files"]), ["crlf.md", "odd.md", "voice.m4a"]);
    let pulled = device.pull(&["crlf.md", "voice.m4a", "odd.md", "none.md"]).await;
    assert_eq!(pulled["errors"], json!(["none.md: File not found"]));
    let told = [("\u{feff}a\r\nb\r", false), ("AAECA/8=", true), ("/w==", true)];
    for (file, (content, is_binary)) in pulled["files"].as_array().expect("a list").iter().zip(told)
    {
        assert_eq!((&file["content"], &file["is_binary"]), (&json!(content), &json!(is_binary)));
        let listed = all["files"].as_array().expect("a list").iter();
        let listed = listed.clone().find(|f| f["path"] == file["path"]).expect("listed");
        assert_eq!((&listed["hash"], &listed["size"]), (&file["hash"], &file["size"]));
    }
    assert_eq!(
        fs::read(home.vault().join("Daily/crlf.md")).expect("read"),
        "\u{feff}a\r\nb\r".as_bytes()
    );
}

#[tokio::test]
async fn an_unchanged_file_costs_a_look_and_a_change_within_a_tick_is_seen() {
    let home = Home::new();
    write(&home, &[("Daily/a.md", "one"), ("Daily/b.md", "two")]);
    let server = home.server().await;
    let caller = server.local();
    let first = manifest(&caller, "").await;
    // Written just now: a second change at the same time and of the same length is seen.
    let at =
        fs::metadata(home.vault().join("Daily/a.md")).expect("there").modified().expect("told");
    fs::write(home.vault().join("Daily/a.md"), "eno").expect("written");
    let file = fs::File::options().write(true).open(home.vault().join("Daily/a.md")).expect("open");
    file.set_modified(at).expect("set");
    let second = manifest(&caller, "").await;
    assert_ne!(first["files"][0]["hash"], second["files"][0]["hash"]);
    assert_eq!(first["files"][1], second["files"][1]);
    assert!(second["version"].as_i64() > first["version"].as_i64());
    let third = manifest(&caller, "").await;
    assert_eq!(second["version"], third["version"]);
    // What the server knows outlives it.
    drop(server);
    let server = home.server().await;
    assert_eq!(manifest(&server.local(), "").await["version"], third["version"]);
}

#[tokio::test]
async fn trap_t_79_a_text_that_the_device_has_not_seen_is_kept_beside() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (phone, laptop) = (Device::new(&caller, "phone"), Device::new(&caller, "laptop"));
    phone.text("j.md", "one").await;
    // Typing on: a device replaces what it pushed itself.
    assert_eq!(phone.text("j.md", "two").await["files"][0].get("kept"), None);
    laptop.pull(&["j.md"]).await;
    assert_eq!(laptop.text("j.md", "three").await["files"][0].get("kept"), None);
    // A text that was there before is no edit: the file is only marked as the newer one.
    age(&home, "Daily/j.md");
    let modified = || fs::metadata(home.vault().join("Daily/j.md")).expect("there").modified();
    let before = modified().expect("told");
    let stale = phone.text("j.md", "two").await;
    assert_eq!((&stale["pushed"], stale["conflicts"][0]["hash"].is_string()), (&json!(0), true));
    assert_eq!(on_disk(&home, "j.md").as_deref(), Some("three"));
    assert!(modified().expect("told") > before);
    // The phone does not know of that, and has an edit of its own.
    let pushed = phone.text("j.md", "four").await;
    let kept = pushed["files"][0]["kept"].as_str().expect("kept").to_owned();
    assert!(kept.starts_with("j.sync-conflict-") && kept.ends_with("-server.md"), "{kept}");
    assert_eq!(on_disk(&home, "j.md").as_deref(), Some("four"));
    assert_eq!(on_disk(&home, &kept).as_deref(), Some("three"));
    let both = manifest(&caller, "pattern=*").await;
    assert_eq!(paths(&both["files"]), ["j.md", &kept], "the app pulls it as a new file");
    // What an agent writes, nobody has seen either; what only grows needs no copy.
    put(&caller, "Daily/j.md", "four\nand by an agent\n").await;
    assert!(phone.text("j.md", "five").await["files"][0]["kept"].is_string());
    put(&caller, "Daily/j.md", "a\nb").await;
    assert_eq!(phone.text("j.md", "a\nnew\nb").await["files"][0].get("kept"), None);
    // Today's app has no name: it is told by its key, wherever it is.
    let key = caller.post("/api/auth/keys", &json!({ "label": "phone" })).await.json();
    let key = key["key"].as_str().expect("a key").to_owned();
    let app = |from: &str| {
        let caller = server.local().with("x-forwarded-for", from).with("x-api-key", &key);
        Device { caller, name: None }
    };
    assert!(app("192.0.2.1").text("j.md", "six").await["files"][0]["kept"].is_string());
    assert_eq!(app("192.0.2.1").text("j.md", "seven").await["files"][0].get("kept"), None);
    assert_eq!(app("192.0.2.2").text("j.md", "eight").await["files"][0].get("kept"), None);
    // Of a device that was never here it cannot be said that it is behind.
    let new = Device::new(&caller, "tablet");
    assert!(new.text("j.md", "six").await["files"][0]["kept"].is_string());
    assert_eq!(on_disk(&home, "j.md").as_deref(), Some("six"));
}

#[tokio::test]
async fn what_is_replaced_or_deleted_on_a_guess_is_put_aside() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (phone, laptop) = (Device::new(&caller, "phone"), Device::new(&caller, "laptop"));
    let aside = || {
        let Ok(entries) = fs::read_dir(home.path("s/parachute/sync-replaced")) else {
            return Vec::new();
        };
        let texts = entries.flatten().map(|entry| fs::read_to_string(entry.path()).expect("read"));
        let mut texts = texts.collect::<Vec<_>>();
        texts.sort();
        texts
    };
    let one = phone.text("j.md", "one").await["files"][0]["hash"].clone();
    laptop.on("j.md", "two", one.as_str().expect("text")).await;
    assert_eq!(aside(), [""; 0], "who says his base had it");
    // This answer never arrives, and the phone pushes an edit of what it had.
    phone.pull(&["j.md"]).await;
    assert_eq!(phone.text("j.md", "one, edited").await["pushed"], 1);
    assert_eq!(on_disk(&home, "j.md").as_deref(), Some("one, edited"));
    assert_eq!(aside(), ["two"]);
    assert_eq!(phone.text("j.md", "one, edited\nand more").await["pushed"], 1);
    assert_eq!(aside(), ["two"], "what only grows is all there");
    assert_eq!(phone.delete("j.md", None).await["deleted"], 1);
    assert_eq!(aside(), ["one, edited\nand more", "two"]);
    assert_eq!(on_disk(&home, "j.md"), None);
    let status = get(&caller, "/api/sync/status", t::STATUS).await;
    assert_eq!((&status["aside"]["files"], &status["aside"]["days"]), (&json!(2), &json!(30)));
    assert!(status["aside"]["folder"].as_str().expect("text").ends_with("sync-replaced"));
}

#[tokio::test]
async fn a_device_that_says_its_base_is_told_what_is_there_instead() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (a, b) = (Device::new(&caller, "a"), Device::new(&caller, "b"));
    let made = a.on("n.md", "one", "").await;
    let one = made["files"][0]["hash"].as_str().expect("text").to_owned();
    let two = b.on("n.md", "two", &one).await["files"][0]["hash"].clone();
    let refused = a.on("n.md", "three", &one).await;
    let conflict = &refused["conflicts"][0];
    assert_eq!((&refused["pushed"], &conflict["hash"]), (&json!(0), &two), "{refused}");
    assert_eq!((&conflict["deleted"], conflict["version"].is_i64()), (&json!(false), true));
    assert_eq!(refused["errors"].as_array().map(Vec::len), Some(1));
    assert_eq!(on_disk(&home, "n.md").as_deref(), Some("two"));
    assert_eq!(a.on("n.md", "three", two.as_str().expect("text")).await["pushed"], 1);
    let late = b.delete("n.md", two.as_str()).await;
    assert_eq!(
        (&late["deleted"], late["conflicts"][0]["path"].as_str()),
        (&json!(0), Some("n.md"))
    );
    assert_eq!(on_disk(&home, "n.md").as_deref(), Some("three"));
    assert_eq!(manifest(&caller, "pattern=*").await["files"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn trap_t_80_what_was_deleted_does_not_come_back() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let (phone, laptop) = (Device::new(&caller, "phone"), Device::new(&caller, "laptop"));
    for path in ["a.md", "b.md", "old/c.md"] {
        phone.text(path, "first").await;
        phone.text(path, "last").await;
        laptop.pull(&[path]).await;
    }
    manifest(&caller, "").await;
    assert_eq!(phone.delete("a.md", None).await["deleted"], 1);
    assert_eq!(phone.delete("a.md", None).await["deleted"], 1, "one that is gone counts, too");
    // And what somebody takes away by hand.
    fs::remove_file(home.vault().join("Daily/b.md")).expect("removed");
    fs::remove_dir_all(home.vault().join("Daily/old")).expect("removed");
    let told = manifest(&caller, "").await;
    assert_eq!(paths(&told["deleted"]), ["a.md", "b.md", "old/c.md"]);
    assert_eq!(told["files"], json!([]));
    for path in ["a.md", "b.md", "old/c.md"] {
        for text in ["last", "first"] {
            let refused = laptop.text(path, text).await;
            assert_eq!(refused["conflicts"][0]["deleted"], true, "{refused}");
            assert_eq!(refused["pushed"], 0);
        }
        assert_eq!(on_disk(&home, path), None);
    }
    assert!(!home.vault().join("Daily/old").exists(), "no folder is made for nothing");
    // An edit by somebody who had not heard of it is worth more; so is who deleted it himself.
    assert_eq!(laptop.text("b.md", "an edit").await["pushed"], 1);
    assert_eq!(phone.text("a.md", "last").await["pushed"], 1);
    let told = manifest(&caller, "").await;
    assert_eq!(paths(&told["deleted"]), ["old/c.md"]);
    // A deletion of what the device has not seen is no longer what it meant.
    laptop.text("b.md", "another").await;
    assert_eq!(phone.delete("b.md", None).await["conflicts"][0]["path"], "b.md");
    assert_eq!(on_disk(&home, "b.md").as_deref(), Some("another"));
    // A disk that is not there deletes nothing, nor does one whose place is empty without it.
    let many: Vec<Value> =
        (0..11).map(|n| json!({ "path": format!("many/{n}.md"), "content": "x" })).collect();
    phone.push(many.into()).await;
    manifest(&caller, "").await;
    fs::rename(home.vault().join("Daily"), home.path("away")).expect("moved");
    assert_eq!(manifest(&caller, "").await["files"], json!([]));
    fs::create_dir(home.vault().join("Daily")).expect("made");
    assert_eq!(paths(&manifest(&caller, "").await["deleted"]), ["old/c.md"]);
    fs::remove_dir(home.vault().join("Daily")).expect("removed");
    fs::rename(home.path("away"), home.vault().join("Daily")).expect("moved");
    fs::remove_dir_all(home.vault().join("Daily/many")).expect("removed");
    let back = manifest(&caller, "").await;
    assert_eq!((paths(&back["files"]), paths(&back["deleted"]).len()), (vec!["a.md", "b.md"], 12));
}

#[tokio::test]
async fn of_a_rule_that_is_none_it_is_warned_once() {
    let home = Home::new();
    write(&home, &[(".parachuteignore", "[z-a\n"), ("Daily/a.md", "a")]);
    let server = home.server().await;
    let caller = server.local();
    let warned = || server.log().matches("a rule is passed over").count();
    for _ in 0..3 {
        manifest(&caller, "").await;
    }
    assert_eq!(warned(), 1);
    write(&home, &[(".parachuteignore", "\n[z-a\n")]);
    manifest(&caller, "").await;
    assert_eq!(warned(), 2);
}

#[tokio::test]
async fn what_is_known_is_told_by_root_and_outlives_a_damaged_file() {
    let home = Home::new();
    write(&home, &[("Daily/a.md", "a"), ("Notes/n.md", "n")]);
    age(&home, "Daily/a.md");
    let mut server = home.server().await;
    let caller = server.local();
    let empty = get(&caller, "/api/sync/status", t::STATUS).await;
    assert_eq!(empty["roots"], json!([]));
    let device = Device::new(&caller, "phone");
    device
        .push(json!([{ "path": "b.md", "content": "b" }, { "path": "c.md", "content": "c" }]))
        .await;
    manifest(&caller, "").await;
    device.delete("c.md", None).await;
    get(&caller, "/api/sync/manifest?root=Notes", t::MANIFEST).await;
    let status = get(&caller, "/api/sync/status", t::STATUS).await;
    let daily = &status["roots"][0];
    assert_eq!(
        (&daily["root"], &daily["files"], &daily["tombstones"], &daily["last_push_files"]),
        (&json!("Daily"), &json!(2), &json!(1), &json!(2))
    );
    assert_eq!(
        (&daily["last_push_by"], &status["roots"][1]["root"]),
        (&json!("device phone"), &json!("Notes"))
    );
    assert_eq!(status["roots"][1]["last_push"], Value::Null);
    server.stop();
    let database = home.path("s/parachute/sync.db");
    for name in ["sync.db-wal", "sync.db-shm"] {
        let _ = fs::remove_file(database.with_file_name(name));
    }
    fs::write(&database, "this is no database, however long it is").expect("written");
    server.start_again();
    server.ready().await;
    let again = manifest(&caller, "").await;
    assert_eq!(paths(&again["files"]), ["a.md", "b.md"]);
    assert!(home.path("s/parachute/sync.db.broken").exists());
}

#[tokio::test]
async fn what_cannot_be_told_to_a_device_is_named() {
    let home = Home::new();
    let deep = format!("Daily/{}/x.md", vec!["d"; 40].join("/"));
    let long = format!("Daily/{}/x.md", vec!["n".repeat(250); 17].join("/"));
    write(&home, &[("Daily/good.md", "good"), (&deep, "deep"), ("Daily/odd\u{7}.md", "odd")]);
    // Its whole path is too long for a call, and is made in two.
    let (above, below) = long.split_at(2010);
    let above = home.vault().join(above);
    fs::create_dir_all(&above).expect("made");
    let here = fs::File::open(&above).expect("opened");
    let within = std::path::PathBuf::from(format!("/proc/self/fd/{}", here.as_raw_fd()));
    let below = within.join(below.trim_start_matches('/'));
    fs::create_dir_all(below.parent().expect("a folder")).expect("made");
    fs::write(&below, "long").expect("written");
    let large = fs::File::create(home.vault().join("Daily/large.md")).expect("made");
    large.set_len(97 << 20).expect("set");
    let server = home.server().await;
    let told = manifest(&server.local(), "").await;
    assert_eq!(paths(&told["files"]), ["good.md"]);
    let mut problems: Vec<&str> =
        told["problems"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    problems.sort_unstable();
    let (n, levels) = ("n".repeat(250), vec!["d"; 33].join("/"));
    let [deep, large, long, odd] = problems[..] else { panic!("{problems:?}") };
    assert_eq!(deep, format!("{levels}: the folder lies too deep"));
    assert_eq!(large, "large.md: the file is larger than 96 MiB");
    assert!(long.starts_with(&n) && long.ends_with(": the path is too long"), "{long}");
    assert_eq!(odd, "odd\\u{7}.md: its name cannot be told");
}

#[tokio::test]
async fn what_is_called_like_an_unfinished_file_is_hidden_and_stays_while_it_may_be_one() {
    let home = Home::new();
    let name = |digit: char| {
        format!("Daily/.{}4{}.parachute", digit.to_string().repeat(12), "8".repeat(19))
    };
    write(&home, &[(&name('a'), "just written"), ("Daily/good.md", "good")]);
    let (file, folder, link) = (name('a'), name('b'), name('c'));
    fs::create_dir(home.vault().join(&folder)).expect("made");
    symlink("good.md", home.vault().join(&link)).expect("linked");
    // That it was given this time just now shows.
    let old = fs::File::options().write(true).open(home.vault().join(&file)).expect("opened");
    old.set_modified(SystemTime::UNIX_EPOCH).expect("set");
    let server = home.server().await;
    let caller = server.local();
    let told = manifest(&caller, "pattern=*").await;
    assert_eq!((paths(&told["files"]), &told["problems"]), (vec!["good.md"], &Value::Null));
    assert_eq!(caller.post("/api/brain/reload", &json!({})).await.status, 200);
    for name in [&file, &folder, &link] {
        assert!(fs::symlink_metadata(home.vault().join(name)).is_ok(), "{name}");
    }
}
