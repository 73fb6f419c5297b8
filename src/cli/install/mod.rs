//! `parachute supervisor install` and `uninstall`: its unit files or its plist for this user, and
//! what the service manager has to be told about them. Running either again changes nothing.
//! Vault and state are never taken away.

mod disk;
mod files;
mod here;
mod report;

use crate::args::{Common, Json};
use crate::fail::{Fail, exit};
use crate::manager::{self, View};
use crate::suite::SUPERVISOR;
use here::{Here, Kind};
use host::Native;
use host::child::{PERSONAL, command, passed_on};
use host::units::{UnitError, Units};
use report::Report;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// How long a unit that does nothing may take.
const TRIAL_MAX: Duration = Duration::from_secs(20);

/// Writes the files, and has the manager listen from now on and at every login.
pub(crate) async fn install(common: &Common, args: Json) -> Result<u8, Fail> {
    let here = Here::look(common)?;
    here.make_folders().map_err(|e| unwritable(&e))?;
    let mut report = Report::new(args);
    for file in files::wanted(&here) {
        put(&mut report, &file.path, &file.text)?;
    }
    let Some(manager) = host::units::connect().await else {
        report.end(None)?;
        let said = "no service manager answers here: the files are there, and nothing was started";
        let hint = format!("run this again where one does; {}", SUPERVISOR.by_hand);
        return Err(Fail::local(said, hint));
    };
    if here.kind == Kind::Systemd {
        fit_sandbox(&here.folder, &mut report).await?;
    }
    let begun = begin(&manager, report.changed()).await;
    begun.map_err(|e| manager::fail(&SUPERVISOR, &e))?;
    report.end(Some(&View::of(&manager, &SUPERVISOR).await?))?;
    report.say(&format!("\nits console: http://127.0.0.1:{}/", here.port))?;
    if here.kind == Kind::Systemd {
        report.say("to keep it running when you log out: loginctl enable-linger")?;
    }
    Ok(exit::DONE)
}

/// Stops it and takes the files away.
pub(crate) async fn uninstall(args: Json) -> Result<u8, Fail> {
    let kind = Kind::ours();
    let dirs = host::dirs().map_err(|e| Fail::local(e.to_string(), "set HOME"))?;
    let files = files::removable(kind, &kind.folder(&dirs.home));
    let mut report = Report::new(args);
    let manager = host::units::connect().await;
    let fail = |e| manager::fail(&SUPERVISOR, &e);
    if let Some(manager) = &manager {
        end(manager).await.map_err(fail)?;
    }
    for (path, in_folder) in &files {
        take(&mut report, path, *in_folder)?;
    }
    match &manager {
        Some(manager) => {
            forget(manager).await.map_err(fail)?;
            report.end(Some(&View::of(manager, &SUPERVISOR).await?))?;
        }
        None => {
            report.end(None)?;
            report.say("no service manager answers here: what runs of it goes on")?;
        }
    }
    if !report.changed() {
        report.say("nothing of the supervisor was installed")?;
    }
    Ok(exit::DONE)
}

fn put(report: &mut Report, path: &Path, text: &str) -> Result<(), Fail> {
    let wrote = disk::put(path, text).map_err(|e| unwritable(&e))?;
    Ok(report.did(if wrote { "wrote" } else { "unchanged" }, path)?)
}

fn take(report: &mut Report, path: &Path, in_folder: bool) -> Result<(), Fail> {
    match disk::gone(path, in_folder).map_err(|e| unwritable(&e))? {
        true => Ok(report.did("removed", path)?),
        false => Ok(()),
    }
}

fn unwritable(error: &io::Error) -> Fail {
    Fail::local(format!("cannot change the files: {error}"), "see who may write to these folders")
}

/// Has it listen. What was changed under one that listens already takes a restart of it, of the
/// sockets first of all.
async fn begin(manager: &Native, changed: bool) -> Result<(), UnitError> {
    let first = SUPERVISOR.units[0];
    let was_up = match manager.status(first).await {
        Err(UnitError::Unknown(_)) => false,
        status => status?.active == "active",
    };
    manager.reload().await?;
    manager.enable(first, true).await?;
    if !(changed && was_up) {
        return manager.start(first).await;
    }
    if Native::SOCKET_UNITS {
        return manager.restart(first).await;
    }
    // A plist is read when its job is made known, and at no other time.
    manager.stop(first).await?;
    manager.start(first).await
}

/// Has it end, and not begin at login any more.
async fn end(manager: &Native) -> Result<(), UnitError> {
    for unit in SUPERVISOR.units {
        known(manager.stop(unit).await)?;
    }
    // launchd would remember for ever, against a later installation by other means.
    if Native::SOCKET_UNITS {
        known(manager.enable(SUPERVISOR.units[0], false).await)?;
    }
    Ok(())
}

/// Has its units forgotten; one that failed would be listed for ever, without a file.
async fn forget(manager: &Native) -> Result<(), UnitError> {
    manager.reload().await?;
    for unit in SUPERVISOR.units {
        known(manager.reset_failed(unit).await)?;
    }
    Ok(())
}

/// What is not there needs no ending.
fn known(done: Result<(), UnitError>) -> Result<(), UnitError> {
    match done {
        Err(UnitError::Unknown(_)) => Ok(()),
        done => done,
    }
}

/// Takes from the service, or gives back to it, the part of its sandbox that needs namespaces.
async fn fit_sandbox(folder: &Path, report: &mut Report) -> Result<(), Fail> {
    let bare = files::bare(folder);
    let Some(has) = has_namespaces().await else { return Ok(()) };
    if has {
        return take(report, &bare, true);
    }
    put(report, &bare, files::BARE)?;
    Ok(report.say("this machine lets users make no namespaces: the sandbox is weaker")?)
}

/// Whether a unit of the user can have the sandbox that the service asks for; none where there is
/// no way to try.
async fn has_namespaces() -> Option<bool> {
    let mut trial = command(Path::new("systemd-run"), Path::new("/"), passed_on(&PERSONAL));
    trial.args(["--user", "--quiet", "--collect", "--wait"]);
    for property in
        ["PrivateUsers=yes", "PrivateTmp=yes", "ProtectSystem=strict", "CapabilityBoundingSet="]
    {
        trial.args(["-p", property]);
    }
    let ended = timeout(TRIAL_MAX, trial.arg("true").status()).await;
    Some(ended.ok()?.ok()?.success())
}
