//! Proof of progress for the service manager (DESIGN §2.3): the keep-alive goes out only if the
//! event loop, the database's writer and every accept loop have each moved since the last one.

use crate::domain::Domain;
use serve::Pulse;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Feeds the watchdog until `stop`; does nothing where there is none.
pub(crate) async fn feed(domain: Arc<Domain>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let beats = || {
        let store = domain.open_store();
        // Gives the writer something to count; a full queue counts by itself. A database that
        // was opened again counts from the start.
        let writer = store.map(|store| {
            store.ping();
            store.writer_beats()
        });
        pulse.rounds().into_iter().map(Some).chain([writer]).collect()
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = host::notify::keep_alive(beats) => {}
    }
}
