//! `parachute`, the command line: a person's way to talk to the server and to look after it.
//!
//! A client like any other: what it knows of sessions and turns it asks over the server's
//! socket, what runs it asks the supervisor or the service manager. Only `config`, `keys` and
//! `supervisor install` touch files, so that they work while nothing runs.

mod args;
mod chat;
mod client;
mod config;
mod fail;
mod feed;
mod given;
mod import;
mod install;
mod kept;
mod keys;
mod logs;
mod manager;
mod migrate;
mod models;
mod module;
mod place;
mod reach;
mod sandbox;
mod search;
mod sent;
mod service;
mod sessions;
mod sse;
mod status;
mod suite;
mod sync;
mod table;
mod term;
mod trust;

use args::{Command, Common, Line, ServerArgs, SupervisorAct, SupervisorArgs};
use clap::Parser;
use fail::{Fail, exit};
use std::io::{Write, stderr};
use std::process::ExitCode;
use suite::{SERVER, SUPERVISOR};

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
    let verbose = common.verbose;
    match &line.command {
        Command::Chat(args) => drive(chat::run(reach::server(common)?.0, args, verbose)),
        Command::Sessions(args) => drive(sessions::run(reach::server(common)?.0, args)),
        Command::Search(args) => drive(search::run(reach::server(common)?.0, args)),
        Command::Status(args) => {
            let (server, supervisor) = (reach::server(common)?, reach::supervisor(common)?);
            drive(status::run(status::Asked { server, supervisor }, *args, verbose))
        }
        Command::Logs(args) => drive(logs::run(reach::supervisor(common)?.0, args, verbose)),
        Command::Models(args) => drive(models::run(reach::supervisor(common)?.0, args)),
        Command::Workspace(args) => drive(kept::workspaces::run(reach::server(common)?.0, args)),
        Command::Agent(args) => drive(kept::agents::run(reach::server(common)?.0, args)),
        Command::Skill(args) => drive(kept::skills::run(reach::server(common)?.0, args)),
        Command::Plugin(args) => drive(kept::plugins::run(reach::server(common)?.0, args)),
        Command::Mcp(args) => drive(kept::mcps::run(reach::server(common)?.0, args)),
        Command::Module(args) => drive(module::run(reach::server(common)?.0, args)),
        Command::Import(args) => drive(import::run(reach::server(common)?.0, args)),
        Command::Sandbox(act) => drive(sandbox::run(reach::server(common)?.0, *act)),
        Command::Sync(act) => drive(sync::run(reach::server(common)?.0, *act)),
        Command::Trust(args) => drive(trust::run(reach::server(common)?.0, args)),
        Command::Migrate(args) => drive(migrate::run(common, args)),
        Command::Config(command) => config::run(common, command),
        Command::Keys(command) => keys::run(common, command),
        Command::Server(ServerArgs { foreground: true, act: None }) => {
            Err(service::become_it(&SERVER, common.vault.as_deref()))
        }
        Command::Server(ServerArgs { foreground: false, act: Some(act) }) => {
            drive(service::run(&SERVER, reach::server(common)?.0, *act))
        }
        Command::Supervisor(SupervisorArgs { foreground: true, act: None }) => {
            Err(service::become_it(&SUPERVISOR, common.vault.as_deref()))
        }
        Command::Supervisor(SupervisorArgs { foreground: false, act: Some(act) }) => {
            supervisor(common, *act)
        }
        Command::Server(_) | Command::Supervisor(_) => Err(Fail::usage(
            "exactly one thing can be done with a program",
            "-f, start, stop, restart or status, as in `parachute server restart`",
        )),
    }
}

fn supervisor(common: &Common, act: SupervisorAct) -> Result<u8, Fail> {
    match act {
        // The manager has that of this machine, and no other is asked whether it still answers.
        SupervisorAct::Service(act) => {
            drive(service::run(&SUPERVISOR, reach::own_supervisor()?, act))
        }
        SupervisorAct::Install(json) => drive(install::install(common, json)),
        SupervisorAct::Uninstall(json) => drive(install::uninstall(json)),
    }
}

/// Does the work on one thread: there is one connection, and a person.
fn drive(work: impl Future<Output = Result<u8, Fail>>) -> Result<u8, Fail> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fail::local(e.to_string(), "see `ulimit -a`"))?;
    let done = runtime.block_on(work);
    // A name that is still being resolved would hold up the end.
    runtime.shutdown_background();
    done
}
