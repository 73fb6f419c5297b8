//! What the programs of the suite have said: entries of the journal, through `journalctl`, or
//! lines of the files that launchd and the direct mode keep; from a place on, as they come, or
//! backwards from the newest.
//!
//! What is secret in them is not judged here; whoever shows an entry has to.

mod chain;
mod entry;
mod files;
mod journal;
mod journalctl;
mod lines;
mod live;
mod long;
mod past;

pub use journal::Journal;

use serde_json::{Map, Value};
use std::path::PathBuf;

/// Longest entry of the journal, or line of a file, that is kept, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Of one message, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Of one other field, in bytes.
const FIELD_BYTES_MAX: usize = 4 * 1024;
/// Other fields of one entry.
const FIELDS_MAX: usize = 64;
/// Read at once, in bytes: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;
/// A place in the log, in bytes.
const CURSOR_BYTES_MAX: usize = 1024;
/// A unit's name, a session's or turn's id, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The slice of the agents' units.
const AGENTS_SLICE: &str = "parachute-agents.slice";
/// What the names of the agents' units begin with; the session follows, and `.service`.
const AGENT_UNIT: &str = "parachute-agent@";

/// Where the log is.
#[derive(Clone, Debug)]
pub enum Source {
    /// In the journal of systemd.
    Journal(Journal),
    /// In files, one for each unit.
    Files(Vec<LogFile>),
}

/// A unit's log file. Older lines may be beside it, under its name with `.1` to `.9` behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The unit that says what is in it.
    pub unit: String,
    /// The file; it need not exist yet.
    pub path: PathBuf,
}

/// What of the log is wanted. Units are chosen by `units` and `agents`; the rest narrows that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Units by their full names: what they say, and what the manager says about them.
    pub units: Vec<String>,
    /// All agents, those to come among them.
    pub agents: bool,
    /// Only what is about this session, and everything its agent's unit says, if that is one of
    /// the units.
    pub session: Option<String>,
    /// Only what is about this turn.
    pub turn: Option<String>,
    /// As important as this, or more: 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// Only of this boot: its id of 32 hexadecimal digits, `0` for this one, `-1` for the one
    /// before. Log files know no boots.
    pub boot: Option<String>,
    /// Not before this point in time, in microseconds since 1970. Of no account with `after`.
    pub since_us: Option<u64>,
    /// Not after this point in time, in microseconds since 1970.
    pub until_us: Option<u64>,
    /// What comes after the entry with this cursor, whether that is still there or not.
    pub after: Option<String>,
    /// Go on with what is said from now on. With `backwards`: somebody will, from
    /// [`Reader::anchor`], so that a line that has no end yet is left to them.
    pub follow: bool,
    /// The newest first.
    pub backwards: bool,
}

/// Something that was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// Where the log goes on after it, for [`Wanted::after`]; empty where that is not known.
    pub cursor: String,
    /// When, in microseconds since 1970.
    pub time_us: Option<u64>,
    /// The unit that said it; of the manager's own words the unit they are about.
    pub unit: Option<String>,
    /// 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// The process that said it.
    pub pid: Option<u32>,
    /// Its name for itself.
    pub program: Option<String>,
    /// The session it is about.
    pub session: Option<String>,
    /// The turn it is about.
    pub turn: Option<String>,
    /// What was said, without control characters other than tabs and line feeds.
    pub message: String,
    /// Our own other fields in lower case, without the prefix. Each is a text, or a list of
    /// texts where it was given more than once.
    pub fields: Map<String, Value>,
}

/// Why the log cannot be read, or not so.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A value in [`Wanted`] that has no meaning here.
    #[error("{0}")]
    Unlawful(&'static str),
    /// There is a journal, and we may not read it; or there is none.
    #[error(
        "the journal cannot be read ({said}): have it kept on disk, which gives every user a \
         journal of their own (sudo mkdir -p /var/log/journal && sudo systemctl restart \
         systemd-journald), or let this user read all of it (sudo usermod -aG systemd-journal \
         and the user's name, then log in again)"
    )]
    NoAccess {
        /// In what way.
        said: String,
    },
    /// journalctl could not be started.
    #[error("journalctl does not start ({0}): it reads the log, and comes with systemd")]
    NoProgram(std::io::Error),
    /// journalctl ended when it should not have, or otherwise than well.
    #[error("journalctl ended early: {0}")]
    Broke(String),
    /// A log file cannot be read.
    #[error("the log file {path:?} cannot be read: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Wanted {
    /// The unit of the agent of the one session that is wanted, where all it says is.
    fn own_agent(&self) -> Option<String> {
        let unit = format!("{AGENT_UNIT}{}.service", self.session.as_ref()?);
        let wanted = self.turn.is_none() && (self.agents || self.units.contains(&unit));
        wanted.then_some(unit)
    }
}

impl Source {
    /// Whether `wanted` has a meaning here; [`open`](Source::open) asks the same.
    pub fn check(&self, wanted: &Wanted) -> Result<(), LogError> {
        let named = |name: &String| {
            let lawful = |b: u8| b.is_ascii_alphanumeric() || b":-_.@\\".contains(&b);
            (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(lawful)
        };
        let (place, boot) = (wanted.after.as_deref(), wanted.boot.as_deref());
        let (is_place, is_boot, boots): (_, fn(&str) -> bool, _) = match self {
            Source::Journal(_) => (
                place.is_none_or(live::is_cursor),
                journalctl::is_boot,
                "a boot is 0 for this one, -1 for the one before, or its id",
            ),
            Source::Files(_) => (
                place.is_none_or(chain::is_cursor),
                |_| false,
                "log files know no boots; ask by time",
            ),
        };
        let short = place.is_none_or(|cursor| cursor.len() <= CURSOR_BYTES_MAX);
        let wrong = [
            (!wanted.units.iter().all(named), "a unit's name is letters, digits and : - _ . @ \\"),
            (wanted.units.is_empty() && !wanted.agents, "no unit was named"),
            (!wanted.session.iter().all(named), "a session is letters, digits, - and _"),
            (!wanted.turn.iter().all(named), "a turn is letters, digits, - and _"),
            (!short || !is_place, "this is no place in the log"),
            (!boot.is_none_or(is_boot), boots),
        ];
        match wrong.iter().find(|(is_so, _)| *is_so) {
            Some((_, said)) => Err(LogError::Unlawful(said)),
            None => Ok(()),
        }
    }

    /// Begins to read. Has to be called within a tokio runtime, on a thread that stays.
    pub fn open(&self, wanted: &Wanted) -> Result<Reader, LogError> {
        self.check(wanted)?;
        Ok(Reader(match self {
            Source::Journal(journal) => {
                Kind::Journal(Box::new(live::Reading::new(journal, wanted)?))
            }
            Source::Files(files) if wanted.backwards => {
                Kind::Past(Box::new(past::Reading::new(files, wanted)?))
            }
            Source::Files(files) => Kind::Files(Box::new(files::Reading::new(files, wanted)?)),
        }))
    }
}

/// Entries, as many at a time as one read brings. Dropping it ends what it had started.
pub struct Reader(Kind);

enum Kind {
    Journal(Box<live::Reading>),
    Files(Box<files::Reading>),
    Past(Box<past::Reading>),
}

impl Reader {
    /// The next entries, at least one; `None` at the end, to which only a reader that does not
    /// follow comes. Nothing is lost if this is given up while it waits.
    pub async fn next(&mut self) -> Result<Option<&[Entry]>, LogError> {
        match &mut self.0 {
            Kind::Journal(reading) => reading.next().await,
            Kind::Files(reading) => reading.next().await,
            Kind::Past(reading) => reading.next().await,
        }
    }

    /// Of a reader backwards that has been asked once: the cursor after which everything comes
    /// that was not there when it began. `None` where there was nothing at all.
    pub fn anchor(&self) -> Option<&str> {
        match &self.0 {
            Kind::Journal(reading) => reading.newest(),
            Kind::Files(_) => None,
            Kind::Past(reading) => Some(reading.anchor()),
        }
    }
}
