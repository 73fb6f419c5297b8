//! A unit's properties as they come over the bus, and what they mean as a [`UnitStatus`]. The
//! names are those of org.freedesktop.systemd1(5).

use crate::units::UnitStatus;
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use zbus::OwnedVariant;

/// What a number is on this bus when there is none.
const NONE: u64 = u64::MAX;

/// The D-Bus interface of what is special to a unit's kind.
pub(super) fn interface(unit: &str) -> Option<String> {
    let kind = match unit.rsplit_once('.')?.1 {
        "service" => "Service",
        "socket" => "Socket",
        "slice" => "Slice",
        _ => return None,
    };
    Some(format!("org.freedesktop.systemd1.{kind}"))
}

/// Properties of one interface.
#[derive(Debug, Default)]
pub(super) struct Properties(pub(super) HashMap<String, OwnedVariant>);

impl Properties {
    fn text(&self, name: &str) -> String {
        let value = self.0.get(name).and_then(|value| <&str>::try_from(value).ok());
        value.unwrap_or_default().to_owned()
    }

    fn long(&self, name: &str) -> Option<u64> {
        let value = self.0.get(name).and_then(|value| u64::try_from(value).ok());
        value.filter(|number| *number != NONE)
    }

    fn word(&self, name: &str) -> Option<u32> {
        self.0.get(name).and_then(|value| u32::try_from(value).ok())
    }

    fn signed(&self, name: &str) -> Option<i32> {
        self.0.get(name).and_then(|value| i32::try_from(value).ok())
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(|value| bool::try_from(value).ok()).unwrap_or(false)
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let value = self.0.get(name).and_then(|value| value.try_clone().ok());
        value.and_then(|value| Vec::<String>::try_from(value).ok()).unwrap_or_default()
    }

    /// Pairs of a kind and an address.
    fn addresses(&self, name: &str) -> Vec<String> {
        let value = self.0.get(name).and_then(|value| value.try_clone().ok());
        let pairs = value.and_then(|value| Vec::<(String, String)>::try_from(value).ok());
        pairs.unwrap_or_default().into_iter().map(|(_, address)| address).collect()
    }
}

/// What all units have, and what its kind has, as one status.
pub(super) fn status(common: &Properties, own: &Properties) -> UnitStatus {
    let kind = own.signed("ExecMainCode").unwrap_or(0);
    let value = own.signed("ExecMainStatus").unwrap_or(0);
    let file = Some(common.text("FragmentPath")).filter(|path| !path.is_empty());
    UnitStatus {
        description: common.text("Description"),
        load: common.text("LoadState"),
        active: common.text("ActiveState"),
        sub: common.text("SubState"),
        result: own.text("Result"),
        pid: own.word("MainPID").filter(|pid| *pid != 0),
        since: common.long("StateChangeTimestamp").filter(|since| *since != 0),
        restarts: own.word("NRestarts").unwrap_or(0),
        memory_bytes: own.long("MemoryCurrent"),
        cpu_nanoseconds: own.long("CPUUsageNSec"),
        tasks: own.long("TasksCurrent"),
        exit_status: ended(kind, value),
        said: own.text("StatusText"),
        watchdog_microseconds: own.long("WatchdogUSec").filter(|period| *period != 0),
        memory_max_bytes: own.long("MemoryMax"),
        listens: own.addresses("Listen"),
        enabled: common.text("UnitFileState"),
        file: file.map(PathBuf::from),
        drop_ins: common.texts("DropInPaths").into_iter().map(PathBuf::from).collect(),
        stale: common.flag("NeedDaemonReload"),
    }
}

/// From the CLD_* code and the number beside it in a siginfo_t to what wait(2) would say.
fn ended(kind: i32, value: i32) -> Option<ExitStatus> {
    match kind {
        libc::CLD_EXITED => Some(ExitStatus::from_raw(value << 8)),
        libc::CLD_KILLED => Some(ExitStatus::from_raw(value)),
        libc::CLD_DUMPED => Some(ExitStatus::from_raw(value | 0x80)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ended, interface};
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn an_end_is_told_as_wait_would() {
        assert_eq!(ended(0, 0), None);
        assert_eq!(ended(1, 78).unwrap().code(), Some(78));
        assert_eq!(ended(2, 9).unwrap().signal(), Some(9));
        assert!(ended(3, 6).unwrap().core_dumped());
    }

    #[test]
    fn only_some_kinds_have_more_to_tell() {
        assert_eq!(interface("a.b.service").unwrap(), "org.freedesktop.systemd1.Service");
        assert_eq!(interface("parachute.target"), None);
    }
}
