//! The CLI's transcript of a session (contract-core §1.4): found by its file's name wherever
//! the CLI put it, read line by line, and shown with only those lines that the app can parse.
//! Its format is the CLI's own and changes; what is not understood is passed over.

use super::keys::blocking;
use super::{Domain, DomainError};
use crate::agents;
use imports::limits::LINE_BYTES_MAX;
use imports::{lines, session};
use serde_json::{Map, Value, json};
use std::fs::{DirEntry, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use wire::Trust;
use wire::session::{Message, Segment, Transcript};

/// Which part is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// What came after the last compaction.
    Last,
    /// One stretch.
    One(usize),
    /// Everything.
    Full,
}

/// Folders that hold a folder of transcripts for each working directory, and the file's name.
pub(crate) struct Places {
    roots: Vec<PathBuf>,
    /// A folder of workspaces, each the home of the predecessor's containers (trap 76).
    sandboxes: Option<PathBuf>,
    file: String,
}

impl Places {
    fn find(&self) -> Option<PathBuf> {
        // A link is passed over: what ran in a container could have made it.
        let folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let listed =
            |dir: &PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().filter(folder);
        let homes = self.sandboxes.iter().flat_map(listed);
        let inside = |home: DirEntry| {
            let projects = home.path().join(".claude/projects");
            let real = projects.canonicalize().ok()?;
            real.starts_with(home.path().canonicalize().ok()?).then_some(projects)
        };
        let theirs = homes.filter_map(inside);
        let plain = |file: &PathBuf| file.symlink_metadata().is_ok_and(|found| found.is_file());
        let roots = self.roots.iter().cloned().chain(theirs);
        roots.flat_map(|root| listed(&root)).map(|dir| dir.path().join(&self.file)).find(plain)
    }
}

impl Domain {
    pub(crate) fn transcript_places(&self, id: &str) -> Places {
        let own = self.claude_projects();
        let roots = vec![own, self.vault().join(".claude/projects"), self.confined(id)];
        let sandboxes = Some(self.vault().join(".parachute/sandbox"));
        Places { roots, sandboxes, file: file_of(&self.agents.run_dir(id), id) }
    }

    /// Where an unconfined CLI keeps its conversations.
    pub(super) fn claude_projects(&self) -> PathBuf {
        let moved = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
        moved.unwrap_or_else(|| self.home.join(".claude")).join("projects")
    }

    /// Where a confined CLI keeps its conversations; it finds no others.
    fn confined(&self, id: &str) -> PathBuf {
        self.agents.run_dir(id).join("home/.claude/projects")
    }

    /// Whether a CLI at this level can go on with its conversation of this session.
    pub(crate) async fn resumable(&self, id: &str, trust: Trust) -> Result<bool, DomainError> {
        let mut places = self.transcript_places(id);
        // Others can be read and not gone on with: the CLI does not look there.
        let own = if trust == Trust::Full { self.claude_projects() } else { self.confined(id) };
        places.roots.retain(|root| *root == own);
        places.sandboxes = None;
        blocking(move || places.find().is_some()).await
    }

    /// Whether the CLI has a conversation for this session.
    pub(crate) async fn has_transcript(&self, id: &str) -> Result<bool, DomainError> {
        let places = self.transcript_places(id);
        blocking(move || places.find().is_some()).await
    }

    /// The transcript; where the CLI has none, one told by our own event log.
    pub(crate) async fn transcript(&self, id: &str, part: Part) -> Result<Transcript, DomainError> {
        let places = self.transcript_places(id);
        let dir = self.agents.run_dir(id);
        let session = id.to_owned();
        let read = blocking(move || -> io::Result<Option<Transcript>> {
            if let Some(file) = places.find() {
                let lines = BufReader::with_capacity(64 * 1024, File::open(file)?);
                return Ok(Some(read_lines(&session, lines, part)?));
            }
            let Some(logged) = agents::messages(&dir)? else {
                return Ok(None);
            };
            Ok(Some(told(&session, &logged.messages)))
        });
        read.await?.map_err(DomainError::History)?.ok_or(DomainError::NoTranscript)
    }
}

/// The name of a session's transcript. Reads: the CLI's conversation may have an id of its own.
pub(super) fn file_of(run_dir: &Path, id: &str) -> String {
    let kept = std::fs::read_to_string(run_dir.join("conversation")).ok();
    let kept = kept.filter(|kept| wire::SessionId::parse(kept).is_ok());
    format!("{}.jsonl", kept.as_deref().unwrap_or(id))
}

/// The conversation out of a transcript; None if there is none.
pub(crate) fn messages(places: &Places) -> io::Result<Option<Vec<Message>>> {
    let Some(file) = places.find() else {
        return Ok(None);
    };
    let lines = BufReader::with_capacity(64 * 1024, File::open(file)?);
    session::messages(lines).map(Some)
}

/// One stretch while it is read.
#[derive(Default)]
struct Stretch {
    messages: usize,
    events: usize,
    start: Option<String>,
    end: Option<String>,
    preview: String,
}

fn read_lines(session: &str, lines: impl BufRead, part: Part) -> io::Result<Transcript> {
    let mut segments: Vec<Segment> = Vec::new();
    let mut here = Stretch::default();
    let mut kept: Vec<(usize, Vec<Value>)> = vec![(0, Vec::new())];
    let (mut model, mut cwd) = (None, None);
    each_line(lines, |line| {
        let some = |name: &str| line.get(name).and_then(Value::as_str).map(str::to_owned);
        model = model.take().or_else(|| some("model"));
        cwd = cwd.take().or_else(|| some("cwd"));
        if text(line, "type") == "system" && text(line, "subtype") == "compact_boundary" {
            here.end = some("timestamp").or(here.end.take());
            if here.events > 0 {
                segments.push(std::mem::take(&mut here).into_segment(segments.len(), true));
                if part == Part::Last {
                    // Only the last stretch is wanted; the earlier ones need not be held.
                    kept.clear();
                }
                if part == Part::Full
                    && let Some((_, events)) = kept.last_mut()
                {
                    events.push(Value::Object(slim(line)));
                }
                kept.push((segments.len(), Vec::new()));
            }
            return;
        }
        if !shown(line) {
            return;
        }
        here.look(line, some("timestamp"));
        let index = segments.len();
        let wanted = match part {
            Part::Last | Part::Full => true,
            Part::One(one) => one == index,
        };
        if wanted && let Some((_, events)) = kept.last_mut() {
            events.push(Value::Object(slim(line)));
        }
    })?;
    if here.events > 0 {
        let index = segments.len();
        segments.push(here.into_segment(index, false));
    } else if let Some(last) = segments.last_mut() {
        last.is_compacted = false;
    }
    Ok(assemble(session, segments, kept, part, model, cwd))
}

fn assemble(
    session: &str,
    mut segments: Vec<Segment>,
    kept: Vec<(usize, Vec<Value>)>,
    part: Part,
    model: Option<String>,
    cwd: Option<String>,
) -> Transcript {
    let loaded = match part {
        Part::Full => None,
        Part::Last => segments.len().checked_sub(1),
        Part::One(one) => (one < segments.len()).then_some(one),
    };
    for segment in &mut segments {
        segment.loaded = match part {
            Part::Full => true,
            _ => loaded == Some(segment.index),
        };
    }
    let wanted = |index: usize| part == Part::Full || loaded == Some(index);
    let events: Vec<Value> =
        kept.into_iter().filter(|(i, _)| wanted(*i)).flat_map(|(_, events)| events).collect();
    let boundaries = segments.iter().filter(|s| s.is_compacted).count();
    Transcript {
        session_id: session.to_owned(),
        event_count: events.len(),
        events,
        model,
        cwd,
        total_event_count: segments.iter().map(|s| s.event_count).sum::<usize>() + boundaries,
        segment_count: segments.len(),
        loaded_segment_index: loaded,
        segments,
    }
}

impl Stretch {
    fn look(&mut self, line: &Map<String, Value>, at: Option<String>) {
        self.events += 1;
        if self.start.is_none() {
            self.start.clone_from(&at);
        }
        self.end = at.or(self.end.take());
        let said = if text(line, "type") == "user" { words(line) } else { String::new() };
        if !said.is_empty() {
            self.messages += 1;
            if self.preview.is_empty() {
                self.preview = preview(&said);
            }
        }
    }

    fn into_segment(self, index: usize, is_compacted: bool) -> Segment {
        Segment {
            index,
            is_compacted,
            message_count: self.messages,
            event_count: self.events,
            start_time: self.start,
            end_time: self.end,
            preview: self.preview,
            loaded: false,
        }
    }
}

/// At most 100 characters on one line.
fn preview(said: &str) -> String {
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= 100 {
        return flat;
    }
    let cut: String = flat.chars().take(97).collect();
    format!("{cut}...")
}

/// Whether the app can show a line: a `message` that is no object would make it drop the whole
/// transcript (trap 77).
fn shown(line: &Map<String, Value>) -> bool {
    let flag = |name: &str| line.get(name).and_then(Value::as_bool).unwrap_or_default();
    let whole = line.get("message").is_none_or(Value::is_object);
    match text(line, "type") {
        "user" | "assistant" => {
            whole && line.contains_key("message") && !flag("isMeta") && !flag("isSidechain")
        }
        "result" => whole,
        "system" => whole && !flag("isMeta"),
        _ => false,
    }
}

/// The line without what only the CLI needs; some of it is larger than all the rest.
fn slim(line: &Map<String, Value>) -> Map<String, Value> {
    let mut out = line.clone();
    for name in ["toolUseResult", "attachment", "snapshot"] {
        out.remove(name);
    }
    out
}

/// Text of a line's message.
fn words(line: &Map<String, Value>) -> String {
    session::Line::of(line).words().to_owned()
}

/// A transcript out of our own log: what was said, without the tools.
fn told(session: &str, messages: &[Message]) -> Transcript {
    let events = messages.iter().map(|message| {
        let content = json!([{ "type": "text", "text": message.content }]);
        json!({
            "type": message.role,
            "message": { "role": message.role, "content": content },
            "timestamp": message.timestamp,
            "sessionId": session,
        })
    });
    let events: Vec<Value> = events.collect();
    let mut stretch = Stretch::default();
    for event in events.iter().filter_map(Value::as_object) {
        stretch.look(event, event.get("timestamp").and_then(Value::as_str).map(str::to_owned));
    }
    let segments = if events.is_empty() { vec![] } else { vec![stretch.into_segment(0, false)] };
    let kept = vec![(0, events)];
    assemble(session, segments, kept, Part::Last, None, None)
}

/// Shows every line that is an object; passes over what is not.
fn each_line(from: impl BufRead, mut show: impl FnMut(&Map<String, Value>)) -> io::Result<()> {
    let over = lines::each(from, LINE_BYTES_MAX, |line| {
        if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(line) {
            show(&object);
        }
    })?;
    if over > 0 {
        tracing::warn!(over, "lines of a transcript are too long and were passed over");
    }
    Ok(())
}

fn text<'v>(line: &'v Map<String, Value>, name: &str) -> &'v str {
    line.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines() -> String {
        let said = |text: &str| json!({"content":[{"type":"text","text":text}]});
        let at = |s: u32| format!("2026-01-01T10:00:0{s}.000Z");
        [
            json!({"type":"user","message":{"role":"user","content":"hello"},"timestamp":at(0)}),
            json!({"type":"assistant","message":said("hi"),"timestamp":at(1)}),
            json!({"type":"user","message":"a string","timestamp":at(2)}),
            json!({"type":"attachment","timestamp":at(2)}),
            json!({"type":"system","subtype":"compact_boundary","timestamp":at(3)}),
            json!({"type":"user","message":said("after"),"timestamp":at(4)}),
        ]
        .map(|l| l.to_string())
        .join("\n")
    }

    #[test]
    fn stretches_lie_between_compactions() {
        let text = lines();
        let last = read_lines("s", text.as_bytes(), Part::Last).expect("read");
        assert_eq!((last.event_count, last.segment_count), (1, 2));
        assert_eq!(last.loaded_segment_index, Some(1));
        assert_eq!(last.segments[0].end_time.as_deref(), Some("2026-01-01T10:00:03.000Z"));
        assert_eq!(last.total_event_count, 4);
        let first = read_lines("s", text.as_bytes(), Part::One(0)).expect("read");
        assert_eq!((first.event_count, first.segments[0].preview.as_str()), (2, "hello"));
        let full = read_lines("s", text.as_bytes(), Part::Full).expect("read");
        assert_eq!((full.event_count, full.loaded_segment_index), (4, None));
        assert_eq!(full.events[2]["subtype"], "compact_boundary");
        let beyond = read_lines("s", text.as_bytes(), Part::One(9)).expect("read");
        assert_eq!((beyond.event_count, beyond.loaded_segment_index), (0, None));
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes: Vec<u8>, text: String) {
            let _ = read_lines("s", &bytes[..], Part::Last);
            let _ = read_lines("s", format!("{{\"type\":{text:?}}}").as_bytes(), Part::Full);
        }
    }
}
