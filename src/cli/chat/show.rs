//! A turn as a terminal shows it: the answer on standard output as it comes, everything about it
//! (tools, thinking, warnings, how it ended) on standard error, one line each and dim. With
//! `--json` every event goes out as it came instead. Decides nothing and asks nothing.

#[cfg(test)]
mod tests;

use super::phrase;
use crate::fail::exit;
use crate::term::{Ink, clip, line, plain};
use std::io::{self, Write};
use wire::ChatEvent;
use wire::chat::{Done, TypedError};

/// Columns of a line about the answer where the terminal does not say how many it has.
const COLUMNS: usize = 100;
/// As much of the answer is kept as is needed to tell whether a `text_reset` changes it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// How a turn is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Events as JSON lines.
    pub(crate) json: bool,
    /// Thinking too.
    pub(crate) thinking: bool,
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// Columns of standard error.
    pub(crate) columns: Option<usize>,
    /// Colours of standard error.
    pub(crate) ink: Ink,
}

/// Both streams, and what they have shown.
pub(crate) struct Screen<O, E> {
    out: O,
    err: E,
    look: Look,
    /// Whether standard output is in the middle of a line.
    mid_line: bool,
    /// Whether standard error is: only thinking leaves it so.
    mid_thought: bool,
    block: Option<u64>,
    /// The answer since the last tool call; none once it grew beyond what is kept.
    said: Option<String>,
}

impl<O: Write, E: Write> Screen<O, E> {
    /// On these streams.
    pub(crate) fn new(out: O, err: E, look: Look) -> Screen<O, E> {
        let said = Some(String::new());
        Screen { out, err, look, mid_line: false, mid_thought: false, block: None, said }
    }

    /// Shows an event that is known; `data` is its text as it came.
    pub(crate) fn event(&mut self, event: &ChatEvent, data: &str) -> io::Result<()> {
        if self.look.json {
            return self.raw(data);
        }
        match event {
            ChatEvent::Text { delta, .. } => self.text(delta),
            ChatEvent::TextReset { content } => self.reset(content),
            ChatEvent::Thinking { content, delta, block } if self.look.thinking => {
                let text = delta.as_deref().or(content.as_deref()).unwrap_or_default();
                self.thought(text, *block)
            }
            ChatEvent::ToolUse { tool } => {
                self.end_line()?;
                self.said = Some(String::new());
                self.aside(&format!("  → {}", phrase::call(&tool.name, &tool.input)))
            }
            ChatEvent::ToolResult { content, is_error, .. } => {
                self.aside(&format!("  ← {}", phrase::result(content, *is_error)))
            }
            ChatEvent::PermissionDenied { tool_name, message, .. } => {
                self.aside(&format!("  × {tool_name}: {message}"))
            }
            ChatEvent::UserMessage { content, injected: true } => {
                self.aside(&format!("  + {content}"))
            }
            ChatEvent::Warning { title, message, details, .. } => {
                self.aside(&format!("  ! {title}: {message}"))?;
                let more = details.as_deref().unwrap_or_default();
                more.iter().try_for_each(|detail| self.aside(&format!("    {detail}")))
            }
            ChatEvent::Reset { message, .. } => self.aside(&format!("  ! {message}")),
            _ if event.is_last() => self.end(event),
            _ => Ok(()),
        }
    }

    /// Shows an event that is not known: only `--json` can.
    pub(crate) fn unknown(&mut self, data: &str) -> io::Result<()> {
        if self.look.json { self.raw(data) } else { Ok(()) }
    }

    /// One dim line on standard error.
    pub(crate) fn aside(&mut self, text: &str) -> io::Result<()> {
        self.leave()?;
        let margin = &text[..text.len() - text.trim_start().len()];
        let most = self.look.columns.unwrap_or(COLUMNS).saturating_sub(margin.len());
        let text = clip(&line(text), most.max(20));
        writeln!(self.err, "{margin}{}", self.look.ink.dim(&text))
    }

    /// Text on standard error as it is; what is hostile in it is the caller's.
    pub(crate) fn ask(&mut self, text: &str) -> io::Result<()> {
        self.leave()?;
        write!(self.err, "{text}")?;
        self.err.flush()
    }

    /// What went wrong, on standard error.
    fn wrong(&mut self, text: &str) -> io::Result<()> {
        self.leave()?;
        writeln!(self.err, "parachute: {}", self.look.ink.red(&line(text)))
    }

    fn raw(&mut self, data: &str) -> io::Result<()> {
        // Line feeds between the tokens of JSON mean nothing; within a string there are none.
        writeln!(self.out, "{}", data.replace(['\n', '\r'], " "))?;
        self.out.flush()
    }

    fn text(&mut self, delta: &str) -> io::Result<()> {
        self.end_thought()?;
        if let Some(said) = &mut self.said {
            said.push_str(delta);
        }
        self.said = self.said.take().filter(|said| said.len() <= KEPT_BYTES_MAX);
        match self.look.terminal {
            true => self.out.write_all(plain(delta).as_bytes())?,
            false => self.out.write_all(delta.as_bytes())?,
        }
        if !delta.is_empty() {
            self.mid_line = !delta.ends_with('\n');
        }
        self.out.flush()
    }

    /// What is on the screen cannot be taken back: where it is no longer the begin of the
    /// answer, the answer is told again.
    fn reset(&mut self, content: &str) -> io::Result<()> {
        let said = self.said.take();
        self.said = Some(String::new());
        match said.as_deref().and_then(|said| content.strip_prefix(said)) {
            Some(rest) => {
                let known = &content[..content.len() - rest.len()];
                self.said = Some(known.to_owned());
                self.text(rest)
            }
            None => {
                self.end_line()?;
                self.aside("  ! the model's stream broke; the answer once more:")?;
                self.text(content)
            }
        }
    }

    fn thought(&mut self, text: &str, block: Option<u64>) -> io::Result<()> {
        if self.mid_line {
            self.leave()?;
        }
        if self.mid_thought && block != self.block {
            self.end_thought()?;
        }
        self.block = block;
        self.mid_thought = !text.is_empty() || self.mid_thought;
        write!(self.err, "{}", self.look.ink.dim(&plain(text)))?;
        self.err.flush()
    }

    fn end(&mut self, event: &ChatEvent) -> io::Result<()> {
        self.end_line()?;
        match event {
            ChatEvent::Done(done) => {
                if let Some(summary) = summary(done) {
                    self.aside(&summary)?;
                }
                Ok(())
            }
            ChatEvent::Aborted { message, .. } => self.aside(message),
            ChatEvent::Error { error, .. } => self.wrong(error),
            ChatEvent::SessionUnavailable { message, .. } => self.wrong(message),
            ChatEvent::TypedError(error) => self.failed(error),
            _ => Ok(()),
        }
    }

    fn failed(&mut self, error: &TypedError) -> io::Result<()> {
        self.wrong(&format!("{}: {}", error.title, error.message))?;
        match &error.original_error {
            Some(said) => self.aside(&format!("  {said}")),
            None => Ok(()),
        }
    }

    /// Whatever was begun on either stream is ended with its line.
    pub(crate) fn end_line(&mut self) -> io::Result<()> {
        self.end_thought()?;
        if self.mid_line {
            self.mid_line = false;
            writeln!(self.out)?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// Before a line on standard error: a terminal shows both streams in one column.
    fn leave(&mut self) -> io::Result<()> {
        if self.look.terminal { self.end_line() } else { self.end_thought() }
    }

    fn end_thought(&mut self) -> io::Result<()> {
        if self.mid_thought {
            self.mid_thought = false;
            writeln!(self.err)?;
        }
        Ok(())
    }
}

/// The exit status that a turn's last event means, by its type; none for any other event.
pub(crate) fn exit_of(kind: &str) -> Option<u8> {
    wire::record::ends_turn(kind).then_some(match kind {
        "done" => exit::DONE,
        "aborted" => exit::ABORTED,
        _ => exit::FAILED,
    })
}

/// Model, time and money of a turn, as far as they are known.
fn summary(done: &Done) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(done.model.clone());
    if done.duration_ms > 0 {
        parts.push(format!("{:.1} s", done.duration_ms as f64 / 1000.0));
    }
    if let Some(cost) = done.usage.cost_usd {
        parts.push(format!("${cost:.4}"));
    }
    if let Some(denials) = done.permission_denials.as_ref().filter(|denials| !denials.is_empty()) {
        parts.push(format!("{} refused", denials.len()));
    }
    (!parts.is_empty()).then(|| parts.join(" · "))
}
