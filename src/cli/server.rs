//! `parachute server`: in the foreground by becoming `parachute-server`, else through the service
//! manager, which owns the server's life. Starts no daemon of its own and writes no pid file.

use crate::args::{Json, ServerAct};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::manager::{self, NOT_INSTALLED, SERVICE, UNITS, View};
use crate::reach;
use crate::term::{Ink, print, print_json, width};
use host::units::Units;
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program of the server.
const PROGRAM: &str = "parachute-server";
/// What to do where there is no manager.
const FOREGROUND: &str = "`parachute server -f` runs the server here, in the foreground";
/// What to do about a server that the manager did not start.
const ELSEWHERE: &str = "stop it where it runs, with Ctrl-C";

/// Becomes the server, so that signals and the exit status are its own. Returns only if it
/// cannot be had.
pub(crate) fn become_server(vault: Option<&Path>) -> Fail {
    let program = beside_us().unwrap_or_else(|| PROGRAM.into());
    #[allow(clippy::disallowed_methods, reason = "no child: this very process becomes the server")]
    let mut command = Command::new(&program);
    match vault.map(reach::absolute) {
        None => {}
        Some(Ok(vault)) => _ = command.env(reach::VAULT, vault),
        Some(Err(fail)) => return fail,
    }
    let error = command.exec();
    let hint = format!("{PROGRAM} belongs beside this program, or into a folder of PATH");
    Fail::local(format!("cannot run {}: {error}", program.display()), hint)
}

fn beside_us() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.parent()?.join(PROGRAM);
    beside.is_file().then_some(beside)
}

/// Has the manager do it; answers with the exit status.
pub(crate) async fn run(client: Client, act: ServerAct) -> Result<u8, Fail> {
    let Some(manager) = host::units::connect().await else {
        return no_manager(&client, act).await;
    };
    let view = View::of(&manager).await.map_err(|e| manager::fail(&e))?;
    if let ServerAct::Status(args) = act {
        return status(&view, args);
    }
    if !view.installed() {
        let said = format!("{} has no units of Parachute", manager::NAME);
        let foreground = act != ServerAct::Start && answers(&client).await;
        return Err(match foreground {
            true => foreground_fail(&client),
            false => Fail::local(said, NOT_INSTALLED),
        });
    }
    let done = match act {
        ServerAct::Start => manager.start(UNITS[0]).await,
        // One job, so that the sockets stay open and nobody is refused.
        ServerAct::Restart => manager.restart(SERVICE).await,
        ServerAct::Stop => stop(&manager).await,
        ServerAct::Status(_) => Ok(()),
    };
    done.map_err(|e| manager::fail(&e))?;
    if act == ServerAct::Stop && answers(&client).await {
        return Err(foreground_fail(&client));
    }
    let view = View::of(&manager).await.map_err(|e| manager::fail(&e))?;
    print(&view.table(width(), Ink::out()))?;
    Ok(exit::DONE)
}

async fn stop(manager: &impl Units) -> Result<(), host::units::UnitError> {
    for unit in UNITS {
        manager.stop(unit).await?;
    }
    Ok(())
}

fn status(view: &View, args: Json) -> Result<u8, Fail> {
    match args.json {
        true => print_json(&json!({ "manager": manager::NAME, "units": view.json() }))?,
        false if view.installed() => print(&view.table(width(), Ink::out()))?,
        false => print(&format!("{} has no units of Parachute\n", manager::NAME))?,
    }
    Ok(if view.serves() { exit::DONE } else { exit::NOT_RUNNING })
}

async fn no_manager(client: &Client, act: ServerAct) -> Result<u8, Fail> {
    let foreground = answers(client).await;
    match act {
        ServerAct::Status(args) => {
            match (args.json, foreground) {
                (true, _) => print_json(&json!({ "manager": null, "units": [] }))?,
                (false, true) => print("a server runs in the foreground; no service manager\n")?,
                (false, false) => print("no server runs; no service manager answers here\n")?,
            }
            Ok(if foreground { exit::DONE } else { exit::NOT_RUNNING })
        }
        ServerAct::Stop | ServerAct::Restart if foreground => Err(foreground_fail(client)),
        ServerAct::Start if foreground => {
            let said = format!("a server runs already, in the foreground, at {}", client.place());
            Err(Fail::local(said, ELSEWHERE))
        }
        _ => Err(Fail::local("no service manager answers here", FOREGROUND)),
    }
}

fn foreground_fail(client: &Client) -> Fail {
    let place = client.place();
    let said = format!("the server at {place} was not started by the service manager");
    Fail::local(said, ELSEWHERE)
}

/// Whether a server answers; any answer is one.
async fn answers(client: &Client) -> bool {
    let asked = client.ask::<Value>(Ask::get("/api/health")).await;
    !matches!(asked, Err(Fail::NoServer { .. } | Fail::Lost { .. }))
}
