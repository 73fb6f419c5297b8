//! What can go wrong for a person at the command line: one line that says what is so, a hint at
//! what to do, and the exit status of the program. What the server said is shown, not judged.

use crate::suite::Program;
use crate::term::line;
use std::io;

/// Exit statuses of the program (parachute(1)).
pub(crate) mod exit {
    /// Done.
    pub(crate) const DONE: u8 = 0;
    /// The turn, or whatever was asked for, failed.
    pub(crate) const FAILED: u8 = 1;
    /// The command line makes no sense.
    pub(crate) const USAGE: u8 = 2;
    /// `status`: nothing serves. `sandbox status`: there is no engine, or no image.
    pub(crate) const NOT_RUNNING: u8 = 3;
    /// No server, or no supervisor, answers (EX_UNAVAILABLE of sysexits.h).
    pub(crate) const NO_SERVER: u8 = 69;
    /// The server wants a key, or lets nobody do it (EX_NOPERM of sysexits.h).
    pub(crate) const NOT_ALLOWED: u8 = 77;
    /// The turn was aborted (128 + SIGINT, as shells have it).
    pub(crate) const ABORTED: u8 = 130;
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fail {
    /// The command line makes no sense.
    #[error("{what}")]
    Usage {
        /// What is wrong with it.
        what: String,
        /// What would be right.
        hint: String,
    },
    /// Nobody took the connection.
    #[error("no {whom} answers at {place}: {cause}")]
    NoServer {
        /// Who was asked.
        whom: &'static Program,
        /// Where one was looked for.
        place: String,
        /// What the system said.
        cause: String,
    },
    /// The connection was taken, and broke before the answer was whole.
    #[error("the {whom} at {place} did not finish its answer: {cause}")]
    Lost {
        /// Who was asked.
        whom: &'static Program,
        /// Where.
        place: String,
        /// What happened to the connection.
        cause: String,
    },
    /// 401.
    #[error("the server does not allow it: {0}")]
    NotAllowed(String),
    /// 403: a key does not help.
    #[error("the server does not allow it: {0}")]
    Forbidden(String),
    /// Any other status that is not 2xx.
    #[error("{said} (the {whom} answered {status})")]
    Refused {
        /// Who was asked.
        whom: &'static Program,
        /// The status.
        status: u16,
        /// What its body says.
        said: String,
    },
    /// An answer that is not the contract's.
    #[error("what answers at {place} does not speak as Parachute does: {cause}")]
    Foreign {
        /// Who answered.
        place: String,
        /// What is odd about it.
        cause: String,
    },
    /// The end of a turn was not heard, and cannot be any more.
    #[error("the end of the turn was not heard: {0}")]
    Unheard(String),
    /// What is logged cannot be followed any more.
    #[error("the log is not followed any further: {0}")]
    Unfollowed(String),
    /// Whether an image was built was not heard.
    #[error("the end of the build was not heard: {0}")]
    Unbuilt(String),
    /// Something on this machine stands in the way.
    #[error("{what}")]
    Local {
        /// What is so.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Fail {
    /// Something on this machine stands in the way, and this is what to do about it.
    pub(crate) fn local(what: impl Into<String>, hint: impl Into<String>) -> Fail {
        Fail::Local { what: what.into(), hint: Some(hint.into()) }
    }

    /// The command line makes no sense.
    pub(crate) fn usage(what: impl Into<String>, hint: impl Into<String>) -> Fail {
        Fail::Usage { what: what.into(), hint: hint.into() }
    }

    /// The status the program ends with.
    pub(crate) fn exit(&self) -> u8 {
        match self {
            Fail::Usage { .. } => exit::USAGE,
            Fail::NoServer { .. } | Fail::Lost { .. } => exit::NO_SERVER,
            Fail::Unheard(_) | Fail::Unfollowed(_) | Fail::Unbuilt(_) => exit::NO_SERVER,
            Fail::NotAllowed(_) | Fail::Forbidden(_) => exit::NOT_ALLOWED,
            // Whoever read our output has seen enough; `parachute sessions | head` is no failure.
            Fail::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => exit::DONE,
            _ => exit::FAILED,
        }
    }

    /// What to do about it, where that is known.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Fail::Usage { hint, .. } => Some(hint),
            Fail::NoServer { whom, .. } => Some(whom.absent),
            Fail::Lost { .. } => Some("see `parachute status`, and `parachute logs`"),
            Fail::NotAllowed(_) => Some(
                "put a key into PARACHUTE_KEY; on the server's machine \
                 `parachute keys create LABEL` makes one",
            ),
            Fail::Foreign { .. } => Some("another program may have the port; see --server"),
            Fail::Unheard(_) => Some("the turn may go on: see `parachute sessions`"),
            Fail::Unfollowed(_) => Some("see `parachute supervisor status`"),
            Fail::Unbuilt(_) => Some("images are built while somebody listens: build it again"),
            Fail::Local { hint, .. } => hint.as_deref(),
            Fail::Refused { .. } | Fail::Forbidden(_) | Fail::Output(_) => None,
        }
    }

    /// Both as they are shown; nothing where there is nothing to say.
    pub(crate) fn shown(&self) -> String {
        if matches!(self, Fail::Output(e) if e.kind() == io::ErrorKind::BrokenPipe) {
            return String::new();
        }
        let mut text = format!("parachute: {}\n", line(&self.to_string()));
        if let Some(hint) = self.hint() {
            text += &format!("  hint: {}\n", line(hint));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{SERVER, SUPERVISOR};

    #[test]
    fn each_kind_of_failure_has_its_exit_status() {
        let text = String::new;
        let broken = |kind| Fail::Output(io::Error::from(kind));
        for (fail, exit) in [
            (Fail::usage("a", "b"), 2),
            (Fail::NoServer { whom: &SERVER, place: text(), cause: text() }, 69),
            (Fail::Lost { whom: &SUPERVISOR, place: text(), cause: text() }, 69),
            (Fail::Unheard(text()), 69),
            (Fail::Unfollowed(text()), 69),
            (Fail::Unbuilt(text()), 69),
            (Fail::NotAllowed(text()), 77),
            (Fail::Forbidden(text()), 77),
            (Fail::Refused { whom: &SERVER, status: 404, said: text() }, 1),
            (Fail::Foreign { place: text(), cause: text() }, 1),
            (Fail::local("a", "b"), 1),
            (broken(io::ErrorKind::StorageFull), 1),
            (broken(io::ErrorKind::BrokenPipe), 0),
        ] {
            assert_eq!(fail.exit(), exit, "{fail}");
        }
    }

    #[test]
    fn is_one_line_and_a_hint_whatever_the_server_said() {
        let fail = Fail::NotAllowed("no\nkey \u{1b}[31mhere".into());
        let shown = fail.shown();
        assert_eq!(shown.lines().count(), 2);
        assert!(shown.starts_with("parachute: the server does not allow it: no key [31mhere\n"));
        assert!(shown.contains("\n  hint: put a key into PARACHUTE_KEY"));
        assert!(!shown.contains('\u{1b}'));
    }
}
