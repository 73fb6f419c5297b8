//! What the shelf keeps, for how long, and how often the vendor is asked. The time is the test's.

use crate::stand::{SECRET, Stand, page, response, vendor};
use parachute_models::{ListError, Shelf, Shelved, Vendor};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::task::JoinSet;
use wire::agent::CredentialKind;
use wire::{Secret, Timestamp};

/// Seconds after some point in time.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000).plus_seconds(seconds)
}

/// A list whose only model says which answer it was.
fn list(number: usize) -> Vec<u8> {
    page(&json!({"data": [{"id": format!("claude-opus-{number}")}]}))
}

fn unwell() -> Vec<u8> {
    response("500 Internal Server Error", "", "")
}

fn only(shelved: &Shelved) -> &str {
    assert_eq!(shelved.models.len(), 1);
    &shelved.models[0].id
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("state/models.json")
    }

    fn shelf(&self) -> Shelf {
        Shelf::new(self.file())
    }
}

async fn get(
    shelf: &Shelf,
    vendor: Vendor,
    refresh: bool,
    seconds: i64,
) -> Result<Shelved, ListError> {
    shelf.get(Ok(vendor), refresh, at(seconds)).await
}

#[tokio::test]
async fn a_list_counts_for_an_hour() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1), list(2), list(3)]).await);
    let shelf = place.shelf();
    for (seconds, refresh, expected, cached_at) in [
        (0, false, "claude-opus-1", 0),
        (3599, false, "claude-opus-1", 0),
        (3600, false, "claude-opus-2", 3600),
        (3610, true, "claude-opus-3", 3610),
        (3620, false, "claude-opus-3", 3610),
    ] {
        let shelved = get(&shelf, stand.vendor(), refresh, seconds).await.unwrap();
        assert_eq!((only(&shelved), shelved.cached_at), (expected, at(cached_at)), "{seconds}");
        assert!(!shelved.is_stale && shelved.problem.is_none());
    }
    assert_eq!(stand.heads().len(), 3);
    // The clock was put back: nobody knows how old the list is.
    get(&shelf, stand.vendor(), false, 0).await.unwrap();
    assert_eq!(stand.heads().len(), 4);
}

#[tokio::test]
async fn where_the_vendor_fails_the_old_list_is_given_as_such() {
    let answers = vec![list(1), unwell(), unwell(), list(2)];
    let (place, stand) = (Place::new(), Stand::in_turn(answers).await);
    let shelf = place.shelf();
    get(&shelf, stand.vendor(), false, 0).await.unwrap();
    // Asked, failed; then left alone for 30 s; asked because somebody insists; after 30 s again.
    for (seconds, refresh, asked) in
        [(4000, false, 2), (4001, false, 2), (4029, false, 2), (4029, true, 3), (4058, false, 3)]
    {
        let shelved = get(&shelf, stand.vendor(), refresh, seconds).await.unwrap();
        assert_eq!((only(&shelved), shelved.cached_at), ("claude-opus-1", at(0)));
        assert!(shelved.is_stale, "{seconds}");
        assert!(matches!(shelved.problem, Some(ListError::Status { status: 500, .. })));
        assert_eq!(stand.heads().len(), asked, "{seconds}");
        let told = shelved.told(false, Some("x".into()));
        assert!(told.is_stale && told.problem.unwrap().contains("answered 500"));
        assert_eq!((told.count, told.show_all, told.current_model), (1, false, Some("x".into())));
    }
    let shelved = get(&shelf, stand.vendor(), false, 4059).await.unwrap();
    assert_eq!((only(&shelved), shelved.is_stale), ("claude-opus-2", false));
}

#[tokio::test]
async fn with_no_list_at_all_there_is_the_reason() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![unwell(), unwell(), list(1)]).await);
    let shelf = place.shelf();
    for (seconds, asked) in [(0, 1), (29, 1), (30, 2)] {
        let error = get(&shelf, stand.vendor(), false, seconds).await.unwrap_err();
        assert!(matches!(error, ListError::Status { status: 500, .. }), "{error:?}");
        assert_eq!(stand.heads().len(), asked);
    }
    // Whoever puts a new credential down need not wait.
    let mut vendor = stand.vendor();
    vendor.credential.secret = Secret::new("another".into());
    assert_eq!(only(&get(&shelf, vendor, false, 31).await.unwrap()), "claude-opus-1");
    assert!(!place.folder.path().join("models.json").exists());
}

#[tokio::test]
async fn without_a_credential_any_list_will_do() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1)]).await);
    let missing = || Err("there is no credential; set one".to_owned());
    let error = place.shelf().get(missing(), true, at(0)).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no credential; set one");
    get(&place.shelf(), stand.vendor(), false, 0).await.unwrap();
    let shelved = place.shelf().get(missing(), false, at(9)).await.unwrap();
    assert_eq!((only(&shelved), shelved.is_stale), ("claude-opus-1", true));
    assert_eq!(shelved.problem, Some(error));
}

#[tokio::test]
async fn a_list_outlives_the_process() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1), unwell()]).await);
    let first = get(&place.shelf(), stand.vendor(), false, 0).await.unwrap();
    let again = get(&place.shelf(), stand.vendor(), false, 3599).await.unwrap();
    assert_eq!((&again.models, again.cached_at), (&first.models, first.cached_at));
    assert_eq!(stand.heads().len(), 1);
    let stale = get(&place.shelf(), stand.vendor(), false, 3600).await.unwrap();
    assert_eq!((only(&stale), stale.is_stale), ("claude-opus-1", true));
    let mode = fs::metadata(place.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!fs::read_to_string(place.file()).unwrap().contains(SECRET));
    let names = fs::read_dir(place.file().parent().unwrap()).unwrap().count();
    assert_eq!(names, 1, "nothing is left beside the file");
}

#[tokio::test]
async fn a_list_belongs_to_an_address_and_a_kind_of_credential() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1), unwell()]).await);
    get(&place.shelf(), stand.vendor(), false, 0).await.unwrap();
    let shelf = place.shelf();
    for other in [
        vendor(&format!("{}/other", stand.url), CredentialKind::ApiKey),
        vendor(&stand.url, CredentialKind::OauthToken),
    ] {
        let asked = stand.heads().len();
        get(&shelf, other, false, 9).await.unwrap_err();
        assert_eq!(stand.heads().len(), asked + 1);
    }
    // The same address written otherwise, and a new credential of the same kind.
    let same = vendor(&format!("{}/", stand.url), CredentialKind::ApiKey);
    assert!(!get(&shelf, same, false, 9).await.unwrap().is_stale);
    let mut renewed = stand.vendor();
    renewed.credential.secret = Secret::new("another".into());
    assert!(get(&shelf, renewed, false, 9).await.unwrap().is_stale);
}

#[tokio::test]
async fn a_broken_file_counts_as_none_and_is_replaced() {
    let place = Place::new();
    fs::create_dir(place.file().parent().unwrap()).unwrap();
    let whole = {
        let stand = Stand::in_turn(vec![list(1)]).await;
        get(&place.shelf(), stand.vendor(), false, 0).await.unwrap();
        fs::read(place.file()).unwrap()
    };
    let foreign = br#"{"asked":{},"cached_at":"x","models":7}"#;
    for broken in [&b""[..], &whole[..whole.len() / 2], b"\xff\xfe", b"null", foreign] {
        fs::write(place.file(), broken).unwrap();
        let stand = Stand::in_turn(vec![list(2)]).await;
        assert!(place.shelf().get(Err("none".into()), false, at(0)).await.is_err());
        let shelved = get(&place.shelf(), stand.vendor(), false, 0).await.unwrap();
        assert_eq!(only(&shelved), "claude-opus-2");
        let kept = place.shelf().get(Err("none".into()), false, at(0)).await.unwrap();
        assert_eq!(only(&kept), "claude-opus-2");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_costs_no_answer() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1)]).await);
    fs::create_dir_all(place.file()).unwrap();
    let shelf = place.shelf();
    for _ in 0..2 {
        assert_eq!(only(&get(&shelf, stand.vendor(), false, 0).await.unwrap()), "claude-opus-1");
    }
    assert_eq!(stand.heads().len(), 1);
}

#[tokio::test]
async fn callers_at_once_share_one_question() {
    for answer in [list(1), unwell()] {
        let (place, stand) = (Place::new(), Stand::in_turn(vec![answer]).await);
        stand.shut();
        let shelf = Arc::new(place.shelf());
        let mut callers = JoinSet::new();
        for number in 0..20 {
            let (shelf, vendor) = (shelf.clone(), stand.vendor());
            // Far enough apart that they share because they wait, not because it was just now.
            let now = at(number * 60);
            callers.spawn(async move { shelf.get(Ok(vendor), true, now).await.is_ok() });
        }
        stand.asked(1).await;
        stand.open();
        let answers = callers.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(stand.heads().len(), 1);
    }
}

#[tokio::test]
async fn a_storm_of_refreshes_is_one_question_every_two_seconds() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1), unwell(), list(3)]).await);
    let shelf = place.shelf();
    for (seconds, expected, is_stale, asked) in [
        (0, "claude-opus-1", false, 1),
        (1, "claude-opus-1", false, 1),
        (2, "claude-opus-1", true, 2),
        (3, "claude-opus-1", true, 2),
        (4, "claude-opus-3", false, 3),
        (5, "claude-opus-3", false, 3),
    ] {
        let shelved = get(&shelf, stand.vendor(), true, seconds).await.unwrap();
        assert_eq!((only(&shelved), shelved.is_stale), (expected, is_stale), "{seconds}");
        assert_eq!(stand.heads().len(), asked, "{seconds}");
    }
}

#[tokio::test]
async fn a_fresh_list_does_not_wait_for_a_refresh() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1), list(2)]).await);
    let shelf = Arc::new(place.shelf());
    get(&shelf, stand.vendor(), false, 0).await.unwrap();
    stand.shut();
    let refresh = tokio::spawn({
        let (shelf, vendor) = (shelf.clone(), stand.vendor());
        async move { get(&shelf, vendor, true, 10).await }
    });
    stand.asked(2).await;
    assert_eq!(only(&get(&shelf, stand.vendor(), false, 10).await.unwrap()), "claude-opus-1");
    stand.open();
    assert_eq!(only(&refresh.await.unwrap().unwrap()), "claude-opus-2");
}

#[tokio::test]
async fn a_caller_that_leaves_takes_no_answer_with_it() {
    let (place, stand) = (Place::new(), Stand::in_turn(vec![list(1)]).await);
    stand.shut();
    let shelf = Arc::new(place.shelf());
    let caller = tokio::spawn({
        let (shelf, vendor) = (shelf.clone(), stand.vendor());
        async move { get(&shelf, vendor, false, 0).await }
    });
    stand.asked(1).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    stand.open();
    assert_eq!(only(&get(&shelf, stand.vendor(), false, 1).await.unwrap()), "claude-opus-1");
    assert_eq!(stand.heads().len(), 1);
}
