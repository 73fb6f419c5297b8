//! From an agent to one client: bytes pass as they come. Two things are added: the end of a
//! turn is held back until the database has it (a client may leave at once and ask), and where
//! the agent dies the next one is asked to go on at the last event that was sent.

use super::{Agents, Known, StartError};
use crate::limits::HAND_OVER_TRIES;
use crate::store::Store;
use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serve::Feed;
use serve::client::AskError;
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
    Refused(StatusCode, String),
    /// There is no agent to be had.
    NoAgent(StartError),
    /// Agent after agent died.
    Lost,
}

/// Where one client stands.
struct Client<'a> {
    known: &'a Known,
    feed: &'a Feed,
    last_id: u64,
    /// The last event sent ends a turn.
    ended: bool,
    /// Nothing is whole before the end of a turn was sent.
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
        let text = match text {
            TextMode::Content => "content",
            TextMode::Delta => "delta",
            TextMode::None => "none",
        };
        let known = self.known(session);
        let owed_an_end = matches!(wanted, Wanted::Turn(_));
        let mut client = Client {
            known: &known,
            feed,
            last_id: 0,
            ended: false,
            owed_an_end,
        };
        if let Wanted::After(id) = &wanted {
            client.last_id = *id;
        }
        let mut begun = false;
        for _ in 0..HAND_OVER_TRIES {
            if let Err(error) = self.ensure(store, session).await {
                return Piped::NoAgent(error);
            }
            if let Wanted::Turn(request) = &wanted {
                let asked = self.ask::<_, TurnAccepted>(session, Method::POST, "/turns", request);
                match asked.await {
                    Ok(_) => {}
                    Err(AskError::Refused(status, said)) => {
                        if status != StatusCode::SERVICE_UNAVAILABLE {
                            let said = String::from_utf8_lossy(&said).into_owned();
                            return Piped::Refused(status, said);
                        }
                        continue;
                    }
                    Err(error) => {
                        tracing::warn!(session, %error, "the agent did not take the turn");
                        continue;
                    }
                }
            }
            let path = match &wanted {
                Wanted::Turn(request) if !begun => {
                    format!("/events?text={text}&turn={}", request.turn)
                }
                _ => format!("/events?text={text}&after={}", client.last_id),
            };
            let Ok(body) = known.open(&path).await else {
                continue;
            };
            if client.copy(body).await {
                return Piped::Whole;
            }
            begun = client.last_id > 0;
        }
        Piped::Lost
    }
}

impl Client<'_> {
    /// Copies until the end; false if the agent broke off in mid-turn.
    async fn copy(&mut self, mut body: Incoming) -> bool {
        let mut buffer = BytesMut::new();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.feed.gone() => return true,
            };
            match frame {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else {
                        continue;
                    };
                    buffer.extend_from_slice(&data);
                    if !self.pass(&mut buffer).await {
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

    /// Sends the whole frames of the buffer; false if the client has left.
    async fn pass(&mut self, buffer: &mut BytesMut) -> bool {
        let mut from = 0;
        let mut upto = 0;
        while let Some(end) = memchr::memmem::find(&buffer[from..], b"\n\n") {
            let end = from + end + 2;
            if let Some((id, kind)) = head(&buffer[from..end]) {
                self.last_id = id;
                self.ended = ends_turn(kind);
                if self.ended {
                    if from > upto && !self.send(&buffer[upto..from]).await {
                        return false;
                    }
                    upto = from;
                    self.known.applied(id).await;
                }
            }
            from = end;
        }
        let sent = from == upto || self.send(&buffer[upto..from]).await;
        let rest = buffer.split_off(from);
        *buffer = rest;
        sent
    }

    async fn send(&self, bytes: &[u8]) -> bool {
        self.feed.send(Bytes::copy_from_slice(bytes)).await.is_ok()
    }
}

/// Id and type of a frame; None for a comment.
fn head(frame: &[u8]) -> Option<(u64, &str)> {
    let rest = frame.strip_prefix(b"id: ")?;
    let line = memchr::memchr(b'\n', rest)?;
    let id = std::str::from_utf8(&rest[..line]).ok()?.parse().ok()?;
    let kind = rest[line..].strip_prefix(b"\ndata: {\"type\":\"")?;
    let end = memchr::memchr(b'"', kind)?;
    Some((id, std::str::from_utf8(&kind[..end]).ok()?))
}
