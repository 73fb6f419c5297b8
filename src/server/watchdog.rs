//! Proof of progress for the service manager (DESIGN §2.3): the keep-alive goes out only if the
//! event loop, the database's writer and every accept loop have each moved since the last one.

use crate::domain::Domain;
use serve::Pulse;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What moved so far.
#[derive(PartialEq)]
struct Beats {
    writer: Option<u64>,
    accepts: Vec<u64>,
}

/// Feeds the watchdog until `stop`; does nothing where there is none.
pub(crate) async fn feed(domain: Arc<Domain>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let Some(period) = host::notify::watchdog_period() else {
        return;
    };
    let mut tick = tokio::time::interval(period / 4);
    // After a stall, ticks that were missed must not all be taken for progress at once.
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = beats(&domain, &pulse);
    let mut told = tokio::time::Instant::now();
    host::notify::watchdog();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let now = beats(&domain, &pulse);
        if let Some(store) = domain.open_store() {
            // Gives the writer something to count; a full queue counts by itself.
            store.ping();
        }
        if moved(&last, &now) {
            last = now;
            told = tokio::time::Instant::now();
            host::notify::watchdog();
        } else if told.elapsed() > period / 2 + Duration::from_secs(1) {
            tracing::error!(
                writer = last.writer == now.writer, accepts = ?now.accepts,
                "a part of the server does not move; the watchdog is not fed"
            );
        }
    }
}

fn beats(domain: &Domain, pulse: &Pulse) -> Beats {
    let writer = domain.open_store().map(|store| store.writer_beats());
    Beats { writer, accepts: pulse.rounds() }
}

fn moved(last: &Beats, now: &Beats) -> bool {
    // A database that was opened again counts from the start.
    let writer = now.writer.is_none() || now.writer != last.writer;
    writer && last.accepts.iter().zip(&now.accepts).all(|(then, now)| then != now)
}
