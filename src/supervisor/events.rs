//! The status as a stream: once at the begin, then whenever something changes, and now and then
//! while the units only use more or less than before.

use crate::app::App;
use crate::limits::{EVENT_PAUSE, EVENT_ROUND};
use crate::status::status;
use bytes::Bytes;
use serve::{Feed, Limits, Live};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use wire::supervisor::SupervisorStatus;

/// Begins a stream.
pub(crate) fn stream(app: Arc<App>, limits: &Limits, stop: &CancellationToken) -> Live {
    let (feed, live) = serve::live::open(limits, stop);
    tokio::spawn(speak(app, feed));
    live
}

async fn speak(app: Arc<App>, feed: Feed) {
    let mut changes = app.state.changes();
    let mut last: Option<SupervisorStatus> = None;
    loop {
        changes.mark_unchanged();
        let now = status(&app).await;
        if last.as_ref().is_none_or(|last| differ(last, &now)) {
            if feed.send(frame(&now)).await.is_err() {
                return;
            }
            last = Some(now);
        }
        tokio::select! {
            () = feed.gone() => return,
            changed = changes.changed() => match changed {
                // What changes together is told together.
                Ok(()) => tokio::time::sleep(EVENT_PAUSE).await,
                Err(_) => return,
            },
            () = tokio::time::sleep(EVENT_ROUND) => {}
        }
    }
}

/// Whether there is more to tell than that time goes by.
fn differ(last: &SupervisorStatus, now: &SupervisorStatus) -> bool {
    let timeless = |status: &SupervisorStatus| SupervisorStatus {
        supervisor_uptime_seconds: 0,
        main_server_uptime_seconds: None,
        ..status.clone()
    };
    timeless(last) != timeless(now)
}

fn frame(status: &SupervisorStatus) -> Bytes {
    let mut frame = b"data: ".to_vec();
    serde_json::to_writer(&mut frame, status).expect("a status is always JSON");
    frame.extend_from_slice(b"\n\n");
    frame.into()
}
