//! The threads: many callers at once, a full queue, a closed store.

use super::{chat, folder, store};
use crate::store::{ListFilter, Store, StoreError};

#[tokio::test]
async fn many_at_once_lose_nothing_and_the_generation_grows() {
    let (_folder, path) = folder();
    let store = Store::open(&path).unwrap();
    let before = store.generation();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let store = store.clone();
        tasks.spawn(async move {
            let id = format!("s{number}");
            let filter = ListFilter { limit: 100, ..ListFilter::default() };
            store.insert_session(&chat(&id, 1)).await.unwrap();
            assert!(store.session(&id).await.unwrap().is_some(), "reads see what was written");
            store.list_sessions(&filter).await.unwrap().len()
        });
    }
    while let Some(done) = tasks.join_next().await {
        assert!(done.unwrap() > 0);
    }
    assert_eq!(store.stats().await.unwrap().total, 200);
    assert_eq!(store.generation() - before, 200);
    store.close().await;
}

#[tokio::test]
async fn the_pulse_moves_and_a_closed_store_says_so() {
    let store = store();
    assert!(store.ping());
    // Answered after the ping, so the ping was counted.
    store.insert_session(&chat("x", 1)).await.unwrap();
    assert!(store.writer_beats() >= 1);
    let (again, also) = (store.clone(), store.clone());
    tokio::join!(store.close(), also.close());
    assert!(!again.ping());
    assert!(matches!(again.session("x").await, Err(StoreError::Closed)));
    assert!(matches!(again.insert_session(&chat("y", 1)).await, Err(StoreError::Closed)));
    again.close().await;
}

#[tokio::test]
async fn a_full_queue_does_not_hold_up_a_ping() {
    let store = store();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let blocked = tokio::spawn({
        let store = store.clone();
        async move { store.write(move |_| Ok(held.recv())).await }
    });
    tokio::task::yield_now().await;
    let mut taken = 0;
    while store.ping() {
        taken += 1;
        assert!(taken <= 1000, "the queue is bounded");
    }
    release.send(()).unwrap();
    blocked.await.unwrap().unwrap().unwrap();
    store.close().await;
}
