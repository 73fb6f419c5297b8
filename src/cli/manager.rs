//! What the service manager says of a program's units, for `status`, `server` and `supervisor`.
//! Asks and shows; acts are in `service`.

use crate::fail::Fail;
use crate::suite::Program;
use crate::table::{Table, ago, memory};
use crate::term::Ink;
use host::Native;
use host::units::{UnitError, UnitStatus, Units};
use serde_json::{Value, json};
use wire::Timestamp;

/// The manager's name.
pub(crate) const NAME: &str = Native::NAME;
/// How the names of agents' units begin.
const AGENTS: &str = "parachute-agent@";

/// A program's units as the manager sees them.
#[derive(Debug)]
pub(crate) struct View {
    /// Whose.
    pub(crate) program: &'static Program,
    /// Those that are there, in the program's order.
    pub(crate) units: Vec<(&'static str, UnitStatus)>,
}

impl View {
    /// Asks the manager.
    pub(crate) async fn of(manager: &impl Units, program: &'static Program) -> Result<View, Fail> {
        let asked = View::ask(manager, program).await;
        asked.map_err(|error| fail(program, &error))
    }

    async fn ask(manager: &impl Units, program: &'static Program) -> Result<View, UnitError> {
        let mut units = Vec::new();
        for unit in program.units {
            let status = match manager.status(unit).await {
                Err(UnitError::Unknown(_)) => continue,
                status => status?,
            };
            if status.load != "not-found" {
                units.push((*unit, status));
            }
        }
        Ok(View { program, units })
    }

    /// Whether its units are there at all.
    pub(crate) fn installed(&self) -> bool {
        !self.units.is_empty()
    }

    /// Whether it runs under the manager.
    pub(crate) fn runs(&self) -> bool {
        let service = self.units.iter().find(|(name, _)| *name == self.program.service);
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
                or_dash(status.memory_bytes.map(memory)),
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
                "memory_bytes": status.memory_bytes,
            })
        };
        self.units.iter().map(unit).collect()
    }
}

/// How many agents run. A manager that has no list has no agents either.
pub(crate) async fn agents(manager: &impl Units) -> Result<usize, UnitError> {
    let listed = match manager.list(AGENTS).await {
        Err(UnitError::Unsupported(_)) => Vec::new(),
        listed => listed?,
    };
    Ok(listed.iter().filter(|unit| is_up(&unit.active)).count())
}

/// What went wrong between us and the manager, over a program's units.
pub(crate) fn fail(program: &Program, error: &UnitError) -> Fail {
    let hint = match error {
        UnitError::Unknown(_) => program.missing.into(),
        UnitError::Job { unit, .. } if NAME == "systemd" => {
            format!("journalctl --user -u {unit} -n 20")
        }
        _ => format!("{NAME} says more; without it, {}", program.by_hand),
    };
    Fail::local(error.to_string(), hint)
}

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
    use crate::suite::SERVER;

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
            ..UnitStatus::default()
        }
    }

    fn view(service: UnitStatus) -> View {
        let socket = status("active", "listening", "success");
        let units = vec![("parachute.socket", socket), (SERVER.service, service)];
        View { program: &SERVER, units }
    }

    #[test]
    fn a_socket_that_listens_serves_though_no_server_runs() {
        let idle = view(status("inactive", "dead", "success"));
        assert!(idle.serves() && !idle.runs());
        let busy = view(status("active", "running", "success"));
        assert!(busy.serves() && busy.runs());
        let none = View { program: &SERVER, units: Vec::new() };
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
        assert_eq!(json[1]["memory_bytes"], 9 << 20);
        assert_eq!(json[1]["since"], "2023-11-14T22:13:20Z");
        assert_eq!(json[0]["pid"], Value::Null);
    }
}
