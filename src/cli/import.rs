//! `parachute import`: conversations that were held elsewhere become sessions. Files go to the
//! server piece by piece, also to one on this machine: what its unit may read is not all that a
//! person may. Each file is one import; what cannot be read in it is named.

use crate::args::ImportArgs;
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::feed::{Feed, News};
use crate::table::memory;
use crate::term::{Ink, line, print, print_json};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::time::Duration;
use wire::import::{ImportAnswer, ImportEvent};

/// Until a file has gone and the server says something: as long as it waits for a body.
const SENDING_MAX: Duration = Duration::from_secs(3600);

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &ImportArgs) -> Result<u8, Fail> {
    let mut status = exit::DONE;
    let mut all = Vec::new();
    for file in &args.files {
        let answer = match one(&client, file, args.archived).await {
            Ok(answer) => answer,
            Err(fail) => {
                // What came of the files before is told all the same.
                if !all.is_empty() {
                    print_json(&all.into())?;
                }
                return Err(fail);
            }
        };
        if answer.problem.is_some() {
            status = exit::FAILED;
        }
        if args.json {
            let mut told = json!({ "file": file.display().to_string() });
            let fields = told.as_object_mut().zip(serde_json::to_value(&answer).ok());
            if let Some((fields, Value::Object(answer))) = fields {
                fields.extend(answer);
            }
            all.push(told);
        } else {
            show(file, &answer)?;
        }
    }
    if args.json {
        print_json(&all.into())?;
    }
    Ok(status)
}

async fn one(client: &Client, file: &Path, archived: bool) -> Result<ImportAnswer, Fail> {
    let shown = file.display();
    let hint = "name a .json or a .zip, as Claude or ChatGPT export them";
    let lost = |e: std::io::Error| Fail::local(format!("cannot read {shown}: {e}"), hint);
    let found = std::fs::metadata(file).map_err(lost)?;
    if !found.is_file() {
        return Err(Fail::local(format!("{shown} is no file"), hint));
    }
    let note = Note::new();
    note.say(&format!("sending {shown} ({})", memory(found.len())))?;
    let path = format!("/api/import/file?archived={archived}");
    let ask = Ask::post(path).form(file).within(SENDING_MAX);
    let body = client.stream(ask).await?;
    let mut feed = Feed::new(client.clone(), body, cut);
    loop {
        let event = match feed.next().await? {
            News::Event(event) => event,
            News::Ended => return Err(cut("the server said no more".into())),
            News::Broken(cause) => return Err(cut(cause)),
        };
        match serde_json::from_str(&event.data).map_err(|e| client.foreign(e))? {
            ImportEvent::ImportProgress {
                imported_count,
                skipped_count,
                bytes_read,
                bytes_total,
                ..
            } => {
                let part = bytes_read.saturating_mul(100).checked_div(bytes_total).unwrap_or(100);
                note.say(&format!("{part} %: {imported_count} new, {skipped_count} others"))?;
            }
            ImportEvent::ImportDone(answer) => {
                return Ok(answer);
            }
            ImportEvent::ImportError { error } => {
                return Err(Fail::local(format!("{shown} was not imported: {error}"), hint));
            }
        }
    }
}

fn cut(why: String) -> Fail {
    let said = format!("the end of the import was not heard: {why}");
    Fail::local(said, "the same import once more goes on where it ended, and takes nothing twice")
}

fn show(file: &Path, answer: &ImportAnswer) -> Result<(), Fail> {
    let known = answer.duplicate_count - answer.diverged_count.min(answer.duplicate_count);
    let parts = [
        (answer.imported_count, "new"),
        (answer.updated_count, "with newer messages"),
        (known, "known already"),
        (answer.diverged_count, "with newer messages, left alone: you went on with them here"),
        (answer.empty_count, "without a word"),
        (answer.bad_count, "that cannot be read"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, what)| *count > 0 || *what == "new")
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    print(&format!("{}: {}\n", line(&file.display().to_string()), parts.join(", ")))?;
    let ink = Ink::err();
    for error in &answer.errors {
        writeln!(stderr(), "  {}", ink.yellow(&line(error)))?;
    }
    let shown = answer.errors.len() as u64;
    let shown = shown.saturating_sub(u64::from(answer.problem.is_some()));
    if let Some(more) = answer.bad_count.checked_sub(shown).filter(|more| *more > 0) {
        writeln!(stderr(), "  {}", ink.yellow(&format!("and {more} more")))?;
    }
    Ok(())
}

/// One line on a terminal that is written over again and again; nothing elsewhere.
struct Note {
    on: bool,
}

impl Note {
    fn new() -> Note {
        Note { on: stderr().is_terminal() }
    }

    fn say(&self, said: &str) -> std::io::Result<()> {
        if self.on { write!(stderr(), "\r\u{1b}[K{}", line(said)) } else { Ok(()) }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if self.on {
            // What is said next begins on a clean line; if it cannot be cleaned, it is said all
            // the same.
            let _ = write!(stderr(), "\r\u{1b}[K");
        }
    }
}
