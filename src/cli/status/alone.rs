//! `parachute status` where no supervisor answers: is anyone there, since when, with what, and
//! what the service manager says about it. Looks only: a server that waits for its next
//! connection is not woken.

use crate::args::Json;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::manager::{self, View};
use crate::suite::{SERVER, SUPERVISOR};
use crate::table::{pairs, span};
use crate::term::{Ink, line, print, print_json, width};
use serde_json::{Value, json};
use wire::health::{Health, HealthDetail};

/// How the server is.
enum State {
    /// It answered this, which is also kept as it came.
    Serves(Box<Health>, Value),
    /// The manager listens for it.
    Waits,
    /// Nobody answers, for this reason.
    Silent(String),
}

/// What the manager has of us.
struct Seen {
    server: View,
    supervisor: View,
    /// Agents alive.
    agents: usize,
}

/// Runs the command; answers with the exit status. `named`: a person named the server, so the
/// manager of this machine has nothing to say about it.
pub(super) async fn run(client: &Client, args: Json, named: bool) -> Result<u8, Fail> {
    let seen = match named {
        true => None,
        false => look().await?,
    };
    let state = match &seen {
        Some(Seen { server, .. }) if server.serves() && !server.runs() => State::Waits,
        _ => ask(client).await?,
    };
    match args.json {
        true => print_json(&as_json(client, &state, seen.as_ref()))?,
        false => print(&as_text(client, &state, seen.as_ref(), Ink::out()))?,
    }
    Ok(match state {
        State::Silent(_) => exit::NOT_RUNNING,
        _ => exit::DONE,
    })
}

async fn look() -> Result<Option<Seen>, Fail> {
    let Some(manager) = host::units::connect().await else { return Ok(None) };
    Ok(Some(Seen {
        server: View::of(&manager, &SERVER).await?,
        supervisor: View::of(&manager, &SUPERVISOR).await?,
        agents: manager::agents(&manager).await.map_err(|e| manager::fail(&SERVER, &e))?,
    }))
}

async fn ask(client: &Client) -> Result<State, Fail> {
    match client.ask::<Value>(Ask::get("/api/health?detailed=true")).await {
        Ok(answer) => Ok(State::Serves(Box::new(client.shape(answer.clone())?), answer)),
        Err(fail @ (Fail::NoServer { .. } | Fail::Lost { .. })) => {
            Ok(State::Silent(fail.to_string()))
        }
        Err(fail) => Err(fail),
    }
}

fn as_json(client: &Client, state: &State, seen: Option<&Seen>) -> Value {
    let (word, health, problem) = match state {
        State::Serves(_, health) => ("serving", health.clone(), Value::Null),
        State::Waits => ("waiting", Value::Null, Value::Null),
        State::Silent(why) => ("not running", Value::Null, why.clone().into()),
    };
    json!({
        "state": word,
        "place": client.place().to_string(),
        "supervisor": null,
        "manager": seen.map(|_| manager::NAME),
        "problem": problem,
        "health": health,
        "units": seen.map(|seen| seen.server.json()),
    })
}

fn as_text(client: &Client, state: &State, seen: Option<&Seen>, ink: Ink) -> String {
    let mut rows = Vec::new();
    match state {
        State::Serves(health, _) => {
            rows.push(("server", serving(health)));
            rows.push(("reached at", client.place().to_string()));
            if let Some(detail) = &health.detail {
                rows.extend(details(detail));
            }
        }
        State::Waits => {
            rows.push(("server", "waits for its next connection, and then starts".into()));
            rows.push(("listens at", client.place().to_string()));
        }
        State::Silent(why) => rows.push(("server", format!("not running: {why}"))),
    }
    let woken = matches!(state, State::Serves(..));
    if let Some(seen) = seen.filter(|seen| !woken && seen.agents > 0) {
        rows.push(("agents", format!("{} alive", seen.agents)));
    }
    if seen.is_some_and(|seen| seen.supervisor.installed()) {
        let said = "does not answer; see `parachute supervisor status`";
        rows.push(("supervisor", said.into()));
    }
    let problem = match state {
        State::Serves(health, _) => health.detail.as_ref().and_then(|d| d.problem.as_deref()),
        _ => None,
    };
    let mut text = pairs(&rows, ink);
    if let Some(problem) = problem {
        text += &format!("{}\n", ink.red(&line(&format!("problem: {problem}"))));
    }
    text.push('\n');
    text + &match seen {
        Some(seen) if seen.server.installed() => seen.server.table(width(), ink),
        Some(_) => format!("{} has no units of the server\n", manager::NAME),
        None => String::new(),
    }
}

fn serving(health: &Health) -> String {
    let commit = health.commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
    let uptime = health.detail.as_ref().filter(|detail| detail.uptime >= 0.0);
    // `as` saturates, and no server is up for so long.
    let up = uptime.map(|detail| format!(", up {}", span(detail.uptime as u64)));
    format!("serves, version {}{commit}{}", health.version, up.unwrap_or_default())
}

fn details(detail: &HealthDetail) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let vault = &detail.vault;
    let state = if vault.status == "ok" { String::new() } else { format!(" ({})", vault.status) };
    rows.push(("vault", format!("{}{state}", vault.path)));
    for (at, listener) in detail.listeners.iter().enumerate() {
        rows.push((if at == 0 { "listeners" } else { "" }, listener.clone()));
    }
    rows.push(("agents", format!("{} alive", detail.agents)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    fn client() -> Client {
        Client::new(&SERVER, Place::Unix("/run/x.sock".into()), None)
    }

    fn serves() -> State {
        let health = json!({
            "status": "ok", "timestamp": 0, "version": "0.3.0", "commit": "abc",
            "vault": {"path": "/v", "status": "ok"}, "modules": [],
            "docker": {"available": false, "image": "i"},
            "bots": {"telegram": {"running": false}, "discord": {"running": false}},
            "uptime": 61.5, "problem": "port: not a number",
            "listeners": ["127.0.0.1:3333 (inherited)", "[::1]:3333 (inherited)"], "agents": 2,
        });
        State::Serves(serde_json::from_value(health.clone()).unwrap(), health)
    }

    #[test]
    fn all_there_is_to_say_of_a_server_that_serves() {
        assert_eq!(
            as_text(&client(), &serves(), None, Ink::NONE),
            "server      serves, version 0.3.0 (abc), up 1 min\n\
             reached at  unix:/run/x.sock\n\
             vault       /v\n\
             listeners   127.0.0.1:3333 (inherited)\n\
             \x20           [::1]:3333 (inherited)\n\
             agents      2 alive\n\
             problem: port: not a number\n\n"
        );
    }

    #[test]
    fn json_says_which_of_the_three_states() {
        let word = |state: &State| as_json(&client(), state, None)["state"].clone();
        assert_eq!(word(&serves()), "serving");
        assert_eq!(word(&State::Waits), "waiting");
        let silent = as_json(&client(), &State::Silent("refused".into()), None);
        assert_eq!(silent["state"], "not running");
        assert_eq!(silent["problem"], "refused");
        assert_eq!(silent["manager"], Value::Null);
    }
}
