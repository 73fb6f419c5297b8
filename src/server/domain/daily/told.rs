//! What a daily agent is told of its day, as the predecessor's tools told it: the journal, what
//! was said in chats, the days before (contract-extended §4.2). The entries of a day are part of
//! its journal, wherever they were put (trap T-63); and where nobody keeps a chat log, the day's
//! sessions are told in its place (trap T-67).

use super::{before, bounds, tools};
use crate::domain::{Domain, DomainError};
use crate::limits::{
    CHAT_LOG_CHARS_MAX, DAY_SESSIONS_MAX, JOURNAL_CHARS_MAX, RECENT_DAYS, RECENT_JOURNAL_CHARS_MAX,
    RECENT_LOG_CHARS_MAX,
};
use crate::store::ListFilter;
use crate::vault::daily::agents::Definition;
use crate::vault::daily::entries;
use crate::vault::{FileError, Folder, Front};
use jiff::civil::Date;
use std::path::Path;
use wire::Timestamp;

/// Sessions that are looked at for a day's.
const SESSIONS_LOOKED_AT: u32 = 200;

const CUT: &str = "\n[…]";

/// What there is to read for an agent.
pub(super) struct Material {
    pub(super) text: String,
    /// The day has a journal, or the agent does not ask for one.
    pub(super) has_journal: bool,
}

impl Domain {
    pub(super) async fn material(
        &self,
        definition: &Definition,
        date: Date,
    ) -> Result<Material, DomainError> {
        let asks = |tool: &str| definition.tools.iter().any(|named| named == tool);
        let (journal, recent) = (asks(tools::JOURNAL), asks(tools::RECENT_JOURNALS));
        let (log, logs) = (asks(tools::CHAT_LOG), asks(tools::RECENT_SESSIONS));
        let of_sessions = if log { self.sessions_of(date).await? } else { None };
        self.in_vault(move |vault| {
            let mut out = Parts::default();
            let ids = if journal || recent { entries::ids(vault)? } else { Vec::new() };
            let day =
                if journal { journal_of(vault, &ids, date, JOURNAL_CHARS_MAX)? } else { None };
            let has_journal = day.is_some() || !journal;
            out.add(journal, format!("Journal of {date}"), day);
            let written = if log { chat_log_of(vault, date, CHAT_LOG_CHARS_MAX)? } else { None };
            out.add(log, format!("Chats of {date}"), written.or(of_sessions));
            for day in before(date, RECENT_DAYS).filter(|_| recent) {
                let found = journal_of(vault, &ids, day, RECENT_JOURNAL_CHARS_MAX)?;
                out.add(false, format!("Journal of {day}"), found);
            }
            for day in before(date, RECENT_DAYS).filter(|_| logs) {
                let found = chat_log_of(vault, day, RECENT_LOG_CHARS_MAX)?;
                out.add(false, format!("Chats of {day}"), found);
            }
            Ok(Material { text: out.0, has_journal })
        })
        .await
    }

    /// What was said on a day, by the sessions that were used on it. None: nothing.
    async fn sessions_of(&self, date: Date) -> Result<Option<String>, DomainError> {
        let Some((begin, end)) = bounds(date) else { return Ok(None) };
        let limit = SESSIONS_LOOKED_AT;
        let filter = ListFilter { archived_too: true, limit, ..ListFilter::default() };
        let rows = self.store().await?.list_sessions(&filter).await?;
        let used = rows.into_iter().filter(|row| {
            row.created_at < end && row.last_accessed >= begin && tools::is_of_people(row)
        });
        let mut text = String::new();
        for row in used.take(DAY_SESSIONS_MAX) {
            let messages = self.messages(&row.id).await.unwrap_or_else(|error| {
                tracing::warn!(session = row.id, %error, "a session's day is not told");
                Vec::new()
            });
            let said: String = messages
                .iter()
                .filter(|message| {
                    let at = message.timestamp.as_deref().and_then(Timestamp::parse);
                    at.is_some_and(|at| begin <= at && at < end)
                })
                .map(|message| format!("- {}: {}\n", message.role, line(&message.content)))
                .collect();
            if !said.is_empty() {
                let title = row.title.unwrap_or_else(|| row.id.clone());
                text.push_str(&format!("## {}\n\n{said}\n", line(&title)));
            }
            if text.len() > CHAT_LOG_CHARS_MAX * 4 {
                break;
            }
        }
        Ok((!text.is_empty()).then(|| cut(&text, CHAT_LOG_CHARS_MAX)))
    }
}

/// Texts under headings.
#[derive(Default)]
struct Parts(String);

impl Parts {
    /// Adds what there is; of what was asked for and is not there it is said.
    fn add(&mut self, asked: bool, heading: String, text: Option<String>) {
        let text = match text {
            Some(text) => text,
            None if asked => "There is none.".to_owned(),
            None => return,
        };
        self.0.push_str(&format!("# {heading}\n\n{text}\n\n"));
    }
}

/// A day's journal: its own file, and the entries that were made on it, as far as there is room.
/// None: neither.
fn journal_of(
    vault: &Folder,
    ids: &[String],
    date: Date,
    chars: usize,
) -> Result<Option<String>, DomainError> {
    let mut text = note(vault, &format!("Daily/journals/{date}.md"))?.unwrap_or_default();
    let mut length = text.chars().count();
    let begin = format!("{date}-");
    for id in ids.iter().rev().filter(|id| id.starts_with(&begin)) {
        if length > chars {
            break;
        }
        let body = match entries::read(vault, id) {
            Ok(found) => found.map(|found| Front::read_forgiving(&found.text).body),
            Err(error) => {
                tracing::warn!(id, %error, "an entry is not told");
                None
            }
        };
        if let Some(body) = body.filter(|body| !body.trim().is_empty()) {
            length += body.chars().count() + 2;
            text.push_str(if text.is_empty() { "" } else { "\n\n" });
            text.push_str(&body);
        }
    }
    Ok((!text.is_empty()).then(|| cut(&text, chars)))
}

fn chat_log_of(vault: &Folder, date: Date, chars: usize) -> Result<Option<String>, DomainError> {
    let text = note(vault, &format!("Daily/chat-log/{date}.md"))?;
    Ok(text.map(|text| cut(&text, chars)))
}

/// A note as it stands. None: there is none, or nothing in it. A link is none: what it leads to
/// may be a secret, and all of this is told to a model.
fn note(vault: &Folder, path: &str) -> Result<Option<String>, DomainError> {
    let text = match vault.read_unlinked(Path::new(path)) {
        Err(FileError::Link(_)) => {
            tracing::warn!(path, "a note that is a link is not told");
            None
        }
        read => read?,
    };
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.trim().to_owned(),
        Some((at, _)) => text[..at].trim().to_owned() + CUT,
    }
}

/// A text on one line, and no longer than a few.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), 500).replace('\n', " ")
}
