//! Turns: taken, handed to the session's agent, followed by clients, and taken up again after a
//! restart. What a turn is made of is decided in `turn`.

use super::refusal::{domain_error, plain_error, store_error, unspoken, warning};
use super::sessions::set_permission_mode;
use super::{Domain, DomainError};
use crate::agents::{Wanted, replay};
use crate::limits::REPLAY_PIECES_MAX;
use crate::store::{Handed, MetadataEdit, Patch, Store, StoreError};
use serve::Feed;
use serve::fault::chain;
use tokio::sync::mpsc;
use uuid::Uuid;
use wire::chat::{ChatBody, TextMode};
use wire::error::ErrorCode;
use wire::frames::frame_without_id;
use wire::{ChatEvent, Timestamp};

impl Domain {
    /// Takes a turn and speaks into the feed until it ends. Runs on whoever leaves.
    pub(crate) async fn take_turn(&self, body: ChatBody, text: TextMode, feed: &Feed) {
        self.take_turn_as(Uuid::new_v4().to_string(), body, text, feed).await;
    }

    /// The same under an id that nobody had before, for whoever has to know it again.
    pub(super) async fn take_turn_as(
        &self,
        turn: String,
        body: ChatBody,
        text: TextMode,
        feed: &Feed,
    ) {
        if let Err(event) = self.try_turn(turn, body, text, feed).await {
            // Whoever left does not need to hear why.
            let _ = feed.send(frame_without_id(&event).into()).await;
        }
    }

    async fn try_turn(
        &self,
        turn: String,
        mut body: ChatBody,
        text: TextMode,
        feed: &Feed,
    ) -> Result<(), ChatEvent> {
        let sent = body.attachments.as_ref().is_some_and(|sent| !sent.is_empty());
        if body.message.trim().is_empty() && body.initial_context.is_none() && !sent {
            return Err(plain_error("message is required"));
        }
        let max = self.settings.max_message_length as usize;
        if body.message.chars().count() > max {
            return Err(plain_error(&format!("message is longer than {max} characters")));
        }
        let store = self.store().await.map_err(|e| domain_error(&e, None))?;
        let problems = self.keep_attachments(&mut body).await;
        let asked = serde_json::to_string(&body).expect("a body is always JSON");
        let mut prepared = self.prepare(body, turn).await?;
        let session = prepared.session;
        let told = |said| warning(&session, "attachments", "Attachments", said);
        prepared.request.preface.extend(problems.into_iter().map(told));
        let turn = prepared.request.turn.clone();
        let noted = |e: StoreError| store_error(&e, &session);
        let handed = Handed { turn: turn.clone(), session_id: session.clone(), body: asked };
        if let (Some(mode), None) = (prepared.mode_change, &prepared.new_row) {
            let edit = MetadataEdit::With(Box::new(move |m| set_permission_mode(m, mode)));
            let patch = Patch { metadata: Some(edit), ..Patch::default() };
            store.patch_session(&session, patch).await.map_err(noted)?;
        }
        let begun = store.begin_turn(prepared.new_row, handed, Timestamp::now());
        if !begun.await.map_err(noted)? {
            return Err(domain_error(&DomainError::NoSession, Some(&session)));
        }
        tracing::info!(session, turn, "turn accepted");
        let wanted = Wanted::Turn(Box::new(prepared.request));
        let piped = self.agents.pipe(&store, &session, wanted, text, feed).await;
        let said = unspoken(piped, &session);
        if said.is_some()
            && let Err(error) = store.drop_turn(&turn).await
        {
            tracing::error!(session, error = chain(&error), "a turn that never began stays noted");
        }
        said.map_or(Ok(()), Err)
    }

    /// Hands turns over again whose end has not been seen. The agent takes no turn twice.
    pub(crate) async fn hand_over_again(&self, store: &Store, handed: Vec<Handed>) {
        for turn in handed {
            let (session, id) = (turn.session_id.clone(), turn.turn.clone());
            tracing::info!(session, turn = id, "taking up a turn that was in hand");
            if let Err(why) = self.hand_over_one(store, turn).await {
                tracing::error!(session, turn = id, why, "a turn in hand could not go on");
            }
        }
    }

    async fn hand_over_one(&self, store: &Store, handed: Handed) -> Result<(), String> {
        let Handed { turn, session_id, body } = handed;
        let body = match serde_json::from_str::<ChatBody>(&body) {
            Ok(body) => ChatBody { session_id: Some(session_id.clone()), ..body },
            Err(error) => {
                // It will not be better at the next start.
                store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
                return Err(error.to_string());
            }
        };
        let prepared = match self.prepare(body, turn.clone()).await {
            Ok(prepared) => prepared,
            Err(ChatEvent::TypedError(error))
                if error.code == ErrorCode::TrustUnavailable.name() =>
            {
                store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
                return Err(error.message);
            }
            // What it names is gone, such as its agent's definition.
            Err(ChatEvent::Error { error, .. }) => {
                store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
                return Err(error);
            }
            // Kept for the next time.
            Err(_) => return Err("it cannot be prepared now".into()),
        };
        self.agents.ensure(store, &session_id).await.map_err(|e| chain(&e))?;
        let taken = self.agents.hand_over(&session_id, &prepared.request).await;
        if taken.map_err(|e| e.to_string())?.ended {
            store.drop_turn(&turn).await.map_err(|e| chain(&e))?;
        }
        Ok(())
    }

    /// Replays a session's events after an id and follows until it is at rest.
    pub(crate) async fn follow(&self, id: &str, after: u64, text: TextMode, feed: &Feed) {
        let live = self.agents.status(id).await.is_some();
        let mut wanted = Wanted::After(after);
        if !live {
            let dir = self.agents.run_dir(id);
            let (pieces, mut replayed) = mpsc::channel(REPLAY_PIECES_MAX);
            let reading = tokio::task::spawn_blocking(move || replay(&dir, text, after, &pieces));
            while let Some(piece) = replayed.recv().await {
                if feed.send(piece).await.is_err() {
                    return;
                }
            }
            match reading.await {
                Ok(Ok(replayed)) if !replayed.unfinished => return,
                // Its agent was killed in mid-turn; a new one brings the turn to its end.
                Ok(Ok(replayed)) => wanted = Wanted::After(replayed.last_id.max(after)),
                Ok(Err(error)) => {
                    tracing::error!(session = id, %error, "the event log cannot be read");
                    return;
                }
                Err(_) => return,
            }
        }
        let Ok(store) = self.store().await else {
            return;
        };
        let piped = self.agents.pipe(&store, id, wanted, text, feed).await;
        if let Some(event) = unspoken(piped, id) {
            let _ = feed.send(frame_without_id(&event).into()).await;
        }
    }
}
