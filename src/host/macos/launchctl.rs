//! Units through launchctl, as jobs of the user's login session (`gui/<uid>`). A unit is named
//! as on Linux: `parachute.service` is the job `io.openparachute.server`, `parachute-x.service`
//! is `io.openparachute.x`. Jobs are described by plists in ~/Library/LaunchAgents and nowhere
//! else, so there are no transient ones.

use super::printed::{self, Job};
use crate::child;
use crate::units::{Changed, Listed, Transient, UnitError, UnitStatus, Units};
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long launchctl may take.
const ANSWER_SECONDS_MAX: u64 = 20;

/// How long a job may take to leave after `bootout`, and how often it is looked for.
const LEAVE_SECONDS_MAX: u64 = 40;
const LOOK_MILLISECONDS: u64 = 100;

/// launchd tells nobody of its own accord: it is asked this often while somebody watches.
const WATCH_MILLISECONDS: u64 = 1000;
const CHANGES_MAX: usize = 64;

/// What launchctl ends with when there is no such job (`print`, `kickstart`; `bootout`).
const NO_JOB: [i32; 2] = [113, libc::ESRCH];

/// The user's launchd.
#[derive(Debug, Clone)]
pub struct Launchd {
    domain: String,
    plists: PathBuf,
}

impl Launchd {
    pub(crate) async fn connect() -> Option<Launchd> {
        let home = crate::dirs().ok()?.home;
        let plists = home.join("Library/LaunchAgents");
        let launchd = Launchd { domain: format!("gui/{}", crate::own_uid()), plists };
        // None where nobody is logged in at the screen: a session over ssh has no such domain.
        let answer = launchctl(&["print", &launchd.domain]).await.ok()?;
        answer.status.success().then_some(launchd)
    }

    fn target(&self, unit: &str) -> Result<String, UnitError> {
        let label = label(unit).ok_or_else(|| UnitError::Unknown(unit.to_owned()))?;
        Ok(format!("{}/{label}", self.domain))
    }

    /// Makes the job known to launchd, if it is not.
    async fn load(&self, unit: &str) -> Result<(), UnitError> {
        let target = self.target(unit)?;
        if launchctl(&["print", &target]).await?.status.success() {
            return Ok(());
        }
        let label = label(unit).unwrap_or_default();
        let plist = self.plists.join(label + ".plist");
        if !plist.exists() {
            return Err(UnitError::Unknown(unit.to_owned()));
        }
        let plist = plist.display().to_string();
        settle(unit, &launchctl(&["bootstrap", &self.domain, &plist]).await?)
    }
}

impl Units for Launchd {
    const NAME: &'static str = "launchd";
    const SOCKET_UNITS: bool = false;

    async fn start(&self, unit: &str) -> Result<(), UnitError> {
        self.load(unit).await?;
        settle(unit, &launchctl(&["kickstart", &self.target(unit)?]).await?)
    }

    /// With `bootout`: a job that was only killed would come back with the next connection.
    async fn stop(&self, unit: &str) -> Result<(), UnitError> {
        let target = self.target(unit)?;
        let answer = launchctl(&["bootout", &target]).await?;
        // EINPROGRESS: it was told to leave and has not yet.
        if answer.status.code() != Some(libc::EINPROGRESS) {
            settle(unit, &answer)?;
        }
        for _ in 0..LEAVE_SECONDS_MAX * 1000 / LOOK_MILLISECONDS {
            if !launchctl(&["print", &target]).await?.status.success() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(LOOK_MILLISECONDS)).await;
        }
        Err(UnitError::Slow { unit: unit.to_owned(), seconds: LEAVE_SECONDS_MAX })
    }

    /// With `kickstart -k` and never `bootout`, which would close the sockets meanwhile.
    async fn restart(&self, unit: &str) -> Result<(), UnitError> {
        self.load(unit).await?;
        settle(unit, &launchctl(&["kickstart", "-k", &self.target(unit)?]).await?)
    }

    async fn status(&self, unit: &str) -> Result<UnitStatus, UnitError> {
        let answer = launchctl(&["print", &self.target(unit)?]).await?;
        if answer.status.code().is_some_and(|code| NO_JOB.contains(&code)) {
            return Ok(status("not-found", &Job::default()));
        }
        settle(unit, &answer)?;
        Ok(status("loaded", &printed::job(&String::from_utf8_lossy(&answer.stdout))))
    }

    async fn start_transient(&self, _unit: &Transient) -> Result<(), UnitError> {
        Err(UnitError::Unsupported("start a unit without a file; start a detached child"))
    }

    /// launchd remembers by itself.
    async fn keep(&self, _unit: &str) -> Result<(), UnitError> {
        Ok(())
    }

    async fn forget(&self, _unit: &str) -> Result<(), UnitError> {
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, UnitError> {
        let answer = launchctl(&["print", &self.domain]).await?;
        settle(prefix, &answer)?;
        let listed = |(label, pid): (String, Option<u32>)| {
            let name = unit(&label).filter(|name| name.starts_with(prefix))?;
            let (active, sub) = if pid.is_some() { RUNNING } else { DEAD };
            Some(Listed { name, load: "loaded".into(), active: active.into(), sub: sub.into() })
        };
        let services = printed::services(&String::from_utf8_lossy(&answer.stdout));
        Ok(services.into_iter().filter_map(listed).collect())
    }

    /// launchd counts nothing that could be forgotten.
    async fn reset_failed(&self, _unit: &str) -> Result<(), UnitError> {
        Ok(())
    }

    async fn enable(&self, unit: &str, begin: bool) -> Result<(), UnitError> {
        let verb = if begin { "enable" } else { "disable" };
        settle(unit, &launchctl(&[verb, &self.target(unit)?]).await?)
    }

    /// A plist is read when its job is bootstrapped.
    async fn reload(&self) -> Result<(), UnitError> {
        Ok(())
    }

    async fn watch(&self, prefix: &str) -> Result<mpsc::Receiver<Changed>, UnitError> {
        let (tell, told) = mpsc::channel(CHANGES_MAX);
        tokio::spawn(poll(self.clone(), prefix.to_owned(), tell));
        Ok(told)
    }
}

async fn poll(launchd: Launchd, prefix: String, tell: mpsc::Sender<Changed>) {
    let mut known: HashMap<String, UnitStatus> = HashMap::new();
    loop {
        tokio::select! {
            () = tell.closed() => return,
            () = tokio::time::sleep(Duration::from_millis(WATCH_MILLISECONDS)) => {}
        }
        let Ok(listed) = launchd.list(&prefix).await else { return };
        let names: Vec<String> = listed.into_iter().map(|unit| unit.name).collect();
        let gone = known.keys().filter(|unit| !names.contains(unit)).cloned().collect::<Vec<_>>();
        for unit in gone {
            known.remove(&unit);
            if tell.send(Changed::Gone(unit)).await.is_err() {
                return;
            }
        }
        for unit in names {
            let Ok(now) = launchd.status(&unit).await else { continue };
            if known.get(&unit) == Some(&now) {
                continue;
            }
            known.insert(unit.clone(), now.clone());
            if tell.send(Changed::Unit(unit, Box::new(now))).await.is_err() {
                return;
            }
        }
    }
}

const RUNNING: (&str, &str) = ("active", "running");
const DEAD: (&str, &str) = ("inactive", "dead");

/// Runs launchctl to its end.
async fn launchctl(args: &[&str]) -> Result<Output, UnitError> {
    let env = child::passed_on(&["HOME", "USER", "LOGNAME"]);
    let mut command = child::command(Path::new("/bin/launchctl"), Path::new("/"), env);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
    let gone = |said: String| UnitError::Gone(said);
    match tokio::time::timeout(limit, command.output()).await {
        Ok(output) => output.map_err(|error| gone(format!("launchctl: {error}"))),
        Err(_) => Err(gone(format!("launchctl took longer than {ANSWER_SECONDS_MAX} s"))),
    }
}

fn settle(unit: &str, answer: &Output) -> Result<(), UnitError> {
    match answer.status.code() {
        Some(0) => Ok(()),
        Some(code) if NO_JOB.contains(&code) => Err(UnitError::Unknown(unit.to_owned())),
        _ => {
            let said = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            Err(UnitError::Refused { unit: unit.to_owned(), said })
        }
    }
}

fn label(unit: &str) -> Option<String> {
    let (name, _kind) = unit.rsplit_once('.')?;
    let program = match name.strip_prefix("parachute")? {
        "" => "server",
        rest => rest.strip_prefix('-')?,
    };
    let plain = program.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| format!("io.openparachute.{program}"))
}

fn unit(label: &str) -> Option<String> {
    match label.strip_prefix("io.openparachute.")? {
        "server" => Some("parachute.service".to_owned()),
        program => Some(format!("parachute-{program}.service")),
    }
}

/// In systemd's words. launchd does not say since when, how often or how much.
fn status(load: &str, job: &Job) -> UnitStatus {
    let failed = job.signal.is_some() || job.code.is_some_and(|code| code != 0);
    let (active, sub) = match job.state.as_str() {
        "running" => RUNNING,
        "spawn scheduled" => ("activating", "auto-restart"),
        _ if failed => ("failed", "failed"),
        _ => DEAD,
    };
    let result = match (job.signal, job.code) {
        (Some(_), _) => "signal",
        (None, Some(0) | None) => "success",
        (None, Some(_)) => "exit-code",
    };
    let raw = job.signal.or(job.code.map(|code| (code & 0xff) << 8));
    UnitStatus {
        load: load.to_owned(),
        active: active.to_owned(),
        sub: sub.to_owned(),
        result: result.to_owned(),
        pid: job.pid,
        exit_status: raw.map(ExitStatus::from_raw),
        ..UnitStatus::default()
    }
}
