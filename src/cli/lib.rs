//! `parachute`, the command line: a person's way to talk to the server and to look after it.
//!
//! A client like any other: what it knows of sessions and turns it asks over the server's
//! socket, what runs it asks the service manager. Only `config` and `keys` touch files, so that
//! they work while nothing runs.

mod args;
mod chat;
mod client;
mod config;
mod fail;
mod keys;
mod manager;
mod place;
mod reach;
mod server;
mod sessions;
mod sse;
mod status;
mod table;
mod term;

use args::{Command, Common, Line, ServerArgs};
use clap::Parser;
use client::Client;
use fail::{Fail, exit};
use std::io::{Write, stderr};
use std::process::ExitCode;

/// Does what the command line says; what went wrong is on standard error by then.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => return ExitCode::from(explain(&error)),
    };
    let status = obey(&line).unwrap_or_else(|fail| {
        // If this cannot be written, nobody is left to be told.
        let _ = stderr().write_all(fail.shown().as_bytes());
        fail.exit()
    });
    ExitCode::from(status)
}

/// Help and versions go where they were asked for; mistakes look like all our errors.
fn explain(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // A pipe that closed early has had enough help.
        let _ = error.print();
        return exit::DONE;
    }
    let text = error.render().to_string();
    let text =
        text.strip_prefix("error: ").map(|rest| format!("parachute: {rest}")).unwrap_or(text);
    let _ = stderr().write_all(text.as_bytes());
    exit::USAGE
}

fn obey(line: &Line) -> Result<u8, Fail> {
    let common = &line.common;
    match &line.command {
        Command::Chat(args) => ask(common, |client, _| chat::run(client, args, common.verbose)),
        Command::Sessions(args) => ask(common, |client, _| sessions::run(client, args)),
        Command::Status(args) => ask(common, |client, named| status::run(client, *args, named)),
        Command::Config(command) => config::run(common, command),
        Command::Keys(command) => keys::run(common, command),
        Command::Server(ServerArgs { foreground: true, act: None }) => {
            Err(server::become_server(common.vault.as_deref()))
        }
        Command::Server(ServerArgs { foreground: false, act: Some(act) }) => {
            ask(common, |client, _| server::run(client, *act))
        }
        Command::Server(_) => Err(Fail::usage(
            "exactly one thing can be done with the server",
            "parachute server -f, start, stop, restart or status",
        )),
    }
}

/// Work with the server that is meant; `true` where a person named it. On one thread: there is
/// one connection, and a person.
fn ask<W>(common: &Common, work: impl FnOnce(Client, bool) -> W) -> Result<u8, Fail>
where
    W: Future<Output = Result<u8, Fail>>,
{
    let (client, named) = reach::server(common)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fail::local(e.to_string(), "see `ulimit -a`"))?;
    let done = runtime.block_on(work(client, named));
    // A name that is still being resolved would hold up the end.
    runtime.shutdown_background();
    done
}
