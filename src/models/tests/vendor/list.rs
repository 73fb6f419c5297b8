//! What is asked of the vendor, and what becomes of what it says.

use crate::stand::{SECRET, Say, Stand, page, response, vendor};
use parachute_models::{ListError, Vendor};
use serde_json::{Value, json};
use wire::agent::CredentialKind;
use wire::supervisor::Model;

fn ids(models: &[Model]) -> Vec<&str> {
    models.iter().map(|model| model.id.as_str()).collect()
}

/// Why there is no list; whatever the reason, nothing secret is in it.
async fn refusal(vendor: &Vendor) -> ListError {
    let error = vendor.list().await.unwrap_err();
    for shown in [format!("{error}"), format!("{error:?}"), format!("{vendor:?}")] {
        assert!(!shown.contains(SECRET) && !shown.contains("user"), "{shown}");
    }
    error
}

/// In what respect the answer is no list.
async fn garbage(answer: Vec<u8>) -> &'static str {
    let stand = Stand::in_turn(vec![answer]).await;
    match refusal(&stand.vendor()).await {
        ListError::Garbage { why, place } if place == stand.url => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn all_pages_are_asked_for() {
    let stand = Stand::in_turn(vec![
        page(&json!({"data": [
            {"id": "claude-haiku-4-5-20251001", "display_name": "Haiku 4.5"},
            {"id": "claude-opus-4-1-20250805", "created_at": "2025-08-05T00:00:00Z"},
        ], "has_more": true, "last_id": "claude-opus-4-1-20250805"})),
        page(&json!({"data": [{"id": ""}, {"no": "id"},
            {"id": "claude-opus-5-5", "created_at": "2026-09-01T00:00:00Z"},
        ], "has_more": true, "last_id": "anthropic/x y@1"})),
        page(&json!({"data": [{"id": "claude-haiku-4-5-20251001"}, {"id": "claude-2.1"}],
            "has_more": false, "last_id": "claude-2.1"})),
    ])
    .await;
    let models = stand.vendor().list().await.unwrap();
    assert_eq!(
        ids(&models),
        ["claude-haiku-4-5-20251001", "claude-opus-5-5", "claude-opus-4-1-20250805", "claude-2.1"]
    );
    assert_eq!(models[0].display_name, "Haiku 4.5");
    assert_eq!(models[1].display_name, "claude-opus-5-5");
    let latest: Vec<bool> = models.iter().map(|model| model.is_latest).collect();
    assert_eq!(latest, [true, true, false, true]);
    assert_eq!(models[3].created_at.to_string(), "1970-01-01T00:00:00Z");
    let paths: Vec<String> =
        stand.heads().iter().map(|head| head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(
        paths,
        [
            "GET /v1/models?limit=1000 HTTP/1.1",
            "GET /v1/models?limit=1000&after_id=claude-opus-4-1-20250805 HTTP/1.1",
            "GET /v1/models?limit=1000&after_id=anthropic%2Fx+y%401 HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn each_kind_of_credential_is_shown_in_its_own_way() {
    let stand = Stand::in_turn(vec![page(&json!({"data": []}))]).await;
    let key = format!("x-api-key: {SECRET}");
    let bearer = format!("authorization: Bearer {SECRET}");
    let beta = "anthropic-beta: oauth-2025-04-20".to_owned();
    for (kind, expected) in [
        (CredentialKind::ApiKey, vec![&key]),
        (CredentialKind::OauthToken, vec![&bearer, &beta]),
        (CredentialKind::AuthToken, vec![&bearer]),
    ] {
        vendor(&stand.url, kind).list().await.unwrap();
        let head = stand.heads().pop().unwrap();
        let lines: Vec<&str> = head.lines().collect();
        assert!(lines.contains(&"anthropic-version: 2023-06-01"), "{head}");
        for line in [&key, &bearer, &beta] {
            let count = lines.iter().filter(|sent| **sent == line.as_str()).count();
            assert_eq!(count, usize::from(expected.contains(&line)), "{kind:?}: {line}");
        }
    }
}

#[tokio::test]
async fn other_addresses_work() {
    let stand = Stand::in_turn(vec![page(&json!({"data": [{"id": "gpt-4o"}]}))]).await;
    let (_, host) = stand.url.split_once("//").unwrap();
    for (base, path, authorised) in [
        (format!("http://{host}/"), "/v1/models?", None),
        (format!("http://{host}/gate/way//"), "/gate/way/v1/models?", None),
        (format!("http://user:word@{host}/x?y=z"), "/x/v1/models?", Some("Basic dXNlcjp3b3Jk")),
    ] {
        let models = vendor(&base, CredentialKind::ApiKey).list().await.unwrap();
        assert_eq!((models[0].id.as_str(), models[0].family.as_str()), ("gpt-4o", "gpt"));
        let head = stand.heads().pop().unwrap();
        assert!(head.starts_with(&format!("GET {path}limit=1000 ")), "{head}");
        let sent = head.lines().find_map(|line| line.strip_prefix("authorization: "));
        assert_eq!(sent, authorised);
    }
    // A token of its own stands before the address's user and password.
    let base = format!("http://user:word@{host}");
    vendor(&base, CredentialKind::AuthToken).list().await.unwrap();
    let head = stand.heads().pop().unwrap();
    let sent: Vec<&str> = head.lines().filter(|line| line.starts_with("authorization")).collect();
    assert_eq!(sent, [format!("authorization: Bearer {SECRET}")]);
}

#[tokio::test]
async fn refusals_say_what_the_vendor_said() {
    let said = format!("no \u{1b}[1m{SECRET}\r\n{}", "x".repeat(500));
    let body = json!({"type": "error", "error": {"type": "e", "message": said}}).to_string();
    let stand = Stand::saying("401 Unauthorized", &body).await;
    let error = refusal(&stand.vendor()).await;
    let ListError::Refused { status: 401, said: Some(said) } = &error else { panic!("{error:?}") };
    assert!(said.starts_with("no [1m[redacted]xxx") && said.ends_with("x…"), "{said}");
    assert_eq!(said.chars().count(), 201);
    assert!(error.to_string().starts_with("the vendor refused the credential (401: no"));

    let stand = Stand::saying("403 Forbidden", "<html>").await;
    let error = refusal(&stand.vendor()).await;
    assert_eq!(error, ListError::Refused { status: 403, said: None });
    assert_eq!(stand.heads().len(), 1);

    let place = |stand: &Stand| stand.url.clone();
    let stand = Stand::saying("529 Overloaded", r#"{"error":{"message":"Overloaded."}}"#).await;
    let said = Some("Overloaded".to_owned());
    let expected = ListError::Status { place: place(&stand), status: 529, said };
    assert_eq!(refusal(&stand.vendor()).await, expected);
    let stand = Stand::saying("204 No Content", "").await;
    let expected = ListError::Status { place: place(&stand), status: 204, said: None };
    assert_eq!(refusal(&stand.vendor()).await, expected);
}

#[tokio::test]
async fn too_often_says_for_how_long() {
    let answer = |after: &str| response("429 Too Many Requests", after, r#"{"error":"slow"}"#);
    for (after, retry_after_seconds) in [
        ("retry-after: 17\r\n", Some(17)),
        ("retry-after: Wed, 21 Oct 2026 07:28:00 GMT\r\n", None),
        ("", None),
    ] {
        let stand = Stand::in_turn(vec![answer(after)]).await;
        let error = refusal(&stand.vendor()).await;
        assert_eq!(error, ListError::TooOften { said: None, retry_after_seconds });
    }
}

#[tokio::test]
async fn what_is_no_list_is_garbage() {
    for (body, expected) in [
        ("<html>hello</html>", "it is not JSON"),
        ("", "it is not JSON"),
        ("{\"data\": [{\"id\": \"x\"}", "it is not JSON"),
        ("{\"models\": []}", "it has no list under `data`"),
        ("[{\"id\": \"x\"}]", "it has no list under `data`"),
        ("{\"data\": [{}, {\"id\": 1}]}", "none of its records is a model"),
        (
            "{\"data\": [{\"id\": \"x\"}], \"has_more\": true}",
            "it has more, and does not say after what",
        ),
        (
            "{\"data\": [], \"has_more\": true, \"last_id\": \"same\"}",
            "its pages go round in a circle",
        ),
    ] {
        assert_eq!(garbage(response("200 OK", "", body)).await, expected, "{body}");
    }
    let whole = page(&json!({"data": [{"id": "claude-opus-5-5"}]}));
    assert_eq!(garbage(whole[..whole.len() - 9].to_vec()).await, "it breaks off");
    let long = json!({"data": [], "more": "x".repeat(5 << 20)});
    assert_eq!(garbage(page(&long)).await, "it is too long");
}

/// Page after page of `models` models, for ever.
async fn endless(models: usize) -> Stand {
    Stand::start(move |number, _| {
        let id = |index| json!({"id": format!("model-{number}-{index}")});
        let data: Vec<Value> = (0..models).map(id).collect();
        Say::Bytes(page(&json!({"data": data, "has_more": true, "last_id": number.to_string()})))
    })
    .await
}

#[tokio::test]
async fn a_list_without_end_ends() {
    for (models, expected, asked) in
        [(1, "it has too many pages", 20), (900, "it has too many models", 6)]
    {
        let stand = endless(models).await;
        let error = refusal(&stand.vendor()).await;
        assert_eq!(error, ListError::Garbage { place: stand.url.clone(), why: expected });
        assert_eq!(stand.heads().len(), asked);
    }
}

#[tokio::test]
async fn a_redirect_takes_the_credential_nowhere() {
    let other = Stand::in_turn(vec![page(&json!({"data": []}))]).await;
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = format!("location: {}/v1/models\r\n", other.url);
        let stand = Stand::in_turn(vec![response(status, &location, "")]).await;
        let ListError::Status { status: number, .. } = refusal(&stand.vendor()).await else {
            panic!("{status}")
        };
        assert!(status.starts_with(&number.to_string()));
    }
    assert!(other.heads().is_empty());
}

#[tokio::test]
async fn nobody_there() {
    // Nothing listens there.
    let error = refusal(&vendor("http://user:word@127.0.0.1:1/x", CredentialKind::ApiKey)).await;
    let ListError::Unreachable { place, cause } = &error else { panic!("{error:?}") };
    assert_eq!(place, "http://127.0.0.1:1");
    assert!(cause.contains("refused"), "{cause}");
    for base in ["", "api.anthropic.com", "ftp://user:word@x.test"] {
        let error = refusal(&vendor(base, CredentialKind::ApiKey)).await;
        assert_eq!(error, ListError::Address);
    }
    // It hangs up without a word.
    let stand = Stand::start(|_, _| Say::Bytes(Vec::new())).await;
    let error = refusal(&stand.vendor()).await;
    assert!(matches!(error, ListError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn https_is_tls_and_nothing_less() {
    let stand = Stand::in_turn(vec![page(&json!({"data": []}))]).await;
    let base = stand.url.replace("http://", "https://");
    let error = refusal(&vendor(&base, CredentialKind::ApiKey)).await;
    assert!(matches!(&error, ListError::Unreachable { place, .. } if *place == base), "{error:?}");
    assert!(stand.heads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn ten_seconds_are_enough() {
    let silent = Stand::start(|_, _| Say::Nothing).await;
    let error = refusal(&silent.vendor()).await;
    assert_eq!(error, ListError::Timeout { place: silent.url.clone() });
}

#[tokio::test]
async fn a_credential_that_no_header_can_carry_is_not_sent() {
    let stand = Stand::in_turn(vec![page(&json!({"data": []}))]).await;
    let mut vendor = stand.vendor();
    vendor.credential.secret = wire::Secret::new(format!("{SECRET}\nx: y"));
    let error = refusal(&vendor).await;
    assert!(matches!(error, ListError::NoCredential(_)), "{error:?}");
    assert!(stand.heads().is_empty());
}
