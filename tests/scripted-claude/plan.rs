//! What a turn shall do: the directive in the prompt, read. Does none of it.

use std::path::Path;

use scripted_api::words;
use serde::Deserialize;
use serde_json::Value;

const PIECES_MAX: usize = 10_000_000;
const BYTES_MAX: usize = 512 << 20;

/// `@@{…}@@` in a prompt; every field may be missing. The same object in
/// `<config folder>/scripted-claude.json` goes for prompts that have none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Text deltas to send. Without `text` and `bytes`: so many words (3 where nothing is said).
    pub n: Option<usize>,
    /// Microseconds between two deltas; 0: as fast as the reader takes them.
    pub delay_us: u64,
    /// The answer's text, in words or in `n` pieces.
    pub text: Option<String>,
    /// The answer is the system prompt that was given, after `told: `.
    pub told: bool,
    /// The size of a made-up text; for `huge_line` and `noise`, of that.
    pub bytes: Option<usize>,
    /// Words of many scripts and several bytes to a character.
    pub utf8: bool,
    /// Thinking deltas before the text.
    pub thinking: usize,
    /// Tool calls that need no permission, spread over the text.
    pub tools: usize,
    /// Calls after those, as they stand; the CLI's own rules allow each of them.
    pub uses: Vec<Use>,
    /// A call of this tool that needs one.
    pub ask: Option<String>,
    /// A call of `AskUserQuestion`.
    pub question: bool,
    /// How long each tool "runs", in milliseconds.
    pub tool_ms: u64,
    /// Each delta is the clock's reading when it was written (nanoseconds, CLOCK_MONOTONIC).
    pub stamp: bool,
    /// What goes wrong, if anything.
    pub fail: Option<Fail>,
    /// When it goes wrong.
    pub when: When,
}

/// A call of a tool.
#[derive(Debug, Clone, Deserialize)]
pub struct Use {
    /// The tool.
    pub name: String,
    /// What it is given.
    pub input: Value,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fail {
    /// Half of the text, then exit status 1 and not a word why.
    Exit1,
    /// Half of the text, then lines that are no JSON, no UTF-8, no known type; then on with it.
    Garbage,
    /// The text, then a result with `is_error`, as for an API error 500.
    ErrorResult,
    /// Half of the text, then killed by SIGKILL.
    Crash,
    /// Nothing any more, whatever is said; ends when it is killed or its parent is gone.
    Silent,
    /// Half of the text, then a line of `bytes` (65 MiB); then on with it.
    HugeLine,
    /// The credential is refused: retries, then an error result.
    Auth,
    /// Says that it is an old version; at the start, refuses our flags as an old one would.
    OldVersion,
    /// Two lines on stderr, nothing on stdout, exit status 1.
    StderrOnly,
    /// Half of the text, then `bytes` (4 MiB) on stderr, which nobody may leave unread; then on
    /// with it.
    Noise,
    /// At the start: a conversation that is to be gone on with is not found, although it is there.
    Lost,
}

/// When a [`Fail`] happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// In the turn.
    #[default]
    Turn,
    /// Before anything is read; only sensible in the file.
    Start,
}

impl Plan {
    /// The directive of a prompt, if it has one.
    ///
    /// # Errors
    /// A directive that does not parse: a test with a typo must not pass by accident.
    pub fn of_prompt(prompt: &str) -> Result<Option<Self>, String> {
        let Some((_, rest)) = prompt.split_once("@@{") else {
            return Ok(None);
        };
        let Some((inner, _)) = rest.split_once("}@@") else {
            return Ok(None);
        };
        let parsed = serde_json::from_str(&format!("{{{inner}}}"));
        parsed.map(Some).map_err(|error| format!("scripted-claude: bad directive: {error}"))
    }

    /// The plan of the config folder, if there is a file.
    ///
    /// # Errors
    /// A file that does not parse.
    pub fn of_config(folder: &Path) -> Result<Option<Self>, String> {
        let Ok(text) = std::fs::read_to_string(folder.join("scripted-claude.json")) else {
            return Ok(None);
        };
        let parsed = serde_json::from_str(&text);
        parsed.map(Some).map_err(|error| format!("scripted-claude: bad plan in file: {error}"))
    }

    /// The answer's text and where its pieces end. `prompt` is repeated where nothing is planned.
    pub(crate) fn speech(&self, prompt: Option<&str>) -> Speech {
        let of_the_failure = matches!(self.fail, Some(Fail::HugeLine | Fail::Noise));
        let text = match (&self.text, self.bytes.filter(|_| !of_the_failure)) {
            (Some(text), _) => text.clone(),
            (None, Some(bytes)) => words::filler(bytes.min(BYTES_MAX), self.utf8),
            (None, None) => match (self.n, prompt) {
                (None, Some(prompt)) => format!("You said: {prompt}"),
                (n, _) => return Speech::words(n.unwrap_or(3).min(PIECES_MAX), self.utf8),
            },
        };
        match self.n {
            Some(n) => Speech::split(text, n.clamp(1, PIECES_MAX)),
            None => Speech::spoken(text),
        }
    }

    /// How many tools are called in the turn.
    pub(crate) fn calls(&self) -> usize {
        self.tools + self.uses.len() + usize::from(self.ask.is_some()) + usize::from(self.question)
    }
}

/// A text and the ends of its pieces.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Speech {
    pub text: String,
    pub ends: Vec<usize>,
}

impl Speech {
    fn words(count: usize, wide: bool) -> Self {
        let mut text = String::with_capacity(count * 8);
        let mut ends = Vec::with_capacity(count);
        for index in 0..count {
            words::push_word(&mut text, index, wide);
            if index + 1 < count {
                text.push(' ');
            }
            ends.push(text.len());
        }
        Self { text, ends }
    }

    fn spoken(text: String) -> Self {
        let mut end = 0;
        let mut ends = Vec::new();
        for piece in words::pieces(&text) {
            end += piece.len();
            ends.push(end);
        }
        Self { text, ends }
    }

    /// At most `n` pieces of about the same size, none of them empty.
    fn split(text: String, n: usize) -> Self {
        let cut = |index: usize| text.ceil_char_boundary(text.len() * index / n);
        let mut ends: Vec<usize> = (1..=n).map(cut).collect();
        ends.dedup();
        ends.retain(|end| *end > 0);
        Self { text, ends }
    }

    /// Piece number `index`.
    pub(crate) fn piece(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(prompt: &str) -> Plan {
        Plan::of_prompt(prompt).unwrap().unwrap()
    }

    fn pieces(speech: &Speech) -> Vec<&str> {
        (0..speech.ends.len()).map(|index| speech.piece(index)).collect()
    }

    #[test]
    fn directives() {
        assert!(Plan::of_prompt("no directive, @@{ not even this").unwrap().is_none());
        assert!(Plan::of_prompt("@@{\"n\":}@@").is_err());
        assert!(Plan::of_prompt("@@{\"fail\":\"typo\"}@@").is_err());
        let plan = plan("say @@{\"n\":2,\"fail\":\"huge_line\",\"mode\":\"ignored\"}@@ it");
        assert_eq!((plan.n, plan.fail, plan.when), (Some(2), Some(Fail::HugeLine), When::Turn));
    }

    #[test]
    fn speech_by_count_text_and_size() {
        let by = |directive: &str| plan(directive).speech(None);
        assert_eq!(pieces(&by("@@{\"n\":2}@@")), ["alpha ", "beta"]);
        assert_eq!(pieces(&by("@@{\"text\":\"a b  c\"}@@")), ["a ", "b  ", "c"]);
        assert_eq!(pieces(&by("@@{\"text\":\"äöü\",\"n\":2}@@")), ["äö", "ü"]);
        assert_eq!(pieces(&by("@@{\"text\":\"ab\",\"n\":9}@@")), ["a", "b"]);
        assert_eq!(by("@@{\"bytes\":777,\"utf8\":true}@@").text.len(), 777);
        assert_eq!(by("@@{\"ask\":\"Bash\"}@@").ends.len(), 3);
        assert_eq!(Plan::default().speech(Some("hi")).text, "You said: hi");
        let empty = by("@@{\"text\":\"\"}@@");
        assert!(empty.ends.is_empty());
    }
}
