//! `parachute status`: how everything is, as the supervisor says. It is asked first because it
//! knows more and wakes nobody; where none answers, the server and the service manager are asked
//! instead.

mod alone;
mod suite;

use crate::args::Json;
use crate::client::{Ask, Client};
use crate::fail::Fail;
use crate::term::line;
use serde_json::Value;
use std::io::{Write, stderr};
use std::time::Duration;
use wire::supervisor::SupervisorStatus;

/// Until the supervisor answers; it gives the server two seconds, and may have to be started.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// Whom to ask.
pub(crate) struct Asked {
    /// The server, and whether a person named it.
    pub(crate) server: (Client, bool),
    /// The supervisor, and whether a person named it.
    pub(crate) supervisor: (Client, bool),
}

/// Runs the command; answers with the exit status.
pub(crate) async fn run(asked: Asked, args: Json, verbose: bool) -> Result<u8, Fail> {
    let (supervisor, named) = &asked.supervisor;
    match ask(supervisor).await {
        Ok((status, answer)) => suite::show(&asked, &status, answer, args),
        Err(fail) => {
            if verbose || !(is_absence(&fail) || *named && is_no_door(&fail)) {
                writeln!(stderr(), "  ! {}", line(&fail.to_string()))?;
            }
            let (server, named) = &asked.server;
            alone::run(server, args, *named).await
        }
    }
}

async fn ask(supervisor: &Client) -> Result<(SupervisorStatus, Value), Fail> {
    let answer: Value = supervisor.ask(Ask::get("/supervisor/status").within(ANSWER_MAX)).await?;
    Ok((supervisor.shape(answer.clone())?, answer))
}

/// There need not be a supervisor.
fn is_absence(fail: &Fail) -> bool {
    matches!(fail, Fail::NoServer { .. })
}

/// A server that was named lets nobody through to one, or not us.
fn is_no_door(fail: &Fail) -> bool {
    let refused = matches!(fail, Fail::Refused { status: 404 | 503, .. });
    refused || matches!(fail, Fail::NotAllowed(_) | Fail::Forbidden(_))
}
