//! What the service manager says of the server's units, for `status` and `server`. Asks and
//! shows; acts are in `server`.

use crate::fail::Fail;
use crate::table::{Table, ago};
use crate::term::Ink;
use host::Native;
use host::units::{UnitError, UnitStatus, Units};
use serde_json::{Value, json};
use wire::Timestamp;

/// The server itself.
pub(crate) const SERVICE: &str = "parachute.service";
/// The server's units, in the order in which they have to be stopped: while the socket listens,
/// the next connection starts the service again. With launchd one job is both.
pub(crate) const UNITS: &[&str] = match Native::SOCKET_UNITS {
    true => &["parachute.socket", SERVICE],
    false => &[SERVICE],
};
/// The manager's name.
pub(crate) const NAME: &str = Native::NAME;
/// How the names of agents' units begin.
const AGENTS: &str = "parachute-agent@";

/// The units as the manager sees them.
#[derive(Debug)]
pub(crate) struct View {
    /// In the order of [`UNITS`].
    pub(crate) units: Vec<(&'static str, UnitStatus)>,
    /// Agents that run, where the manager keeps them.
    pub(crate) agents: usize,
}

impl View {
    /// Asks the manager.
    pub(crate) async fn of(manager: &impl Units) -> Result<View, UnitError> {
        let mut units = Vec::new();
        for unit in UNITS {
            let status = match manager.status(unit).await {
                Err(UnitError::Unknown(_)) => continue,
                status => status?,
            };
            if status.load != "not-found" {
                units.push((*unit, status));
            }
        }
        // A manager that has no list has no agents either.
        let listed = match manager.list(AGENTS).await {
            Err(UnitError::Unsupported(_)) => Vec::new(),
            listed => listed?,
        };
        let agents = listed.iter().filter(|unit| is_up(&unit.active)).count();
        Ok(View { units, agents })
    }

    /// Whether the server's units are there at all.
    pub(crate) fn installed(&self) -> bool {
        !self.units.is_empty()
    }

    /// Whether the server runs under the manager.
    pub(crate) fn runs(&self) -> bool {
        let service = self.units.iter().find(|(name, _)| *name == SERVICE);
        service.is_some_and(|(_, status)| is_up(&status.active))
    }

    /// Whether it does, or would at the next connection.
    pub(crate) fn serves(&self) -> bool {
        self.units.iter().any(|(_, status)| is_up(&status.active))
    }

    /// As a table.
    pub(crate) fn table(&self, width: Option<usize>, ink: Ink) -> String {
        let mut table = Table::new(&["UNIT", "STATE", "SINCE", "PID", "MEMORY", "RESTARTS"]);
        let now = Timestamp::now().as_millis();
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        for (name, status) in &self.units {
            table.row(vec![
                (*name).into(),
                words(status),
                or_dash(since(status).map(|at| ago(at.as_millis(), now))),
                or_dash(status.pid.map(|pid| pid.to_string())),
                or_dash(status.memory_bytes.map(|bytes| format!("{} MiB", bytes >> 20))),
                status.restarts.to_string(),
            ]);
        }
        table.show(width, ink)
    }

    /// As JSON: an array of units.
    pub(crate) fn json(&self) -> Value {
        let unit = |(name, status): &(&str, UnitStatus)| {
            json!({
                "name": name,
                "load": status.load,
                "active": status.active,
                "sub": status.sub,
                "result": status.result,
                "pid": status.pid,
                "since": since(status),
                "restarts": status.restarts,
                "memoryBytes": status.memory_bytes,
            })
        };
        self.units.iter().map(unit).collect()
    }
}

/// What went wrong between us and the manager.
pub(crate) fn fail(error: &UnitError) -> Fail {
    let hint = match error {
        UnitError::Unknown(_) => NOT_INSTALLED.into(),
        UnitError::Job { unit, .. } if NAME == "systemd" => {
            format!("journalctl --user -u {unit} -n 20")
        }
        _ => format!("{NAME} says more; without it, `parachute server -f` runs the server here"),
    };
    Fail::local(error.to_string(), hint)
}

/// What to do where the units are missing.
pub(crate) const NOT_INSTALLED: &str =
    "scripts/install-units installs them; `parachute server -f` runs the server without";

fn is_up(active: &str) -> bool {
    matches!(active, "active" | "activating" | "reloading")
}

fn words(status: &UnitStatus) -> String {
    let ended_well = matches!(status.result.as_str(), "" | "success");
    let result = if ended_well { String::new() } else { format!(", {}", status.result) };
    format!("{} ({}{result})", status.active, status.sub)
}

fn since(status: &UnitStatus) -> Option<Timestamp> {
    let millis = i64::try_from(status.since? / 1000).ok()?;
    Some(Timestamp::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(active: &str, sub: &str, result: &str) -> UnitStatus {
        UnitStatus {
            load: "loaded".into(),
            active: active.into(),
            sub: sub.into(),
            result: result.into(),
            pid: (sub == "running").then_some(42),
            since: Some(1_700_000_000_000_000),
            restarts: 3,
            memory_bytes: (sub == "running").then_some(9 << 20),
            exit_status: None,
        }
    }

    fn view(service: UnitStatus) -> View {
        let socket = status("active", "listening", "success");
        View { units: vec![("parachute.socket", socket), (SERVICE, service)], agents: 0 }
    }

    #[test]
    fn a_socket_that_listens_serves_though_no_server_runs() {
        let idle = view(status("inactive", "dead", "success"));
        assert!(idle.serves() && !idle.runs());
        let busy = view(status("active", "running", "success"));
        assert!(busy.serves() && busy.runs());
        let none = View { units: Vec::new(), agents: 0 };
        assert!(!none.serves() && !none.runs() && !none.installed());
    }

    #[test]
    fn the_table_says_how_a_run_ended_only_if_badly() {
        let text = view(status("failed", "failed", "watchdog")).table(None, Ink::NONE);
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[1].starts_with("parachute.socket   active (listening)         "), "{text}");
        assert!(rows[2].starts_with("parachute.service  failed (failed, watchdog)  "), "{text}");
        assert!(rows[2].ends_with("-    -       3"), "{text}");
    }

    #[test]
    fn json_has_the_managers_words_and_a_time() {
        let json = view(status("active", "running", "success")).json();
        assert_eq!(json[1]["pid"], 42);
        assert_eq!(json[1]["memoryBytes"], 9 << 20);
        assert_eq!(json[1]["since"], "2023-11-14T22:13:20Z");
        assert_eq!(json[0]["pid"], Value::Null);
    }
}
