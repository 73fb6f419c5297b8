//! Entries of a person's days (contract-core §6.6).

use crate::contexts::write;
use parachute_tests::{Caller, Home};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

const AT: &str = "/api/daily/entries";

async fn made(caller: &Caller, body: &Value) -> Value {
    let made = caller.post(AT, body).await;
    assert_eq!(made.status, 200, "{}", made.json());
    made.json()
}

fn ids(list: &Value) -> Vec<&str> {
    list["entries"].as_array().expect("a list").iter().filter_map(|e| e["id"].as_str()).collect()
}

#[tokio::test]
async fn an_entry_is_put_down_listed_and_shown() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let content = "---\nno: front\n---\n# Łódź 🦀\n\nA walk.";
    let metadata =
        json!({ "mood": "good", "tags": ["a", 1, null], "on": true, "n": 1.5, "t": "3:00" });
    let entry = made(&caller, &json!({ "content": content, "metadata": metadata })).await;
    let id = entry["id"].as_str().expect("an id");
    let file =
        home.vault().canonicalize().expect("there").join("Daily/entries").join(format!("{id}.md"));
    assert_eq!(entry["path"], file.to_str().expect("text"));
    let text = fs::read_to_string(&file).expect("a file");
    assert!(text.starts_with(&format!("---\nentry_id: {id}\n")), "{text}");
    let shown = caller.get(&format!("{AT}/{id}")).await.json();
    assert_eq!((&shown["content"], &shown["metadata"]), (&json!(content), &metadata));
    assert_eq!(shown["created_at"], entry["created_at"]);
    let list = caller.get(AT).await.json();
    assert_eq!((ids(&list), &list["count"], &list["offset"]), (vec![id], &json!(1), &json!(0)));
    assert_eq!(list["entries"][0]["snippet"], content);
    assert_eq!(list.get("problems"), None);
    let none = caller.get(&format!("{AT}/2020-01-01-00-00")).await;
    assert_eq!(none.status, 404);
    assert_eq!(none.json(), json!({ "error": "Entry not found", "id": "2020-01-01-00-00" }));
}

#[tokio::test]
async fn traps_89_and_t63_entries_of_one_minute_are_each_kept() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let making = (0..12).map(|number| {
        let caller = caller.clone();
        tokio::spawn(async move {
            let entry = made(&caller, &json!({ "content": format!("entry {number}") })).await;
            (entry["id"].as_str().expect("an id").to_owned(), format!("entry {number}"))
        })
    });
    let mut all = BTreeSet::new();
    for making in making.collect::<Vec<_>>() {
        let (id, content) = making.await.expect("made");
        assert_eq!(caller.get(&format!("{AT}/{id}")).await.json()["content"], content);
        assert!(all.insert(id));
    }
    let list = caller.get(AT).await.json();
    assert_eq!(ids(&list).into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), all);
    let left: Vec<_> = fs::read_dir(home.vault().join("Daily/entries")).expect("listed").collect();
    assert_eq!(left.len(), 12);
    for name in ["entry_id", "created_at", "brain_links"] {
        let body = json!({ "content": "x", "metadata": { name: "2020-01-01-00-00" } });
        let refused = caller.post(AT, &body).await;
        assert_eq!(refused.status, 400);
        assert!(refused.json()["detail"].as_str().expect("a sentence").contains(name));
    }
    assert_eq!(caller.get(AT).await.json()["count"], 12);
}

#[tokio::test]
async fn what_people_wrote_by_hand_is_read_and_what_is_bad_is_told() {
    let home = Home::new();
    write(
        &home,
        &[
            ("Daily/entries/2026-01-02-10-00.md", "plain text"),
            ("Daily/entries/2026-01-02-10-00-10.md", "---\r\nbrain_links: [a/b]\r\n---\r\ntenth"),
            ("Daily/entries/2026-01-02-10-00-2.md", "---\na: b: c\n---\nsecond"),
            ("Daily/entries/Walk — Sunday.md", "---\n- a list\n---\nwalked"),
            ("Daily/entries/2026-01-01-09-30.md", "---\ncreated_at: 2020-02-02T02:02:02\n---\nold"),
            ("Daily/entries/notes.txt", "no entry"),
            ("Daily/entries/.hidden.md", "no entry"),
        ],
    );
    let folder = home.vault().join("Daily/entries");
    fs::write(folder.join("2026-01-03-00-00.md"), b"\xff\xfe").expect("written");
    symlink("/etc/passwd", folder.join("2026-01-04-00-00.md")).expect("linked");
    fs::create_dir(folder.join("2026-01-05-00-00.md")).expect("made");
    let server = home.server().await;
    let caller = server.local();
    let list = caller.get(AT).await.json();
    assert_eq!(
        ids(&list),
        [
            "Walk — Sunday",
            "2026-01-02-10-00-10",
            "2026-01-02-10-00-2",
            "2026-01-02-10-00",
            "2026-01-01-09-30",
        ]
    );
    assert_eq!(list["problems"].as_array().map(Vec::len), Some(2), "{list}");
    let of = |id: &str| {
        let all = list["entries"].as_array().expect("a list");
        all.iter().find(|e| e["id"] == id).expect("listed").clone()
    };
    assert_eq!(of("2026-01-02-10-00-10")["brain_links"], json!(["a/b"]));
    assert_eq!(of("2026-01-02-10-00-2")["created_at"], "2026-01-02T10:00:00Z");
    assert_eq!(of("2026-01-01-09-30")["created_at"], "2020-02-02T02:02:02");
    let page = caller.get(&format!("{AT}?limit=2&offset=5")).await.json();
    assert_eq!(
        (ids(&page), &page["offset"]),
        (vec!["2026-01-02-10-00-2", "2026-01-02-10-00"], &json!(5))
    );
    assert_eq!(caller.get(&format!("{AT}?offset=99")).await.json()["count"], 0);
    for query in ["limit=0", "limit=101", "offset=-1", "limit=x"] {
        assert_eq!(caller.get(&format!("{AT}?{query}")).await.status, 422, "{query}");
    }
    let walk = caller.get(&format!("{AT}/Walk%20%E2%80%94%20Sunday")).await;
    assert_eq!((walk.status, &walk.json()["content"]), (200, &json!("walked")));
    assert_eq!(caller.get(&format!("{AT}/2026-01-03-00-00")).await.status, 400);
    assert_eq!(caller.get(&format!("{AT}/2026-01-04-00-00")).await.status, 400);
}

#[tokio::test]
async fn what_an_entry_names_is_suggested_and_linked() {
    let home = Home::new();
    let entity = "---\npara_id: people/ada\nname: Ada Lovelace\n---\nx";
    write(&home, &[("Brain/entities/ada.md", entity)]);
    let server = home.server().await;
    let caller = server.local();
    assert_eq!(caller.ask(http::Method::POST, "/api/brain/reload", None).await.status, 200);
    let entry = made(&caller, &json!({ "content": "we met Ada Lovelace." })).await;
    let suggested = &entry["brain_suggestions"][0];
    assert_eq!(
        (&suggested["para_id"], &suggested["name"]),
        (&json!("people/ada"), &json!("Ada Lovelace"))
    );
    let id = entry["id"].as_str().expect("an id");
    let shown = caller.get(&format!("{AT}/{id}")).await.json();
    assert_eq!((&shown["brain_links"], &shown["metadata"]), (&json!(["people/ada"]), &json!({})));
}

#[tokio::test]
async fn no_name_and_no_size_leads_elsewhere() {
    let home = Home::new();
    write(&home, &[("secret.md", "canary"), ("Daily/entries/real.md", "x")]);
    let server = home.server().await;
    let caller = server.local();
    for id in ["..%2f..%2fsecret", "%2e%2e", ".", "%2fetc%2fpasswd", "real%00", "%5c..%5c", "a%2fb"]
    {
        let answer = caller.get(&format!("{AT}/{id}")).await;
        assert!([404, 400].contains(&answer.status), "{id}: {}", answer.status);
        assert!(!String::from_utf8_lossy(&answer.body).contains("canary"), "{id}");
    }
    let long = "x".repeat(1 << 20);
    assert_eq!(caller.post(AT, &json!({ "content": long })).await.status, 400);
    let many: serde_json::Map<String, Value> =
        (0..30_000).map(|number| (format!("f{number}"), json!(1))).collect();
    let refused = caller.post(AT, &json!({ "content": "x", "metadata": many })).await;
    assert_eq!(refused.status, 400);
    for body in [json!({}), json!({ "content": 1 }), json!({ "content": "x", "metadata": [] })] {
        assert_eq!(caller.post(AT, &body).await.status, 422, "{body}");
    }
    assert_eq!(ids(&caller.get(AT).await.json()), ["real"]);
    // A folder that leads out of the vault is nobody's to write in.
    let elsewhere = home.path("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    fs::remove_dir_all(home.vault().join("Daily")).expect("gone");
    symlink(&elsewhere, home.vault().join("Daily")).expect("linked");
    assert_eq!(caller.post(AT, &json!({ "content": "x" })).await.status, 400);
    assert_eq!(fs::read_dir(&elsewhere).expect("listed").count(), 0);
}
