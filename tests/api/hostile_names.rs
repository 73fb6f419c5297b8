//! Names that are nearly the same, in another case or spelling, and names that are no text: each
//! is its own where the disk can tell them apart, and none is in the way of another.

use crate::contexts::write;
use crate::hostile::CANARY;
use crate::hostile_vault::{PLACES, all_is_well, ask, good};
use http::Method;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The same name in another case, and letters with their accents in one sign and in two.
const ALIKE: [&str; 6] =
    ["Ada", "ada", "ADA", "\u{e9}t\u{e9}", "e\u{301}te\u{301}", "\u{c9}t\u{e9}"];

#[tokio::test]
async fn names_that_are_nearly_the_same_are_each_their_own() {
    let home = Home::new();
    good(&home);
    let folders = home.vault().join("case");
    fs::create_dir_all(folders.join("Brain")).expect("made");
    if fs::symlink_metadata(folders.join("brain")).is_ok() {
        // This disk knows one of them only.
        return;
    }
    for (n, name) in ALIKE.iter().enumerate() {
        for place in PLACES {
            let text = match place.ends_with(".yaml") {
                true => format!("name: {name}\nprompt: text {n}\n"),
                false => format!("text {n}"),
            };
            write(&home, &[(&place.replace("NAME", name), &text)]);
        }
    }
    let server = home.server().await;
    let caller = server.local();
    all_is_well(&server, &[]).await;
    let enc = crate::hostile::encoded;
    for (n, name) in ALIKE.iter().enumerate() {
        for (door, field) in
            [("brain/entities", "content"), ("daily/entries", "content"), ("skills", "content")]
        {
            let path = format!("/api/{door}/{}", enc(name));
            let shown = ask(&server, Method::GET, &path).await.json();
            assert_eq!(shown[field], format!("text {n}"), "{path}: {shown}");
        }
        let path = format!("/api/agents/{}", enc(name));
        assert_eq!(ask(&server, Method::GET, &path).await.status, 200, "{path}");
        let of = |list: &Value, key: &str| {
            let list = list.as_array().expect("a list");
            list.iter().filter(|one| one[key] == *name).count()
        };
        let modules = ask(&server, Method::GET, "/api/modules").await.json();
        assert_eq!(of(&modules["modules"], "name"), 1, "{name}: {modules}");
    }
    pushed_together(&caller, &home).await;
    for name in ["New", "new", "n\u{308}w", "NEW"] {
        let skill = caller.post("/api/skills", &json!({ "name": name, "content": name })).await;
        assert!([200, 409].contains(&skill.status), "{name}: {}", skill.status);
        let agent = caller.post("/api/agents", &json!({ "name": name, "prompt": name })).await;
        assert!([200, 409].contains(&agent.status), "{name}: {}", agent.status);
        let space = caller.post("/api/workspaces", &json!({ "name": name })).await;
        assert_eq!(space.status, 201, "{name}");
        let entry = ask(&server, Method::GET, &format!("/api/skills/{}", enc(name))).await;
        assert_eq!((entry.status, entry.json()["content"].clone()), (200, json!(name)));
    }
    let talks = ALIKE.map(|name| crate::imports::conversation(name, 2));
    let answer = caller.post("/api/import", &json!({ "data": talks })).await;
    assert_eq!(crate::imports::counts(&answer), (6, 6, 0), "six talks with six ids");
    // A name that is no text is nobody's, and in nobody's way.
    for place in PLACES {
        let path = home.vault().join(place.replace("NAME", "odd"));
        let bytes = path.as_os_str().as_bytes();
        let at = bytes.windows(3).rposition(|part| part == b"odd").expect("it is there");
        let odd = [&bytes[..at], b"o\xffd", &bytes[at + 3..]].concat();
        let odd = Path::new(OsStr::from_bytes(&odd));
        fs::create_dir_all(odd.parent().expect("a folder")).expect("made");
        fs::write(odd, CANARY).expect("written");
    }
    all_is_well(&server, &[]).await;
}

/// Several in one push; each keeps its bytes, is listed, and comes back as it went.
async fn pushed_together(caller: &Caller, home: &Home) {
    let device = crate::sync::Device::new(caller, "one");
    let names: Vec<String> = ALIKE
        .iter()
        .map(|name| format!("case/{name}.md"))
        .chain(["Brain/a.md", "brain/a.md", "BRAIN/A.md"].map(|name| format!("case/{name}")))
        .collect();
    let file = |name: &String| json!({ "path": name, "content": format!("of {name}") });
    let pushed = device.push(names.iter().map(file).collect()).await;
    assert_eq!((&pushed["pushed"], &pushed["errors"]), (&json!(names.len()), &json!([])));
    let list = crate::sync::manifest(caller, "").await;
    let pulled = device.pull(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for (name, file) in names.iter().zip(pulled["files"].as_array().expect("a list")) {
        assert_eq!((&file["path"], &file["content"]), (&json!(name), &json!(format!("of {name}"))));
        let listed =
            list["files"].as_array().expect("a list").iter().filter(|f| f["path"] == *name);
        assert_eq!(listed.count(), 1, "{name}");
        let kept = crate::sync::on_disk(home, name);
        assert_eq!(kept, Some(format!("of {name}")));
    }
}
