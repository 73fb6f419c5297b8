//! Who keeps the server: the user's service manager, or we ourselves where there is none. The
//! choice is made once, at the start, and then every act goes to the one that was chosen.
//!
//! It is no [`Units`] itself: what a manager is called and whether it has socket units are
//! constants there.

use crate::direct::Direct;
use crate::dirs::Env;
use crate::units::{self, Changed, Failure, Listed, UnitError, UnitStatus, Units};
use crate::{Native, variable};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;
use tokio::sync::mpsc;

/// Units by which the manager is known to be the one that keeps the server.
const OURS: [&str; 2] = ["parachute.service", "parachute.socket"];

/// How often a manager that started us is asked before it is taken for absent (each time for two
/// seconds, see [`units::connect`]), and the pause between.
const CONNECT_TRIES: u32 = 5;
const CONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Who keeps the server.
#[derive(Debug, Clone)]
pub enum Control {
    /// The user's service manager.
    Managed(Native),
    /// Ourselves.
    Direct(Direct),
}

/// The service manager, if it answers and is the one that keeps the server: it started us, or it
/// knows the server's units. Else what `direct` makes.
///
/// A manager alone is not enough. On a developer's machine one answers that knows nothing of
/// this server; it would be asked to start what is not installed. Nor does a variable like
/// `INVOCATION_ID` say that it started us: every shell below one of its units has inherited it.
///
/// One that started us is asked for some seconds, as it may be busy at login; a second server
/// beside the sockets it holds would do harm.
pub async fn choose(direct: impl FnOnce() -> Direct) -> Control {
    let begun = begun_by_manager(&variable, std::process::id());
    match manager(begun).await {
        Some(manager) if begun || keeps_the_server(&manager).await => Control::Managed(manager),
        Some(_) => {
            let manager = Native::NAME;
            tracing::info!(manager, "the server's units are not installed; keeping it ourselves");
            Control::Direct(direct())
        }
        None => {
            tracing::info!("no service manager answers; keeping the server ourselves");
            Control::Direct(direct())
        }
    }
}

async fn manager(begun: bool) -> Option<Native> {
    let mut tries = if begun { CONNECT_TRIES } else { 1 };
    loop {
        let manager = units::connect().await;
        tries -= 1;
        if manager.is_some() || tries == 0 {
            return manager;
        }
        tokio::time::sleep(CONNECT_PAUSE).await;
    }
}

async fn keeps_the_server(manager: &Native) -> bool {
    for unit in OURS {
        match manager.status(unit).await {
            Ok(status) if status.load != "not-found" => return true,
            Ok(_) | Err(UnitError::Unknown(_)) => {}
            Err(error) => tracing::warn!(unit, %error, "cannot ask whether it is installed"),
        }
    }
    false
}

/// Whether the manager started this very process: systemd names it (systemd.exec(5)), launchd
/// gives it the name of the job.
fn begun_by_manager(env: Env<'_>, own: u32) -> bool {
    let systemd = env("SYSTEMD_EXEC_PID").is_some_and(|pid| pid == own.to_string().as_str());
    let job = env("XPC_SERVICE_NAME");
    systemd || job.is_some_and(|label| label.as_bytes().starts_with(b"io.openparachute."))
}

/// Of what [`Units`] has what a supervisor asks for, of the one that was chosen.
impl Control {
    /// [`Units::NAME`].
    pub fn name(&self) -> &'static str {
        match self {
            Control::Managed(_) => Native::NAME,
            Control::Direct(_) => Direct::NAME,
        }
    }

    /// [`Units::SOCKET_UNITS`].
    pub fn socket_units(&self) -> bool {
        match self {
            Control::Managed(_) => Native::SOCKET_UNITS,
            Control::Direct(_) => Direct::SOCKET_UNITS,
        }
    }

    /// [`Units::start`].
    pub async fn start(&self, unit: &str) -> Result<(), UnitError> {
        match self {
            Control::Managed(manager) => manager.start(unit).await,
            Control::Direct(direct) => direct.start(unit).await,
        }
    }

    /// [`Units::stop`].
    pub async fn stop(&self, unit: &str) -> Result<(), UnitError> {
        match self {
            Control::Managed(manager) => manager.stop(unit).await,
            Control::Direct(direct) => direct.stop(unit).await,
        }
    }

    /// [`Units::restart`].
    pub async fn restart(&self, unit: &str) -> Result<(), UnitError> {
        match self {
            Control::Managed(manager) => manager.restart(unit).await,
            Control::Direct(direct) => direct.restart(unit).await,
        }
    }

    /// [`Units::status`].
    pub async fn status(&self, unit: &str) -> Result<UnitStatus, UnitError> {
        match self {
            Control::Managed(manager) => manager.status(unit).await,
            Control::Direct(direct) => direct.status(unit).await,
        }
    }

    /// [`Units::list`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, UnitError> {
        match self {
            Control::Managed(manager) => manager.list(prefix).await,
            Control::Direct(direct) => direct.list(prefix).await,
        }
    }

    /// [`Units::reset_failed`].
    pub async fn reset_failed(&self, unit: &str) -> Result<(), UnitError> {
        match self {
            Control::Managed(manager) => manager.reset_failed(unit).await,
            Control::Direct(direct) => direct.reset_failed(unit).await,
        }
    }

    /// [`Units::enable`].
    pub async fn enable(&self, unit: &str, begin: bool) -> Result<(), UnitError> {
        match self {
            Control::Managed(manager) => manager.enable(unit, begin).await,
            Control::Direct(direct) => direct.enable(unit, begin).await,
        }
    }

    /// [`Units::failures`].
    pub async fn failures(&self, units: &[&str]) -> Vec<Failure> {
        match self {
            Control::Managed(manager) => manager.failures(units).await,
            Control::Direct(direct) => direct.failures(units).await,
        }
    }

    /// [`Units::watch`].
    pub async fn watch(&self, prefix: &str) -> Result<mpsc::Receiver<Changed>, UnitError> {
        match self {
            Control::Managed(manager) => manager.watch(prefix).await,
            Control::Direct(direct) => direct.watch(prefix).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::begun_by_manager;

    #[test]
    fn only_signs_that_are_meant_for_this_process_count() {
        let by = |name: &str, value: &str| {
            begun_by_manager(&|asked| (asked == name).then(|| value.into()), 42)
        };
        assert!(by("SYSTEMD_EXEC_PID", "42"));
        assert!(by("XPC_SERVICE_NAME", "io.openparachute.supervisor"));
        assert!(!by("SYSTEMD_EXEC_PID", "1"));
        assert!(!by("INVOCATION_ID", "42"));
        assert!(!by("XPC_SERVICE_NAME", "application.com.apple.Terminal.1152"));
    }
}
