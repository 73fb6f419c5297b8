//! Files of the vault by their paths: lists, texts, bytes, changes (contract-core §1.14,
//! contract-extended §1.9).

use crate::contexts::write;
use crate::tables_files as t;
use crate::types::{get, parses};
use http::Method;
use parachute_tests::{Answer, Caller, Home};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

pub(crate) async fn put(caller: &Caller, path: &str, content: &str) -> Answer {
    let body = json!({ "path": path, "content": content });
    caller.send(Method::PUT, "/api/write", &body).await
}

fn names(listing: &Value) -> Vec<&str> {
    let entries = listing["entries"].as_array().expect("a list");
    entries.iter().map(|entry| entry["name"].as_str().expect("text")).collect()
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_folder_is_listed_as_the_app_parses_it() {
    let home = Home::new();
    write(
        &home,
        &[
            ("Notes/b.md", "b"),
            ("Notes/B.md", "B"),
            ("Notes/Sub/AGENTS.md", "x"),
            ("Notes/Sub/CLAUDE.md", "x"),
            ("Notes/Sub/.git/HEAD", "x"),
            ("Notes/.hidden.md", "x"),
        ],
    );
    symlink("Sub", home.vault().join("Notes/link")).expect("linked");
    symlink("gone", home.vault().join("Notes/broken")).expect("linked");
    let server = home.server().await;
    let caller = server.local();
    let listing = get(&caller, "/api/ls?path=Notes", t::LISTING).await;
    assert_eq!(names(&listing), ["B.md", "Sub", "b.md", "broken", "link"]);
    let full = home.vault().join("Notes").display().to_string();
    assert_eq!(listing["fullPath"], full.as_str());
    let sub = &listing["entries"][1];
    assert_eq!(
        (&sub["isGitRepo"], &sub["hasAgentsMd"], &sub["hasClaudeMd"], &sub["size"]),
        (&json!(true), &json!(true), &json!(true), &Value::Null)
    );
    let broken = &listing["entries"][3];
    assert_eq!((&broken["type"], &broken["isBrokenSymlink"]), (&json!("symlink"), &json!(true)));
    let link = &listing["entries"][4];
    assert_eq!((&link["type"], &link["symlinkTarget"]), (&json!("directory"), &json!("Sub")));
    let all = get(&caller, "/api/ls?path=Notes&includeHidden=true", t::LISTING).await;
    assert_eq!(names(&all)[0], ".hidden.md");
    // By its absolute path, as the entries tell it, and by a link.
    let again = get(&caller, &format!("/api/ls?path={full}/link"), t::LISTING).await;
    assert_eq!(again["entries"][0]["relativePath"], "Notes/Sub/AGENTS.md");
    assert_eq!(caller.get("/api/ls?path=none").await.status, 404);
    assert_eq!(caller.get("/api/ls?path=Notes/b.md").await.status, 400);
    assert_eq!(get(&caller, "/api/ls", t::LISTING).await["path"], "");
}

#[tokio::test]
async fn traps_t_81_and_t_84_a_text_comes_as_it_is_with_its_time_in_utc() {
    let mut home = Home::new();
    home.set("TZ", "Asia/Tokyo");
    write(&home, &[("crlf.md", "\u{feff}a\r\nb\n\rc")]);
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_250);
    let file = fs::File::options().write(true).open(home.vault().join("crlf.md")).expect("opened");
    file.set_modified(at).expect("set");
    let server = home.server().await;
    let caller = server.local();
    let text = get(&caller, "/api/read?path=crlf.md", t::TEXT).await;
    assert_eq!(text["content"], "\u{feff}a\r\nb\n\rc");
    assert_eq!(text["lastModified"], "2023-11-14T22:13:20.250000Z");
    let listing = get(&caller, "/api/ls", t::LISTING).await;
    let told = listing["entries"].as_array().expect("a list").iter();
    let told = told.clone().find(|entry| entry["name"] == "crlf.md").expect("listed");
    assert_eq!(told["lastModified"], text["lastModified"]);
    assert_eq!(parses(&put(&caller, "crlf.md", "x\r\ny").await, 200, t::WRITTEN)["size"], 4);
    assert_eq!(fs::read(home.vault().join("crlf.md")).expect("read"), b"x\r\ny");
}

#[tokio::test]
async fn traps_19_t_8_and_t_9_nothing_closed_is_read_written_or_listed() {
    let home = Home::new();
    write(
        &home,
        &[
            (".parachute/.token", "secret"),
            (".git/config", "secret"),
            (".mcp.json", "secret"),
            (".claude/settings.json", "{}"),
            (".claude/commands/x.md", "x"),
            (".env", "secret"),
            ("../vault-backup/x.md", "secret"),
        ],
    );
    for (to, from) in [(".parachute", "in"), ("../vault-backup", "out")] {
        symlink(to, home.vault().join(from)).expect("linked");
    }
    let server = home.server().await;
    let caller = server.local();
    let beside = home.path("vault-backup/x.md").display().to_string();
    for path in [
        ".parachute/.token",
        ".PARACHUTE/.token",
        "in/.token",
        "in/none",
        "Chat/../.parachute/.token",
        ".git/config",
        ".mcp.json",
        ".env",
        ".env.local",
        "Chat/sessions.db",
        "Chat/sessions.db-wal",
        "out/x.md",
        "../vault-backup/x.md",
        &beside,
        "/etc/passwd",
    ] {
        for query in ["", "&raw=true"] {
            let answer = caller.get(&format!("/api/read?path={path}{query}")).await;
            assert_eq!(answer.status, 403, "{path}: {}", answer.json());
        }
        assert_eq!(put(&caller, path, "x").await.status, 403, "{path}");
    }
    for path in [".parachute", "in", "out", ".git", "..", "/"] {
        assert_eq!(caller.get(&format!("/api/ls?path={path}")).await.status, 403, "{path}");
    }
    for path in [
        ".parachute/hooks/x.py",
        ".parachute/module_hashes.json",
        "new/.PARACHUTE/x",
        ".modules/x/module.py",
        ".claude/settings.json",
        ".claude/hooks/x.sh",
        "Notes/.claude/settings.json",
        "Notes/.mcp.json",
        ".skills/x.md",
        ".git/hooks/post-commit",
        "Notes/.git/config",
    ] {
        assert_eq!(put(&caller, path, "x").await.status, 403, "{path}");
    }
    for path in ["new", ".modules", ".skills", "Notes"] {
        assert!(!home.vault().join(path).exists(), "{path} was made");
    }
    // Settings may hold tokens; what else the CLI obeys may be read.
    for (path, status) in [(".claude/settings.json", 403), (".claude/commands/x.md", 200)] {
        assert_eq!(caller.get(&format!("/api/read?path={path}")).await.status, status, "{path}");
    }
    let all = get(&caller, "/api/ls?path=&includeHidden=true", t::LISTING).await;
    assert_eq!(names(&all), [".claude", "Chat", "in", "out"]);
    let chat = get(&caller, "/api/ls?path=Chat&includeHidden=true", t::LISTING).await;
    assert!(names(&chat).iter().all(|name| !name.contains("sessions")), "{chat}");
    // The app's own notes of daily agents are no secret and no code.
    assert_eq!(put(&caller, "Daily/.agents/x.md", "x").await.status, 200);
}

#[tokio::test]
async fn trap_t_10_a_link_leads_no_writer_out_and_modes_and_links_stay() {
    let home = Home::new();
    write(&home, &[("real.md", "old"), ("../outside.md", "old")]);
    symlink("../outside.md", home.vault().join("out.md")).expect("linked");
    symlink("../new.md", home.vault().join("dangling.md")).expect("linked");
    symlink("real.md", home.vault().join("in.md")).expect("linked");
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(home.vault().join("real.md"), mode).expect("set");
    let server = home.server().await;
    let caller = server.local();
    for path in ["out.md", "dangling.md"] {
        assert_eq!(put(&caller, path, "new").await.status, 403, "{path}");
    }
    assert_eq!(fs::read_to_string(home.path("outside.md")).expect("read"), "old");
    assert!(!home.path("new.md").exists());
    assert_eq!(put(&caller, "in.md", "new").await.status, 200);
    let real = home.vault().join("real.md");
    assert_eq!(fs::read_to_string(&real).expect("read"), "new");
    assert_eq!(fs::metadata(&real).expect("there").permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(home.vault().join("in.md")).expect("there").is_symlink());
    assert_eq!(put(&caller, "deep/er/new.md", "x").await.status, 200);
    let folder = put(&caller, "deep", "x").await;
    assert_eq!((folder.status, folder.json()), (400, json!({ "detail": "Path is not a file" })));
    assert_eq!(put(&caller, "real.md/x.md", "x").await.status, 400);
    assert_eq!(put(&caller, "", "x").await.status, 400);
    assert_eq!(put(&caller, &"x".repeat(300), "x").await.status, 400);
    let left = fs::read_dir(home.vault()).expect("listed").flatten();
    let left = left.filter(|found| {
        let name = found.file_name().to_string_lossy().into_owned();
        name.ends_with(".parachute") && name.len() > 20
    });
    assert_eq!(left.count(), 0, "a draft stayed behind");
}

#[tokio::test]
async fn a_text_is_replaced_only_if_it_is_what_the_writer_has_seen() {
    let home = Home::new();
    write(&home, &[("a.md", "one")]);
    let server = home.server().await;
    let caller = server.local();
    let first = caller.get("/api/read?path=a.md").await;
    let had = caller.clone().with("if-none-match", &tag(&first)).get("/api/read?path=a.md").await;
    assert_eq!((had.status, had.body.len()), (304, 0));
    let sure = caller.clone().with("if-match", &tag(&first));
    let written = put(&sure, "a.md", "two").await;
    assert_eq!(written.status, 200);
    // Somebody else's tag is an older one now, whoever wrote since.
    let late = put(&sure, "a.md", "three").await;
    assert_eq!(late.status, 412, "{}", late.json());
    let raw = caller.get("/api/read?path=a.md&raw=true").await;
    assert_eq!((raw.body.as_ref(), tag(&raw)), (b"two".as_slice(), tag(&written)));
    let new = caller.clone().with("if-none-match", "*");
    assert_eq!(put(&new, "a.md", "four").await.status, 412);
    assert_eq!(put(&new, "b.md", "four").await.status, 200);
    let there = caller.clone().with("if-match", "*");
    assert_eq!(put(&there, "c.md", "x").await.status, 412);
    assert_eq!(put(&there, "new/deep/c.md", "x").await.status, 412);
    assert_eq!(put(&sure, "new/deep/c.md", "x").await.status, 412);
    assert!(!home.vault().join("c.md").exists() && !home.vault().join("new").exists());
    assert_eq!(fs::read_to_string(home.vault().join("a.md")).expect("read"), "two");
    // Of many at once with the same tag one wins.
    let tag = tag(&caller.get("/api/read?path=a.md").await);
    let racers = (0..8).map(|number| {
        let racer = caller.clone().with("if-match", &tag);
        tokio::spawn(async move { put(&racer, "a.md", &format!("racer {number}")).await.status })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += usize::from(racer.await.expect("raced") == 200);
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn bytes_come_whole_or_in_ranges_and_what_is_no_text_is_said_to_be_none() {
    let home = Home::new();
    let bytes: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8 | 0x80).collect();
    fs::write(home.vault().join("a \"b\".bin"), &bytes).expect("written");
    fs::write(home.vault().join("empty"), b"").expect("written");
    let server = home.server().await;
    let caller = server.local();
    let path = "/api/read?path=a%20%22b%22.bin";
    let refused = caller.get(path).await;
    assert_eq!(refused.status, 400);
    assert!(refused.json()["detail"].as_str().expect("text").contains("UTF-8"));
    let path = format!("{path}&raw=true");
    let whole = caller.get(&path).await;
    assert_eq!((whole.status, whole.body.as_ref() == bytes), (200, true));
    assert_eq!(whole.headers["content-type"], "application/octet-stream");
    assert_eq!(whole.headers["content-length"], "400000");
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    let name = whole.headers["content-disposition"].to_str().expect("text");
    assert_eq!(name, "attachment; filename*=UTF-8''a%20%22b%22%2Ebin");
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=130000-270000", 130_000, 270_001),
        ("bytes=-7", 399_993, 400_000),
    ] {
        let part = caller.clone().with("range", range).get(&path).await;
        assert_eq!((part.status, part.body.as_ref() == &bytes[from..to]), (206, true), "{range}");
        let told = format!("bytes {from}-{}/400000", to - 1);
        assert_eq!(part.headers["content-range"], told.as_str());
    }
    let beyond = caller.clone().with("range", "bytes=400000-").get(&path).await;
    assert_eq!(
        (beyond.status, &beyond.headers["content-range"]),
        (416, &"bytes */400000".parse().expect("text"))
    );
    let same = caller.clone().with("range", "bytes=0-4").with("if-range", &tag(&whole));
    assert_eq!(same.get(&path).await.status, 206);
    let other = caller.clone().with("range", "bytes=0-4").with("if-range", "\"x\"");
    assert_eq!(other.get(&path).await.status, 200);
    let empty = caller.get("/api/read?path=empty&raw=true").await;
    assert_eq!((empty.status, empty.body.len()), (200, 0));
    assert_eq!(get(&caller, "/api/read?path=empty", t::TEXT).await["content"], "");
}

#[tokio::test]
async fn a_file_of_any_length_goes_out_and_none_is_held_in_memory() {
    let home = Home::new();
    let file = fs::File::create(home.vault().join("huge")).expect("made");
    file.set_len(3 << 30).expect("a hole of three gigabytes");
    let server = home.server().await;
    let caller = server.local();
    let text = caller.get("/api/read?path=huge").await;
    assert_eq!(text.status, 413, "{}", text.json());
    let late = caller.clone().with("range", "bytes=3221225470-");
    let end = late.get("/api/read?path=huge&raw=true").await;
    assert_eq!((end.status, end.body.as_ref()), (206, [0, 0].as_slice()));
    // As much as goes while somebody listens, and no more.
    let mut begun =
        caller.open(Method::GET, "/api/read?path=huge&raw=true", None).await.expect("begun");
    assert_eq!(begun.headers()["content-length"], "3221225472");
    let mut heard = 0;
    while heard < 64 << 20 {
        let piece = http_body_util::BodyExt::frame(&mut begun).await.expect("more").expect("whole");
        heard += piece.data_ref().map_or(0, |data| data.len());
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("read");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("told");
    let kilobytes: u64 = most.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kilobytes < 200 << 10, "{kilobytes} kB for a file of three gigabytes");
    let long = "x".repeat(33 << 20);
    assert_eq!(put(&caller, "long.md", &long).await.status, 413);
    assert!(!home.vault().join("long.md").exists());
}

#[tokio::test]
async fn no_door_of_files_waits_for_what_is_no_file() {
    let home = Home::new();
    let pipe = home.vault().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("started");
    assert!(made.success());
    fs::create_dir(home.vault().join("folder")).expect("made");
    let server = home.server().await;
    let caller = server.local();
    for path in ["pipe", "folder"] {
        for query in ["", "&raw=true"] {
            let answer = caller.get(&format!("/api/read?path={path}{query}")).await;
            assert_eq!(answer.status, 400, "{path}");
        }
        assert_eq!(put(&caller, path, "x").await.status, 400, "{path}");
    }
    assert_eq!(caller.get("/api/read").await.status, 422);
    assert_eq!(get(&caller, "/api/ls", t::LISTING).await["entries"][2]["name"], "pipe");
}

#[tokio::test]
async fn the_database_is_closed_wherever_in_the_vault_it_lies() {
    let mut home = Home::new();
    write(&home, &[("Notes/real/x.md", "x"), ("Notes/real/own.db-notes.md", "open")]);
    symlink("Notes/real", home.vault().join("way")).expect("linked");
    let database = home.vault().join("way/own.db");
    home.set("DB_PATH", database.to_str().expect("text"));
    let server = home.server().await;
    let caller = server.local();
    let folder = home.vault().join("Notes/real");
    assert!(folder.join("own.db").exists() && folder.join("own.db-wal").exists());
    symlink("own.db", folder.join("link")).expect("linked");
    for name in
        ["own.db", "own.db-wal", "own.db-shm", "own.db-journal", "OWN.db", "own.db.before-v16"]
    {
        for path in [format!("Notes/real/{name}"), format!("way/{name}")] {
            for query in ["", "&raw=true"] {
                let answer = caller.get(&format!("/api/read?path={path}{query}")).await;
                // What is called otherwise is not there, on a disk that tells letters apart.
                let is_there = folder.join(name).exists();
                assert!(answer.status == 403 || !is_there && answer.status == 404, "{path}");
            }
            assert_eq!(put(&caller, &path, "x").await.status, 403, "{path}");
            let import = format!("/api/import/path?path={path}");
            let answer = caller.ask(Method::POST, &import, None).await;
            assert!(answer.status >= 400 && answer.status < 500, "{path}: {}", answer.status);
        }
        let files = json!([{ "path": name, "content": "x", "base": "" }]);
        let body = json!({ "root": "Notes/real", "files": files });
        let pushed = caller.post("/api/sync/push", &body).await.json();
        assert_eq!((&pushed["pushed"], pushed["errors"][0].is_string()), (&json!(0), true));
        let body = json!({ "root": "way", "paths": [name] });
        let pulled = caller.post("/api/sync/pull", &body).await.json();
        assert_eq!(pulled["files"], json!([]), "{pulled}");
        let path = format!("/api/sync/files?root=Notes/real&paths={name}");
        caller.ask(Method::DELETE, &path, None).await;
    }
    assert!(folder.join("own.db").exists() && folder.join("own.db-wal").exists());
    assert!(!folder.join("own.db-journal").exists() && !folder.join("OWN.db").exists());
    assert_eq!(caller.get("/api/read?path=Notes/real/link").await.status, 403);
    let listing = get(&caller, "/api/ls?path=Notes/real&includeHidden=true", t::LISTING).await;
    assert_eq!(names(&listing), ["link", "own.db-notes.md", "x.md"]);
    assert_eq!(listing["entries"][0]["isBrokenSymlink"], true);
    let manifest = caller.get("/api/sync/manifest?root=Notes&pattern=*").await.json();
    let told = manifest["files"].as_array().expect("a list").iter().map(|file| &file["path"]);
    assert_eq!(told.collect::<Vec<_>>(), ["real/own.db-notes.md", "real/x.md"]);
    assert_eq!(caller.get("/api/read?path=way/own.db-notes.md").await.json()["content"], "open");
}
