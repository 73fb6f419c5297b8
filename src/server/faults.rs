//! Test-only: on SIGUSR1 the part named by PARACHUTE_FAULT hangs, so that the watchdog can be
//! seen to act, or memory is used without end. Compiled only with the feature `faults`.

use crate::domain::Domain;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::signal::unix::{SignalKind, signal};

pub(crate) fn watch(domain: Arc<Domain>) -> std::io::Result<()> {
    let mut asked = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        asked.recv().await;
        let part = std::env::var("PARACHUTE_FAULT").unwrap_or_default();
        tracing::error!(part, "hanging on request");
        match part.as_str() {
            "accept" => serve::listen::HANG.store(true, Ordering::Relaxed),
            "writer" => {
                if let Some(store) = domain.open_store() {
                    store.hang();
                }
            }
            "memory" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    // Written to, so that it is really there.
                    hoard.push(vec![1; 1 << 20]);
                }
            }
            _ => loop {
                std::thread::park();
            },
        }
    });
    Ok(())
}
