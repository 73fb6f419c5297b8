//! Why a server could not be spoken with: sentences that a person reads, and what to do next.
//! None of them holds a secret that the server was given; what the server itself said is added
//! by [`crate::ask`], with secrets taken out.

use crate::limits::SAID_BYTES_MAX;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskError {
    /// There is no such program.
    #[error("`{0}` is not found")]
    Missing(String),
    /// It is there and could not be started.
    #[error("`{program}` cannot be started: {cause}")]
    NotStarted {
        /// Which.
        program: String,
        /// In the system's words.
        cause: String,
    },
    /// It ended before it was asked everything.
    #[error("the server ended {0}")]
    Ended(String),
    /// It was not quick enough.
    #[error("the server did not {what} within {seconds} s")]
    Silent {
        /// What it was asked for.
        what: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// It says more than anybody would read.
    #[error("the server said more than {} MiB", SAID_BYTES_MAX >> 20)]
    TooMuch,
    /// It has more tools than anybody would use.
    #[error("the server's list of tools has no end")]
    Endless,
    /// It answered that it will not.
    #[error("the server refused: {said} ({code})")]
    Refused {
        /// Its code, of JSON-RPC.
        code: i32,
        /// Its words.
        said: String,
    },
    /// It speaks another revision of the protocol.
    #[error("the server speaks revision {0} of the protocol, which is not known here")]
    Revision(String),
    /// What it said is not the protocol.
    #[error("what the server answered is not MCP: {0}")]
    Garbage(String),
    /// The address is none.
    #[error("the address of the server is no http:// or https:// URL")]
    Address,
    /// A header cannot be sent.
    #[error("the header `{0}` cannot be sent")]
    Header(String),
    /// No connection, or none that could be trusted.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// An HTTP status that is no success.
    #[error("the server answered {0}")]
    Status(u16),
}

impl AskError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        Some(match self {
            AskError::Missing(_) => "install it, or give its absolute path",
            AskError::Silent { .. } => {
                "a server that is fetched when it is first used may be quicker the next time"
            }
            AskError::Address => "correct `url`",
            AskError::Header(_) => "correct `headers`",
            AskError::Unreachable(_) => "look at the address, the network and the proxy",
            AskError::Status(401 | 403) => {
                "it wants another credential: set `headers.Authorization`, for example to \
                 `Bearer ${TOKEN}`"
            }
            AskError::Status(300..=399) => {
                "redirects are not followed: set `url` to where it leads, if you trust it"
            }
            AskError::Status(404 | 405) => {
                "look at the address; a server of the older kind needs `type` to be `sse`"
            }
            AskError::Garbage(_) => {
                "a program has to write nothing but the protocol to its standard output"
            }
            _ => return None,
        })
    }
}
