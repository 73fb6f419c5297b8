//! What turns came to, per turn, session and day, and what the vendor says of limits and models
//! (contract-core §1.9, §1.10). The vendor is the scripted API.

use parachute_tests::{Caller, Home, ScriptedApi};
use serde_json::{Value, json};

/// A home whose vendor is this one, with a subscription's token.
fn subscribed(api: &ScriptedApi) -> Home {
    let mut home = Home::new();
    home.env.remove("ANTHROPIC_API_KEY");
    home.set("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat-very-private");
    home.set("ANTHROPIC_BASE_URL", &api.url);
    home
}

fn vendor(api: &ScriptedApi) -> Caller {
    Caller::tcp(api.url.trim_start_matches("http://").parse().expect("an address"))
}

async fn says(api: &ScriptedApi, usage: Value) {
    assert_eq!(vendor(api).post("/__scripted/usage", &usage).await.status, 200);
}

async fn asked(api: &ScriptedApi, path: &str) -> usize {
    let all = vendor(api).get("/__scripted/requests").await.json();
    let all = all.as_array().expect("requests").clone();
    all.iter().filter(|request| request["path"].as_str().expect("a path").starts_with(path)).count()
}

async fn turn(caller: &Caller, session: Option<&str>) -> Value {
    let body = json!({ "message": "x @@{\"n\":4}@@", "sessionId": session });
    caller.chat("", &body).await.whole().await.event("done").clone()
}

#[tokio::test]
async fn a_session_says_what_its_turns_came_to_and_so_does_the_day() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let first = turn(&caller, None).await;
    let session = first["sessionId"].as_str().expect("an id").to_owned();
    let second = turn(&caller, Some(&session)).await;
    turn(&caller, None).await;
    let sum = |name: &str| {
        let of = |done: &Value| done["usage"][name].as_f64().expect("a number");
        of(&first) + of(&second)
    };
    let shown = caller.get(&format!("/api/chat/{session}")).await.json()["usage"].clone();
    assert_eq!(shown["turns"], 2);
    for name in ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens"] {
        assert_eq!(shown[name].as_i64().expect("an integer") as f64, sum(name), "{name}");
    }
    assert!(sum("outputTokens") > 0.0 && sum("costUsd") > 0.0, "{first}");
    assert!((shown["costUsd"].as_f64().expect("a number") - sum("costUsd")).abs() < 1e-9);
    let list = caller.get("/api/chat").await.json();
    let listed = list["sessions"].as_array().expect("a list");
    assert!(listed.iter().any(|one| one["usage"] == shown), "{list}");
    // A session that is forgotten was paid for all the same.
    let path = format!("/api/chat/{session}");
    caller.ask(http::Method::DELETE, &path, None).await;
    let usage = caller.get("/api/usage").await.json();
    let days = usage["days"].as_array().expect("days");
    let turns: i64 = days.iter().map(|day| day["turns"].as_i64().expect("an integer")).sum();
    assert_eq!(turns, 3, "{usage}");
    let costs: f64 = days.iter().map(|day| day["cost_usd"].as_f64().expect("a number")).sum();
    assert!(costs > sum("costUsd"), "{usage}");
}

#[tokio::test]
async fn what_a_turn_spent_that_was_stopped_killed_or_failed_is_counted_too() {
    let home = Home::new();
    let server = home.server().await;
    let caller = server.local();
    let body = json!({ "message": "x @@{\"n\":100000,\"delay_us\":1000}@@" });
    let mut stream = caller.chat("text=delta", &body).await;
    assert!(stream.until("text").await);
    let session = stream.session();
    caller.post(&format!("/api/chat/{session}/abort"), &json!({})).await;
    let stopped = stream.whole().await.event("aborted").clone();
    // The CLI's result leaves out the message that was broken off.
    assert_eq!(stopped["usage"]["inputTokens"], 1000, "{stopped}");
    assert!(stopped["usage"]["costUsd"].as_f64() > Some(0.0), "{stopped}");
    assert!(stopped["model"].is_string() && stopped["durationMs"].is_i64(), "{stopped}");
    let spent = async |directive: &str| {
        let body = json!({ "message": format!("x @@{directive}@@"), "sessionId": session });
        let stream = caller.chat("", &body).await.whole().await;
        stream.events.last().expect("an end").1.clone()
    };
    let killed = spent("{\"n\":40,\"fail\":\"crash\"}").await;
    assert_eq!(
        (&killed["type"], &killed["usage"]["inputTokens"]),
        (&json!("typed_error"), &json!(1000))
    );
    assert_eq!(killed["usage"]["costUsd"], Value::Null, "nobody told it: {killed}");
    let failed = spent("{\"n\":40,\"fail\":\"error_result\"}").await;
    assert_eq!(
        (&failed["type"], &failed["usage"]["inputTokens"]),
        (&json!("typed_error"), &json!(1000))
    );
    let refused = caller.chat("", &json!({ "message": "" })).await.whole().await;
    assert_eq!(refused.kinds(), ["error"]);

    let shown = caller.get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["model"], stopped["model"]);
    let usage = &shown["usage"];
    assert_eq!((&usage["turns"], &usage["inputTokens"]), (&json!(3), &json!(3000)), "{shown}");
    let cost = |end: &Value| end["usage"]["costUsd"].as_f64().unwrap_or_default();
    let told = cost(&stopped) + cost(&failed);
    assert!((usage["costUsd"].as_f64().expect("a number") - told).abs() < 1e-9, "{shown}");
    let day = &caller.get("/api/usage").await.json()["days"][0];
    assert_eq!((&day["turns"], &day["input_tokens"]), (&json!(3), &json!(3000)), "{day}");
}

#[tokio::test]
async fn turns_that_ended_while_no_server_ran_are_counted_too() {
    let home = Home::new();
    let mut server = home.server().await;
    let body = json!({ "message": "x @@{\"n\":400,\"delay_us\":2000}@@" });
    let mut stream = server.local().chat("", &body).await;
    assert!(stream.until("text").await);
    let session = stream.session();
    server.crash_and_restart();
    let caller = server.local();
    let followed = caller.resume(&session, "", 1).await.expect("a stream").whole().await;
    followed.event("done");
    let shown = caller.get(&format!("/api/chat/{session}")).await.json();
    assert_eq!(shown["usage"]["turns"], 1, "{shown}");
}

#[tokio::test]
async fn the_limits_of_a_subscription_are_told_and_asked_for_once_a_minute() {
    let api = ScriptedApi::start();
    let home = subscribed(&api);
    let server = home.server().await;
    let caller = server.local();
    says(
        &api,
        json!({ "body": {
        "five_hour": { "utilization": 37, "resets_at": "2026-11-20T15:00:00.5+00:00" },
        "seven_day": { "utilization": 12.5, "resets_at": null },
        "extra_usage": { "is_enabled": true, "monthly_limit": 99.5, "used_credits": 3.25,
            "utilization": 3.3 },
    } }),
    )
    .await;
    let usage = caller.get("/api/usage").await.json();
    assert_eq!(usage["error"], Value::Null);
    let five_hour = json!({ "utilization": 37.0, "resets_at": "2026-11-20T15:00:00.5+00:00" });
    assert_eq!(usage["five_hour"], five_hour);
    assert_eq!(usage["seven_day"]["utilization"], 12.5);
    assert_eq!(usage["seven_day_opus"], Value::Null);
    // The app throws on a number with a point.
    assert_eq!(usage["extra_usage"]["monthly_limit"].as_i64(), Some(100), "trap 94");
    says(&api, json!({ "status": 500, "body": {} })).await;
    for _ in 0..5 {
        assert_eq!(caller.get("/api/usage").await.json(), usage);
    }
    assert_eq!(asked(&api, "/api/oauth/usage").await, 1);
}

#[tokio::test]
async fn whatever_the_vendor_says_usage_is_answered() {
    let token = "sk-ant-oat-very-private";
    for (said, told) in [
        (
            json!({ "status": 401, "body": { "error": { "message": format!("bad {token}") } } }),
            "401",
        ),
        (json!({ "status": 403, "body": {} }), "403"),
        (json!({ "status": 429, "body": {} }), "too often"),
        (json!({ "status": 500, "body": {} }), "500"),
        (json!({ "status": 200, "body": [] }), "not asked for"),
    ] {
        let api = ScriptedApi::start();
        says(&api, said.clone()).await;
        let home = subscribed(&api);
        let server = home.server().await;
        let answer = server.local().get("/api/usage").await;
        let usage = answer.json();
        assert_eq!((answer.status, &usage["five_hour"]), (200, &Value::Null), "{said}");
        let error = usage["error"].as_str().expect("a sentence");
        assert!(error.contains(told) && !error.contains(token), "{said}: {error}");
        assert!(!server.log().contains(token));
    }
    let mut home = Home::new();
    home.set("ANTHROPIC_BASE_URL", "http://127.0.0.1:9");
    let key = home.server().await.local().get("/api/usage").await.json();
    assert!(key["error"].as_str().expect("a sentence").contains("subscription"), "{key}");
}

#[tokio::test]
async fn models_are_those_of_the_supervisor_and_kept_in_one_file() {
    let api = ScriptedApi::start();
    let mut home = Home::new();
    home.config("default_model: claude-opus-5-5\n");
    home.set("ANTHROPIC_BASE_URL", &api.url);
    let mut server = home.server().await;
    let list = server.local().get("/api/models").await.json();
    assert_eq!(list["current_model"], "claude-opus-5-5");
    assert_eq!((&list["is_stale"], &list["show_all"]), (&json!(false), &json!(false)));
    let all = server.local().get("/api/models?show_all=true").await.json();
    assert!(all["count"].as_i64() > list["count"].as_i64(), "{all}");
    assert_eq!(asked(&api, "/v1/models").await, 1, "kept for an hour");
    let kept = std::fs::read_to_string(home.path("s/parachute/models.json")).expect("a file");
    assert!(kept.contains("claude-opus-5-5") && !kept.contains("sk-ant-api-scripted"));
    // The file outlives the server, and is the supervisor's, too.
    server.restart();
    assert_eq!(server.local().get("/api/models").await.json(), list);
    let supervisor = parachute_tests::Supervisor::start(&home).await;
    let told = supervisor.owner().get("/supervisor/models").await.json();
    assert_eq!(told["models"], list["models"]);
    assert_eq!(asked(&api, "/v1/models").await, 1);
    drop(api);
    let stale = server.local().get("/api/models?refresh=true").await.json();
    assert_eq!((&stale["is_stale"], &stale["models"]), (&json!(true), &list["models"]));
    assert!(stale["problem"].is_string());
}

#[tokio::test]
async fn without_a_credential_or_a_vendor_there_is_no_list_and_it_is_said_why() {
    let mut home = Home::new();
    home.set("ANTHROPIC_BASE_URL", "http://127.0.0.1:9");
    let away = home.server().await.local().get("/api/models").await;
    assert_eq!(away.status, 503);
    assert!(away.json()["detail"].as_str().expect("text").contains("127.0.0.1:9"));
    let mut home = Home::new();
    home.env.remove("ANTHROPIC_API_KEY");
    let none = home.server().await.local().get("/api/models").await;
    assert_eq!(none.status, 503);
    assert!(none.json()["detail"].as_str().expect("text").contains("ANTHROPIC_API_KEY"));
}
