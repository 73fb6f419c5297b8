//! From an agent to one client: bytes pass as they come. Two things are added: the end of a
//! turn is held back until the database has it (a client may leave at once and ask), and where
//! the agent dies the next one is asked to go on at the last event that was sent.

use super::{Agents, Known, StartError, frame};
use crate::limits::{HAND_OVER_LIMIT, HAND_OVER_PAUSE};
use crate::store::Store;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use serve::Feed;
use serve::client::AskError;
use tokio::time::Instant;
use wire::agent::{TurnAccepted, TurnRequest};
use wire::chat::TextMode;
use wire::record::ends_turn;

/// What a client wants.
pub(crate) enum Wanted {
    /// This turn, which is to be handed over first.
    Turn(Box<TurnRequest>),
    /// What came after an event, until the session is at rest.
    After(u64),
}

/// How it ended.
pub(crate) enum Piped {
    /// All was sent, or the client left.
    Whole,
    /// The agent would not take the turn; nothing was sent.
    Refused(StatusCode),
    /// There is no agent to be had.
    NoAgent(StartError),
    /// Agent after agent died.
    Lost,
    /// The session was deleted before the turn began.
    Deleted,
}

/// Where one client stands.
struct Client<'a> {
    known: &'a Known,
    feed: &'a Feed,
    last_id: u64,
    /// The last event sent ends a turn.
    ended: bool,
    /// It is a turn that is streamed, so nothing is whole before its end was sent.
    owed_an_end: bool,
}

impl Agents {
    /// Hands the turn over, if there is one, and pipes what is wanted into the feed. The turn
    /// goes on whatever becomes of the client.
    pub(crate) async fn pipe(
        &self,
        store: &Store,
        session: &str,
        wanted: Wanted,
        text: TextMode,
        feed: &Feed,
    ) -> Piped {
        let known = self.known(session);
        let last_id = if let Wanted::After(id) = wanted { id } else { 0 };
        let owed_an_end = matches!(wanted, Wanted::Turn(_));
        let mut client = Client { known: &known, feed, last_id, ended: false, owed_an_end };
        let mut until = Instant::now() + HAND_OVER_LIMIT;
        while Instant::now() < until {
            if self.stopping().is_cancelled() {
                // The next server takes the turn up.
                return Piped::Whole;
            }
            let in_hand = match &wanted {
                Wanted::Turn(request) => is_in_hand(store, session, request).await,
                Wanted::After(_) => InHand::No,
            };
            if matches!(in_hand, InHand::Deleted) {
                return Piped::Deleted;
            }
            if let Err(error) = self.ensure(store, session).await {
                return Piped::NoAgent(error);
            }
            if let (Wanted::Turn(request), InHand::Yes) = (&wanted, in_hand) {
                match self.hand_over(session, request).await {
                    Ok(_) => {}
                    Err(AskError::Refused(status, _))
                        if status != StatusCode::SERVICE_UNAVAILABLE =>
                    {
                        return Piped::Refused(status);
                    }
                    // It leaves, or has just left; the next one will take it.
                    Err(error) => {
                        tracing::debug!(session, %error, "the agent did not take the turn");
                        tokio::time::sleep(HAND_OVER_PAUSE).await;
                        continue;
                    }
                }
            }
            let begun = client.last_id;
            match known.open(&path(&wanted, text, begun)).await {
                Ok(body) => {
                    if client.copy(body).await {
                        return Piped::Whole;
                    }
                    if client.last_id > begun {
                        until = Instant::now() + HAND_OVER_LIMIT;
                    }
                }
                Err(error) => tracing::debug!(session, %error, "the agent does not speak"),
            }
            tokio::time::sleep(HAND_OVER_PAUSE).await;
        }
        Piped::Lost
    }

    /// Gives the session's agent a turn; one it has already is no second one.
    pub(crate) async fn hand_over(
        &self,
        session: &str,
        request: &TurnRequest,
    ) -> Result<TurnAccepted, AskError> {
        let mut told =
            serde_json::to_value(request).map_err(|error| AskError::Unclear(error.to_string()))?;
        fill_nuls(&mut told);
        self.ask(session, Method::POST, "/turns", &told).await
    }
}

/// A NUL in a note, or in the name of a skill, is no reason to take no turn in the whole vault:
/// no program takes one, so the sign for what is no character stands in its place.
fn fill_nuls(value: &mut Value) {
    let filled = |text: &str| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) if text.contains('\0') => *text = filled(text),
        Value::Array(items) => items.iter_mut().for_each(fill_nuls),
        Value::Object(fields) => {
            if fields.keys().any(|name| name.contains('\0')) {
                let all = std::mem::take(fields).into_iter();
                *fields = all.map(|(name, value)| (filled(&name), value)).collect();
            }
            fields.values_mut().for_each(fill_nuls);
        }
        _ => {}
    }
}

/// Whether a turn is still to be handed over.
enum InHand {
    Yes,
    /// It was taken, and may have ended already: its events are in the log.
    No,
    /// Its session is gone.
    Deleted,
}

async fn is_in_hand(store: &Store, session: &str, request: &TurnRequest) -> InHand {
    match store.is_handed(&request.turn).await {
        Ok(true) => InHand::Yes,
        Ok(false) => match store.session(session).await {
            Ok(None) => InHand::Deleted,
            _ => InHand::No,
        },
        // The agent takes no turn twice.
        Err(_) => InHand::Yes,
    }
}

fn path(wanted: &Wanted, text: TextMode, last_id: u64) -> String {
    let text = match text {
        TextMode::Content => "content",
        TextMode::Delta => "delta",
        TextMode::None => "none",
    };
    match wanted {
        Wanted::Turn(request) if last_id == 0 => {
            format!("/events?text={text}&turn={}", request.turn)
        }
        _ => format!("/events?text={text}&after={last_id}"),
    }
}

impl Client<'_> {
    /// Copies until the end; false if the agent broke off before it.
    async fn copy(&mut self, mut body: Incoming) -> bool {
        let mut frames = frame::Frames::default();
        loop {
            let piece = tokio::select! {
                piece = body.frame() => piece,
                () = self.feed.gone() => return true,
            };
            match piece {
                Some(Ok(piece)) => {
                    let Ok(data) = piece.into_data() else { continue };
                    frames.add(&data);
                    if !self.pass(&mut frames).await || (self.ended && self.owed_an_end) {
                        return true;
                    }
                }
                // An agent that is killed breaks the stream off; one that ends it in order has
                // said all it has, which for a turn it was never given is nothing.
                Some(Err(_)) => return false,
                None => return self.ended || !self.owed_an_end,
            }
        }
    }

    /// Sends the whole frames; false if the client has left. After the end of the turn that is
    /// streamed nothing more is sent.
    async fn pass(&mut self, frames: &mut frame::Frames) -> bool {
        let (mut from, mut sent) = (0, 0);
        while let Some(end) = frames.end(from) {
            if let Some(head) = frame::head(&frames.bytes()[from..end]) {
                self.last_id = head.id;
                self.ended = ends_turn(head.kind);
            }
            if self.ended {
                if from > sent && !self.send(&frames.bytes()[sent..from]).await {
                    return false;
                }
                sent = from;
                tokio::select! {
                    () = self.known.applied(self.last_id) => {}
                    // A server that stops writes nothing any more; the next one tells the end.
                    () = self.feed.gone() => return false,
                }
                if self.owed_an_end {
                    return self.send(&frames.bytes()[from..end]).await;
                }
            }
            from = end;
        }
        let alive = from == sent || self.send(&frames.bytes()[sent..from]).await;
        frames.drop_to(from);
        alive
    }

    async fn send(&self, bytes: &[u8]) -> bool {
        self.feed.send(Bytes::copy_from_slice(bytes)).await.is_ok()
    }
}
