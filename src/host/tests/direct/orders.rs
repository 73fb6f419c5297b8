//! Orders that meet each other, that cannot be carried out, or that come too late.

use crate::place::{Place, UNIT, result, states, status, told, words};
use parachute_host::direct::Direct;
use parachute_host::units::{UnitError, Units};
use std::time::Duration;

#[tokio::test]
async fn a_stop_wins_over_a_start_that_waits() {
    let place = Place::new();
    let server = place.server("mute");
    let mut changes = server.watch(UNIT).await.unwrap();
    let starting = tokio::spawn({
        let server = server.clone();
        async move { server.start(UNIT).await }
    });
    assert_eq!(words(&told(&mut changes).await), "activating start success");
    server.stop(UNIT).await.unwrap();
    assert_eq!(result(starting.await.unwrap()), "canceled");
    assert_eq!(words(&status(&server).await), "inactive dead success");
    place.nothing_is_left();
}

#[tokio::test]
async fn a_restart_is_one_act_and_starts_what_is_down() {
    let place = Place::new();
    let server = place.server("alone");
    server.restart(UNIT).await.unwrap();
    let first = status(&server).await.pid;
    let (one, other) = tokio::join!(server.restart(UNIT), server.start(UNIT));
    one.and(other).unwrap();
    let second = status(&server).await;
    assert_eq!(second.active, "active");
    assert_ne!(second.pid, first);
    server.close().await;
    assert!(!place.path("two at once").exists());
}

#[tokio::test]
async fn a_storm_of_orders_ends_in_a_sane_state() {
    let place = Place::new();
    let server = place.server("alone");
    let mut storm = tokio::task::JoinSet::new();
    for order in 0..60 {
        let server = server.clone();
        storm.spawn(async move {
            match order % 7 {
                0 | 3 => server.start(UNIT).await,
                1 | 5 => server.restart(UNIT).await,
                6 => server.reset_failed(UNIT).await,
                _ => server.stop(UNIT).await,
            }
        });
        if order % 4 == 0 {
            // Lets some of them come further than others.
            storm.join_next().await.unwrap().unwrap().or_else(canceled).unwrap();
        }
    }
    while let Some(done) = storm.join_next().await {
        done.unwrap().or_else(canceled).unwrap();
    }
    server.start(UNIT).await.unwrap();
    assert_eq!(words(&status(&server).await), "active running success");
    server.stop(UNIT).await.unwrap();
    assert_eq!(words(&status(&server).await), "inactive dead success");
    assert!(!place.path("two at once").exists());
    place.nothing_is_left();
}

fn canceled(error: UnitError) -> Result<(), UnitError> {
    match error {
        UnitError::Job { result, .. } if result == "canceled" => Ok(()),
        other => Err(other),
    }
}

#[tokio::test]
async fn the_last_handle_takes_the_server_with_it() {
    let place = Place::new();
    let server = place.server("alone");
    server.start(UNIT).await.unwrap();
    let mut changes = server.watch(UNIT).await.unwrap();
    let clone = server.clone();
    drop(server);
    assert_eq!(status(&clone).await.active, "active");
    drop(clone);
    assert_eq!(states(&mut changes, "inactive dead success").await.len(), 2);
    assert!(changes.recv().await.is_none());
    place.nothing_is_left();
}

#[tokio::test]
async fn after_closing_nothing_can_be_ordered() {
    let place = Place::new();
    let server = place.server("steady");
    let mut nothing_of_ours = server.watch("other").await.unwrap();
    server.start(UNIT).await.unwrap();
    tokio::join!(server.close(), server.close());
    place.nothing_is_left();
    assert!(matches!(server.start(UNIT).await, Err(UnitError::Gone(_))));
    assert!(matches!(server.watch(UNIT).await, Err(UnitError::Gone(_))));
    assert_eq!(words(&status(&server).await), "inactive dead success");
    assert!(nothing_of_ours.recv().await.is_none());
    server.close().await;
}

#[tokio::test]
async fn what_cannot_be_started_is_said_in_words() {
    let place = Place::new();
    let mut program = place.program("steady");
    program.program = place.path("nowhere");
    let server = Direct::new(program);
    let refused = server.start(UNIT).await.unwrap_err().to_string();
    assert!(refused.contains("nowhere") && refused.contains("No such file"), "{refused}");
    let failed = status(&server).await;
    assert_eq!((words(&failed).as_str(), &*failed.load), ("failed failed resources", "not-found"));
    assert!(failed.said.contains("No such file"), "{failed:?}");

    // One place, two supervisors.
    let first = place.server("steady");
    first.start(UNIT).await.unwrap();
    let refused = place.server("steady").start(UNIT).await.unwrap_err().to_string();
    assert!(refused.contains("another supervisor"), "{refused}");
    assert_eq!(status(&first).await.active, "active");
    first.close().await;
}

#[tokio::test]
async fn there_is_one_unit_and_nothing_begins_at_login() {
    let place = Place::new();
    let server = place.server("steady");
    let other = "parachute.socket";
    for done in [
        server.start(other).await,
        server.stop(other).await,
        server.restart(other).await,
        server.reset_failed(other).await,
        server.enable(other, true).await,
        server.keep(other).await,
    ] {
        assert!(matches!(done, Err(UnitError::Unknown(name)) if name == other));
    }
    assert_eq!(server.status(other).await.unwrap().load, "not-found");
    assert!(server.list("parachute.so").await.unwrap().is_empty());
    let refused = server.enable(UNIT, true).await;
    assert!(matches!(refused, Err(UnitError::Unsupported(_))), "{refused:?}");
    server.enable(UNIT, false).await.unwrap();
    server.reload().await.unwrap();
}

#[tokio::test]
async fn a_program_that_does_not_speak_counts_as_started_when_it_runs() {
    let place = Place::new();
    let mut program = place.program("mute");
    program.notify = false;
    program.bounds.watchdog = Duration::from_millis(1);
    let server = Direct::new(program);
    server.start(UNIT).await.unwrap();
    let up = status(&server).await;
    assert_eq!((words(&up).as_str(), up.watchdog_microseconds), ("active running success", None));
    server.close().await;
    assert_eq!(words(&status(&server).await), "inactive dead success");
}
