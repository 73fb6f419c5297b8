//! `parachute workspace`, `agent`, `skill`, `plugin`, `mcp`: what the server keeps, kind by kind.
//! Listing, showing and taking away are the same for all and are here; how a kind looks, and what
//! else can be done with it, is in its module. The server decides; `--json` shows what it said.

pub(crate) mod agents;
pub(crate) mod mcps;
pub(crate) mod plugins;
pub(crate) mod skills;
pub(crate) mod workspaces;

use crate::args::KeptAct;
use crate::client::{Ask, Client};
use crate::fail::Fail;
use crate::table::{Table, pairs};
use crate::term::{Ink, line, plain, print, print_json, tell, width};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{Write, stderr};
use wire::workspace::WorkspaceProblem;

/// One of what is kept, as a list has it.
trait Kept: DeserializeOwned {
    /// What it is called as a command.
    const NOUN: &'static str;
    /// The door to all; the one to each is below it.
    const DOOR: &'static str;
    /// The field of the list in its answer.
    const FIELD: &'static str;
    /// Headings of the table.
    const HEADS: &'static [&'static str];

    /// What the door to one answers.
    type Whole: DeserializeOwned;

    /// Its row in the table.
    fn row(self) -> Vec<String>;

    /// All there is to say about one.
    fn sheet(whole: Self::Whole) -> Sheet;
}

/// One of them, for a person to read.
struct Sheet {
    /// Names and values.
    facts: Vec<(&'static str, String)>,
    /// Its text, where it has one.
    text: String,
}

/// The door to the one of this name.
fn door<T: Kept>(name: &str) -> String {
    format!("{}/{}", T::DOOR, utf8_percent_encode(name, NON_ALPHANUMERIC))
}

/// Does what can be done with every kind.
async fn run<T: Kept>(client: &Client, act: &KeptAct, json: bool) -> Result<(), Fail> {
    match act {
        KeptAct::List => list::<T>(client, json).await,
        KeptAct::Show(named) => {
            let answer = one::<T>(client, Ask::get(door::<T>(&named.name))).await?;
            if json {
                return Ok(print_json(&answer)?);
            }
            Ok(print(&shown(&T::sheet(client.shape(answer)?), Ink::out()))?)
        }
        KeptAct::Remove(named) => {
            let answer = one::<T>(client, Ask::delete(door::<T>(&named.name))).await?;
            Ok(tell(&format!("{} removed", named.name), &answer, json)?)
        }
    }
}

async fn list<T: Kept>(client: &Client, json: bool) -> Result<(), Fail> {
    let mut answer: Value = client.ask(Ask::get(T::DOOR)).await?;
    if json {
        return Ok(print_json(&answer)?);
    }
    let mut part = |field: &str| answer.get_mut(field).map(Value::take).unwrap_or_default();
    let kept: Vec<T> = client.shape(part(T::FIELD))?;
    let problems: Option<Vec<WorkspaceProblem>> = client.shape(part("problems"))?;
    let mut table = Table::new(T::HEADS);
    kept.into_iter().for_each(|kept| table.row(kept.row()));
    print(&table.show(width(), Ink::out()))?;
    // Those that are there and cannot be read.
    for WorkspaceProblem { slug, problem } in problems.unwrap_or_default() {
        let said = line(&format!("{slug}: {problem}"));
        writeln!(stderr(), "{}", Ink::err().yellow(&said))?;
    }
    Ok(())
}

/// Has something done to one, and says what came of it.
async fn change<T: Kept, Made: DeserializeOwned>(
    client: &Client,
    ask_for: Ask,
    said: impl Fn(Made) -> String,
    json: bool,
) -> Result<(), Fail> {
    let answer = ask::<T>(client, ask_for).await?;
    let made = client.shape(answer.clone())?;
    Ok(tell(&said(made), &answer, json)?)
}

/// Asks for one, or for its end: nothing but its name can be wrong.
async fn one<T: Kept>(client: &Client, asked: Ask) -> Result<Value, Fail> {
    ask::<T>(client, asked).await.map_err(|fail| match fail {
        Fail::Refused { status: 400, .. } => unknown::<T>(&fail),
        fail => fail,
    })
}

/// Asks about one; a refusal says what to do next.
async fn ask<T: Kept>(client: &Client, ask: Ask) -> Result<Value, Fail> {
    client.ask(ask).await.map_err(|fail| match fail {
        Fail::Refused { status: 404, .. } => unknown::<T>(&fail),
        Fail::Refused { status: 409, .. } => {
            let hint = format!("choose another name, or see `parachute {} remove --help`", T::NOUN);
            Fail::local(fail.to_string(), hint)
        }
        fail => fail,
    })
}

fn unknown<T: Kept>(fail: &Fail) -> Fail {
    Fail::local(fail.to_string(), format!("`parachute {} list` shows them all", T::NOUN))
}

fn shown(sheet: &Sheet, ink: Ink) -> String {
    let mut text = pairs(&sheet.facts, ink);
    let body = plain(sheet.text.trim());
    if !body.is_empty() {
        text += &format!("\n{body}\n");
    }
    text
}
