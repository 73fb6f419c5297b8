//! Turns that begin, pieces of the event log that are taken in once.

use super::{at, chat, store};
use crate::store::{Applied, Handed, TurnRow};
use wire::usage::TurnSums;

fn piece(upto: i64) -> Applied {
    Applied {
        upto,
        message_count: None,
        title: None,
        title_before: None,
        model: None,
        last_accessed: at("2026-01-01T12:00:00Z"),
        turn: None,
        ended: None,
    }
}

fn handed(turn: &str, session: &str) -> Handed {
    Handed { turn: turn.into(), session_id: session.into(), body: "{}".into() }
}

fn turn(number: i64) -> TurnRow {
    TurnRow {
        turn: number,
        at: at("2026-01-03T00:00:00.25Z"),
        outcome: "done".into(),
        model: Some("m".into()),
        input_tokens: Some(10),
        output_tokens: Some(20),
        cache_read_tokens: Some(30),
        cache_write_tokens: None,
        cost_usd: Some(0.0125),
        duration_ms: Some(1500),
    }
}

#[tokio::test]
async fn a_turn_begins_with_its_row_and_is_kept_until_its_end_is_seen() {
    let store = store();
    let began = at("2026-01-02T00:00:00Z");
    let kept = async || -> Vec<String> {
        store.handed(None).await.unwrap().into_iter().map(|h| h.turn).collect()
    };
    assert!(!store.begin_turn(None, handed("t0", "s"), began).await.unwrap(), "no session");
    assert!(kept().await.is_empty());
    let row = Some(chat("other-id", 1));
    assert!(store.begin_turn(row, handed("t1", "s"), began).await.unwrap());
    let row = store.session("s").await.unwrap().unwrap();
    assert_eq!((row.created_at, row.last_accessed), (at("2026-01-01T12:00:00Z"), began));

    let mut again = chat("s", 9);
    again.title = Some("not taken".into());
    let later = at("2026-01-05T00:00:00Z");
    assert!(store.begin_turn(Some(again), handed("t2", "s"), later).await.unwrap());
    let row = store.session("s").await.unwrap().unwrap();
    assert_eq!((row.title, row.created_at), (None, at("2026-01-01T12:00:00Z")));
    assert_eq!(kept().await, ["t1", "t2"]);
    assert!(store.handed(Some("x")).await.unwrap().is_empty());
    assert_eq!(store.handed(Some("s")).await.unwrap()[0], handed("t1", "s"));

    store.apply("s", piece(3)).await.unwrap();
    assert_eq!(kept().await, ["t1", "t2"], "no end was seen");
    let ended = Applied { ended: Some("t1".into()), ..piece(7) };
    store.apply("s", ended).await.unwrap();
    assert_eq!(kept().await, ["t2"]);
    store.drop_turn("t2").await.unwrap();
    assert!(kept().await.is_empty());
    assert_eq!(store.applied("s").await.unwrap(), 7);
    assert_eq!(store.applied("nobody").await.unwrap(), 0);
}

#[tokio::test]
async fn a_piece_of_the_log_counts_once() {
    let store = store();
    store
        .begin_turn(Some(chat("s", 1)), handed("t", "s"), at("2026-01-02T00:00:00Z"))
        .await
        .unwrap();
    let applied = Applied {
        message_count: Some(2),
        title: Some("t".into()),
        model: Some("m".into()),
        last_accessed: at("2026-01-03T00:00:00Z"),
        turn: Some(turn(1)),
        ..piece(10)
    };
    assert!(store.apply("s", applied.clone()).await.unwrap());
    let row = store.session("s").await.unwrap().unwrap();
    assert_eq!((row.message_count, row.title.as_deref()), (2, Some("t")));
    assert_eq!(row.last_accessed, at("2026-01-03T00:00:00Z"));
    assert_eq!(store.turns("s").await.unwrap(), [turn(1)]);

    let stale = Applied { message_count: Some(99), title: Some("no".into()), ..applied.clone() };
    assert!(!store.apply("s", stale).await.unwrap());
    assert!(!store.apply("s", piece(9)).await.unwrap());
    assert_eq!(store.session("s").await.unwrap().unwrap(), row);

    assert!(store.apply("s", piece(11)).await.unwrap());
    let row = store.session("s").await.unwrap().unwrap();
    assert_eq!((row.message_count, row.title.as_deref()), (2, Some("t")), "None leaves it");
    assert_eq!(row.last_accessed, at("2026-01-03T00:00:00Z"), "never set back");
}

#[tokio::test]
async fn a_title_gives_way_only_to_the_end_of_the_turn_that_began_with_it() {
    let store = store();
    let mut row = chat("s", 1);
    row.title = Some("first".into());
    store.insert_session(&row).await.unwrap();
    let ended = |upto, before: &str, title: &str| Applied {
        title: Some(title.into()),
        title_before: Some(before.into()),
        ..piece(upto)
    };
    for (upto, before, title, then) in [
        (1, "first", "better", "better"),
        (2, "first", "late", "better"),
        (3, "somebody's", "other", "better"),
        (4, "better", "better", "better"),
    ] {
        assert!(store.apply("s", ended(upto, before, title)).await.unwrap());
        let row = store.session("s").await.unwrap().unwrap();
        assert_eq!(row.title.as_deref(), Some(then), "{upto}");
    }
}

#[tokio::test]
async fn a_log_that_outlives_its_session_brings_nothing_back() {
    let store = store();
    store
        .begin_turn(Some(chat("s", 1)), handed("t", "s"), at("2026-01-02T00:00:00Z"))
        .await
        .unwrap();
    store.delete_session("s").await.unwrap();
    let late = Applied { turn: Some(turn(1)), ended: Some("t".into()), ..piece(5) };
    assert!(!store.apply("s", late).await.unwrap());
    assert!(store.handed(None).await.unwrap().is_empty());
    assert!(store.turns("s").await.unwrap().is_empty());
    assert_eq!(store.session("s").await.unwrap(), None);
}

#[tokio::test]
async fn what_turns_came_to_is_summed_for_sessions_and_days_and_outlives_a_session() {
    let store = store();
    for (id, day) in [("s", 3), ("d", 3), ("other", 4)] {
        let began = at("2026-01-02T00:00:00Z");
        store.begin_turn(Some(chat(id, 1)), handed(id, id), began).await.unwrap();
        for number in [5, 9] {
            let at = at(&format!("2026-01-0{day}T12:00:00Z"));
            let row = TurnRow { at, ..turn(number) };
            store.apply(id, Applied { turn: Some(row), ..piece(number) }).await.unwrap();
        }
    }
    let two = TurnSums {
        turns: 2,
        input_tokens: 20,
        output_tokens: 40,
        cache_read_tokens: 60,
        cache_write_tokens: 0,
        cost_usd: 0.025,
        duration_ms: 3000,
    };
    assert_eq!(store.session("s").await.unwrap().unwrap().usage, two);
    let listed = store.list_sessions(&super::all()).await.unwrap();
    assert!(listed.iter().all(|row| row.usage == two));
    assert!(store.delete_session("d").await.unwrap());
    let days = store.days(at("2026-01-01T00:00:00Z")).await.unwrap();
    let four = TurnSums {
        turns: 4,
        input_tokens: 40,
        output_tokens: 80,
        cache_read_tokens: 120,
        cache_write_tokens: 0,
        cost_usd: 0.05,
        duration_ms: 6000,
    };
    assert_eq!(days, [("2026-01-04".to_owned(), two), ("2026-01-03".to_owned(), four)]);
    let later = store.days(at("2026-01-04T12:00:00Z")).await.unwrap();
    assert_eq!(later, [("2026-01-04".to_owned(), two)]);
}

#[tokio::test]
async fn no_number_of_tokens_is_too_great_to_be_listed() {
    let store = store();
    let began = at("2026-01-02T00:00:00Z");
    store.begin_turn(Some(chat("s", 1)), handed("t", "s"), began).await.unwrap();
    for number in [1, 2] {
        let row = TurnRow { input_tokens: Some(i64::MAX), ..turn(number) };
        store.apply("s", Applied { turn: Some(row), ..piece(number) }).await.unwrap();
    }
    let row = store.session("s").await.unwrap().unwrap();
    assert_eq!(row.usage.input_tokens, i64::MAX);
    assert_eq!(store.days(began).await.unwrap().len(), 1);
}
