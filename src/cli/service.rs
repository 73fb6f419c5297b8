//! `parachute server` and `parachute supervisor`: in the foreground by becoming the program, else
//! through the service manager, which owns the program's life. Starts no daemon of its own and
//! writes no pid file.

use crate::args::{Json, ServiceAct};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::manager::{self, View};
use crate::reach;
use crate::suite::Program;
use crate::term::{Ink, print, print_json, width};
use host::units::{UnitError, Units};
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to do about a program that the manager did not start.
const ELSEWHERE: &str = "stop it where it runs, with Ctrl-C";

/// Becomes the program, so that signals and the exit status are its own. Returns only if it
/// cannot be had.
pub(crate) fn become_it(program: &Program, vault: Option<&Path>) -> Fail {
    let file = beside_us(program).unwrap_or_else(|| program.file.into());
    #[allow(clippy::disallowed_methods, reason = "no child: this very process becomes the other")]
    let mut command = Command::new(&file);
    match vault.map(|vault| reach::absolute("--vault", vault)) {
        None => {}
        Some(Ok(vault)) => _ = command.env(reach::VAULT, vault),
        Some(Err(fail)) => return fail,
    }
    let error = command.exec();
    let hint = format!("{} belongs beside this program, or into a folder of PATH", program.file);
    Fail::local(format!("cannot run {}: {error}", file.display()), hint)
}

/// The program's file in the folder of our own, if it is there.
pub(crate) fn beside_us(program: &Program) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.parent()?.join(program.file);
    beside.is_file().then_some(beside)
}

/// Has the manager do it; answers with the exit status. `client` asks the program itself.
pub(crate) async fn run(
    program: &'static Program,
    client: Client,
    act: ServiceAct,
) -> Result<u8, Fail> {
    let Some(manager) = host::units::connect().await else {
        return no_manager(program, &client, act).await;
    };
    let view = View::of(&manager, program).await?;
    if let ServiceAct::Status(args) = act {
        return status(&view, args);
    }
    if !view.installed() {
        let foreground = act != ServiceAct::Start && answers(program, &client).await;
        return Err(match foreground {
            true => foreground_fail(program, &client),
            false => Fail::local(none_installed(program), program.missing),
        });
    }
    let done = match act {
        ServiceAct::Start => manager.start(program.units[0]).await,
        // One job, so that the sockets stay open and nobody is refused.
        ServiceAct::Restart => manager.restart(program.service).await,
        ServiceAct::Stop => stop(&manager, program).await,
        ServiceAct::Status(_) => Ok(()),
    };
    done.map_err(|e| manager::fail(program, &e))?;
    if act == ServiceAct::Stop && answers(program, &client).await {
        return Err(foreground_fail(program, &client));
    }
    let view = View::of(&manager, program).await?;
    print(&view.table(width(), Ink::out()))?;
    Ok(exit::DONE)
}

/// Stops all its units.
pub(crate) async fn stop(manager: &impl Units, program: &Program) -> Result<(), UnitError> {
    for unit in program.units {
        manager.stop(unit).await?;
    }
    Ok(())
}

fn none_installed(program: &Program) -> String {
    format!("{} has no units of the {program}", manager::NAME)
}

fn status(view: &View, args: Json) -> Result<u8, Fail> {
    match args.json {
        true => print_json(&json!({ "manager": manager::NAME, "units": view.json() }))?,
        false if view.installed() => print(&view.table(width(), Ink::out()))?,
        false => print(&format!("{}\n", none_installed(view.program)))?,
    }
    Ok(if view.serves() { exit::DONE } else { exit::NOT_RUNNING })
}

async fn no_manager(program: &Program, client: &Client, act: ServiceAct) -> Result<u8, Fail> {
    let foreground = answers(program, client).await;
    match act {
        ServiceAct::Status(args) => {
            match (args.json, foreground) {
                (true, _) => print_json(&json!({ "manager": null, "units": [] }))?,
                (false, true) => {
                    print(&format!("a {program} runs in the foreground; no service manager\n"))?
                }
                (false, false) => {
                    print(&format!("no {program} runs; no service manager answers here\n"))?
                }
            }
            Ok(if foreground { exit::DONE } else { exit::NOT_RUNNING })
        }
        ServiceAct::Stop | ServiceAct::Restart if foreground => {
            Err(foreground_fail(program, client))
        }
        ServiceAct::Start if foreground => {
            let place = client.place();
            let said = format!("a {program} runs already, in the foreground, at {place}");
            Err(Fail::local(said, ELSEWHERE))
        }
        _ => Err(Fail::local("no service manager answers here", program.by_hand)),
    }
}

fn foreground_fail(program: &Program, client: &Client) -> Fail {
    let place = client.place();
    let said = format!("the {program} at {place} was not started by the service manager");
    Fail::local(said, ELSEWHERE)
}

/// Whether it answers; any answer is one.
async fn answers(program: &Program, client: &Client) -> bool {
    let asked = client.ask::<Value>(Ask::get(program.door)).await;
    !matches!(asked, Err(Fail::NoServer { .. } | Fail::Lost { .. }))
}
