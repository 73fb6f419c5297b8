//! Phase 2 of the plan that the supervisor was first described by: the model picker's backend, an
//! acceptance line a test, in its words and in its order. The vendor is the scripted API.

use crate::lab::{KEY, Lab, SERVICE};
use crate::units::{main_pid, systemctl};
use http::Method;
use parachute_tests::{Caller, eventually};
use serde_json::{Value, json};

const DOOR: &str = "/supervisor/models";

/// Models of every scheme of names so far.
fn catalogue() -> Value {
    let model = |id: &str, at: &str| {
        let kind = "model";
        json!({ "type": kind, "id": id, "display_name": id, "created_at": at })
    };
    json!([
        model("claude-sonnet-4-5-20250929", "2025-09-29T00:00:00Z"),
        model("claude-opus-5-5", "2026-09-01T00:00:00Z"),
        model("claude-3-5-sonnet-20241022", "2024-10-22T00:00:00Z"),
        model("claude-sonnet-5", "2026-06-30T00:00:00Z"),
        model("claude-haiku-4-5-20251001", "2025-10-15T00:00:00Z"),
        model("claude-mythos-1", "2026-10-01T00:00:00Z"),
        {"type": "model", "id": "", "display_name": "broken"},
        model("claude-opus-4-1-20250805", "2025-08-05T00:00:00Z"),
    ])
}

/// The vendor's door for tests, and it answers with these from now on.
async fn vendor(lab: &Lab, play: Value) {
    let address = lab.api.url.trim_start_matches("http://").parse().expect("an address");
    let answer = Caller::tcp(address).post("/__scripted/models", &play).await;
    assert_eq!(answer.status, 200);
}

async fn asked(lab: &Lab) -> Vec<Value> {
    let address = lab.api.url.trim_start_matches("http://").parse().expect("an address");
    let all = Caller::tcp(address).get("/__scripted/requests").await.json();
    let all = all.as_array().expect("requests").clone();
    all.into_iter()
        .filter(|r| r["path"].as_str().is_some_and(|p| p.starts_with("/v1/models")))
        .collect()
}

async fn supervised(config: &str) -> Option<Lab> {
    let lab = Lab::open(config).await?;
    // The server stays down: the list has nothing to do with it.
    systemctl(&["start", "parachute-supervisor.socket"]).await;
    Some(lab)
}

fn ids(list: &Value) -> Vec<&str> {
    let models = list["models"].as_array().expect("models");
    models.iter().map(|model| model["id"].as_str().expect("an id")).collect()
}

/// `GET /supervisor/models` returns filtered model list from Anthropic API;
/// Models grouped by family with `is_latest` flag;
/// `show_all=true` parameter returns full model catalog
#[tokio::test]
async fn get_models_returns_filtered_list_grouped_and_in_full() {
    let Some(lab) = supervised("").await else { return };
    // Four pages.
    vendor(&lab, json!({ "models": catalogue(), "page": 2 })).await;
    let list = lab.overseer().get(DOOR).await.json();
    println!("{list:#}");
    let latest =
        ["claude-sonnet-5", "claude-opus-5-5", "claude-haiku-4-5-20251001", "claude-mythos-1"];
    assert_eq!(ids(&list), latest);
    assert_eq!(
        (&list["count"], &list["show_all"], &list["is_stale"]),
        (&json!(4), &json!(false), &json!(false))
    );
    let all = lab.overseer().get(&format!("{DOOR}?show_all=true")).await.json();
    assert_eq!(all["count"], 7, "the broken one is left out, and nothing else");
    let sonnets: Vec<&Value> = all["models"]
        .as_array()
        .expect("models")
        .iter()
        .filter(|m| m["family"] == "sonnet")
        .collect();
    let sonnets: Vec<(&str, bool)> =
        sonnets.iter().map(|m| (m["id"].as_str().expect("id"), m["is_latest"] == true)).collect();
    assert_eq!(
        sonnets,
        [
            ("claude-sonnet-5", true),
            ("claude-sonnet-4-5-20250929", false),
            ("claude-3-5-sonnet-20241022", false)
        ]
    );
    assert_eq!(main_pid(SERVICE).await, None, "works while the server is down");
    let requests = asked(&lab).await;
    assert_eq!(requests.len(), 4, "one fetch of four pages for both answers");
    assert_eq!(requests[0]["headers"]["x-api-key"], KEY);
    assert_eq!(requests[0]["headers"]["anthropic-version"], "2023-06-01");
}

/// Model list cached for 1 hour, with staleness indicator;
/// Graceful degradation when Anthropic API unreachable (return cache or error)
#[tokio::test]
async fn model_list_is_cached_and_degrades_gracefully() {
    let Some(lab) = supervised("").await else { return };
    vendor(&lab, json!({ "fault": 401 })).await;
    let answer = lab.overseer().get(DOOR).await;
    assert_eq!(answer.status, 503, "no list at all");
    assert!(
        answer.json()["detail"].as_str().expect("words").contains("credential"),
        "{}",
        answer.json()
    );
    vendor(&lab, json!({ "models": catalogue() })).await;
    let list = eventually("the vendor is asked again", async || {
        let answer = lab.overseer().get(&format!("{DOOR}?refresh=true")).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    let cached_at = list["cached_at"].clone();
    let before = asked(&lab).await.len();
    for _ in 0..20 {
        assert_eq!(lab.overseer().get(DOOR).await.json()["cached_at"], cached_at);
    }
    assert_eq!(asked(&lab).await.len(), before, "from the cache");
    // It is kept across a restart of the supervisor.
    systemctl(&["restart", "parachute-supervisor.service"]).await;
    assert_eq!(lab.overseer().get(DOOR).await.json()["cached_at"], cached_at);
    assert_eq!(asked(&lab).await.len(), before);
    for fault in [
        json!(401),
        json!(403),
        json!(429),
        json!(500),
        json!("garbage"),
        json!("half"),
        json!("drop"),
    ] {
        vendor(&lab, json!({ "fault": fault })).await;
        let before = asked(&lab).await.len();
        // Not sooner than the vendor may be bothered again.
        let stale = eventually("the vendor is asked", async || {
            let list = lab.overseer().get(&format!("{DOOR}?refresh=true")).await.json();
            let new = asked(&lab).await.len() > before;
            (new && list["is_stale"] == true).then_some(list)
        })
        .await;
        assert_eq!(stale["cached_at"], cached_at, "{fault}");
        assert!(stale["problem"].as_str().is_some_and(|said| !said.contains(KEY)), "{stale}");
        println!("{fault}: {}", stale["problem"]);
    }
}

/// `PUT /supervisor/config` with `default_model` writes config and restarts server;
/// Current active model included in models response
#[tokio::test]
async fn put_default_model_writes_config_restarts_server_and_is_current() {
    let Some(lab) = Lab::started("default_model: claude-haiku-4-5-20251001\n").await else {
        return;
    };
    vendor(&lab, json!({ "models": catalogue() })).await;
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let list = lab.overseer().get(DOOR).await.json();
    assert_eq!(list["current_model"], "claude-haiku-4-5-20251001");
    let before = main_pid(SERVICE).await;
    let change = json!({ "values": { "default_model": "claude-opus-5-5" } });
    let answer = lab.overseer().send(Method::PUT, "/supervisor/config", &change).await.json();
    assert_eq!((&answer["success"], &answer["server_restarted"]), (&json!(true), &json!(true)));
    assert_eq!(lab.overseer().get(DOOR).await.json()["current_model"], "claude-opus-5-5");
    let now = main_pid(SERVICE).await;
    assert!(now.is_some() && now != before);
    let text = std::fs::read_to_string(lab.vault.join(".parachute/config.yaml")).expect("read");
    assert!(text.contains("default_model: claude-opus-5-5"), "{text}");
}

/// An OAuth token is shown as one, with its beta header.
#[tokio::test]
async fn a_subscription_token_is_shown_as_one() {
    let Some(lab) = supervised("").await else { return };
    std::fs::write(lab.vault.join(".parachute/.token"), "sk-ant-oat01-of-the-suite")
        .expect("written");
    assert_eq!(lab.overseer().get(DOOR).await.status, 200);
    let asked = asked(&lab).await;
    let headers = &asked.last().expect("asked")["headers"];
    assert_eq!(headers["authorization"], "Bearer sk-ant-oat01-of-the-suite");
    assert_eq!(headers["anthropic-beta"], "oauth-2025-04-20");
    assert!(headers["x-api-key"].is_null());
}
