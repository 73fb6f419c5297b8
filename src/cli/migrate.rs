//! `parachute migrate`: coming over from the predecessor. The server's program looks at the vault
//! and brings it up to date; here it is shown, and the old daemon is taken out of the service
//! manager's hands. Works while nothing runs, and takes nothing away: what was there before is in
//! the copy that is named at the end.

mod daemon;

use crate::args::{Common, MigrateArgs};
use crate::fail::{Fail, exit};
use crate::reach;
use crate::service::beside_us;
use crate::suite::SERVER;
use crate::table::{Table, memory};
use crate::term::{Ink, print, print_json, width};
use daemon::Old;
use host::child::{PERSONAL, command, passed_on};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use wire::survey::{Fate, Survey, SurveyedDatabase};

/// The server's words for what we want of it.
const LOOK: &str = "--look";
const TAKE_OVER: &str = "--take-over";
/// Where the old daemon's files are kept, in the vault: a folder of their own, as there may be no
/// copy of anything else.
const OLD_UNITS: &str = ".parachute/old-units";
/// Settings of a person, and where things of ours are.
const OURS: [&str; 5] = ["PARACHUTE_*", "VAULT_PATH", "DB_PATH", "PORT", "STATE_DIRECTORY"];

/// Runs the command; answers with the exit status.
pub(crate) async fn run(common: &Common, args: &MigrateArgs) -> Result<u8, Fail> {
    let json = args.json.json;
    let vault = vault(common)?;
    let survey = ask(&vault, LOOK).await?;
    let old = Old::find()?;
    if !json {
        print(&shown(&survey, &old))?;
    }
    if args.dry_run {
        return end(&survey, &old, json, &["nothing was changed"]);
    }
    if is_ours(&survey) && old.is_none() {
        return end(&survey, &old, json, &["there is nothing to do"]);
    }
    if !is_ours(&survey) {
        let port = reach::settings(common)?.settings.port;
        old.must_not_run(port).await?;
    }
    if let Some(database) = behind(&survey) {
        say(json, &format!("bringing {} up to date …", database.path))?;
    }
    let survey = ask(&vault, TAKE_OVER).await?;
    let mut said = Vec::new();
    let units = old.put_away(&Path::new(&survey.vault).join(OLD_UNITS)).await?;
    said.extend(units.into_iter().map(|unit| format!("{unit} is out of use, and in {OLD_UNITS}")));
    if let Some(copy) = &survey.copy {
        said.push(format!("as it was before: {copy}"));
    }
    let before = survey.database.as_ref().map(|database| format!("{}.before-v16", database.path));
    // One that was never old has none.
    if let Some(before) = before.filter(|before| Path::new(before).exists()) {
        said.push(format!("its database before: {before}"));
    }
    said.push("the old program can go back to this vault as it is".to_owned());
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    end(&survey, &Old::find()?, json, &said)
}

/// The vault that is meant, if somebody said which.
fn vault(common: &Common) -> Result<Option<String>, Fail> {
    common.vault.as_deref().map(|vault| reach::absolute("--vault", vault)).transpose()
}

/// Has the server's program look, or take over.
async fn ask(vault: &Option<String>, how: &str) -> Result<Survey, Fail> {
    let program = beside_us(&SERVER).unwrap_or_else(|| SERVER.file.into());
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let variables = passed_on(&PERSONAL).into_iter().chain(passed_on(&OURS));
    let mut asking = command(&program, &here, variables);
    if let Some(vault) = vault {
        asking.env(reach::VAULT, vault);
    }
    let answer = asking.arg(how).stdin(Stdio::null()).output().await;
    let answer = answer.map_err(|error| {
        let hint = format!("{} belongs beside this program", SERVER.file);
        Fail::local(format!("cannot run {}: {error}", program.display()), hint)
    })?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        let said = said.trim().strip_prefix("parachute-server: ").unwrap_or(said.trim());
        return Err(Fail::local(said.to_owned(), "nothing was taken away"));
    }
    serde_json::from_slice(&answer.stdout)
        .map_err(|error| Fail::local(format!("the server's program said {error}"), "update both"))
}

fn is_ours(survey: &Survey) -> bool {
    behind(survey).is_none()
}

fn behind(survey: &Survey) -> Option<&SurveyedDatabase> {
    survey.database.as_ref().filter(|database| database.is_behind)
}

fn end(survey: &Survey, old: &Old, json: bool, said: &[&str]) -> Result<u8, Fail> {
    if json {
        let mut whole = json!(survey);
        whole["daemons"] = Value::from(old.names());
        whole["said"] = json!(said);
        print_json(&whole)?;
    } else {
        for line in said {
            print(&format!("{line}\n"))?;
        }
    }
    let broken = survey.items.iter().any(|item| item.fate == Fate::Broken);
    Ok(if broken { exit::FAILED } else { exit::DONE })
}

fn say(json: bool, text: &str) -> Result<(), Fail> {
    if !json {
        print(&format!("{text}\n"))?;
    }
    Ok(())
}

fn shown(survey: &Survey, old: &Old) -> String {
    let mut table = Table::new(&["WHAT", "COUNT", "WHERE", "WHAT BECOMES OF IT"]);
    if let Some(database) = &survey.database {
        let fate = match database.is_behind {
            true => format!(
                "brought from version {} to {}, with a copy beside it ({})",
                database.schema,
                database.schema_wanted,
                memory(database.bytes)
            ),
            false => "is up to date".to_owned(),
        };
        let path = Path::new(&database.path);
        let path = path.strip_prefix(&survey.vault).unwrap_or(path).display().to_string();
        table.row(vec!["sessions".into(), database.sessions.to_string(), path, fate]);
        let fate = "stay where the CLI keeps them".to_owned();
        let place = "~/.claude/projects".to_owned();
        table.row(vec!["transcripts".into(), database.transcripts.to_string(), place, fate]);
    }
    for item in &survey.items {
        let fate = match item.fate {
            Fate::Used => "used as it is",
            Fate::Left => "left alone",
            Fate::Broken => "cannot be read, and is left alone",
        };
        let said: Vec<&str> =
            [fate].into_iter().chain(item.notes.iter().map(String::as_str)).collect();
        let (count, path) = (item.count.to_string(), item.path.clone());
        table.row(vec![item.kind.clone(), count, path, said.join("; ")]);
    }
    for name in old.names() {
        let fate = "stopped and taken out of use".to_owned();
        table.row(vec!["daemon".into(), "1".into(), name, fate]);
    }
    format!("{}\n\n{}", survey.vault, table.show(width(), Ink::out()))
}
