//! The terminal: whether there is one, its width, its colours, and what may be written to it.
//! Text of models and servers may hold escape sequences; none of them reaches a terminal.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde_json::Value;
use std::io::{self, IsTerminal, Write, stderr, stdin, stdout};
use std::os::fd::AsFd;
use std::thread;
use tokio::sync::oneshot;

/// Colours of one stream, or none of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ink {
    on: bool,
}

impl Ink {
    /// No colours.
    #[cfg(test)]
    pub(crate) const NONE: Ink = Ink { on: false };

    /// All colours.
    #[cfg(test)]
    pub(crate) const ALL: Ink = Ink { on: true };

    /// Of standard output.
    pub(crate) fn out() -> Ink {
        Ink { on: stdout().is_terminal() && wanted() }
    }

    /// Of standard error.
    pub(crate) fn err() -> Ink {
        Ink { on: stderr().is_terminal() && wanted() }
    }

    /// What matters less.
    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// What matters more.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What is wrong.
    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What may be wrong.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self.on {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// See <https://no-color.org>: set and not empty means none.
fn wanted() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// Whether a person sits here who can be asked: reads what is asked and types the answer.
pub(crate) fn can_ask() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Columns of the terminal that standard output is; none where it is none.
pub(crate) fn width() -> Option<usize> {
    columns(&stdout())
}

/// Columns of the terminal that standard error is; none where it is none.
pub(crate) fn err_width() -> Option<usize> {
    columns(&stderr())
}

fn columns(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(size.ws_col.into())
}

/// Forgets what was typed before anything was asked, so that it answers nothing.
pub(crate) fn forget_typed() {
    // Fails where standard input is no terminal, and then nothing was typed.
    let _ = rustix::termios::tcflush(stdin(), rustix::termios::QueueSelector::IFlush);
}

/// Writes text to standard output, all of it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Writes JSON to standard output, laid out for reading.
pub(crate) fn print_json(value: &Value) -> io::Result<()> {
    print(&format!("{value:#}\n"))
}

/// Says what was done, in one line, or the whole answer as JSON.
pub(crate) fn tell(said: &str, answer: &Value, json: bool) -> io::Result<()> {
    match json {
        true => print_json(answer),
        false => print(&format!("{}\n", line(said))),
    }
}

/// Resolves when nobody reads standard output any more; never, where that cannot be known, as of
/// a file. A thread waits for it, and ends with the program: the descriptor is shared with other
/// programs, so it cannot be made one that does not block.
pub(crate) async fn reader_left() {
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let out = stdout();
        // Asked for nothing, it tells of errors alone; the end of a pipe has no other.
        let mut asked = [PollFd::new(&out, PollFlags::empty())];
        while matches!(poll(&mut asked, None), Err(Errno::INTR)) {}
        // Where the program has ended, nobody is left to be told.
        let _ = tell.send(());
    });
    // The thread tells before it ends.
    let _ = told.await;
}

/// Text as one line: white space of any kind becomes one space, other control characters go.
pub(crate) fn line(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(plain).collect();
    words.join(" ")
}

/// Text without control characters other than line feeds and tabs.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| harmless(*c)).collect()
}

fn harmless(c: char) -> bool {
    // The embedding and overriding marks would let a command read otherwise than it is.
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c == '\n' || c == '\t' || (!c.is_control() && !turns)
}

/// The text, or its begin and an ellipsis, in at most so many characters.
pub(crate) fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_turns_text_around_passes() {
        assert_eq!(plain("a\u{1b}]0;t\u{7}\tb\r\n\u{9b}2J\u{202e}é"), "a]0;t\tb\n2Jé");
        assert_eq!(line("  two\n\n lines\u{0} \r\n"), "two lines");
    }

    #[test]
    fn clips_at_characters_and_says_so() {
        assert_eq!(clip("ééé", 3), "ééé");
        assert_eq!(clip("éééé", 3), "éé…");
        assert_eq!(clip("ab cd", 4), "ab…");
        assert_eq!(clip("abc", 0), "…");
    }

    #[test]
    fn no_colours_where_none_are_wanted() {
        assert_eq!(Ink::NONE.dim("x") + &Ink::NONE.red("y"), "xy");
        assert_eq!(Ink::ALL.bold("x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
