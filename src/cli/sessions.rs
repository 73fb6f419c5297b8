//! `parachute sessions`: the list, one session with its messages, and putting away. The server
//! decides; `--json` shows what it said, whole.

use crate::args::{ListArgs, OneSession, SessionAct, SessionsArgs};
use crate::client::{Ask, Client};
use crate::fail::{Fail, exit};
use crate::table::{Table, ago, pairs};
use crate::term::{Ink, plain, print, print_json, tell, width};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::cmp::Reverse;
use wire::Timestamp;
use wire::session::{Session, SessionWithMessages};

/// How many are listed where nobody says.
const LIMIT: u16 = 20;

/// Runs the command; answers with the exit status.
pub(crate) async fn run(client: Client, args: &SessionsArgs) -> Result<u8, Fail> {
    if args.act.is_some() && args.list != ListArgs::default() {
        let hint = "--all, --archived, --search and --limit are for `parachute sessions` alone";
        return Err(Fail::usage("a list and one session are two things", hint));
    }
    match &args.act {
        None => list(&client, &args.list, args.json).await?,
        Some(SessionAct::Show(one)) => show(&client, one, args.json).await?,
        Some(SessionAct::Delete(one)) => {
            let answer = client.ask(Ask::delete(format!("/api/chat/{}", one.id)));
            tell(&format!("{} deleted", one.id), &answer.await?, args.json)?;
        }
        Some(SessionAct::Archive(one)) => {
            let answer = client.ask(Ask::post(format!("/api/chat/{}/archive", one.id)));
            tell(&format!("{} archived", one.id), &answer.await?, args.json)?;
        }
        Some(SessionAct::Unarchive(one)) => {
            let answer = client.ask(Ask::post(format!("/api/chat/{}/unarchive", one.id)));
            tell(&format!("{} brought back", one.id), &answer.await?, args.json)?;
        }
    }
    Ok(exit::DONE)
}

async fn list(client: &Client, args: &ListArgs, json: bool) -> Result<(), Fail> {
    let mut found = Vec::new();
    // The contract lists one kind at a time.
    if !args.archived {
        found.append(&mut fetch(client, args, false).await?);
    }
    if args.all || args.archived {
        found.append(&mut fetch(client, args, true).await?);
    }
    found.sort_by_key(|session| {
        Reverse(session["lastAccessed"].as_str().and_then(Timestamp::parse))
    });
    found.truncate(args.limit.unwrap_or(LIMIT).into());
    if json {
        return Ok(print_json(&json!({ "sessions": found }))?);
    }
    let mut table = Table::new(&["ID", "USED", "MESSAGES", "TITLE"]);
    let now = Timestamp::now().as_millis();
    for session in found {
        let session: Session = client.shape(session)?;
        table.row(vec![
            session.id.clone(),
            ago(session.last_accessed.as_millis(), now),
            session.message_count.to_string(),
            title(&session.title, args.all && session.archived),
        ]);
    }
    Ok(print(&table.show(width(), Ink::out()))?)
}

fn title(title: &Option<String>, archived: bool) -> String {
    let mark = if archived { "(archived) " } else { "" };
    format!("{mark}{}", title.as_deref().unwrap_or_default())
}

async fn fetch(client: &Client, args: &ListArgs, archived: bool) -> Result<Vec<Value>, Fail> {
    let mut path = format!("/api/chat?limit={}", args.limit.unwrap_or(LIMIT));
    if archived {
        path += "&archived=true";
    }
    if let Some(search) = &args.search {
        path += &format!("&search={}", utf8_percent_encode(search, NON_ALPHANUMERIC));
    }
    let mut answer: Value = client.ask(Ask::get(path)).await?;
    match answer["sessions"].take() {
        Value::Array(sessions) => Ok(sessions),
        _ => Err(client.foreign("a list of sessions was asked for, and none came")),
    }
}

async fn show(client: &Client, one: &OneSession, json: bool) -> Result<(), Fail> {
    let answer: Value = client.ask(Ask::get(format!("/api/chat/{}", one.id))).await?;
    if json {
        return Ok(print_json(&answer)?);
    }
    let SessionWithMessages { session, messages } = client.shape(answer)?;
    let ink = Ink::out();
    let text = |value: Option<String>| value.unwrap_or_default();
    let mut shown = pairs(
        &[
            ("session", session.id),
            ("title", text(session.title)),
            ("used", session.last_accessed.to_string()),
            ("made", session.created_at.to_string()),
            ("messages", session.message_count.to_string()),
            ("model", text(session.model)),
            ("directory", text(session.working_directory)),
            ("trust", session.trust.map(|trust| trust.name().to_owned()).unwrap_or_default()),
            ("state", if session.archived { "archived".into() } else { String::new() }),
        ],
        ink,
    );
    for message in messages {
        let at = message.timestamp.map(|at| format!(", {at}")).unwrap_or_default();
        let head = plain(&format!("{}{at}", message.role));
        shown += &format!("\n{}\n{}\n", ink.bold(&head), plain(message.content.trim_end()));
    }
    Ok(print(&shown)?)
}
