//! The events of a turn or of a log, over as many connections as it takes: when one breaks, the
//! next goes on after the last event heard (DESIGN §4.4). What an event means, and which is the
//! last, is the caller's. What began the stream is asked once, and not again by this.

use crate::client::{Ask, Client, causes};
use crate::fail::Fail;
use crate::sse::{Event, Parser};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

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
    /// The other end said all that it had to say. Asked once more, it is taken up again.
    Ended,
    /// The connection broke; it is taken up again.
    Broken(String),
}

/// Events.
pub(crate) struct Feed {
    client: Client,
    /// Asks for what comes after an event; without, nothing can be taken up again.
    next: Option<Ask>,
    /// What it means that the rest cannot be had.
    cut: fn(String) -> Fail,
    last: Option<String>,
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
    /// From a stream that has begun.
    pub(crate) fn new(client: Client, body: Incoming, cut: fn(String) -> Fail) -> Feed {
        let line = Some(Line::new(body));
        Feed { client, next: None, cut, last: None, line, ready: VecDeque::new(), tries: 0 }
    }

    /// This asks for the rest after a break, with the id of the last event.
    pub(crate) fn goes_on_by(&mut self, ask: Ask) {
        self.next = Some(ask);
    }

    /// Whether the next event is here already.
    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// What is new. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<News, Fail> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.tries = 0;
                return Ok(News::Event(event));
            }
            match &mut self.line {
                None => self.take_up().await?,
                Some(line) => match timeout(SILENCE_MAX, line.body.frame()).await {
                    Ok(Some(Ok(frame))) => self.heard(frame)?,
                    Ok(None) => {
                        self.leave();
                        return Ok(News::Ended);
                    }
                    Ok(Some(Err(e))) => return Ok(self.broke(causes(&e))),
                    Err(_) => return Ok(self.broke("nothing came any more".into())),
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
        self.leave();
        News::Broken(cause)
    }

    fn leave(&mut self) {
        let Some(line) = self.line.take() else { return };
        if line.since.elapsed() >= GOOD {
            self.tries = 0;
        }
        self.last = line.parser.last().map(str::to_owned).or(self.last.take());
    }

    /// Waits a little, then opens the next connection. A refusal is an end, except one that says
    /// that the server is about to be ready (503) or in trouble of its own.
    async fn take_up(&mut self) -> Result<(), Fail> {
        let Some(next) = self.next.clone() else {
            let said = "the connection broke before it was known how to take it up again";
            return Err((self.cut)(said.into()));
        };
        sleep(wait(self.tries)).await;
        match self.client.stream(next.after(self.last.clone())).await {
            Ok(body) => self.line = Some(Line::new(body)),
            Err(Fail::NoServer { .. } | Fail::Lost { .. }) => {}
            Err(Fail::Refused { status: 500.., .. }) => {}
            Err(fail) => return Err(fail),
        }
        self.tries += 1;
        if self.tries > TRIES_MAX {
            let said = "the connection broke, and no other brought anything new";
            return Err((self.cut)(said.into()));
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
