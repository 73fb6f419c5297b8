//! Speaking with an MCP server (Model Context Protocol) as a client: begins, asks for its tools,
//! takes leave. The protocol is the official SDK's; starting a program, HTTP with bounds, and
//! what a failure means to a person are ours.
//!
//! Revisions: up to 2025-11-25 by the handshake that each server of them has; 2026-07-28, which
//! has none, where a server refuses the handshake. That order and not the other: a server that
//! knows both answers the handshake, and an old one may be slow to start or may fall silent at
//! a question that it does not know. HTTP is the streamable one, or for `older` servers that of
//! 2024-11-05 with its separate stream. Calls no tool, and knows no files and no settings.

mod error;
mod http;
mod limits;
mod notes;
mod older;
mod stdio;
mod talk;
mod words;

pub use limits::Limits;

use error::AskError;
use limits::HINT_CHARS_MAX;
use notes::Notes;
use std::path::PathBuf;
use talk::{Clock, Era, Stopped};
use wire::Secret;

/// A server that is a program.
pub struct Program {
    /// Its name, looked for in `PATH`, or its path.
    pub command: String,
    /// What it is told.
    pub args: Vec<String>,
    /// Variables beside those that every program of a person has.
    pub env: Vec<(String, Secret)>,
    /// Where it works.
    pub dir: PathBuf,
}

/// A server that is somewhere else.
pub struct Place {
    /// Where.
    pub url: String,
    /// What it is shown with every request.
    pub headers: Vec<(String, Secret)>,
    /// It speaks HTTP in the way of 2024-11-05.
    pub older: bool,
}

/// How a server is reached.
pub enum Way {
    /// It is started.
    Program(Program),
    /// It is called.
    Place(Place),
}

/// What a server told of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name and version, in its words.
    pub server: Option<String>,
    /// The revision of the protocol that was agreed on.
    pub revision: String,
    /// Its tools.
    pub tools: Vec<Tool>,
}

/// A tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does, in the server's words.
    pub description: Option<String>,
}

/// Why a server told nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// A sentence.
    pub said: String,
    /// What the program itself wrote last, else what to do.
    pub hint: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was told, or why nothing was.
    pub outcome: Result<Told, Failed>,
    /// The last status over HTTP.
    pub http_status: Option<u16>,
}

/// One try.
struct Attempt {
    outcome: Result<Told, Stopped>,
    http_status: Option<u16>,
    /// What a program wrote to its error output.
    stderr: String,
}

impl Attempt {
    fn failed(error: AskError) -> Attempt {
        let outcome = Err(Stopped { error, had_begun: false });
        Attempt { outcome, http_status: None, stderr: String::new() }
    }
}

/// Speaks with a server. Whatever was started has ended when this returns, and is killed where
/// the future is dropped. `secrets` are taken out of what is told of a failure.
pub async fn ask(way: &Way, secrets: &[Secret], limits: &Limits) -> Report {
    let clock = Clock::new(limits);
    let mut attempt = once(way, Era::Handshake, &clock).await;
    if attempt.outcome.as_ref().is_err_and(Stopped::is_refusal) {
        let second = once(way, Era::Modern, &clock).await;
        if !second.outcome.as_ref().is_err_and(|stopped| !stopped.had_begun) {
            attempt = second;
        }
    }
    let Attempt { outcome, http_status, stderr } = attempt;
    let outcome = outcome.map_err(|stopped| {
        let said = words::without(&stopped.error.to_string(), secrets);
        let wrote = words::tail(&words::without(&stderr, secrets), HINT_CHARS_MAX);
        let hint = Some(wrote).filter(|wrote| !wrote.is_empty());
        Failed { said, hint: hint.or_else(|| stopped.error.hint().map(str::to_owned)) }
    });
    Report { outcome, http_status }
}

async fn once(way: &Way, era: Era, clock: &Clock) -> Attempt {
    let notes = Notes::default();
    match way {
        Way::Program(program) => stdio::once(program, era, clock, &notes).await,
        Way::Place(place) => {
            let outcome = http::once(place, era, clock, &notes).await;
            Attempt { outcome, http_status: notes.status(), stderr: String::new() }
        }
    }
}
