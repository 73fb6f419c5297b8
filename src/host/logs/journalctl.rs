//! A child that reads the journal for us, `journalctl -o export`: the words to it, what it
//! writes, and how it ends. Units are chosen by matches, not by `-u`, which looks up names with
//! a `*` once, at its start, and so misses agents that come later.

use super::entry::{self, Piece, Raw};
use super::journal::{self, Bell, Files};
use super::long::Long;
use super::{AGENTS_SLICE, FIELD_BYTES_MAX, LINE_BYTES_MAX, LogError, READ_BYTES, Wanted};
use crate::child;
use std::path::Path;
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, ChildStdout};

/// Of what journalctl complains about, in bytes.
const SAID_BYTES_MAX: usize = 4 * 1024;
/// What it says when it may read nothing.
const NO_ACCESS: &str = "insufficient permissions";
/// Variables that it gets.
const PASSED_ON: [&str; 4] = ["HOME", "PATH", "TZ", "XDG_RUNTIME_DIR"];

/// A journalctl that runs.
pub(super) struct Running {
    child: Child,
    out: ChildStdout,
    err: Option<ChildStderr>,
    said: Vec<u8>,
    follows: bool,
    files: Files,
    /// Not yet a whole entry.
    rest: Vec<u8>,
    /// An entry of which the rest is passed over.
    long: Option<Long>,
}

impl Running {
    /// One that shows what there is of `wanted`, and ends. Its `follow` is of no account here.
    pub(super) fn looking_back(wanted: &Wanted) -> Result<Running, LogError> {
        let files = journal::files()?;
        let uid = (files == Files::System).then(crate::own_uid);
        Running::start(files, None, [options(wanted), matches(wanted, uid)].concat())
    }

    /// One that shows everything there is and will be since then, of all units: see `live.rs`.
    pub(super) fn following(bell: Option<&Bell>, since_us: u64) -> Result<Running, LogError> {
        // Without the second it would show the last ten entries only, without the third those
        // of this boot; the journals that we give it are all of this machine.
        let words = ["--follow", "--no-tail", "--merge"].map(str::to_owned).to_vec();
        let since = vec![format!("--since={}", point(since_us))];
        Running::start(journal::files()?, bell, [words, since].concat())
    }

    fn start(files: Files, bell: Option<&Bell>, words: Vec<String>) -> Result<Running, LogError> {
        let mut env = child::passed_on(&PASSED_ON);
        env.push(("LC_ALL".into(), "C.UTF-8".into()));
        let mut command = child::command_bound(Path::new("journalctl"), Path::new("/"), env);
        command.args(["-o", "export", "--no-pager"]);
        command.arg(if files == Files::Own { "--user" } else { "--system" });
        if let Some(bell) = bell {
            command.arg("--directory").arg(bell.folder());
        }
        let follows = words.iter().any(|word| word == "--follow");
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(LogError::NoProgram)?;
        let out = child.stdout.take().expect("asked for above");
        let err = child.stderr.take();
        let (said, rest) = (Vec::new(), Vec::new());
        Ok(Running { child, out, err, said, follows, files, rest, long: None })
    }

    /// Whether it shows what other users say, too.
    pub(super) fn shows_others(&self) -> bool {
        self.files == Files::System
    }

    /// Gives every entry that one read brings to `each`. False: there are no more. Nothing is
    /// lost if this is given up while it waits.
    pub(super) async fn read(&mut self, mut each: impl FnMut(&Raw<'_>)) -> Result<bool, LogError> {
        let read = loop {
            self.rest.reserve(READ_BYTES);
            tokio::select! {
                read = self.out.read_buf(&mut self.rest) => break read,
                () = complaint(&mut self.err, &mut self.said) => {}
            }
        };
        if read.map_err(|error| LogError::Broke(error.to_string()))? == 0 {
            self.ended().await?;
            return Ok(false);
        }
        let bytes = std::mem::take(&mut self.rest);
        let mut left = &bytes[..];
        if let Some(long) = &mut self.long {
            let Some(after) = long.take(left) else {
                return Ok(true);
            };
            left = after;
            self.long.take().expect("it is there").tell(&mut each);
        }
        while let Piece::Entry(raw, length) = entry::read(left) {
            each(&raw);
            left = &left[length..];
        }
        if left.len() > LINE_BYTES_MAX {
            self.long.get_or_insert_default().take(left);
            left = &[];
        }
        let done = bytes.len() - left.len();
        self.rest = bytes;
        self.rest.drain(..done);
        Ok(true)
    }

    /// It has written all it will: fine, unless it was to go on.
    async fn ended(&mut self) -> Result<(), LogError> {
        while self.err.is_some() {
            complaint(&mut self.err, &mut self.said).await;
        }
        let status = self.child.wait().await;
        let status = status.map_err(|error| LogError::Broke(error.to_string()))?;
        if status.success() && !self.follows {
            return Ok(());
        }
        let said = entry::text(&self.said, FIELD_BYTES_MAX);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        Err(match said.contains(NO_ACCESS) {
            true => LogError::NoAccess { said },
            false if said.is_empty() => LogError::Broke(status.to_string()),
            false => LogError::Broke(said),
        })
    }
}

/// Waits for a complaint. It never comes, once the child has closed its standard error.
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

fn point(us: u64) -> String {
    format!("@{}.{:06}", us / 1_000_000, us % 1_000_000)
}

fn options(wanted: &Wanted) -> Vec<String> {
    let mut list = Vec::new();
    if wanted.backwards {
        list.push("--reverse".to_owned());
    }
    if let Some(priority) = wanted.priority {
        list.push(format!("--priority={priority}"));
    }
    if let Some(boot) = &wanted.boot {
        list.push(format!("--boot={boot}"));
    }
    match (&wanted.after, wanted.since_us) {
        // The entry itself comes first, or the one after if it is gone.
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
/// of one field are alternatives, and different fields must all fit. `live::fits` says the same.
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
            // What the manager says of any unit; `fits` picks the agents'.
            let manager = ["_SYSTEMD_USER_UNIT=init.scope", "SYSLOG_IDENTIFIER=systemd"];
            groups.push(manager.map(str::to_owned).to_vec());
        }
    }
    if let Some(unit) = wanted.own_agent() {
        groups.push(vec![format!("_SYSTEMD_USER_UNIT={unit}")]);
        groups.push(vec![format!("USER_UNIT={unit}")]);
    }
    if let Some(uid) = uid {
        for group in &mut groups {
            group.push(format!("_UID={uid}"));
        }
    }
    groups.join(&"+".to_owned())
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
