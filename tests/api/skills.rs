//! Skills through their doors (contract-extended §1.3): made, found under each of their names,
//! taken in as archives, deleted; and what is hostile is refused and leaves nothing behind.
//! Names by the thousand are in `hostile.rs`.

use crate::rng::Rng;
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{Cursor, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// An archive of these files.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = SimpleFileOptions::default().unix_permissions(0o644);
        zip.start_file(*name, options).expect("begun");
        zip.write_all(text.as_bytes()).expect("written");
    }
    zip.finish().expect("an archive").into_inner()
}

/// Every file and link below a folder, hidden ones too, and what is in it.
pub(crate) fn tree(top: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![top.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            let name = path.strip_prefix(top).expect("below").to_string_lossy().into_owned();
            if kind.is_dir() {
                found.insert(name, "/".into());
                folders.push(path);
            } else if kind.is_symlink() {
                found.insert(name, format!("{:?}", fs::read_link(&path).expect("a link")));
            } else {
                let bytes = fs::read(&path).unwrap_or_default();
                let mut hash = std::hash::DefaultHasher::new();
                bytes.hash(&mut hash);
                let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
                found.insert(name, format!("{} {:x} {text:?}", bytes.len(), hash.finish()));
            }
        }
    }
    found
}

fn put(home: &Home, path: &str, text: &str) {
    let path = home.vault().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    fs::write(path, text).expect("written");
}

async fn delete(caller: &Caller, path: &str) -> u16 {
    caller.ask(Method::DELETE, path, None).await.status
}

#[tokio::test]
async fn a_skill_is_a_file_of_its_owner() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let new = json!({ "name": "Weekly Review", "content": "Look\n---\nback.",
        "description": "When: each week\nname: other" });
    let made = caller.post("/api/skills", &new).await.json();
    assert_eq!(made["skill"]["name"], "Weekly Review");
    // Trap T-3: what is said in a description stays in it.
    assert_eq!(made["skill"]["description"], "When: each week\nname: other");
    assert_eq!(made["skill"]["content"], "Look\n---\nback.");
    let file = home.path("vault/.skills/Weekly Review.md");
    let found = fs::metadata(&file).expect("a file");
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    assert_eq!(made["skill"]["size"], found.size());
    let shown = caller.get("/api/skills/Weekly%20Review").await.json();
    assert_eq!(shown, made["skill"]);
    assert_eq!(caller.post("/api/skills", &new).await.status, 409);
    assert_eq!(delete(&caller, "/api/skills/Weekly%20Review").await, 200);
    assert!(!file.exists());
}

#[tokio::test]
async fn trap_t72_a_folder_with_a_skill_in_any_case_is_a_skill() {
    let home = Home::new();
    put(&home, ".skills/one/SKILL.md", "---\nname: One\nallowed-tools: [Read, Grep]\n---\n1");
    put(&home, ".skills/one/index.md", "not this");
    put(&home, ".skills/one/more/deep.txt", "deep");
    put(&home, ".skills/two/Skill.MD", "---\nversion: 2.1\n---\n2");
    put(&home, ".skills/three/index.md", "3");
    put(&home, ".skills/Four/four.md", "4");
    put(&home, ".skills/none/readme.txt", "no skill");
    put(&home, ".skills/.hidden.md", "no skill");
    put(&home, ".skills/five.MD", "---\ndescription: Use this: often\n---\n5");
    let server = home.server().await;
    let list = server.local().get("/api/skills").await.json();
    let told: Vec<(&str, &str)> = list["skills"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| (s["name"].as_str().expect("text"), s["content"].as_str().expect("text")))
        .collect();
    assert_eq!(told, [("five", "5"), ("Four", "4"), ("One", "1"), ("three", "3"), ("two", "2")]);
    let one = server.local().get("/api/skills/one").await.json();
    assert_eq!(one["allowed_tools"], json!(["Read", "Grep"]));
    assert_eq!(one["files"][0], json!({ "name": "SKILL.md", "size": 47 }));
    assert_eq!(one["files"].as_array().map(Vec::len), Some(2), "the top level alone");
    assert_eq!(server.local().get("/api/skills/two").await.json()["version"], "2.1");
    let five = server.local().get("/api/skills/five").await.json();
    assert_eq!(five["description"], "Use this: often", "front matter that is no YAML");
}

#[tokio::test]
async fn trap_t75_a_skill_is_found_by_each_of_its_names() {
    let home = Home::new();
    put(&home, ".skills/plain.md", "---\nname: Listed So\n---\nx");
    put(&home, ".skills/folder/SKILL.md", "---\nname: folder listed so\n---\nx");
    put(&home, ".skills/upload.md", "behind a door of that name");
    let server = home.server().await;
    let caller = server.local();
    for name in ["plain", "Listed%20So", "folder", "folder%20listed%20so", "upload"] {
        assert_eq!(caller.get(&format!("/api/skills/{name}")).await.status, 200, "{name}");
    }
    for name in ["Listed%20So", "folder%20listed%20so", "upload"] {
        assert_eq!(delete(&caller, &format!("/api/skills/{name}")).await, 200, "{name}");
        assert_eq!(delete(&caller, &format!("/api/skills/{name}")).await, 404, "{name}");
    }
    assert_eq!(tree(&home.path("vault/.skills")), BTreeMap::new());
}

#[tokio::test]
async fn traps_t1_and_t3_names_that_are_paths_change_nothing() {
    let home = Home::new();
    put(&home, "note.md", "mine");
    put(&home, ".skills/kept.md", "kept");
    let server = home.server().await;
    let caller = server.local();
    let before = tree(&home.vault());
    for name in ["..", "%2e%2e", ".", "%2e", "..%2fnote", "..%2fnote.md", "%2fetc", "kept%00", ""] {
        let path = format!("/api/skills/{name}");
        let deleted = delete(&caller, &path).await;
        assert!((300..500).contains(&deleted), "{name}: {deleted}");
        let shown = caller.get(&path).await.status;
        assert!((300..500).contains(&shown), "{name}: {shown}");
    }
    for name in ["", ".", "..", "../x", "a/b", "/x", "a\\b", ".hidden", "-rf", "a\nb", "x\u{202e}"]
    {
        let new = json!({ "name": name, "content": "x" });
        let answer = caller.post("/api/skills", &new).await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.json());
    }
    let long = json!({ "name": "x".repeat(300), "content": "x" });
    assert_eq!(caller.post("/api/skills", &long).await.status, 400);
    let large = json!({ "name": "large", "content": "x".repeat(2 << 20) });
    assert_eq!(caller.post("/api/skills", &large).await.status, 400);
    assert_eq!(tree(&home.vault()), before);
}

#[tokio::test]
async fn what_leads_out_is_neither_listed_nor_followed() {
    let home = Home::new();
    put(&home, "secret.md", "---\nname: secret\n---\nsecret");
    put(&home, "outside/SKILL.md", "---\nname: outside\n---\nsecret");
    put(&home, ".parachute/server.yaml", "secret");
    put(&home, ".skills/real.md", "real");
    for (to, from) in [
        ("../secret.md", "link.md"),
        ("../outside", "folder"),
        ("../.parachute/server.yaml", "keys.md"),
        ("link.md", "chain.md"),
        ("real.md", "inside.md"),
    ] {
        symlink(to, home.path("vault/.skills").join(from)).expect("linked");
    }
    let server = home.server().await;
    let caller = server.local();
    let list = caller.get("/api/skills").await;
    assert!(!String::from_utf8_lossy(&list.body).contains("secret"), "{}", list.json());
    assert_eq!(list.json()["skills"].as_array().map(Vec::len), Some(2));
    for name in ["link", "folder", "keys", "chain", "secret", "outside"] {
        assert_eq!(caller.get(&format!("/api/skills/{name}")).await.status, 404, "{name}");
        assert_eq!(delete(&caller, &format!("/api/skills/{name}")).await, 404, "{name}");
    }
    assert_eq!(delete(&caller, "/api/skills/inside").await, 200);
    assert_eq!(caller.get("/api/skills/real").await.status, 200);
    // A whole shelf that is elsewhere.
    fs::remove_dir_all(home.path("vault/.skills")).expect("removed");
    symlink(home.path("vault/outside"), home.path("vault/.skills")).expect("linked");
    let answer = caller.get("/api/skills").await;
    assert_eq!(answer.status, 400, "{}", answer.json());
}

#[tokio::test]
async fn an_archive_becomes_a_folder() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let flat = archive(&[("SKILL.md", "---\nname: Flat\n---\nx"), ("more/data.txt", "data")]);
    let made = caller.upload("/api/skills/upload", "flat.zip.skill", &flat).await;
    // Trap T-4: the ending is an ending.
    assert_eq!(made.json()["skill"]["directory"], "flat.zip", "{}", made.json());
    let nested = archive(&[
        ("top/skill.md", "x"),
        ("top/run.sh", "#!/bin/sh"),
        ("__MACOSX/top/._skill.md", "x"),
    ]);
    let made = caller.upload("/api/skills/upload", "Nested.ZIP", &nested).await.json();
    assert_eq!(
        made["skill"]["files"],
        json!([{"name":"run.sh","size":9},{"name":"skill.md","size":1}])
    );
    let there = tree(&home.path("vault/.skills"));
    let names: Vec<&str> = there.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "Nested",
            "Nested/run.sh",
            "Nested/skill.md",
            "flat.zip",
            "flat.zip/SKILL.md",
            "flat.zip/more",
            "flat.zip/more/data.txt",
        ]
    );
    let again = caller.upload("/api/skills/upload", "Nested.zip", &nested).await;
    assert_eq!(again.status, 409, "{}", again.json());
    assert_eq!(tree(&home.path("vault/.skills")), there);
    assert_eq!(delete(&caller, "/api/skills/Flat").await, 200);
    assert_eq!(delete(&caller, "/api/skills/Nested").await, 200);
    assert_eq!(tree(&home.path("vault/.skills")), BTreeMap::new());
}

/// Archives of which nothing may be taken.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let good = ("SKILL.md", "x");
    let mut all = vec![
        ("nothing", Vec::new()),
        ("no archive", b"PK\x03\x04 and no more".to_vec()),
        ("a text", b"# Skill".to_vec()),
        ("an empty one", archive(&[])),
        ("no skill", archive(&[("readme.txt", "x")])),
        ("a skill too deep", archive(&[("a/b/SKILL.md", "x"), ("c", "x")])),
        ("half of one", archive(&[good, ("b", "y")])[..60].to_vec()),
    ];
    for name in [
        "../out.md",
        "a/../../out.md",
        "/etc/out",
        "a/./b",
        "a//b",
        "..",
        "a\\..\\out",
        "C:/out",
        "a\0b",
        "a\nb",
    ] {
        all.push((name, archive(&[good, (name, "x")])));
    }
    let deep = format!("{}x", "d/".repeat(20));
    all.push(("too deep", archive(&[good, (&deep, "x")])));
    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    link.add_symlink("SKILL.md", "../../note.md", SimpleFileOptions::default()).expect("added");
    all.push(("a link", link.finish().expect("an archive").into_inner()));
    let pipe = SimpleFileOptions::default().unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("SKILL.md", pipe).expect("begun");
    let mut bytes = zip.finish().expect("an archive").into_inner();
    let table = bytes.windows(4).rposition(|w| w == b"PK\x01\x02").expect("a table");
    // The kind in the entry's outer attributes: a pipe.
    bytes[table + 40..table + 42].copy_from_slice(&0o010_644_u16.to_le_bytes());
    all.push(("a pipe", bytes.clone()));
    bytes[table + 8] |= 1;
    bytes[table + 40..table + 42].copy_from_slice(&0o100_644_u16.to_le_bytes());
    all.push(("an encrypted file", bytes));
    let zeros = "0".repeat(70 << 20);
    all.push(("a bomb", archive(&[good, ("bomb", &zeros)])));
    let piece = &zeros[..2 << 20];
    all.push(("a small bomb", archive(&[good, ("bomb", piece)])));
    let many: Vec<String> = (0..2001).map(|i| format!("f{i}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    all.push(("many", archive(&many)));
    all
}

#[tokio::test]
async fn trap_t73_a_hostile_archive_is_refused_and_leaves_nothing() {
    let home = Home::new();
    put(&home, "note.md", "mine");
    put(&home, ".skills/kept.md", "kept");
    let server = home.server().await;
    let caller = server.local();
    // The index of the notes comes by and by, whatever anybody uploads.
    let counts = |n: &str| !n.ends_with(".log") && !n.starts_with("s/parachute/index.db");
    let all = || tree(&home.path("")).into_iter().filter(|(n, _)| counts(n));
    let before: BTreeMap<_, _> = all().collect();
    for (what, bytes) in hostile() {
        let answer = caller.upload("/api/skills/upload", "x.zip", &bytes).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.json());
        assert!(answer.json()["detail"].is_string(), "{what}");
        assert_eq!(all().collect::<BTreeMap<_, _>>(), before, "{what}");
    }
}

#[tokio::test]
async fn trap_t4_the_name_of_an_upload_is_no_path() {
    let home = Home::new();
    let server = home.server().await;
    let good = archive(&[("SKILL.md", "x")]);
    let before = tree(&home.vault());
    for name in
        ["", "x", "x.tar", ".zip", "..zip", "../x.zip", "a/b.zip", "/x.zip", "..\\x.zip", "-x.zip"]
    {
        let answer = server.local().upload("/api/skills/upload", name, &good).await;
        assert_eq!(answer.status, 400, "{name:?}: {}", answer.json());
    }
    let no_form: Value = server.local().post("/api/skills/upload", &json!({})).await.json();
    assert_eq!(no_form["detail"][0]["loc"], json!(["body", "file"]));
    let now = tree(&home.vault());
    assert_eq!(now.into_iter().filter(|(n, _)| n != ".skills").collect::<BTreeMap<_, _>>(), before);
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    let home = Home::new();
    let server = home.server().await;
    let whole = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\n\
        text\r\n--x--\r\n";
    let other = whole.replace("\"file\"", "\"other\"");
    let many = other.trim_end_matches("--\r\n").repeat(100);
    let long = whole.replace("text", &"x".repeat(40 << 20));
    let form = "multipart/form-data; boundary=x";
    for (kind, body, status) in [
        (form, whole, 400),
        (form, &whole[..60], 400),
        (form, "", 400),
        (form, "text", 400),
        (form, &other, 422),
        (form, &many, 422),
        (form, &long, 413),
        ("multipart/form-data", whole, 422),
        ("multipart/form-data; boundary=", whole, 400),
        ("application/json", "{}", 422),
        ("text/plain", whole, 422),
    ] {
        let caller = server.local().with("content-type", kind);
        let body = Some(body.as_bytes().to_vec().into());
        let answer = caller.ask(Method::POST, "/api/skills/upload", body).await;
        assert_eq!(answer.status, status, "{kind}: {}", answer.json());
    }
    let mut rng = Rng::new(0x5eed_0002);
    for _ in 0..300 {
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..=rng.below(6) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.below(256) as u8;
        }
        let caller = server.local().with("content-type", form);
        let answer = caller.ask(Method::POST, "/api/skills/upload", Some(bytes.into())).await;
        assert!((400..500).contains(&answer.status), "{}", answer.json());
    }
    assert_eq!(server.local().get("/api/skills").await.json(), json!({ "skills": [] }));
}

#[tokio::test]
async fn an_archive_with_broken_bytes_is_taken_whole_or_not_at_all() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let good = archive(&[("top/SKILL.md", "---\nname: x\n---\ntext"), ("top/a/b.txt", "b")]);
    let mut rng = Rng::new(0x5eed_0001);
    for round in 0..300 {
        let mut bytes = good.clone();
        for _ in 0..=rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.below(256) as u8;
        }
        let answer = caller.upload("/api/skills/upload", "x.zip", &bytes).await;
        let there = tree(&home.path("vault/.skills"));
        match answer.status {
            200 => {
                assert!(there.keys().all(|name| name.starts_with('x')), "{round}: {there:?}");
                assert_eq!(delete(&caller, "/api/skills/x").await, 200, "{round}");
            }
            400 => assert_eq!(there, BTreeMap::new(), "{round}"),
            other => panic!("{round}: {other} {}", answer.json()),
        }
    }
}
