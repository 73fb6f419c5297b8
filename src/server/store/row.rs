//! Rows as plain values, and the lenient way they are read: whatever another program put into a
//! column, a row is shown rather than refused (trap 72). What a value means is decided above.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use wire::Timestamp;
use wire::usage::TurnSums;

/// The columns of `sessions` in the order of [`session`].
pub(super) const COLUMNS: &str = "id, title, module, source, working_directory, vault_root, \
     model, message_count, archived, created_at, last_accessed, continued_from, agent_type, \
     metadata, trust_level, linked_bot_platform, linked_bot_chat_id, linked_bot_chat_type, \
     workspace_id";

/// What a session's turns came to, as one column: an array in the order of [`TurnSums`].
const SUMS: &str = "(SELECT json_array(count(*), total(input_tokens), total(output_tokens), \
     total(cache_read_tokens), total(cache_write_tokens), total(cost_usd), total(duration_ms)) \
     FROM turns WHERE turns.session_id = sessions.id)";

/// What is selected of `sessions` for [`session`].
pub(super) fn selected() -> String {
    format!("{COLUMNS}, {SUMS}")
}

/// One row of `sessions`, as it stands in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// The only id.
    pub id: String,
    /// From the first message.
    pub title: Option<String>,
    /// `chat` unless a module said otherwise.
    pub module: String,
    /// `parachute`, `claude-code`, `telegram`, …; any text is possible.
    pub source: String,
    /// `/vault/…`, or absolute outside of it.
    pub working_directory: Option<String>,
    /// Only in old rows.
    pub vault_root: Option<String>,
    /// The model that answered last.
    pub model: Option<String>,
    /// Messages of user and assistant.
    pub message_count: i64,
    /// Put away.
    pub archived: bool,
    /// When it began. 1970 if the column cannot be read as a time.
    pub created_at: Timestamp,
    /// Last turn or change. 1970 if the column cannot be read as a time.
    pub last_accessed: Timestamp,
    /// The session it continues.
    pub continued_from: Option<String>,
    /// Kind of agent.
    pub agent_type: Option<String>,
    /// Open set (contract-core §3.4). None if null or not a JSON object.
    pub metadata: Option<Map<String, Value>>,
    /// As stored: ours, the app's or the predecessor's name.
    pub trust_level: Option<String>,
    /// `telegram` or `discord`.
    pub linked_bot_platform: Option<String>,
    /// The chat there.
    pub linked_bot_chat_id: Option<String>,
    /// `dm` or `group`.
    pub linked_bot_chat_type: Option<String>,
    /// Its workspace.
    pub workspace_id: Option<String>,
    /// What its turns came to. Follows from other rows: it is read, never written.
    pub usage: TurnSums,
}

impl SessionRow {
    /// An empty chat that began at `at`.
    pub fn new(id: impl Into<String>, at: Timestamp) -> SessionRow {
        SessionRow {
            id: id.into(),
            title: None,
            module: "chat".to_owned(),
            source: "parachute".to_owned(),
            working_directory: None,
            vault_root: None,
            model: None,
            message_count: 0,
            archived: false,
            created_at: at,
            last_accessed: at,
            continued_from: None,
            agent_type: None,
            metadata: None,
            trust_level: None,
            linked_bot_platform: None,
            linked_bot_chat_id: None,
            linked_bot_chat_type: None,
            workspace_id: None,
            usage: TurnSums::default(),
        }
    }
}

/// Which sessions to list, last used first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListFilter {
    /// Only this module.
    pub module: Option<String>,
    /// Only titles that contain this text (`%` and `_` mean themselves; ASCII in any case).
    pub search: Option<String>,
    /// False: only those not put away. True: only those.
    pub archived: bool,
    /// Both; then `archived` says nothing.
    pub archived_too: bool,
    /// Only this workspace.
    pub workspace_id: Option<String>,
    /// At most so many rows.
    pub limit: u32,
    /// Skip so many first.
    pub offset: u32,
}

/// How many sessions there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// All.
    pub total: i64,
    /// Not put away.
    pub active: i64,
    /// Put away.
    pub archived: i64,
    /// All, by module; only modules that have one.
    pub by_module: BTreeMap<String, i64>,
}

/// Changes to one session; None leaves a column as it is.
#[derive(Default)]
pub struct Patch {
    /// New title.
    pub title: Option<String>,
    /// New model.
    pub model: Option<String>,
    /// New module.
    pub module: Option<String>,
    /// New trust level, in any of its names.
    pub trust_level: Option<String>,
    /// New workspace; `Some(None)` takes it away.
    pub workspace_id: Option<Option<String>>,
    /// What happens to the metadata.
    pub metadata: Option<MetadataEdit>,
}

impl Patch {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.model.is_none()
            && self.module.is_none()
            && self.trust_level.is_none()
            && self.workspace_id.is_none()
            && self.metadata.is_none()
    }
}

/// A change to a session's metadata.
pub enum MetadataEdit {
    /// Replace it; None stores null.
    Whole(Option<Map<String, Value>>),
    /// Edit what is there, inside the transaction. Runs on the writer's thread: no waiting in it.
    /// No metadata is shown as an empty map, and stays null if it is left empty.
    With(Edit),
}

/// What an edit does to a map of metadata.
pub type Edit = Box<dyn FnOnce(&mut Map<String, Value>) + Send>;

/// One finished turn.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnRow {
    /// Number within the session.
    pub turn: i64,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended, in the words of the event log.
    pub outcome: String,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens read.
    pub input_tokens: Option<i64>,
    /// Tokens written.
    pub output_tokens: Option<i64>,
    /// Tokens taken from the vendor's cache.
    pub cache_read_tokens: Option<i64>,
    /// Tokens put into it.
    pub cache_write_tokens: Option<i64>,
    /// US dollars, as the CLI reckons them.
    pub cost_usd: Option<f64>,
    /// Milliseconds from start to end.
    pub duration_ms: Option<i64>,
}

/// What a piece of the event log, up to and with `upto`, means for its session's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// Id of the last event taken in.
    pub upto: i64,
    /// The new total of messages.
    pub message_count: Option<i64>,
    /// A title, for a session that has none or still the one that it had when the turn began.
    pub title: Option<String>,
    /// The title when the turn began.
    pub title_before: Option<String>,
    /// New model.
    pub model: Option<String>,
    /// When the last of these events happened; never sets the column back.
    pub last_accessed: Timestamp,
    /// The turn that ended among them.
    pub turn: Option<TurnRow>,
    /// The turn that ended with it, in the words of [`Handed::turn`].
    pub ended: Option<String>,
}

/// A turn that was accepted and whose end has not been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Its id.
    pub turn: String,
    /// Its session.
    pub session_id: String,
    /// What was asked, as JSON; no secret is in it.
    pub body: String,
}

/// Reads a row selected with [`selected`].
pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        id: text(row, 0)?.unwrap_or_default(),
        title: text(row, 1)?,
        module: text(row, 2)?.unwrap_or_default(),
        source: text(row, 3)?.unwrap_or_default(),
        working_directory: text(row, 4)?,
        vault_root: text(row, 5)?,
        model: text(row, 6)?,
        message_count: number(row, 7)?.unwrap_or(0),
        archived: number(row, 8)?.unwrap_or(0) != 0,
        created_at: time(row, 9)?,
        last_accessed: time(row, 10)?,
        continued_from: text(row, 11)?,
        agent_type: text(row, 12)?,
        metadata: text(row, 13)?.and_then(|text| serde_json::from_str(&text).ok()),
        trust_level: text(row, 14)?,
        linked_bot_platform: text(row, 15)?,
        linked_bot_chat_id: text(row, 16)?,
        linked_bot_chat_type: text(row, 17)?,
        workspace_id: text(row, 18)?,
        usage: text(row, 19)?.map(|sums| of_array(&sums)).unwrap_or_default(),
    })
}

/// Reads [`SUMS`]; what is no number there counts for nothing.
fn of_array(sums: &str) -> TurnSums {
    let sums: Vec<Value> = serde_json::from_str(sums).unwrap_or_default();
    let real = |at: usize| sums.get(at).and_then(Value::as_f64).unwrap_or_default();
    let whole = |at: usize| real(at) as i64;
    TurnSums {
        turns: whole(0),
        input_tokens: whole(1),
        output_tokens: whole(2),
        cache_read_tokens: whole(3),
        cache_write_tokens: whole(4),
        cost_usd: real(5),
        duration_ms: whole(6),
    }
}

/// The column as text; what is not text is written out.
pub(super) fn text(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    })
}

/// The column as a whole number, as SQLite itself would cast it; None if it is no number.
pub(super) fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<i64>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Integer(number) => Some(number),
        ValueRef::Real(number) => Some(number as i64),
        ValueRef::Text(bytes) => str::from_utf8(bytes).ok().and_then(|t| t.trim().parse().ok()),
        ValueRef::Null | ValueRef::Blob(_) => None,
    })
}

/// The column as a point in time, 1970 if it is none.
pub(super) fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    let read = text(row, at)?.and_then(|text| Timestamp::parse(&text));
    Ok(read.unwrap_or_else(|| Timestamp::from_millis(0)))
}
