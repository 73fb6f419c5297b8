//! From an agent's events to the session's row: message counts, model, usage. One watcher for
//! each agent that lives; what happened while no server ran comes the same way, because the
//! watcher begins at the last event that the database has taken in.

use super::{Agents, Known, lock};
use crate::store::{Applied, Store, TurnRow};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use wire::agent::AgentStatus;
use wire::{ChatEvent, Timestamp};

/// How often an agent is started again to bring a turn to its end.
const REVIVALS_MAX: u32 = 3;

/// How a watch of one agent ended.
enum Ended {
    /// It left with nothing under way, or the server stops.
    AtRest,
    /// It is gone in the middle of a turn.
    MidTurn,
}

impl Agents {
    /// Watches an agent, unless it is watched already.
    pub(super) fn watch(&self, store: &Store, known: &Arc<Known>) {
        if std::mem::replace(&mut *lock(&known.watched), true) {
            return;
        }
        let (agents, store, known) = (self.clone(), store.clone(), known.clone());
        self.0.tasks.spawn(async move {
            let stop = agents.0.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = agents.watch_until_rest(&store, &known) => {}
            }
            *lock(&known.watched) = false;
        });
    }

    async fn watch_until_rest(&self, store: &Store, known: &Arc<Known>) {
        for _ in 0..REVIVALS_MAX {
            match follow(store, known).await {
                Ended::AtRest => return,
                Ended::MidTurn => {
                    tracing::warn!(session = known.session, "the agent is gone in mid-turn");
                    // The next agent finds the unfinished turn in the log and ends it.
                    let _one = known.starting.lock().await;
                    if known.status().await.is_some() {
                        continue;
                    }
                    if let Err(error) = super::start::start(&self.0.setup, &known.session).await {
                        let error = serve::fault::chain(&error);
                        tracing::error!(session = known.session, error, "no new agent");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
        tracing::error!(
            session = known.session,
            "a turn could not be brought to its end"
        );
    }
}

async fn follow(store: &Store, known: &Known) -> Ended {
    let after = match store.applied(&known.session).await {
        Ok(after) => u64::try_from(after).unwrap_or(0),
        Err(error) => {
            tracing::error!(session = known.session, %error, "could not read where we were");
            return Ended::AtRest;
        }
    };
    known.applied.send_replace(after);
    let path = format!("/events?text=none&stay=true&after={after}");
    let mut body = match known.open(&path).await {
        Ok(body) => body,
        Err(error) => {
            tracing::debug!(session = known.session, %error, "the agent cannot be watched");
            return Ended::AtRest;
        }
    };
    let mut mid_turn = None;
    let mut buffer = Vec::new();
    let mut turns = 0i64;
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else {
            continue;
        };
        buffer.extend_from_slice(&data);
        while let Some(end) = memchr::memmem::find(&buffer, b"\n\n") {
            let frame: Vec<u8> = buffer.drain(..end + 2).collect();
            let Some((id, event)) = read(&frame) else {
                continue;
            };
            if let ChatEvent::Session { turn_id, .. } = &event {
                mid_turn = Some(turn_id.clone());
                turns += 1;
            }
            if event.is_last() {
                mid_turn = None;
                apply(store, known, id, event).await;
            }
        }
    }
    tracing::debug!(session = known.session, turns, "the agent left");
    if mid_turn.is_some() {
        Ended::MidTurn
    } else {
        Ended::AtRest
    }
}

/// Id and event of a frame; None for a comment, or an event of a later version.
fn read(frame: &[u8]) -> Option<(u64, ChatEvent)> {
    let text = std::str::from_utf8(frame).ok()?;
    let (id, data) = text.strip_prefix("id: ")?.split_once("\ndata: ")?;
    Some((
        id.parse().ok()?,
        serde_json::from_str(data.trim_end()).ok()?,
    ))
}

async fn apply(store: &Store, known: &Known, id: u64, event: ChatEvent) {
    let status: Option<AgentStatus> = known.status().await;
    let live = status.is_some_and(|s| s.turn.is_some() || s.waiting > 0);
    let mut applied = of_event(event);
    applied.upto = i64::try_from(id).unwrap_or(i64::MAX);
    applied.live = live;
    if let Some(turn) = &mut applied.turn {
        turn.turn = applied.upto;
    }
    if let Err(error) = store.apply(&known.session, applied).await {
        let error = serve::fault::chain(&error);
        tracing::error!(
            session = known.session,
            error,
            "a turn's end is not in the database"
        );
        return;
    }
    known.applied.send_replace(id);
}

fn of_event(event: ChatEvent) -> Applied {
    let now = Timestamp::now();
    let mut out = Applied {
        upto: 0,
        message_count: None,
        title: None,
        model: None,
        last_accessed: now,
        turn: None,
        live: false,
    };
    let mut turn = TurnRow {
        turn: 0,
        at: now,
        outcome: "done".into(),
        model: None,
        input_tokens: None,
        output_tokens: None,
        cache_read_tokens: None,
        cache_write_tokens: None,
        cost_usd: None,
        duration_ms: None,
    };
    match event {
        ChatEvent::Done(done) => {
            out.message_count = Some(done.message_count);
            out.model.clone_from(&done.model);
            turn.model = done.model;
            turn.input_tokens = Some(done.usage.input_tokens);
            turn.output_tokens = Some(done.usage.output_tokens);
            turn.cache_read_tokens = Some(done.usage.cache_read_tokens);
            turn.cache_write_tokens = Some(done.usage.cache_write_tokens);
            turn.cost_usd = done.usage.cost_usd;
            turn.duration_ms = Some(done.duration_ms);
        }
        ChatEvent::Aborted { message_count, .. } => {
            out.message_count = Some(message_count);
            turn.outcome = "aborted".into();
        }
        ChatEvent::SessionUnavailable {
            message_count,
            reason,
            ..
        } => {
            out.message_count = Some(message_count);
            turn.outcome = reason;
        }
        ChatEvent::TypedError(error) => {
            out.message_count = error.message_count;
            turn.outcome = error.code;
        }
        _ => turn.outcome = "error".into(),
    }
    out.turn = Some(turn);
    out
}
