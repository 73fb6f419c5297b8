//! Workspaces: their doors and their files (contract-core §1.7).

use http::Method;
use parachute_tests::{Answer, Caller, Home, Stream};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

pub(crate) const AT: &str = "/api/workspaces";

fn file(home: &Home, slug: &str) -> PathBuf {
    home.vault().join(".parachute/workspaces").join(slug).join("config.yaml")
}

/// A workspace that somebody wrote by hand, or another program.
fn put(home: &Home, slug: &str, text: &str) {
    let file = file(home, slug);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(file, text).expect("written");
}

fn kept(home: &Home, slug: &str) -> String {
    std::fs::read_to_string(file(home, slug)).expect("a file")
}

pub(crate) async fn changed(caller: &Caller, slug: &str, change: &Value) -> Answer {
    caller.send(Method::PUT, &format!("{AT}/{slug}"), change).await
}

/// Whatever this machine has to confine it with: it has no more trust than that.
pub(crate) fn is_confined(stream: &Stream) {
    assert_eq!(stream.event("session")["trust"], "sandboxed");
}

pub(crate) async fn turn(caller: &Caller, mut body: Value) -> Stream {
    body["message"] = "x @@{\"n\":1}@@".into();
    caller.chat("", &body).await.whole().await
}

#[tokio::test]
async fn a_workspace_is_made_changed_and_deleted() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let made = caller.post(AT, &json!({ "name": "My Work", "model": "opus" })).await;
    assert_eq!((made.status, &made.json()["workspace"]["slug"]), (201, &json!("my-work")));
    let again = caller.post(AT, &json!({ "name": "my work!" })).await;
    assert_eq!((again.status, &again.json()["workspace"]["slug"]), (201, &json!("my-work-2")));
    let list = caller.get(AT).await.json();
    assert_eq!(list["workspaces"].as_array().map(Vec::len), Some(2));
    assert_eq!(list["workspaces"][0], made.json()["workspace"]);

    let change = json!({
        "name": "Other", "default_trust_level": "vault", "working_directory": "Projects/x",
        "capabilities": { "mcps": ["a"], "skills": "none", "plugins": { "include_user": false } },
        "sandbox": { "memory": "1g", "cpu": "2" },
    });
    let now = changed(&caller, "my-work", &change).await;
    assert_eq!(now.status, 200, "{}", now.json());
    let now = now.json()["workspace"].clone();
    assert_eq!((&now["slug"], &now["name"]), (&json!("my-work"), &json!("Other")));
    // The app parses two levels; the true one stands beside it.
    assert_eq!((&now["default_trust_level"], &now["trust"]), (&json!("trusted"), &json!("vault")));
    let sets = json!({ "mcps": ["a"], "skills": "none", "agents": "all", "plugins": "none" });
    assert_eq!(now["capabilities"], sets);
    assert_eq!(
        now["sandbox"],
        json!({ "memory": "1g", "cpu": "2", "timeout": 300,
        "network": "none" })
    );
    assert_eq!(caller.get(&format!("{AT}/my-work")).await.json()["workspace"], now);

    let path = format!("{AT}/my-work");
    let gone = caller.ask(Method::DELETE, &path, None).await;
    assert_eq!((gone.status, gone.json()), (200, json!({ "deleted": "my-work" })));
    assert_eq!(caller.ask(Method::DELETE, &path, None).await.status, 404);
    assert_eq!(caller.get(&path).await.status, 404);
    assert!(!file(&home, "my-work").parent().expect("a folder").exists());
}

#[tokio::test]
async fn there_is_a_network_only_where_the_owner_says_so() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let shown = async || {
        let shown = caller.get(&format!("{AT}/w")).await.json();
        shown["workspace"]["sandbox"]["network"].clone()
    };
    caller.post(AT, &json!({ "name": "w" })).await;
    assert_eq!(shown().await, Value::Null, "nothing is said");
    for network in ["full", "none", "full"] {
        let now = changed(&caller, "w", &json!({ "sandbox": { "network": network } })).await;
        assert_eq!((now.status, shown().await), (200, json!(network)));
        assert!(kept(&home, "w").contains(&format!("network: {network}\n")));
    }
    // What does not name it stays away from it; limits without it have none.
    changed(&caller, "w", &json!({ "model": "opus" })).await;
    assert_eq!(shown().await, "full");
    changed(&caller, "w", &json!({ "sandbox": { "memory": "1g" } })).await;
    assert_eq!(shown().await, "none");
    let before = kept(&home, "w");
    for bad in [json!("bridge"), json!("host"), json!(true), json!(null), json!(["full"])] {
        let refused = changed(&caller, "w", &json!({ "sandbox": { "network": bad } })).await;
        assert_eq!(refused.status, 422, "{bad}");
        let said = refused.json().to_string();
        assert!(bad != json!("bridge") || said.contains("none") && said.contains("full"), "{said}");
    }
    assert_eq!(kept(&home, "w"), before);
    // A file that says something else says none.
    put(&home, "w", "sandbox:\n  network: host\n");
    assert_eq!(shown().await, "none");
}

#[tokio::test]
async fn a_null_takes_a_field_away_trap_79() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let new = json!({
        "name": "w", "description": "d", "working_directory": "x", "model": "opus",
        "default_trust_level": "untrusted", "sandbox": {}, "capabilities": { "mcps": "none" },
    });
    caller.post(AT, &new).await;
    let nulls = json!({
        "description": null, "working_directory": null, "model": null, "sandbox": null,
        "name": null, "default_trust_level": null, "capabilities": null,
    });
    let now = changed(&caller, "w", &nulls).await.json()["workspace"].clone();
    for name in ["working_directory", "model", "sandbox"] {
        assert_eq!(now[name], Value::Null, "{name}");
    }
    assert_eq!((&now["description"], &now["name"]), (&json!(""), &json!("w")));
    // No null gives more trust, or more to use, than there was.
    assert_eq!(now["default_trust_level"], "untrusted");
    assert_eq!(now["capabilities"]["mcps"], "none");
    assert!(!kept(&home, "w").contains("null"));
}

#[tokio::test]
async fn every_name_of_a_level_is_read_and_taken_trap_79() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    for (name, app, trust) in [
        ("full", "trusted", "full"),
        ("trusted", "trusted", "full"),
        ("vault", "trusted", "vault"),
        ("sandboxed", "untrusted", "sandboxed"),
        ("untrusted", "untrusted", "sandboxed"),
    ] {
        for key in ["trust_level", "default_trust_level"] {
            put(&home, "old", &format!("name: Old\n{key}: {name}\n"));
            let shown = caller.get(&format!("{AT}/old")).await.json()["workspace"].clone();
            assert_eq!(
                (&shown["default_trust_level"], &shown["trust"]),
                (&app.into(), &trust.into())
            );
        }
        let set = changed(&caller, "old", &json!({ "default_trust_level": name })).await.json();
        assert_eq!(set["workspace"]["trust"], trust);
        assert!(!kept(&home, "old").contains("\ntrust_level"));
    }
}

#[tokio::test]
async fn what_is_not_known_here_stays_in_the_file() {
    let home = Home::new();
    let server = home.server().await;
    put(&home, "mine", "colour: {of: [red]}\nname: Mine\nlater: 1\n");
    let private = PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(file(&home, "mine"), private).expect("set");
    assert_eq!(changed(&server.local(), "mine", &json!({ "model": "opus" })).await.status, 200);
    assert_eq!(kept(&home, "mine"), "colour:\n  of:\n  - red\nname: Mine\nlater: 1\nmodel: opus\n");
    let mode = std::fs::metadata(file(&home, "mine")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn changes_at_once_do_not_undo_each_other() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    caller.post(AT, &json!({ "name": "w" })).await;
    let mut all = tokio::task::JoinSet::new();
    for change in [
        json!({ "model": "opus" }),
        json!({ "description": "d" }),
        json!({ "working_directory": "x" }),
        json!({ "name": "n" }),
        json!({ "default_trust_level": "vault" }),
    ] {
        let caller = caller.clone();
        all.spawn(async move { changed(&caller, "w", &change).await.status });
    }
    for _ in 0..5 {
        let caller = caller.clone();
        all.spawn(async move { caller.post(AT, &json!({ "name": "same" })).await.status - 1 });
    }
    assert!(all.join_all().await.iter().all(|status| *status == 200));
    let now = caller.get(&format!("{AT}/w")).await.json()["workspace"].clone();
    let set = ["model", "description", "working_directory", "name", "trust"].map(|f| &now[f]);
    assert_eq!(set, [&json!("opus"), &json!("d"), &json!("x"), &json!("n"), &json!("vault")]);
    assert_eq!(caller.get(AT).await.json()["workspaces"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_and_not_replaced() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    put(&home, "broken", "default_trust_level: trusted\na: b: c\n");
    put(&home, "good", "name: Good\n");
    let list = caller.get(AT).await.json();
    assert_eq!(list["workspaces"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["problems"][0]["slug"], "broken");
    assert!(list["problems"][0]["problem"].as_str().expect("text").contains("config.yaml"));
    assert_eq!(caller.get(&format!("{AT}/broken")).await.status, 409);
    let refused = changed(&caller, "broken", &json!({ "model": "opus" })).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().expect("text").contains("correct"));
    assert_eq!(kept(&home, "broken"), "default_trust_level: trusted\na: b: c\n");
    // What it may have confined is not set free.
    let stream = turn(&caller, json!({ "workspaceId": "broken" })).await;
    is_confined(&stream);
    let path = format!("{AT}/broken");
    assert_eq!(caller.ask(Method::DELETE, &path, None).await.status, 200);
}

#[tokio::test]
async fn bad_input_is_named_and_changes_nothing() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let w = json!({ "name": "w" });
    assert_eq!(caller.post(AT, &w).await.status, 201);
    let before = kept(&home, "w");
    for (field, value, status) in [
        ("name", json!(1), 422),
        ("name", json!(""), 422),
        ("name", json!(" "), 400),
        ("name", json!("a\nb"), 400),
        ("name", json!("x".repeat(201)), 422),
        ("default_trust_level", json!("root"), 422),
        ("working_directory", json!("../x"), 400),
        ("working_directory", json!("/vault/../x"), 400),
        ("working_directory", json!(["x"]), 422),
        ("model", json!("--dangerous"), 400),
        ("model", json!("a b"), 400),
        ("capabilities", json!({ "mcps": "some" }), 422),
        ("capabilities", json!({ "mcps": [1] }), 422),
        ("capabilities", json!({ "mcps": vec!["x"; 501] }), 400),
        ("capabilities", json!("all"), 422),
        ("sandbox", json!({ "memory": "lots" }), 400),
        ("sandbox", json!({ "memory": "1k" }), 400),
        ("sandbox", json!({ "cpu": "65" }), 400),
        ("sandbox", json!({ "cpu": 1 }), 422),
        ("sandbox", json!({ "timeout": 0 }), 422),
        ("sandbox", json!({ "timeout": 86401 }), 422),
    ] {
        let answer = changed(&caller, "w", &json!({ field: value })).await;
        assert_eq!(answer.status, status, "{field} {value}: {}", answer.json());
        let mut new = json!({ "name": "new" });
        new[field] = value.clone();
        assert_eq!(caller.post(AT, &new).await.status, status, "{field} {value}");
    }
    assert_eq!(caller.post(AT, &json!({})).await.status, 422);
    assert_eq!(kept(&home, "w"), before);
    assert_eq!(caller.get(AT).await.json()["workspaces"].as_array().map(Vec::len), Some(1));
    for slug in ["A", "..%2f..%2fw", "%2e%2e", "w%00", "-w", "w%20", "w%2fconfig.yaml", "%ff"] {
        for (method, tail) in [(Method::GET, ""), (Method::GET, "/sessions"), (Method::DELETE, "")]
        {
            let answer = caller.ask(method, &format!("{AT}/{slug}{tail}"), None).await;
            assert!(matches!(answer.status, 400 | 404), "{slug}: {}", answer.status);
        }
        assert!(matches!(changed(&caller, slug, &w).await.status, 400 | 404), "{slug}");
    }
    for query in ["limit=0", "limit=501", "offset=-1", "archived=maybe"] {
        let answer = caller.get(&format!("{AT}/w/sessions?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
    }
}

#[tokio::test]
async fn a_link_leads_nowhere() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let outside = home.path("outside");
    std::fs::create_dir_all(&outside).expect("a folder");
    let text = "name: Outside\ndefault_trust_level: trusted\n";
    std::fs::write(outside.join("config.yaml"), text).expect("written");
    let place = home.vault().join(".parachute/workspaces");
    std::fs::create_dir_all(&place).expect("a folder");
    symlink(&outside, place.join("out")).expect("linked");
    assert_eq!(caller.get(AT).await.json()["workspaces"], json!([]));
    assert_eq!(caller.get(&format!("{AT}/out")).await.status, 409);
    assert_eq!(changed(&caller, "out", &json!({ "name": "x" })).await.status, 409);
    let stream = turn(&caller, json!({ "workspaceId": "out" })).await;
    is_confined(&stream);
    let gone = caller.ask(Method::DELETE, &format!("{AT}/out"), None).await;
    assert_eq!(gone.status, 200, "the link goes");
    assert_eq!(std::fs::read_to_string(outside.join("config.yaml")).expect("a file"), text);
    assert!(!place.join("out").exists());
}
