//! No refused connection: the server is restarted two hundred times while others ask, each on a
//! connection of its own. One that is refused, or broken before an answer began, is a fault.

use crate::lab::{Lab, SERVICE};
use crate::units::{message, micros, middle_and_most, systemctl};
use http::Method;
use http_body_util::BodyExt;
use parachute_tests::Caller;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, watch};

const RESTARTS: usize = 200;
/// Requests under way at once; each waits out a restart at most.
const UNDER_WAY_MAX: usize = 1000;

/// How one request went: how long until the answer began, or why none did.
type Outcome = (&'static str, Result<Duration, String>);

/// Asks so often a second until `stop`, whatever becomes of what was asked before.
async fn load(
    who: Caller,
    path: &'static str,
    a_second: u32,
    told: mpsc::UnboundedSender<Outcome>,
    stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let mut tick = tokio::time::interval(Duration::from_secs(1) / a_second);
    while !*stop.borrow() {
        tick.tick().await;
        let slot = room.clone().acquire_owned().await.expect("never closed");
        let (who, told) = (who.clone(), told.clone());
        tokio::spawn(async move {
            let begin = Instant::now();
            let outcome = match who.open(Method::GET, path, None).await {
                Err(error) => Err(format!("{error:?}")),
                Ok(answer) if answer.status() != 200 => Err(answer.status().to_string()),
                Ok(answer) => {
                    let began = begin.elapsed();
                    let whole = answer.into_body().collect().await;
                    whole.map(|_| began).map_err(|e| format!("cut off: {e:?}"))
                }
            };
            // The counter waits for all of us.
            let _ = told.send((path, outcome));
            drop(slot);
        });
    }
    let all = u32::try_from(UNDER_WAY_MAX).expect("small");
    let _all = room.acquire_many(all).await.expect("never closed");
}

#[tokio::test]
async fn two_hundred_restarts_refuse_nobody() {
    let Some(lab) = Lab::started("").await else {
        return;
    };
    assert_eq!(lab.local().get("/api/health").await.status, 200);
    let (told, mut outcomes) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let loads = [("/api/health", 200), ("/api/chat", 20)].map(|(path, a_second)| {
        let loading = load(lab.local(), path, a_second, told.clone(), stopped.clone());
        tokio::spawn(loading)
    });
    drop(told);
    let begin = Instant::now();
    let mut took = Vec::new();
    for _ in 0..RESTARTS {
        let begin = Instant::now();
        systemctl(&["restart", SERVICE]).await;
        took.push(begin.elapsed().as_secs_f64());
    }
    let in_all = begin.elapsed();
    stop.send_replace(true);
    for loading in loads {
        loading.await.expect("the load ends");
    }
    let mut began = Vec::new();
    let mut faults = Vec::new();
    while let Some((path, outcome)) = outcomes.recv().await {
        match outcome {
            Ok(time) => began.push(time.as_secs_f64()),
            Err(error) => faults.push(format!("{path}: {error}")),
        }
    }
    let (middle, most) = middle_and_most(took);
    println!("{RESTARTS} restarts in {in_all:.1?}; one takes {middle:.3} s, at most {most:.3} s");
    let answered = began.len();
    let (middle, most) = middle_and_most(began);
    println!("{answered} requests answered, median {middle:.4} s, slowest {most:.3} s");
    where_the_time_goes(&lab.journal("parachute").await);
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

/// From the journal: what of a restart is whose.
fn where_the_time_goes(entries: &[Value]) {
    let spans = [
        ("the server stops", "Stopping parachute", "Stopped parachute"),
        ("systemd prepares the next", "Stopped parachute", "starting"),
        ("the server gets ready", "starting", "Started parachute"),
    ];
    for (what, from, to) in spans {
        let mut since = None;
        let mut took = Vec::new();
        for entry in entries {
            if message(entry).starts_with(from) {
                since = Some(micros(entry));
            } else if message(entry).starts_with(to)
                && let Some(since) = since.take()
            {
                took.push((micros(entry).saturating_sub(since)) as f64 / 1e6);
            }
        }
        let (middle, most) = middle_and_most(took);
        println!("  {what}: median {middle:.4} s, at most {most:.3} s");
    }
}
