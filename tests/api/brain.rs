//! The brain: what is found in the notes of a vault while it changes, and what a note says
//! (contract-core §6.6, contract-extended §1.14).

use crate::contexts::write;
use crate::dart::Dart::{Int, Is, List, Str, Strings};
use crate::dart::{Field, need};
use crate::types::{get, parses};
use http::Method;
use parachute_tests::{Caller, Home, eventually};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

const HIT: &[Field] = &[
    need("para_id", Str),
    need("name", Str),
    need("tags", Strings),
    need("snippet", Str),
    need("path", Str),
];
pub(crate) const FOUND: &[Field] =
    &[need("query", Str), need("count", Int), need("results", List(HIT))];
pub(crate) const ENTITY: &[Field] = &[
    need("para_id", Str),
    need("name", Str),
    need("tags", Strings),
    need("content", Str),
    need("path", Str),
];
pub(crate) const RELOADED: &[Field] = &[need("status", Is("reloaded")), need("count", Int)];
pub(crate) const BACKLINKS: &[Field] =
    &[need("para_id", Str), need("count", Int), need("results", List(HIT))];
pub(crate) const TAGS: &[Field] = &[need("tags", List(&[need("tag", Str), need("count", Int)]))];
const NO_ENTITY: &[Field] = &[need("error", Str), need("para_id", Str)];

const ADA: &str = "---\npara_id: people/ada\nname: Ada Lovelace\ntags: [person]\nborn: 1815\n\
    content: not this\npath: /etc/passwd\n---\n\nShe wrote the first program.\n";

async fn reload(caller: &Caller) -> Value {
    parses(&caller.ask(Method::POST, "/api/brain/reload", None).await, 200, RELOADED)
}

/// Ids of what is found.
async fn found(caller: &Caller, query: &str) -> Vec<String> {
    let found = get(caller, &format!("/api/brain/search?q={query}"), FOUND).await;
    let results = found["results"].as_array().expect("a list");
    assert_eq!(found["count"], results.len());
    results.iter().map(|hit| hit["para_id"].as_str().expect("text").to_owned()).collect()
}

async fn until(caller: &Caller, query: &str, ids: &[&str]) {
    let look = async || (found(caller, query).await == ids).then_some(());
    eventually(&format!("{query} finds {ids:?}"), look).await;
}

#[tokio::test]
async fn trap_88_every_note_is_found_and_followed() {
    let home = Home::new();
    write(
        &home,
        &[
            ("Brain/entities/ada.md", ADA),
            ("Brain/entities/null.md", "---\ntags:\n---\n# Null Tags\nodd"),
            ("Brain/entities/odd/numbers.md", "---\ntags: [1, null, {a: b}]\nname: 7\n---\nodd"),
            ("Brain/entities/odd/none.md", "---\n- a\n- b\n---\nodd, but found"),
            ("Journal/day.md", "met Ada, odd"),
        ],
    );
    std::fs::write(home.vault().join("Brain/entities/bytes.md"), b"odd \xff\xfe").expect("written");
    let server = home.server().await;
    let local = server.local();
    let reloaded = reload(&local).await;
    assert_eq!((&reloaded["count"], &reloaded["notes"]), (&json!(5), &json!(6)));
    let warnings: Vec<&str> =
        reloaded["warnings"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(warnings.iter().any(|said| said.contains("Brain/entities/bytes.md:1: ")));
    assert!(warnings.iter().any(|said| said.contains("odd/none.md:2: ")), "{warnings:?}");
    assert!(warnings.iter().any(|said| said.contains("odd/numbers.md:2: tags: ")), "{warnings:?}");
    assert_eq!(found(&local, "odd").await.len(), 4);
    assert_eq!(found(&local, "").await.len(), 5);
    assert_eq!(found(&local, "LOVE").await, ["people/ada"]);
    // No reload from here on.
    write(&home, &[("Brain/entities/new.md", "a new thing")]);
    until(&local, "thing", &["new"]).await;
    write(&home, &[("Brain/entities/new.md", "another one")]);
    until(&local, "thing", &[]).await;
    until(&local, "another", &["new"]).await;
    std::fs::remove_file(home.vault().join("Brain/entities/new.md")).expect("removed");
    until(&local, "another", &[]).await;
}

#[tokio::test]
async fn trap_88_front_matter_overrides_nothing() {
    let home = Home::new();
    write(
        &home,
        &[("Brain/entities/ada.md", ADA), ("Brain/entities/deep/er one.md", "# Deeper\nx")],
    );
    let server = home.server().await;
    let local = server.local();
    reload(&local).await;
    let path = home.vault().join("Brain/entities/ada.md").display().to_string();
    let whole = json!({
        "para_id": "people/ada", "name": "Ada Lovelace", "tags": ["person"],
        "content": "She wrote the first program.", "path": path, "born": 1815,
    });
    for path in ["entities/people/ada", "entities/people%2Fada", "resolve/ADA%20lovelace"] {
        assert_eq!(get(&local, &format!("/api/brain/{path}"), ENTITY).await, whole, "{path}");
    }
    let deep = get(&local, "/api/brain/entities/deep/er%20one", ENTITY).await;
    assert_eq!((&deep["para_id"], &deep["name"]), (&json!("deep/er one"), &json!("Deeper")));
    for id in ["none", "people/ada/", "..%2F..%2Fx", "a//b", "%00"] {
        let answer = local.get(&format!("/api/brain/entities/{id}")).await;
        let said = parses(&answer, 404, NO_ENTITY);
        let decoded = id.replace("%2F", "/").replace("%00", "\0");
        assert_eq!(said, json!({ "error": "Entity not found", "para_id": decoded }));
    }
    let answer = local.get("/api/brain/resolve/none").await;
    assert_eq!(
        (answer.status, answer.json()),
        (404, json!({ "error": "Entity not found", "name": "none" }))
    );
    // What the file says now is what is shown.
    write(&home, &[("Brain/entities/ada.md", &ADA.replace("1815", "1852"))]);
    let now = local.get("/api/brain/entities/people/ada").await.json();
    assert_eq!(now["born"], 1852);
}

#[tokio::test]
async fn no_query_is_an_error_and_none_at_all_is() {
    let home = Home::new();
    write(&home, &[("Brain/entities/ada.md", ADA), ("n.md", "odd AND \"quoted\" (text) x:y")]);
    let server = home.server().await;
    let local = server.local();
    reload(&local).await;
    for query in [
        "%22",
        "*",
        "AND",
        "NOT%20x",
        "a%22b",
        "(",
        "name:x",
        "%5E",
        "%7B",
        "NEAR(a,b)",
        "'",
        "%E6%97%A5*",
        "-a",
        "+",
        "%22%22",
        "a%22*",
        "%FF",
        "%F0%9F%98%80",
    ] {
        for scope in ["brain", "vault"] {
            let path = format!("/api/brain/search?scope={scope}&q={query}");
            assert_eq!(local.get(&path).await.status, 200, "{query}");
        }
    }
    assert_eq!(found(&local, "AND&scope=vault").await, ["n"]);
    assert_eq!(found(&local, "%22odd+and%22&scope=vault").await, ["n"]);
    for path in [
        "/api/brain/search",
        "/api/brain/search?q=%00",
        "/api/brain/search?q=x&limit=0",
        "/api/brain/search?q=x&limit=1001",
        "/api/brain/search?q=x&scope=all",
        "/api/brain/search?q=x&offset=-1",
        "/api/brain/tags?scope=x",
    ] {
        assert_eq!(local.get(path).await.status, 422, "{path}");
    }
    let long = "x".repeat(5000);
    assert_eq!(local.get(&format!("/api/brain/search?q={long}")).await.status, 422);
    assert_eq!(local.get("/api/brain/search?q=x&since=yesterday").await.status, 400);
}

#[tokio::test]
async fn the_whole_vault_is_searched_with_filters_and_links_lead_back() {
    let home = Home::new();
    std::fs::create_dir(home.path("outside")).expect("made");
    std::fs::write(home.path("outside/x.md"), "program").expect("written");
    write(
        &home,
        &[
            ("Brain/entities/ada.md", ADA),
            ("Journal/2025/day.md", "---\ntags: [Work/Old]\n---\n# A program\n[[people/ada]]"),
            ("Journal/2026/day.md", "---\ntags: work\n---\nprogram, [[Ada Lovelace]] #Seen"),
            (".hidden/x.md", "program"),
            (".parachute/x.md", "program"),
            ("private/x.md", "program"),
            (".parachuteignore", "/private/\n"),
        ],
    );
    symlink(home.path("outside"), home.vault().join("link")).expect("linked");
    let server = home.server().await;
    let local = server.local();
    reload(&local).await;
    let vault = async |rest: &str| {
        let mut ids = found(&local, &format!("program&scope=vault{rest}")).await;
        ids.sort();
        ids
    };
    let (old, new) = ("Journal/2025/day", "Journal/2026/day");
    assert_eq!(found(&local, "program").await, ["people/ada"]);
    assert_eq!(vault("").await, [old, new, "people/ada"]);
    assert_eq!(vault("&tag=work").await, [old, new]);
    assert_eq!(vault("&tag=%23WORK/old").await, [old]);
    assert_eq!(vault("&tag=seen").await, [new]);
    assert_eq!(vault("&folder=Journal").await, [old, new]);
    assert_eq!(vault("&folder=Journal/2026/").await, [new]);
    assert_eq!(vault("&folder=../..").await, [""; 0]);
    assert_eq!(vault("&since=1971-01-01").await.len(), 3);
    assert_eq!(vault("&since=2999-01-01T00:00:00Z").await, [""; 0]);
    let page = get(&local, "/api/brain/search?q=program&scope=vault&limit=2", FOUND).await;
    assert_eq!((&page["count"], &page["more"]), (&json!(2), &json!(true)));
    let rest = "/api/brain/search?q=program&scope=vault&limit=2&offset=2";
    let rest = get(&local, rest, FOUND).await;
    assert_eq!((&rest["count"], &rest["more"]), (&json!(1), &json!(false)));
    let back = get(&local, "/api/brain/backlinks/people/ada", BACKLINKS).await;
    assert_eq!((&back["count"], &back["results"][1]["para_id"]), (&json!(2), &json!(new)));
    assert_eq!(back["results"][0]["relative_path"], "Journal/2025/day.md");
    parses(&local.get("/api/brain/backlinks/none").await, 404, NO_ENTITY);
    let tags = get(&local, "/api/brain/tags", TAGS).await;
    assert_eq!(tags["tags"], json!([{ "tag": "person", "count": 1 }]));
    let tags = local.get("/api/brain/tags?scope=vault").await.json();
    assert_eq!(tags["tags"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn an_index_that_cannot_be_is_no_harm_and_a_lost_one_is_made_again() {
    let home = Home::new();
    write(&home, &[("Brain/entities/ada.md", ADA)]);
    let file = home.path("s/parachute/index.db");
    std::fs::create_dir_all(file.join("in the way")).expect("made");
    let server = home.server().await;
    let local = server.local();
    let reloaded = reload(&local).await;
    assert!(reloaded["problem"].is_string(), "{reloaded}");
    let answer = get(&local, "/api/brain/search?q=ada", FOUND).await;
    assert_eq!((&answer["count"], &answer["indexing"]), (&json!(0), &json!(true)));
    assert_eq!(local.get("/api/health").await.status, 200);
    std::fs::remove_dir_all(&file).expect("removed");
    assert_eq!(reload(&local).await["count"], 1);
    assert_eq!(found(&local, "ada").await, ["people/ada"]);
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(reload(&local).await["count"], 1);
    assert_eq!(found(&local, "ada").await, ["people/ada"]);
    std::fs::write(&file, "no database").expect("written");
    assert_eq!(reload(&local).await["count"], 1);
    assert_eq!(found(&local, "ada").await, ["people/ada"]);
}

#[tokio::test]
async fn a_server_that_comes_back_knows_what_it_knew_and_what_changed_meanwhile() {
    let home = Home::new();
    write(&home, &[("Brain/entities/ada.md", ADA), ("Brain/entities/b.md", "ada")]);
    let server = home.server().await;
    reload(&server.local()).await;
    assert_eq!(found(&server.local(), "ada").await, ["people/ada", "b"]);
    drop(server);
    std::fs::remove_file(home.vault().join("Brain/entities/b.md")).expect("removed");
    write(&home, &[("Brain/entities/c.md", "ada")]);
    let server = home.server().await;
    until(&server.local(), "ada", &["people/ada", "c"]).await;
}

#[tokio::test]
async fn an_entry_is_told_which_entities_it_names() {
    let home = Home::new();
    write(&home, &[("Brain/entities/ada.md", ADA)]);
    let server = home.server().await;
    let local = server.local();
    reload(&local).await;
    let body = json!({ "content": "Met Ada Lovelace today; the Ada I knew." });
    let made = local.post("/api/daily/entries", &body).await.json();
    let suggested = json!([
        { "para_id": "people/ada", "name": "Ada Lovelace", "matched_term": "Ada Lovelace" }
    ]);
    assert_eq!(made["brain_suggestions"], suggested, "{made}");
}

#[tokio::test]
async fn where_the_system_tells_of_no_more_folders_they_are_looked_at_all_the_same() {
    let mut home = Home::new();
    home.mounts = Some("echo 2 > /proc/sys/user/max_inotify_watches;".into());
    let paths: Vec<String> = (0..9).map(|n| format!("Brain/entities/f{n}/n.md")).collect();
    let notes: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "word")).collect();
    write(&home, &notes);
    let server = home.server().await;
    let local = server.local();
    assert_eq!(reload(&local).await["count"], 9);
    let log = server.log();
    assert!(log.contains("are not told to us, and looked for every 60 s"), "{log}");
    write(&home, &[("Brain/entities/f8/new.md", "another")]);
    assert_eq!(reload(&local).await["count"], 10);
    assert_eq!(found(&local, "another").await, ["f8/new"]);
}
