//! A stand-in for MCP servers, for what real ones do not do on demand: an old revision of the
//! protocol, silence, a line without an end, a redirect, a list in a circle.
//!
//! It speaks over its standard streams, or over HTTP with `--http`, in the revision it is told.
//! It shares no code with the client that it is there to test, and does nothing useful.

mod answer;
mod http;
mod stdio;

use clap::{Parser, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// The command line. `--help` prints these sentences.
#[derive(Debug, Clone, Parser)]
#[command(name = "scripted-mcp", about = "A stand-in for MCP servers, good and bad.")]
pub struct Options {
    /// Serve over HTTP; the URL is the first line on stdout.
    #[arg(long)]
    pub http: bool,
    /// The revision of the protocol that it speaks; from 2026-07-28 on without a handshake.
    #[arg(long, default_value = "2025-11-25")]
    pub revision: String,
    /// How many tools it has; without a word of tools where it is 0.
    #[arg(long, default_value_t = 2)]
    pub tools: usize,
    /// How many of them are on a page; 0 is all.
    #[arg(long, default_value_t = 0)]
    pub page: usize,
    /// What is wrong with it.
    #[arg(long)]
    pub fault: Option<Fault>,
    /// With which status it exits, or answers over HTTP, where that is its fault.
    #[arg(long, default_value_t = 3)]
    pub status: u16,
    /// What it writes to stderr as it starts.
    #[arg(long)]
    pub says: Option<String>,
    /// Where it writes down, a JSON object a line, its process (pid, environment, directory,
    /// arguments), and over HTTP each request.
    #[arg(long)]
    pub notes: Option<PathBuf>,
    /// Over HTTP: answers are streams of events.
    #[arg(long)]
    pub events: bool,
    /// Over HTTP: keeps sessions, and answers nothing without one.
    #[arg(long)]
    pub sessions: bool,
    /// Over HTTP: answers 401 where this bearer token is not shown.
    #[arg(long)]
    pub token: Option<String>,
    /// Over HTTP: in the way of 2024-11-05.
    #[arg(long)]
    pub older: bool,
    /// Over HTTP: redirects to this place; with `--older`, wants messages there.
    #[arg(long)]
    pub elsewhere: Option<String>,
}

/// What can be wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// It never answers.
    Silent,
    /// It never answers what its tools are.
    SilentList,
    /// It writes what is no protocol, and nothing else.
    Garbage,
    /// It writes what is no protocol before each answer.
    Chatter,
    /// It writes without end, and no line feed.
    Flood,
    /// It writes a great deal to stderr.
    Loud,
    /// It ends at once, or answers only with a status over HTTP.
    Exit,
    /// It ends when it is asked for its tools.
    ExitList,
    /// It refuses to begin.
    Refuse,
    /// It refuses to say what its tools are.
    RefuseList,
    /// Its list of tools is none.
    NoList,
    /// Its list of tools has no end.
    Circle,
    /// Over HTTP: an answer's stream breaks off before the answer, which is had by asking again.
    Break,
}

/// The program.
pub fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(said) = &options.says {
        eprintln!("{said}");
    }
    answer::note(&options, answer::process());
    let served = if options.http { http::serve(&options) } else { stdio::serve(&options) };
    match served {
        Ok(code) => code,
        // Whoever it spoke to has left.
        Err(_) => ExitCode::SUCCESS,
    }
}
