//! A follower: from the log to one client, at the client's own pace.
//!
//! It reads the file, frames what is new, waits for the log to grow or for held-back text to
//! fall due, and ends when the turn it follows has ended, or the session has come to rest.

use crate::limits::FOLLOW_BYTES;
use crate::log::{Log, Mark, Tail};
use bytes::Bytes;
use serve::Feed;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::ChatEvent;
use wire::chat::TextMode;
use wire::frames::{Framer, frame_without_id};
use wire::record::Record;

/// What a client wants to have.
pub(crate) enum From {
    /// A turn, from its first event to its last.
    Turn(Mark),
    /// Everything after an event; then, with `stay`, whatever comes.
    After { id: u64, stay: bool },
}

pub(crate) struct Follower {
    log: Arc<Log>,
    feed: Feed,
    framer: Framer,
    offset: u64,
    /// Ends with this turn.
    turn: Option<u64>,
    stay: bool,
    /// The agent leaves: nobody may stay.
    leaving: CancellationToken,
    began: Instant,
    /// Bytes read that are not yet a whole line.
    rest: Vec<u8>,
}

impl Follower {
    pub(crate) fn new(
        log: Arc<Log>,
        feed: Feed,
        text: TextMode,
        from: From,
        leaving: CancellationToken,
    ) -> Follower {
        let (after, offset, turn, stay) = match from {
            From::Turn(mark) => (mark.first_id - 1, mark.offset, Some(mark.number), false),
            From::After { id, stay } => (id, log.offset_before(id.saturating_add(1)), None, stay),
        };
        let framer = Framer::new(text, after);
        let began = Instant::now();
        let rest = Vec::new();
        Follower { log, feed, framer, offset, turn, stay, leaving, began, rest }
    }

    /// Runs until there is nothing more to say or nobody to say it to.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        let file = self.log.reader()?;
        let mut tail = self.log.tail();
        let mut piece = vec![0u8; FOLLOW_BYTES];
        loop {
            let now: Tail = *tail.borrow_and_update();
            let left = usize::try_from(now.end - self.offset).unwrap_or(usize::MAX);
            if left > 0 {
                let read = file.read_at(&mut piece[..left.min(FOLLOW_BYTES)], self.offset)?;
                self.offset += read as u64;
                let mut out = Vec::with_capacity(read);
                let ended = self.take(&piece[..read], &mut out);
                if !self.send(out).await || ended {
                    return Ok(());
                }
                continue;
            }
            let stays = self.stay && !self.leaving.is_cancelled();
            // At rest, a turn without an end will not get one from this agent.
            if now.at_rest && !stays {
                let mut out = Vec::new();
                self.framer.flush(self.millis(), &mut out);
                self.send(out).await;
                return Ok(());
            }
            let due =
                self.framer.due_ms().map(|at| self.began + std::time::Duration::from_millis(at));
            tokio::select! {
                changed = tail.changed() => if changed.is_err() { return Ok(()) },
                () = self.feed.gone() => return Ok(()),
                () = self.leaving.cancelled(), if stays => {}
                () = until(due) => {
                    let mut out = Vec::new();
                    self.framer.flush(self.millis(), &mut out);
                    if !self.send(out).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Says that events before the first are gone.
    pub(crate) async fn tell_reset(&self, oldest: u64) {
        let message = "older events are no longer kept; what follows begins at the oldest there is";
        let event = ChatEvent::Reset { oldest, message: message.into() };
        // Whoever left hears of it by leaving.
        let _ = self.feed.send(frame_without_id(&event).into()).await;
    }

    /// Frames whole lines; whether the turn has ended.
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        let now = self.millis();
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[from..=end];
            from = end + 1;
            let ended = if self.rest.is_empty() {
                self.frame(line, now, out)
            } else {
                self.rest.extend_from_slice(line);
                let whole = std::mem::take(&mut self.rest);
                self.frame(&whole, now, out)
            };
            if ended {
                return true;
            }
        }
        self.rest.extend_from_slice(&bytes[from..]);
        false
    }

    fn frame(&mut self, line: &[u8], now: u64, out: &mut Vec<u8>) -> bool {
        let Some(record) = Record::parse(line) else {
            tracing::warn!("a line of the event log cannot be read and is passed over");
            return false;
        };
        if self.turn.is_some_and(|turn| turn < record.turn) {
            return true;
        }
        self.framer.take(&record, now, out);
        self.turn == Some(record.turn) && record.is_last()
    }

    async fn send(&self, out: Vec<u8>) -> bool {
        out.is_empty() || self.feed.send(Bytes::from(out)).await.is_ok()
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
