//! Units through the user's systemd, over the session bus. The connection is held open: systemd
//! reports the end of a job only to those who have subscribed and are still there.

use super::manager::{JobRemovedStream, ManagerProxy, PropertiesProxy};
use super::properties::{Properties, interface, status};
use super::{failures, transient, watch};
use crate::dirs::absolute;
use crate::units::{Changed, Failure, Listed, Transient, UnitError, UnitStatus, Units};
use crate::variable;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use zbus::proxy::CacheProperties;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

/// How long the manager may take to answer the first time.
const CONNECT_SECONDS_MAX: u64 = 2;

/// How long it may take to answer anything later.
const ANSWER_SECONDS_MAX: u64 = 20;

/// How long a job is waited for. Units have limits of their own, well below.
const JOB_SECONDS_MAX: u64 = 300;

/// What systemd says when there is nothing to forget.
const NOT_THERE: [&str; 2] =
    ["org.freedesktop.systemd1.NotReferenced", "org.freedesktop.systemd1.NoSuchUnit"];

/// The user's systemd.
#[derive(Debug, Clone)]
pub struct Systemd {
    bus: Connection,
    manager: ManagerProxy<'static>,
}

impl Systemd {
    pub(crate) async fn connect() -> Option<Systemd> {
        let limit = Duration::from_secs(CONNECT_SECONDS_MAX);
        match tokio::time::timeout(limit, Systemd::open()).await {
            Ok(Ok(systemd)) => return systemd,
            Ok(Err(error)) => tracing::debug!(%error, "no user service manager"),
            Err(_) => tracing::debug!("the user service manager does not answer"),
        }
        None
    }

    pub(super) async fn open() -> zbus::Result<Option<Systemd>> {
        let Some(address) = address() else {
            return Ok(None);
        };
        let builder = zbus::connection::Builder::address(address.as_str());
        let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
        let bus = builder.method_timeout(limit).build().await?;
        let uncached = ManagerProxy::builder(&bus).cache_properties(CacheProperties::No);
        let manager = uncached.build().await?;
        manager.subscribe().await?;
        Ok(Some(Systemd { bus, manager }))
    }

    /// Asks for a job with `ask` and waits until it ended.
    async fn job(
        &self,
        act: &'static str,
        unit: &str,
        ask: impl Future<Output = zbus::Result<OwnedObjectPath>> + Send,
    ) -> Result<(), UnitError> {
        let trouble = |error| translate(unit, error);
        // Listening begins before asking: a short job would be over before the answer.
        let mut removed = self.manager.receive_job_removed().await.map_err(trouble)?;
        let job = ask.await.map_err(trouble)?;
        let limit = Duration::from_secs(JOB_SECONDS_MAX);
        let ended = tokio::time::timeout(limit, result_of(&job, &mut removed)).await;
        let slow = |_| UnitError::Slow { unit: unit.to_owned(), seconds: JOB_SECONDS_MAX };
        let result = ended.map_err(slow)?.map_err(trouble)?;
        match result.as_str() {
            "done" => Ok(()),
            _ => Err(UnitError::Job { unit: unit.to_owned(), act, result }),
        }
    }

    async fn has_ended(&self, unit: &str) -> Result<bool, UnitError> {
        Ok(matches!(self.status(unit).await?.active.as_str(), "inactive" | "failed"))
    }

    /// Everything about the unit at `path`: what all units have, and what its kind has.
    pub(super) async fn about(
        &self,
        unit: &str,
        path: &OwnedObjectPath,
    ) -> zbus::Result<(Properties, Properties)> {
        let common = self.properties(path, "org.freedesktop.systemd1.Unit").await?;
        let own = match interface(unit) {
            Some(interface) => self.properties(path, &interface).await?,
            None => HashMap::new(),
        };
        Ok((Properties(common), Properties(own)))
    }

    async fn properties(
        &self,
        unit: &OwnedObjectPath,
        interface: &str,
    ) -> zbus::Result<HashMap<String, OwnedVariant>> {
        let builder = PropertiesProxy::builder(&self.bus).path(unit.clone());
        let uncached = builder.cache_properties(CacheProperties::No);
        uncached.build().await?.get_all(interface).await
    }

    pub(super) fn bus(&self) -> &Connection {
        &self.bus
    }
}

impl Units for Systemd {
    const NAME: &'static str = "systemd";
    const SOCKET_UNITS: bool = true;

    async fn start(&self, unit: &str) -> Result<(), UnitError> {
        self.job("start", unit, self.manager.start_unit(unit, "replace")).await
    }

    async fn stop(&self, unit: &str) -> Result<(), UnitError> {
        self.job("stop", unit, self.manager.stop_unit(unit, "replace")).await
    }

    async fn restart(&self, unit: &str) -> Result<(), UnitError> {
        self.job("restart", unit, self.manager.restart_unit(unit, "replace")).await
    }

    async fn status(&self, unit: &str) -> Result<UnitStatus, UnitError> {
        let trouble = |error| translate(unit, error);
        let path = self.manager.load_unit(unit).await.map_err(trouble)?;
        let (common, own) = self.about(unit, &path).await.map_err(trouble)?;
        Ok(status(&common, &own))
    }

    async fn start_transient(&self, unit: &Transient) -> Result<(), UnitError> {
        let properties = transient::properties(unit)?;
        let name = unit.name.as_str();
        let ask = || self.manager.start_transient_unit(name, "fail", &properties, &[]);
        match self.job("start", name, ask()).await {
            Err(UnitError::Exists(_)) if self.has_ended(name).await? => {
                self.forget(name).await?;
                self.job("start", name, ask()).await
            }
            done => done,
        }
    }

    async fn keep(&self, unit: &str) -> Result<(), UnitError> {
        self.manager.ref_unit(unit).await.map_err(|error| translate(unit, error))
    }

    async fn forget(&self, unit: &str) -> Result<(), UnitError> {
        let manager = &self.manager;
        for done in [manager.unref_unit(unit).await, manager.reset_failed_unit(unit).await] {
            match done {
                Err(zbus::Error::MethodError(name, ..)) if NOT_THERE.contains(&name.as_str()) => {}
                done => done.map_err(|error| translate(unit, error))?,
            }
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, UnitError> {
        let pattern = pattern(prefix);
        let rows = self.manager.list_units_by_patterns(&[], &[&pattern]).await;
        let rows = rows.map_err(|error| translate(prefix, error))?;
        let listed = |row: super::manager::Row| {
            let (name, _, load, active, sub, ..) = row;
            Listed { name, load, active, sub }
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    async fn reset_failed(&self, unit: &str) -> Result<(), UnitError> {
        let done = self.manager.reset_failed_unit(unit).await;
        done.map_err(|error| translate(unit, error))
    }

    async fn enable(&self, unit: &str, begin: bool) -> Result<(), UnitError> {
        let trouble = |error| translate(unit, error);
        if begin {
            let (may, _) =
                self.manager.enable_unit_files(&[unit], false, false).await.map_err(trouble)?;
            if !may {
                let said = "its file does not say at what it would begin".to_owned();
                return Err(UnitError::Refused { unit: unit.to_owned(), said });
            }
        } else {
            self.manager.disable_unit_files(&[unit], false).await.map_err(trouble)?;
        }
        self.manager.reload().await.map_err(trouble)
    }

    async fn reload(&self) -> Result<(), UnitError> {
        self.manager.reload().await.map_err(|error| translate("the unit files", error))
    }

    async fn failures(&self, units: &[&str]) -> Vec<Failure> {
        failures::last(units).await
    }

    async fn watch(&self, prefix: &str) -> Result<mpsc::Receiver<Changed>, UnitError> {
        let begun = watch::begin(self.clone(), prefix.to_owned()).await;
        begun.map_err(|error| translate(prefix, error))
    }
}

/// Where the session bus is: as we were told, else where systemd puts it.
fn address() -> Option<String> {
    if let Some(told) = variable("DBUS_SESSION_BUS_ADDRESS") {
        return told.into_string().ok();
    }
    let path = absolute(variable("XDG_RUNTIME_DIR"))?.join("bus");
    path.exists().then(|| format!("unix:path={}", path.display()))
}

async fn result_of(job: &OwnedObjectPath, removed: &mut JobRemovedStream) -> zbus::Result<String> {
    while let Some(signal) = removed.next().await {
        let args = signal.args()?;
        if args.job == **job {
            return Ok(args.result.to_owned());
        }
    }
    let closed = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Err(zbus::Error::InputOutput(std::sync::Arc::new(closed)))
}

/// What systemd's error means for whoever asked about `unit`.
fn translate(unit: &str, error: zbus::Error) -> UnitError {
    match &error {
        zbus::Error::MethodError(name, said, _) => match name.as_str() {
            "org.freedesktop.systemd1.NoSuchUnit" => UnitError::Unknown(unit.to_owned()),
            "org.freedesktop.systemd1.UnitExists" => UnitError::Exists(unit.to_owned()),
            _ => UnitError::Refused {
                unit: unit.to_owned(),
                said: said.clone().unwrap_or_else(|| name.to_string()),
            },
        },
        zbus::Error::FDO(said) if refusal(said) => {
            UnitError::Refused { unit: unit.to_owned(), said: said.to_string() }
        }
        _ => UnitError::Gone(error.to_string()),
    }
}

/// Whether a general D-Bus error is the manager's answer and not the lack of one.
fn refusal(error: &zbus::fdo::Error) -> bool {
    use zbus::fdo::Error as Said;
    matches!(
        error,
        Said::InvalidArgs(_) | Said::AccessDenied(_) | Said::PropertyReadOnly(_) | Said::Failed(_)
    )
}

/// A glob(7) pattern for what begins with `prefix`, whatever characters that holds.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "*"
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_prefix_is_taken_literally() {
        assert_eq!(pattern("parachute-agent@"), "parachute-agent@*");
        assert_eq!(pattern("a*[b"), r"a\*\[b*");
    }
}
