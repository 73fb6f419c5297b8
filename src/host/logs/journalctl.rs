//! A child that reads the journal for us: `journalctl -o json`, its words and its ends. Units
//! are chosen by matches, not by `-u`, which looks up names with a `*` once, at its start, and
//! so misses agents that come later.

use super::bell::{Bell, Journal};
use super::entry::{self, Read};
use super::{AGENT_UNIT, AGENTS_SLICE, Entry, LINE_BYTES_MAX, LogError, READ_BYTES, Wanted};
use crate::child;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdout};

/// Of what journalctl complains about, in bytes.
const SAID_BYTES_MAX: usize = 4 * 1024;
/// How it begins to say that there is nothing it could read.
const NOTHING_TO_READ: &str = "No journal files were";
/// Variables that it gets.
const PASSED_ON: [&str; 4] = ["HOME", "PATH", "TZ", "XDG_RUNTIME_DIR"];

/// A journalctl and what it has written so far.
pub(super) struct Reading {
    wanted: Wanted,
    bell: Option<Arc<Bell>>,
    /// Reads all files that we may read, and not only those of this user, of which there are
    /// none for system users and where the journal is kept in memory.
    wide: bool,
    child: Running,
    /// Not yet a whole line.
    rest: Vec<u8>,
    /// The rest of this line is passed over.
    skips: bool,
    begun: bool,
    newest: Option<String>,
    entries: Vec<Entry>,
}

struct Running {
    child: Child,
    out: ChildStdout,
    err: Option<ChildStderr>,
    said: Vec<u8>,
}

impl Reading {
    pub(super) fn new(journal: &Journal, wanted: &Wanted) -> Result<Reading, LogError> {
        let follows = wanted.follow && !wanted.backwards;
        let bell = if follows { journal.bell() } else { None };
        let child = Running::start(wanted, bell.as_deref(), false)?;
        Ok(Reading {
            wanted: wanted.clone(),
            bell,
            wide: false,
            child,
            rest: Vec::new(),
            skips: false,
            begun: false,
            newest: None,
            entries: Vec::new(),
        })
    }

    pub(super) fn newest(&self) -> Option<&str> {
        self.newest.as_deref()
    }

    pub(super) async fn next(&mut self) -> Result<Option<&[Entry]>, LogError> {
        self.entries.clear();
        loop {
            self.rest.reserve(READ_BYTES);
            let child = &mut self.child;
            let read = tokio::select! {
                read = child.out.read_buf(&mut self.rest) => read,
                () = complaint(&mut child.err, &mut child.said) => {
                    if self.child.has_nothing() {
                        self.widen()?;
                    }
                    continue;
                }
            };
            if read.map_err(|error| LogError::Broke(error.to_string()))? == 0 {
                if !self.child.ended(self.wanted.follow && !self.wanted.backwards).await? {
                    return Ok(None);
                }
                self.widen()?;
                continue;
            }
            self.take();
            if !self.entries.is_empty() {
                return Ok(Some(&self.entries));
            }
        }
    }

    /// Starts anew, with whatever we may read.
    fn widen(&mut self) -> Result<(), LogError> {
        if self.wide {
            return Err(LogError::NoAccess { said: self.child.complaints() });
        }
        self.wide = true;
        self.child = Running::start(&self.wanted, self.bell.as_deref(), true)?;
        Ok(())
    }

    /// Makes entries of all whole lines.
    fn take(&mut self) {
        let bytes = std::mem::take(&mut self.rest);
        let mut from = 0;
        while let Some(length) = bytes[from..].iter().position(|b| *b == b'\n') {
            let line = &bytes[from..from + length];
            from += length + 1;
            if !std::mem::take(&mut self.skips) {
                self.line(line);
            }
        }
        let left = bytes.len() - from;
        self.rest = bytes;
        self.rest.drain(..from);
        if left > LINE_BYTES_MAX || self.skips {
            if !std::mem::replace(&mut self.skips, true) {
                let entry = entry::too_long(&self.rest);
                self.keep(Read { entry, by_manager: false });
            }
            self.rest = Vec::new();
        }
    }

    fn line(&mut self, line: &[u8]) {
        // Between entries journalctl says `-- Boot … --`, and `-- No entries --`.
        if !line.starts_with(b"{") {
            return;
        }
        let read = entry::read(line).unwrap_or_else(|| Read {
            entry: Entry {
                message: "(an entry of the journal that cannot be read)".to_owned(),
                ..Entry::default()
            },
            by_manager: false,
        });
        self.keep(read);
    }

    fn keep(&mut self, Read { entry, by_manager }: Read) {
        if !std::mem::replace(&mut self.begun, true) {
            self.newest = Some(entry.cursor.clone()).filter(|cursor| !cursor.is_empty());
            // journalctl begins with the entry itself, or the one after if it is gone.
            if self.wanted.after.as_deref() == Some(entry.cursor.as_str()) {
                return;
            }
        }
        if !by_manager || is_ours(&self.wanted, entry.unit.as_deref().unwrap_or_default()) {
            self.entries.push(entry);
        }
    }
}

/// Whether a unit that the manager speaks of is one that is wanted.
fn is_ours(wanted: &Wanted, unit: &str) -> bool {
    wanted.agents && unit.starts_with(AGENT_UNIT) || wanted.units.iter().any(|known| known == unit)
}

/// Waits for a complaint. Comes never, once the child has closed its standard error.
async fn complaint(err: &mut Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(open) = err else {
        return std::future::pending().await;
    };
    let mut piece = [0; 512];
    let read = open.read(&mut piece).await.unwrap_or(0);
    if read == 0 {
        *err = None;
    }
    let room = SAID_BYTES_MAX - said.len();
    said.extend_from_slice(&piece[..read.min(room)]);
}

impl Running {
    fn start(wanted: &Wanted, bell: Option<&Bell>, wide: bool) -> Result<Running, LogError> {
        let mut env = child::passed_on(&PASSED_ON);
        env.push(("LC_ALL".into(), "C.UTF-8".into()));
        let mut command = child::command_bound(Path::new("journalctl"), Path::new("/"), env);
        command.args(["-o", "json", "--all", "--no-pager"]);
        if !wide {
            command.arg("--user");
        }
        if let Some(bell) = bell {
            command.arg("--directory").arg(bell.folder());
        }
        let uid = wide.then(crate::own_uid);
        command.args(options(wanted)).args(matches(wanted, uid));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(LogError::NoProgram)?;
        let out = child.stdout.take().expect("asked for above");
        let err = child.stderr.take();
        Ok(Running { child, out, err, said: Vec::new() })
    }

    fn complaints(&self) -> String {
        let text = entry::printable(&self.said);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn has_nothing(&self) -> bool {
        let text = String::from_utf8_lossy(&self.said);
        text.lines().any(|line| line.starts_with(NOTHING_TO_READ))
    }

    /// It has written all it will. True: it had no files to read.
    async fn ended(&mut self, follows: bool) -> Result<bool, LogError> {
        while self.err.is_some() {
            complaint(&mut self.err, &mut self.said).await;
        }
        let status = self.child.wait().await;
        let status = status.map_err(|error| LogError::Broke(error.to_string()))?;
        if self.has_nothing() {
            return Ok(true);
        }
        if status.success() && !follows {
            return Ok(false);
        }
        let said = self.complaints();
        Err(LogError::Broke(if said.is_empty() { status.to_string() } else { said }))
    }
}

fn options(wanted: &Wanted) -> Vec<String> {
    let mut list = Vec::new();
    let point = |us: u64| format!("@{}.{:06}", us / 1_000_000, us % 1_000_000);
    if wanted.backwards {
        list.push("--reverse".to_owned());
    } else if wanted.follow {
        // Without the second it would show the last ten entries only.
        list.extend(["--follow", "--no-tail"].map(str::to_owned));
    }
    if let Some(priority) = wanted.priority {
        list.push(format!("--priority={priority}"));
    }
    if let Some(boot) = &wanted.boot {
        list.push(format!("--boot={boot}"));
    }
    match (&wanted.after, wanted.since_us) {
        (Some(cursor), _) => list.push(format!("--cursor={cursor}")),
        (None, Some(us)) => list.push(format!("--since={}", point(us))),
        (None, None) => {}
    }
    if let Some(us) = wanted.until_us {
        list.push(format!("--until={}", point(us)));
    }
    list
}

/// Groups of matches with `+` between: an entry must fit one group. Within a group the values
/// of one field are alternatives, and different fields must all fit.
fn matches(wanted: &Wanted, uid: Option<u32>) -> Vec<String> {
    let fields = [("SESSION", &wanted.session), ("TURN", &wanted.turn)];
    let about = fields.iter().filter_map(|(name, value)| {
        Some(format!("{}_{name}={}", crate::log::PREFIX, value.as_ref()?))
    });
    let about: Vec<String> = about.collect();
    let each = |field: &str| {
        wanted.units.iter().map(|unit| format!("{field}={unit}")).collect::<Vec<String>>()
    };
    let mut groups = Vec::new();
    if !wanted.units.is_empty() {
        groups.push([each("_SYSTEMD_USER_UNIT"), about.clone()].concat());
        if about.is_empty() {
            groups.push(each("USER_UNIT"));
        }
    }
    if wanted.agents {
        let slice = vec![format!("_SYSTEMD_USER_SLICE={AGENTS_SLICE}")];
        groups.push([slice, about.clone()].concat());
        if about.is_empty() {
            // What the manager says of any unit; `is_ours` picks the agents'.
            let manager = ["_SYSTEMD_USER_UNIT=init.scope", "SYSLOG_IDENTIFIER=systemd"];
            groups.push(manager.map(str::to_owned).to_vec());
        }
        if let (Some(session), None) = (&wanted.session, &wanted.turn) {
            let unit = format!("{AGENT_UNIT}{session}.service");
            groups.push(vec![format!("_SYSTEMD_USER_UNIT={unit}")]);
            groups.push(vec![format!("USER_UNIT={unit}")]);
        }
    }
    if let Some(uid) = uid {
        for group in &mut groups {
            group.push(format!("_UID={uid}"));
        }
    }
    groups.join(&"+".to_owned())
}

/// Whether journalctl takes it: parts like `i=1f` with semicolons between, and enough of them.
pub(super) fn is_cursor(text: &str) -> bool {
    let mut names = String::new();
    for part in text.split(';') {
        let (name, value) = part.split_once('=').unwrap_or_default();
        let lengths = match name {
            "s" | "b" => 32..=32,
            "i" | "m" | "t" | "x" => 1..=16,
            _ => return false,
        };
        if !lengths.contains(&value.len()) || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
            return false;
        }
        names.push_str(name);
    }
    let has = |name: char| names.contains(name);
    has('s') && has('i') || has('b') && has('m') || has('t')
}

/// `0`, `-1`, an id, or an id with `±n` behind.
pub(super) fn is_boot(text: &str) -> bool {
    let offset = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if offset(text) {
        return true;
    }
    let (id, behind) = text.split_at_checked(32).unwrap_or((text, ""));
    id.len() == 32
        && id.bytes().all(|b| b.is_ascii_hexdigit())
        && (behind.is_empty() || behind.starts_with(['-', '+']) && offset(behind))
}

#[cfg(test)]
mod tests;
