//! `parachute logs`: what the programs logged, as the supervisor reads it from the journal or the
//! log files. It filters and hides secrets; here lines are only shown, each once and in order,
//! over as many connections as it takes.

use crate::args::LogsArgs;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::feed::{Feed, News};
use crate::sse::Event;
use crate::term::{Ink, line, plain, print, reader_left};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::{Write, stderr};
use tokio::signal::unix::{SignalKind, signal};

/// So much is written at once, in bytes, where entries come faster than one by one.
const PIECE_BYTES: usize = 64 << 10;

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &LogsArgs, verbose: bool) -> Result<u8, Fail> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shown = async {
        tokio::select! {
            shown = show(&client, args, verbose) => shown,
            // Also while nothing is logged, so that nothing is left to wait for nobody.
            () = reader_left() => Ok(exit::DONE),
        }
    };
    tokio::select! {
        shown = shown => shown,
        _ = interrupt.recv() => Ok(exit::ABORTED),
    }
}

async fn show(client: &Client, args: &LogsArgs, verbose: bool) -> Result<u8, Fail> {
    let ask = Ask::get(path(args));
    let body = client.stream(ask.clone()).await?;
    let mut feed = Feed::new(client.clone(), body, Fail::Unfollowed);
    feed.goes_on_by(ask);
    let ink = Ink::out();
    let mut piece = String::new();
    loop {
        let broken = match feed.next().await? {
            News::Event(event) => {
                let shown = entry(client, event, args.json, ink);
                piece += shown.as_deref().unwrap_or_default();
                if shown.is_err() || !feed.has_more() || piece.len() >= PIECE_BYTES {
                    print(&piece)?;
                    piece.clear();
                }
                shown?;
                continue;
            }
            News::Ended if !args.follow => return Ok(exit::DONE),
            News::Ended => "the supervisor ended the stream".to_owned(),
            News::Broken(cause) => cause,
        };
        if verbose {
            writeln!(stderr(), "{}; connecting again", line(&broken))?;
        }
    }
}

fn path(args: &LogsArgs) -> String {
    let mut path = format!("/supervisor/logs?follow={}", args.follow);
    let lines = args.lines.map(|lines| lines.to_string());
    let session = args.session.as_ref().map(|session| session.as_str());
    let priority = args.priority.map(|priority| priority.to_string());
    for (name, value) in [
        ("lines", lines.as_deref()),
        ("unit", args.unit.as_deref()),
        ("session", session),
        ("turn", args.turn.as_deref()),
        ("priority", priority.as_deref()),
        ("since", args.since.as_deref()),
        ("until", args.until.as_deref()),
        ("grep", args.grep.as_deref()),
        ("boot", args.boot.as_deref()),
    ] {
        if let Some(value) = value {
            path += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
    }
    path
}

/// An event as it is printed.
fn entry(client: &Client, event: Event, json: bool, ink: Ink) -> Result<String, Fail> {
    let Ok(Value::Object(mut entry)) = serde_json::from_str(&event.data) else {
        return Err(client.foreign("a line of the log was expected, and something else came"));
    };
    if let Some(error) = entry.get("error").and_then(Value::as_str) {
        return Err(Fail::Local { what: error.to_owned(), hint: None });
    }
    if json {
        entry.insert("cursor".into(), event.id.into());
        return Ok(format!("{}\n", Value::Object(entry)));
    }
    let text = entry.get("line").and_then(Value::as_str).unwrap_or_default();
    let priority = entry.get("priority").and_then(Value::as_u64);
    Ok(painted(text, priority, ink))
}

/// A line of the log. What follows its first line feed is set off, so that nothing that was
/// logged looks like another entry.
fn painted(text: &str, priority: Option<u64>, ink: Ink) -> String {
    let text = plain(text.trim_end()).replace('\n', "\n    ");
    let text = match priority {
        Some(0..=3) => ink.red(&text),
        Some(4) => ink.yellow(&text),
        Some(5) => ink.bold(&text),
        Some(7..) => ink.dim(&text),
        Some(6) | None => text,
    };
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_logged_moves_the_cursor_or_looks_like_another_entry() {
        let text = "12:00 server: a\u{1b}[2Jb\r\n12:01 server: not so\n\n";
        let shown = painted(text, Some(3), Ink::NONE);
        assert_eq!(shown, "12:00 server: a[2Jb\n    12:01 server: not so\n");
        assert_eq!(painted("", None, Ink::NONE), "\n");
    }

    #[test]
    fn grave_lines_stand_out() {
        assert_eq!(painted("a\n", Some(0), Ink::ALL), "\u{1b}[31ma\u{1b}[0m\n");
        assert_eq!(painted("a\n", Some(4), Ink::ALL), "\u{1b}[33ma\u{1b}[0m\n");
        assert_eq!(painted("a\n", Some(6), Ink::ALL), "a\n");
        assert_eq!(painted("a\n", Some(7), Ink::ALL), "\u{1b}[2ma\u{1b}[0m\n");
    }
}
