//! Session files of the Claude CLI: a record a line, in a format that is the CLI's own and
//! changes. What is needed of a line is read and the rest passed over; what is no record counts
//! for nothing.

use crate::lenient::{self, Object, Text, Words};
use crate::limits::{
    FIRST_CHARS_MAX, LINE_BYTES_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX, TITLE_CHARS_MAX,
};
use crate::lines;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::io::{self, BufRead};
use wire::Timestamp;
use wire::session::Message;

/// What the CLI calls the model of what no model said.
pub const SYNTHETIC: &str = "<synthetic>";

/// What is needed of a line.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Line {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    timestamp: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    model: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    cwd: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    summary: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    custom_title: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    ai_title: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    result: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    is_meta: bool,
    #[serde(deserialize_with = "lenient::flag")]
    is_sidechain: bool,
    #[serde(deserialize_with = "lenient::flag")]
    is_compact_summary: bool,
    message: Object<Said>,
    metadata: Object<Origin>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    id: Text,
    model: Text,
    content: Words,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Origin {
    source: Text,
}

impl Line {
    /// A line that was read already.
    pub fn of(line: &Map<String, Value>) -> Line {
        Line::deserialize(line).unwrap_or_default()
    }

    /// What a person or a model said in it: no tool's result is a message of the user, nor is
    /// what the CLI says to itself.
    pub fn words(&self) -> &str {
        let said = self.message.0.as_ref().map_or("", |said| said.content.0.as_str());
        if self.is_meta || self.is_sidechain { "" } else { said }
    }

    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    fn into_message(self, last: Option<&Message>) -> Option<Message> {
        let (role, told) = match self.kind() {
            "user" => ("user", self.words()),
            "assistant" => ("assistant", self.words()),
            "result" => ("assistant", self.result.as_deref().unwrap_or_default()),
            _ => return None,
        };
        // The predecessor's sandbox wrote each answer as `assistant` and as `result`.
        let again = self.kind() == "result"
            && last.is_some_and(|last| last.role == "assistant" && last.content == told);
        let told = (!told.is_empty() && !again).then(|| told.to_owned())?;
        Some(Message { role: role.into(), content: told, timestamp: self.timestamp })
    }
}

/// The conversation in a session file.
///
/// # Errors
/// What the system says.
pub fn messages(from: impl BufRead) -> io::Result<Vec<Message>> {
    let mut all: Vec<Message> = Vec::new();
    lines::each(from, LINE_BYTES_MAX, |line| {
        let line = serde_json::from_slice::<Line>(line);
        all.extend(line.ok().and_then(|line| line.into_message(all.last())));
    })?;
    Ok(all)
}

/// What a message takes beside its text and its time: many are very short.
pub const MESSAGE_BYTES: usize = 100;

/// The end of the conversation in a session file, as much of it as has room in so many bytes, and
/// how many messages before it were left out.
///
/// # Errors
/// What the system says.
pub fn last_messages(from: impl BufRead, bytes_max: usize) -> io::Result<(Vec<Message>, usize)> {
    let mut kept: VecDeque<Message> = VecDeque::new();
    let (mut bytes, mut left_out) = (0, 0);
    lines::each(from, LINE_BYTES_MAX, |line| {
        let line = serde_json::from_slice::<Line>(line);
        let Some(message) = line.ok().and_then(|line| line.into_message(kept.back())) else {
            return;
        };
        bytes += size(&message);
        kept.push_back(message);
        while bytes > bytes_max
            && let Some(first) = kept.pop_front()
        {
            bytes -= size(&first);
            left_out += 1;
        }
    })?;
    Ok((kept.into(), left_out))
}

fn size(message: &Message) -> usize {
    MESSAGE_BYTES + message.content.len() + message.timestamp.as_ref().map_or(0, String::len)
}

/// What a session file is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// As a person or the CLI called it; none if nobody did.
    pub title: Option<String>,
    /// Begin of the first message of the user.
    pub first_message: Option<String>,
    /// Messages of user and assistant; a message in pieces, or with tools, is one.
    pub message_count: usize,
    /// The model that answered last.
    pub model: Option<String>,
    /// The working directory, as the first record with one has it.
    pub cwd: Option<String>,
    /// The earliest point in time.
    pub created: Option<Timestamp>,
    /// The latest.
    pub last: Option<Timestamp>,
    /// Where it came from, as importers of old wrote down.
    pub source: Option<String>,
}

/// Looks through a session file once.
///
/// # Errors
/// What the system says.
pub fn facts(from: impl BufRead) -> io::Result<Facts> {
    let mut look = Look::default();
    lines::each(from, LINE_BYTES_MAX, |line| {
        if let Ok(line) = serde_json::from_slice::<Line>(line) {
            look.at(line);
        }
    })?;
    let named = [look.custom, look.summary, look.own];
    look.facts.title = named.into_iter().flatten().find(|title| !title.is_empty());
    Ok(look.facts)
}

/// Whether it says something, and no more than is kept.
fn is_short(text: &str, bytes_max: usize) -> bool {
    !text.is_empty() && text.len() <= bytes_max
}

#[derive(Default)]
struct Look {
    facts: Facts,
    /// What a person, the CLI of old, and the CLI of today call the session.
    custom: Option<String>,
    summary: Option<String>,
    own: Option<String>,
    /// Id of the last answer, which comes in several lines with none of another between.
    id: Option<u64>,
    /// Its words, which a `result` may say again.
    answer: Option<u64>,
}

impl Look {
    fn at(&mut self, line: Line) {
        self.count(&line);
        let facts = &mut self.facts;
        if let Some(at) = line.timestamp.as_deref().and_then(Timestamp::parse) {
            facts.created = Some(facts.created.map_or(at, |was| was.min(at)));
            facts.last = Some(facts.last.map_or(at, |was| was.max(at)));
        }
        let said = line.message.0;
        let model = said.and_then(|said| said.model.0).or(line.model);
        let model = model.filter(|model| !line.is_sidechain && model != SYNTHETIC);
        facts.model = model.filter(|name| is_short(name, NAME_BYTES_MAX)).or(facts.model.take());
        let cwd = line.cwd.filter(|cwd| is_short(cwd, PATH_BYTES_MAX));
        facts.cwd = facts.cwd.take().or(cwd);
        let source = line.metadata.0.and_then(|metadata| metadata.source.0);
        let source = source.filter(|name| is_short(name, NAME_BYTES_MAX));
        facts.source = facts.source.take().or(source);
        let last = |kept: &mut Option<String>, title: Option<String>| {
            *kept = title.map(|title| flat(&title, TITLE_CHARS_MAX)).or(kept.take());
        };
        last(&mut self.custom, line.custom_title);
        last(&mut self.summary, line.summary);
        last(&mut self.own, line.ai_title);
    }

    fn count(&mut self, line: &Line) {
        let words = line.words();
        match line.kind() {
            // The words of a compaction are the CLI's.
            "user" if !words.is_empty() && !line.is_compact_summary => {
                self.facts.message_count += 1;
                self.answer = None;
                if self.facts.first_message.is_none() && !is_command(words) {
                    self.facts.first_message = Some(lenient::cut(words.trim(), FIRST_CHARS_MAX));
                }
            }
            "assistant" if !words.is_empty() => {
                self.answer = Some(hash(words));
                let id = line.message.0.as_ref().and_then(|said| said.id.0.as_deref()).map(hash);
                if id.is_none() || id != self.id {
                    self.facts.message_count += 1;
                }
                self.id = id;
            }
            "result" => {
                let told = line.result.as_deref().unwrap_or_default();
                if !told.is_empty() && self.answer != Some(hash(told)) {
                    self.facts.message_count += 1;
                    self.answer = Some(hash(told));
                }
            }
            _ => {}
        }
    }
}

/// What was typed at the CLI itself, and what it answered by itself.
fn is_command(words: &str) -> bool {
    let marks = ["<command-", "<local-command-", "[Request interrupted"];
    marks.iter().any(|mark| words.trim_start().starts_with(mark))
}

fn flat(text: &str, chars: usize) -> String {
    lenient::cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), chars)
}

/// Of texts that are compared with others of the same file and of no other.
fn hash(text: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
