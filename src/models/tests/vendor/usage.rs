//! The limits of a subscription, asked of a vendor that may be wrong in every way.

use crate::stand::{SECRET, Stand, page, response, vendor};
use parachute_models::ListError;
use serde_json::json;
use wire::agent::CredentialKind;

#[tokio::test]
async fn a_subscription_is_asked_for_with_its_token() {
    let stand = Stand::in_turn(vec![page(&json!({ "five_hour": { "utilization": 1 } }))]).await;
    let asked = vendor(&format!("{}/", stand.url), CredentialKind::OauthToken);
    let limits = asked.usage().await.unwrap();
    assert_eq!(limits.five_hour.unwrap().utilization, 1.0);
    let head = stand.heads().remove(0).to_ascii_lowercase();
    assert!(head.starts_with("get /api/oauth/usage http/1.1\r\n"), "{head}");
    for line in [
        &format!("authorization: bearer {SECRET}"),
        "anthropic-beta: oauth-2025-04-20",
        "accept: application/json",
        "user-agent: claude-code/",
    ] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    assert!(!head.contains("x-api-key"));
}

#[tokio::test]
async fn nobody_is_asked_about_what_is_no_subscription() {
    let stand = Stand::saying("200 OK", "{}").await;
    for kind in [CredentialKind::ApiKey, CredentialKind::AuthToken] {
        let error = vendor(&stand.url, kind).usage().await.unwrap_err();
        assert!(matches!(error, ListError::NoCredential(_)), "{error}");
    }
    assert!(stand.heads().is_empty());
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_the_token() {
    let said = format!("{{\"error\":{{\"message\":\"{SECRET} is not it\"}}}}");
    let limits = |status: &'static str, body: String| async move {
        let stand = Stand::start({
            let bytes = response(status, "", &body);
            move |_, _| crate::stand::Say::Bytes(bytes.clone())
        })
        .await;
        vendor(&stand.url, CredentialKind::OauthToken).usage().await.unwrap_err()
    };
    let refused = limits("401 Unauthorized", said.clone()).await;
    assert!(matches!(refused, ListError::Refused { status: 401, .. }), "{refused}");
    assert!(!refused.to_string().contains(SECRET), "{refused}");
    let often = limits("429 Too Many Requests", said.clone()).await;
    assert!(matches!(often, ListError::TooOften { .. }), "{often}");
    let broken = limits("500 Internal Server Error", "<html>".into()).await;
    assert!(matches!(broken, ListError::Status { status: 500, .. }), "{broken}");
    let garbage = limits("200 OK", "[]".into()).await;
    assert!(matches!(garbage, ListError::Garbage { .. }), "{garbage}");
    let away = vendor("http://127.0.0.1:9", CredentialKind::OauthToken).usage().await;
    assert!(matches!(away, Err(ListError::Unreachable { .. })), "{away:?}");
}
