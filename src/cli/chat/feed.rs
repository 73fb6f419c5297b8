//! The events of one turn, over as many connections as it takes: when one breaks before the turn
//! ended, the next goes on after the last event heard (DESIGN §4.4). What an event means, and
//! which is the last, is the caller's. The message itself is sent once and never again.

use crate::client::{Ask, Client, causes};
use crate::fail::Fail;
use crate::sse::{Event, Parser};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use wire::SessionId;

/// The server comments every 15 s, so this long without a byte means that it is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Shortest and longest wait before another connection.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));
/// Connections tried in a row that bring no event: a little more than two minutes.
const TRIES_MAX: u32 = 48;
/// A connection that lasted this long was a good one, whatever it brought.
const GOOD: Duration = Duration::from_secs(10);

/// What there is to tell.
#[derive(Debug)]
pub(crate) enum News {
    /// An event.
    Event(Event),
    /// The connection broke; the turn is taken up again.
    Broken(String),
}

/// One turn's events.
pub(crate) struct Feed {
    client: Client,
    session: Option<SessionId>,
    last: Option<u64>,
    line: Option<Line>,
    ready: VecDeque<Event>,
    tries: u32,
}

/// A connection that brings events.
struct Line {
    body: Incoming,
    parser: Parser,
    since: Instant,
}

impl Line {
    fn new(body: Incoming) -> Line {
        Line { body, parser: Parser::default(), since: Instant::now() }
    }
}

impl Feed {
    /// From the stream that answers `POST /api/chat`.
    pub(crate) fn new(client: Client, body: Incoming) -> Feed {
        let line = Some(Line::new(body));
        Feed { client, session: None, last: None, line, ready: VecDeque::new(), tries: 0 }
    }

    /// The session, once an event named it: without, nothing can be taken up again.
    pub(crate) fn belongs_to(&mut self, session: SessionId) {
        self.session = Some(session);
    }

    /// What is new. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<News, Fail> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.last = event.id.or(self.last);
                self.tries = 0;
                return Ok(News::Event(event));
            }
            match &mut self.line {
                None => self.take_up().await?,
                Some(line) => match timeout(SILENCE_MAX, line.body.frame()).await {
                    Ok(Some(Ok(frame))) => self.heard(frame)?,
                    Ok(None) => return Ok(self.broke("the server ended the stream".into())),
                    Ok(Some(Err(e))) => return Ok(self.broke(causes(&e))),
                    Err(_) => return Ok(self.broke("the server fell silent".into())),
                },
            }
        }
    }

    fn heard(&mut self, frame: Frame<Bytes>) -> Result<(), Fail> {
        let (Some(line), Ok(bytes)) = (&mut self.line, frame.into_data()) else {
            return Ok(());
        };
        let fed = line.parser.feed(&bytes, &mut self.ready);
        fed.map_err(|e| self.client.foreign(e))
    }

    fn broke(&mut self, cause: String) -> News {
        if self.line.take().is_some_and(|line| line.since.elapsed() >= GOOD) {
            self.tries = 0;
        }
        News::Broken(cause)
    }

    /// Waits a little, then opens the next connection. A refusal is an end, except one that says
    /// that the server is about to be ready (503) or in trouble of its own.
    async fn take_up(&mut self) -> Result<(), Fail> {
        let (Some(session), Some(last)) = (&self.session, self.last) else {
            let said = "the connection broke before the turn said its session";
            return Err(Fail::Unheard(said.into()));
        };
        sleep(wait(self.tries)).await;
        let path = format!("/api/chat/{session}/stream?text=delta");
        match self.client.stream(Ask::get(path).after(last)).await {
            Ok(body) => self.line = Some(Line::new(body)),
            Err(Fail::NoServer { .. } | Fail::Lost { .. }) => {}
            Err(Fail::Refused { status: 500.., .. }) => {}
            Err(fail) => return Err(fail),
        }
        self.tries += 1;
        if self.tries > TRIES_MAX {
            let said = "the connection broke, and no other brought anything new";
            return Err(Fail::Unheard(said.into()));
        }
        Ok(())
    }
}

/// How long to wait before a try: doubled each time, within [`WAIT`].
pub(crate) fn wait(tries: u32) -> Duration {
    WAIT.0.saturating_mul(1 << tries.min(10)).min(WAIT.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_bounded_one_by_one_and_together() {
        let waits: Vec<u128> = (0..7).map(|n| wait(n).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3000, 3000]);
        let all: Duration = (0..TRIES_MAX).map(wait).sum();
        assert!((120..150).contains(&all.as_secs()), "{all:?}");
    }
}
