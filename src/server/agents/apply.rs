//! From an agent's events to the session's row: message counts, model, usage. One watcher for
//! each agent that lives; what happened while no server ran comes the same way, because the
//! watcher begins at the last event that the database has taken in.

use super::{Agents, Known, frame, lock};
use crate::limits::{REVIVAL_PAUSE, REVIVALS_MAX};
use crate::store::{Applied, Store, TurnRow};
use http_body_util::BodyExt;
use std::sync::Arc;
use wire::chat::Usage;
use wire::record::ends_turn;
use wire::{ChatEvent, Timestamp};

/// What a turn's first event said.
struct Begun {
    turn: String,
    title: Option<String>,
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

    /// Until the agent has left with nothing in hand. One that is gone with work in hand is
    /// followed by another: it ends the broken turn, and what waited is handed over again.
    async fn watch_until_rest(&self, store: &Store, known: &Arc<Known>) {
        let session = &known.session;
        let mut revivals = 0;
        while revivals < REVIVALS_MAX {
            if self.follow(store, known).await {
                revivals = 0;
            }
            match store.handed(Some(session)).await {
                Ok(left) if left.is_empty() => return,
                Ok(left) => {
                    tracing::warn!(
                        session,
                        turns = left.len(),
                        "the agent is gone with work in hand"
                    );
                }
                Err(error) => {
                    let error = serve::fault::chain(&error);
                    return tracing::error!(session, error, "could not read what is in hand");
                }
            }
            revivals += 1;
            let _one = known.starting.lock().await;
            if known.status().await.is_none()
                && let Err(error) = super::start::start(&self.0.setup, session).await
            {
                tracing::error!(session, error = serve::fault::chain(&error), "no new agent");
                tokio::time::sleep(REVIVAL_PAUSE).await;
            }
            self.tell_lost(session);
        }
        tracing::error!(session, "a turn could not be brought to its end");
    }

    /// Takes in what the agent says until it leaves; whether the end of a turn was among it.
    async fn follow(&self, store: &Store, known: &Known) -> bool {
        let session = &known.session;
        let after = match store.applied(session).await {
            Ok(after) => u64::try_from(after).unwrap_or(0),
            Err(error) => {
                let error = serve::fault::chain(&error);
                tracing::error!(session, error, "could not read where we were");
                return false;
            }
        };
        let last = known.status().await.map(|status| status.last_id);
        let anew = last.is_some_and(|last| last < after);
        if anew && let Err(error) = store.log_began_anew(session).await {
            let error = serve::fault::chain(&error);
            tracing::error!(session, error, "the event log is another one, and that is not noted");
            return false;
        }
        let after = if anew { 0 } else { after };
        known.applied.send_replace(after);
        let path = format!("/events?text=none&stay=true&after={after}");
        let mut body = match known.open(&path).await {
            Ok(body) => body,
            Err(error) => {
                tracing::debug!(session, %error, "the agent cannot be watched");
                return false;
            }
        };
        let mut turn = None;
        let mut ended = false;
        let mut frames = frame::Frames::default();
        while let Some(Ok(piece)) = body.frame().await {
            let Ok(data) = piece.into_data() else { continue };
            frames.add(&data);
            while let Some(whole) = frames.next() {
                let Some(head) = frame::head(&whole) else { continue };
                if head.kind != "session" && !ends_turn(head.kind) {
                    continue;
                }
                let Ok(event) = serde_json::from_slice(head.data) else { continue };
                if let ChatEvent::Session { turn_id, title, .. } = event {
                    turn = Some(Begun { turn: turn_id, title });
                    continue;
                }
                match self.apply(store, known, head.id, event, turn.take()).await {
                    Some(fresh) => ended |= fresh,
                    // Not in the database: what follows must not go in before it.
                    None => {
                        tokio::time::sleep(REVIVAL_PAUSE).await;
                        return ended;
                    }
                }
            }
        }
        tracing::debug!(session, "the agent left");
        ended
    }

    /// Takes the end of a turn in; whether it was new. None: it is not in the database.
    async fn apply(
        &self,
        store: &Store,
        known: &Known,
        id: u64,
        event: ChatEvent,
        begun: Option<Begun>,
    ) -> Option<bool> {
        let mut applied = of_event(event);
        applied.upto = i64::try_from(id).unwrap_or(i64::MAX);
        if let Some(begun) = begun {
            (applied.ended, applied.title_before) = (Some(begun.turn), begun.title);
        }
        if let Some(turn) = &mut applied.turn {
            turn.turn = applied.upto;
        }
        let fresh = match store.apply(&known.session, applied).await {
            Ok(fresh) => fresh,
            Err(error) => {
                let error = serve::fault::chain(&error);
                let session = &known.session;
                tracing::error!(session, error, "a turn's end is not in the database");
                return None;
            }
        };
        known.applied.send_replace(id);
        // It may be one agent too many that idles now.
        self.make_room(None).await;
        Some(fresh)
    }
}

fn spend(turn: &mut TurnRow, usage: Usage) {
    turn.input_tokens = Some(usage.input_tokens);
    turn.output_tokens = Some(usage.output_tokens);
    turn.cache_read_tokens = Some(usage.cache_read_tokens);
    turn.cache_write_tokens = Some(usage.cache_write_tokens);
    turn.cost_usd = usage.cost_usd;
}

fn of_event(event: ChatEvent) -> Applied {
    let now = Timestamp::now();
    let mut out = Applied {
        upto: 0,
        message_count: None,
        title: None,
        title_before: None,
        model: None,
        last_accessed: now,
        turn: None,
        ended: None,
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
            out.title = done.title;
            out.model.clone_from(&done.model);
            turn.model = done.model;
            turn.duration_ms = Some(done.duration_ms);
            spend(&mut turn, done.usage);
        }
        ChatEvent::Aborted { message_count, model, duration_ms, usage, .. } => {
            out.message_count = Some(message_count);
            out.model.clone_from(&model);
            turn.outcome = "aborted".into();
            (turn.model, turn.duration_ms) = (model, duration_ms);
            usage.into_iter().for_each(|usage| spend(&mut turn, usage));
        }
        ChatEvent::SessionUnavailable { message_count, reason, .. } => {
            out.message_count = Some(message_count);
            turn.outcome = reason;
        }
        ChatEvent::TypedError(error) => {
            out.message_count = error.message_count;
            out.model.clone_from(&error.model);
            turn.outcome = error.code;
            (turn.model, turn.duration_ms) = (error.model, error.duration_ms);
            error.usage.into_iter().for_each(|usage| spend(&mut turn, usage));
        }
        _ => turn.outcome = "error".into(),
    }
    out.turn = Some(turn);
    out
}
