//! What the supervisor says of the suite, for people and for programs. Its words are shown as it
//! chose them; nothing is asked here.

use super::Asked;
use crate::args::Json;
use crate::fail::{Fail, exit};
use crate::table::{Table, ago, memory, pairs, span};
use crate::term::{Ink, line, print, print_json, width};
use serde_json::{Map, Value};
use wire::Timestamp;
use wire::supervisor::{Agent, Mode, ServerState, SupervisorStatus, Unit, UnitFile};

/// Shows it; answers with the exit status.
pub(super) fn show(
    asked: &Asked,
    status: &SupervisorStatus,
    answer: Value,
    args: Json,
) -> Result<u8, Fail> {
    match args.json {
        true => print_json(&as_json(asked, status, answer))?,
        false => {
            let now = Timestamp::now().as_millis();
            print(&as_text(status, now, width(), Ink::out()))?;
        }
    }
    Ok(if serves(status) { exit::DONE } else { exit::NOT_RUNNING })
}

/// Whether it does, or would at the next connection.
fn serves(status: &SupervisorStatus) -> bool {
    let comes = matches!(status.main_server_status, ServerState::Starting);
    status.main_server_healthy || status.main_server_sleeping || comes
}

/// How the server is; the manager alone does not know of one that hangs.
fn words(status: &SupervisorStatus) -> String {
    let hangs = status.main_server_status == ServerState::Running && !status.main_server_healthy;
    let more = if hangs { ", and does not answer" } else { "" };
    format!("{}{more}", status.main_server_words)
}

/// The answer as it is, after what `status` says with and without a supervisor.
fn as_json(asked: &Asked, status: &SupervisorStatus, answer: Value) -> Value {
    let word = match serves(status) {
        true if status.main_server_sleeping => "waiting",
        true => "serving",
        false => "not running",
    };
    let problem = match serves(status) {
        true => Value::Null,
        false => words(status).into(),
    };
    let mut shown = Map::new();
    shown.insert("state".into(), word.into());
    shown.insert("place".into(), asked.server.0.place().to_string().into());
    shown.insert("supervisor".into(), asked.supervisor.0.place().to_string().into());
    shown.insert("manager".into(), manager(status.mode).into());
    shown.insert("problem".into(), problem);
    if let Value::Object(answer) = answer {
        shown.extend(answer);
    }
    Value::Object(shown)
}

fn manager(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Systemd => Some("systemd"),
        Mode::Launchd => Some("launchd"),
        Mode::Direct => None,
    }
}

fn as_text(status: &SupervisorStatus, now: i64, width: Option<usize>, ink: Ink) -> String {
    let mut text = pairs(&rows(status), ink);
    if let Some(problem) = &status.config_problem {
        text += &format!("{}\n", ink.red(&line(&format!("problem: {problem}"))));
    }
    for note in status.units.iter().filter_map(note) {
        text += &format!("{}\n", ink.yellow(&line(&note)));
    }
    let parts = [units(&status.units, now), agents(&status.agents, now), exits(&status.units, now)];
    for table in parts.into_iter().flatten() {
        text += &format!("\n{}", table.show(width, ink));
    }
    text
}

fn rows(status: &SupervisorStatus) -> Vec<(&'static str, String)> {
    let up = |seconds| format!(", up {}", span(seconds));
    let version = status.main_server_version.as_ref().map(|version| {
        format!("{version}{}", status.main_server_uptime_seconds.map(up).unwrap_or_default())
    });
    let own = format!("{}{}", status.supervisor_version, up(status.supervisor_uptime_seconds));
    let keeper = manager(status.mode).unwrap_or("the supervisor itself; there is no manager");
    vec![
        ("server", words(status)),
        ("version", version.unwrap_or_default()),
        ("port", status.main_server_port.map(|port| port.to_string()).unwrap_or_default()),
        ("kept by", keeper.into()),
        ("supervisor", own),
    ]
}

fn is_installed(unit: &&Unit) -> bool {
    !matches!(unit.load.as_str(), "" | "not-found")
}

/// What the owner should know of a unit's file.
fn note(unit: &Unit) -> Option<String> {
    let name = &unit.name;
    match unit.file {
        UnitFile::Differs => Some(format!("{name}: its file is not the one of this version")),
        UnitFile::Stale => Some(format!("{name}: its file changed, and systemd has not read it")),
        UnitFile::Same | UnitFile::Missing | UnitFile::None => None,
    }
}

fn units(units: &[Unit], now: i64) -> Option<Table> {
    let mut table = Table::new(&["UNIT", "SINCE", "MEMORY", "CPU", "RESTARTS", "STATE"]);
    let shown: Vec<&Unit> = units.iter().filter(is_installed).collect();
    for unit in &shown {
        table.row(vec![
            unit.name.clone(),
            since(unit.since, now),
            or_dash(unit.memory_bytes.map(memory)),
            or_dash(unit.cpu_seconds.map(processor)),
            unit.restarts.to_string(),
            unit.words.clone(),
        ]);
    }
    (!shown.is_empty()).then_some(table)
}

fn agents(agents: &[Agent], now: i64) -> Option<Table> {
    let mut table = Table::new(&["AGENT OF SESSION", "SINCE", "MEMORY", "TURN"]);
    for agent in agents {
        table.row(vec![
            agent.session.clone(),
            since(agent.since, now),
            or_dash(agent.memory_bytes.map(memory)),
            agent.turn.clone().unwrap_or_else(|| "waits for one".into()),
        ]);
    }
    (!agents.is_empty()).then_some(table)
}

/// The units' last bad ends, the latest first.
fn exits(units: &[Unit], now: i64) -> Option<Table> {
    let mut ended: Vec<_> =
        units.iter().filter_map(|unit| Some((unit.last_exit.as_ref()?, &unit.name))).collect();
    ended.sort_by_key(|(exit, _)| std::cmp::Reverse(exit.at));
    let mut table = Table::new(&["ENDED BADLY", "WHEN", "HOW"]);
    for (exit, unit) in &ended {
        table.row(vec![(*unit).clone(), ago(exit.at.as_millis(), now), exit.words.clone()]);
    }
    (!ended.is_empty()).then_some(table)
}

fn since(at: Option<Timestamp>, now: i64) -> String {
    or_dash(at.map(|at| ago(at.as_millis(), now)))
}

/// Processor time. `as` saturates, and nothing has computed for so long.
fn processor(seconds: f64) -> String {
    match seconds {
        ..60.0 => format!("{seconds:.1} s"),
        _ => span(seconds as u64),
    }
}

fn or_dash(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".into())
}
