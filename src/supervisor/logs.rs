//! The log, told to whoever asks: the last lines and then what comes, or a whole stretch of it.
//! One reader of `host::logs` for each who asks, at that client's own pace: what is read at once
//! goes out as one piece, and while the client takes none nothing is read.
//!
//! No line leaves but through the [`Redactor`].

mod query;
mod redact;
mod say;

pub(crate) use query::{ExportQuery, LogsQuery};
pub(crate) use redact::Redactor;

use bytes::Bytes;
use host::logs::{Entry, LogError, Source, Wanted};
use query::Asked;
use say::{Form, Teller};
use serve::{Fault, Feed, Limits, Live};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Entries looked at, from the end, for the last lines that fit.
const LOOKED_AT_MAX: usize = 200_000;
/// Last lines kept until they are told in their order, in bytes.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Told at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// An export, in bytes.
const EXPORT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// For the last lines of a unit to be found.
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// Events with the lines that `query` asks for, after the one with the cursor `after` if that is
/// given. `knows` says whether a unit is one of the suite.
pub(crate) fn follow(
    source: &Source,
    redactor: Arc<Redactor>,
    query: LogsQuery,
    after: Option<&str>,
    limits: &Limits,
    stop: &CancellationToken,
    knows: impl Fn(&str) -> bool,
) -> Result<Live, Fault> {
    let asked = query.resolve(source, after, knows)?;
    let (feed, live) = serve::live::open(limits, stop);
    let telling = Telling::new(source, redactor, asked, Form::Events, feed);
    tokio::spawn(telling.run());
    Ok(live)
}

/// The same as a file, without what is yet to come.
pub(crate) fn export(
    source: &Source,
    redactor: Arc<Redactor>,
    query: ExportQuery,
    limits: &Limits,
    stop: &CancellationToken,
    knows: impl Fn(&str) -> bool,
) -> Result<Live, Fault> {
    let (asked, format) = query.resolve(source, knows)?;
    let kind = match format {
        query::Format::Text => "text/plain; charset=utf-8",
        query::Format::Json => "application/x-ndjson",
    };
    let (feed, live) = serve::live::plain(limits, stop, kind);
    let telling = Telling::new(source, redactor, asked, Form::Export(format), feed);
    tokio::spawn(telling.run());
    Ok(live)
}

/// The last lines that a unit said, or that were said about it; those that can be had within
/// two seconds.
pub(crate) async fn last(
    source: &Source,
    redactor: &Redactor,
    unit: &str,
    lines: u32,
) -> Vec<String> {
    let units = vec![unit.to_owned()];
    let wanted = Wanted { units, backwards: true, ..Wanted::default() };
    let mut said = Vec::new();
    let reading = async {
        let mut reader = source.open(&wanted)?;
        while said.len() < lines as usize {
            let Some(entries) = reader.next().await? else { break };
            let left = lines as usize - said.len();
            let shown = entries.iter().take(left).map(|entry| say::said(redactor, entry).line);
            said.extend(shown.map(|line| line.trim_end().to_owned()));
        }
        Ok::<(), LogError>(())
    };
    match tokio::time::timeout(LAST_LIMIT, reading).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::info!(unit, %error, "no lines of a unit to show"),
        Err(_) => tracing::info!(unit, "lines of a unit took too long to find"),
    }
    said.reverse();
    said
}

/// Everything the suite says.
fn of_all(source: &Source) -> Wanted {
    let units = match source {
        Source::Journal(_) => crate::suite::names().map(str::to_owned).collect(),
        Source::Files(files) => files.iter().map(|file| file.unit.clone()).collect(),
    };
    Wanted { units, agents: true, ..Wanted::default() }
}

/// One client and what it asked for.
struct Telling {
    source: Source,
    wanted: Wanted,
    last: Option<usize>,
    teller: Teller,
    feed: Feed,
    /// Bytes that may yet be told.
    left: usize,
    /// When it was asked for, in microseconds since 1970: what is said from then on is told,
    /// also if it is in the log before that is opened.
    asked_us: u64,
}

/// Why telling ended before the lines did.
enum End {
    /// Nobody listens any more.
    Gone,
    Trouble(LogError),
    TooMuch,
}

impl From<LogError> for End {
    fn from(error: LogError) -> End {
        End::Trouble(error)
    }
}

impl Telling {
    fn new(
        source: &Source,
        redactor: Arc<Redactor>,
        asked: Asked,
        form: Form,
        feed: Feed,
    ) -> Telling {
        let Asked { wanted, last, grep } = asked;
        let left = if form == Form::Events { usize::MAX } else { EXPORT_BYTES_MAX };
        let teller = Teller::new(redactor, grep, form);
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let asked_us = u64::try_from(asked.as_micros()).unwrap_or(u64::MAX);
        Telling { source: source.clone(), wanted, last, teller, feed, left, asked_us }
    }

    async fn run(mut self) {
        let feed = self.feed.clone();
        let ended = tokio::select! {
            () = feed.gone() => return,
            ended = self.tell() => ended,
        };
        let said = match ended {
            Ok(()) | Err(End::Gone) => return,
            Err(End::Trouble(error)) => {
                tracing::info!(%error, "a log could not be told to its end");
                error.to_string()
            }
            Err(End::TooMuch) => format!(
                "more than {} MiB: the rest is left out; ask for a shorter time, or for one unit",
                EXPORT_BYTES_MAX >> 20
            ),
        };
        // Whoever left meanwhile hears of it by leaving.
        let _ = feed.send(self.teller.trouble(&said).into()).await;
    }

    async fn tell(&mut self) -> Result<(), End> {
        if let Some(last) = self.last {
            self.tell_last(last).await?;
            if !self.wanted.follow {
                return Ok(());
            }
        }
        let mut reader = self.source.open(&self.wanted)?;
        while let Some(entries) = reader.next().await? {
            let mut out = Vec::with_capacity(PIECE_BYTES);
            for entry in entries {
                self.teller.tell(entry, &mut out);
            }
            self.send(out).await?;
        }
        Ok(())
    }

    /// The last lines in their order; after them `wanted` goes on where they end.
    async fn tell_last(&mut self, count: usize) -> Result<(), End> {
        let mut reader = self.source.open(&Wanted { backwards: true, ..self.wanted.clone() })?;
        let (mut looked_at, mut bytes, mut old) = (0, 0, 0);
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let mut keep = |entry: &Entry| {
            looked_at += 1;
            let new = self.wanted.follow && entry.time_us.is_some_and(|at| at >= self.asked_us);
            let mut out = Vec::new();
            if (new || old < count) && self.teller.tell(entry, &mut out) {
                bytes += out.len();
                kept.push(out);
                old += usize::from(!new);
            }
            (new || old < count) && looked_at < LOOKED_AT_MAX && bytes < KEPT_BYTES_MAX
        };
        // Asked once at least, so that there is an anchor.
        while let Some(entries) = reader.next().await? {
            if !entries.iter().all(&mut keep) {
                break;
            }
        }
        self.wanted.after = reader.anchor().map(str::to_owned);
        if self.wanted.after.is_none() {
            // There was nothing at all: everything from now on is new.
            self.wanted.since_us = Some(self.asked_us);
        }
        drop(reader);
        let mut out = Vec::new();
        for line in kept.into_iter().rev() {
            out.extend_from_slice(&line);
            if out.len() >= PIECE_BYTES {
                self.send(std::mem::take(&mut out)).await?;
            }
        }
        if let Some(anchor) = self.wanted.after.as_deref().filter(|_| self.wanted.follow) {
            // An id without an event: where one goes on who has had no line yet.
            out.extend_from_slice(format!("id: {anchor}\n\n").as_bytes());
        }
        self.send(out).await
    }

    async fn send(&mut self, piece: Vec<u8>) -> Result<(), End> {
        if piece.is_empty() {
            return Ok(());
        }
        self.left = self.left.checked_sub(piece.len()).ok_or(End::TooMuch)?;
        self.feed.send(Bytes::from(piece)).await.map_err(|_| End::Gone)
    }
}

#[cfg(test)]
mod tests;
