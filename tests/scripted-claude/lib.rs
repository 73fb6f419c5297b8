//! A stand-in for the `claude` binary, for what the real one does not do on demand: a hundred
//! thousand deltas a second, a crash in the middle of a word, a line longer than any limit.
//!
//! It speaks the stream-json protocol on stdin and stdout with the line shapes of the recorded
//! conversations in `tests/golden/claude`, keeps a transcript where the real one does, and does
//! in a turn what `@@{…}@@` in the prompt says ([`Plan`]). It calls no model and runs no tool.

mod fail;
mod flags;
mod inbox;
mod line;
mod out;
mod plan;
mod result;
mod shape;
mod talk;
mod tool;
mod transcript;
mod turn;

use std::process::ExitCode;

use serde_json::json;

pub use plan::{Fail, Plan, Use, When};

use flags::Flags;
use talk::Talk;
use transcript::Transcript;

const VERSION: &str = "2.1.328";
/// What a CLI that is too old says it is.
const OLD_VERSION: &str = "1.0.24";

/// The program: `--version`, or a conversation on stdin and stdout.
pub fn main() -> ExitCode {
    let flags = Flags::parse(std::env::args().skip(1));
    let plan = match Plan::of_config(&flags.config) {
        Ok(plan) => plan.unwrap_or_default(),
        Err(error) => return refuse(&error),
    };
    let at_start = plan.fail.filter(|_| plan.when == When::Start);
    if flags.version {
        let old = at_start == Some(Fail::OldVersion);
        println(&format!("{} (Claude Code)", if old { OLD_VERSION } else { VERSION }));
        return ExitCode::SUCCESS;
    }
    let lost = at_start == Some(Fail::Lost);
    if let Some(fail) = at_start.filter(|_| !lost) {
        return fail::at_start(fail);
    }
    let transcript = match session(&flags, lost) {
        Ok(transcript) => transcript,
        Err(exit) => return exit,
    };
    Talk::new(flags, plan, transcript).run()
}

/// Resolves the session as the real CLI does before it reads anything.
fn session(flags: &Flags, lost: bool) -> Result<Transcript, ExitCode> {
    if flags.resume.is_some() && flags.session_id.is_some() && !flags.fork {
        let text = "Error: --session-id with --continue or --resume also needs --fork-session.";
        return Err(refuse(text));
    }
    if let Some(id) = &flags.session_id {
        if uuid::Uuid::parse_str(id).is_err() {
            return Err(refuse("Error: Invalid session ID. Must be a valid UUID."));
        }
        if Transcript::find(&flags.config, id).is_some() {
            return Err(refuse(&format!("Error: Session ID {id} is already in use.")));
        }
    }
    match &flags.resume {
        Some(id) => resume(flags, id, lost),
        None => {
            let id = flags.session_id.clone().unwrap_or_else(out::uuid);
            Ok(Transcript::new(&flags.config, &flags.cwd, &id))
        }
    }
}

fn resume(flags: &Flags, id: &str, lost: bool) -> Result<Transcript, ExitCode> {
    let known = uuid::Uuid::parse_str(id).is_ok();
    if let Some(path) = Transcript::find(&flags.config, id).filter(|_| known && !lost) {
        return Transcript::open(path, id)
            .map_err(|error| refuse(&format!("cannot read the transcript: {error}")));
    }
    let (session, error) = if known {
        (id.to_owned(), format!("No conversation found with session ID: {id}"))
    } else {
        let text = format!(
            "Error: --resume requires a valid session ID or session title when used with --print. \
             Usage: claude -p --resume <session-id|title>. Provided value \"{id}\" is not a UUID \
             and does not match any session title."
        );
        (out::uuid(), text)
    };
    let mut line = shape::resume_missing();
    line["session_id"] = json!(session);
    line["uuid"] = json!(out::uuid());
    line["errors"] = json!([error]);
    let exit = refuse(&error);
    println(&line.to_string());
    Err(exit)
}

fn refuse(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

#[allow(clippy::print_stdout)] // stdout is what this program is for
fn println(line: &str) {
    println!("{line}");
}
