//! Why a vendor gives no answer: sentences that a person reads, each with what to do next.
//! None of them holds the credential, or anything of the address beyond scheme, host and port.

use crate::limits::LIST_TIME;
use std::fmt;

/// Why there is no list. `place` is the scheme, host and port that was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// There is no credential, or none that can be sent; the caller's own sentence.
    #[error("{0}")]
    NoCredential(String),
    /// The base URL is none. It is not repeated: there may be a password in it.
    #[error(
        "the address of the model vendor is no http:// or https:// URL; correct or remove \
         ANTHROPIC_BASE_URL (anthropic_base_url in the config)"
    )]
    Address,
    /// No connection, or none that could be trusted.
    #[error("{place} cannot be reached: {cause}; look at the network, the proxy and the address")]
    Unreachable {
        /// Who.
        place: String,
        /// The last cause, in the system's words.
        cause: String,
    },
    /// The list was not there in time.
    #[error("{place} did not answer within {} s; try again later", LIST_TIME.as_secs())]
    Timeout {
        /// Who.
        place: String,
    },
    /// 401 or 403.
    #[error(
        "the vendor refused the credential ({status}{}); it may have expired, been revoked, or \
         not be allowed this: put another one in its place",
        Colon(said)
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The vendor's own words.
        said: Option<String>,
    },
    /// 429.
    #[error(
        "the vendor was asked too often{}; try again {}",
        Colon(said), After(*retry_after_seconds)
    )]
    TooOften {
        /// The vendor's own words.
        said: Option<String>,
        /// How long it wants to be left alone, where it says so in seconds.
        retry_after_seconds: Option<u64>,
    },
    /// Any other status than 200.
    #[error("{place} answered {status}{}; {}", Colon(said), advice(*status))]
    Status {
        /// Who.
        place: String,
        /// The HTTP status.
        status: u16,
        /// The vendor's own words.
        said: Option<String>,
    },
    /// An answer that is no list, or a list without end.
    #[error(
        "{place} answered with something that was not asked for ({why}); look whether it is the \
         vendor's address"
    )]
    Garbage {
        /// Who.
        place: String,
        /// In what respect.
        why: &'static str,
    },
}

/// A colon and what was said, if anything was.
struct Colon<'a>(&'a Option<String>);

impl fmt::Display for Colon<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |said| write!(f, ": {said}"))
    }
}

struct After(Option<u64>);

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(seconds) => write!(f, "in {seconds} s"),
            None => f.write_str("later"),
        }
    }
}

fn advice(status: u16) -> &'static str {
    match status {
        // A credential must not travel to whom nobody named.
        300..400 => "redirects are not followed: set the address it points to, if you trust it",
        404 | 405 => "look whether it is the vendor's address",
        _ => "try again later",
    }
}

#[cfg(test)]
mod tests {
    use super::ListError;

    #[test]
    fn sentences() {
        let place = || "https://x.test".to_owned();
        let said = || Some("no".to_owned());
        for (error, begins, ends) in [
            (ListError::Timeout { place: place() }, "https://x.test did not", "within 10 s; try"),
            (ListError::Refused { status: 401, said: said() }, "the vendor refused", "(401: no)"),
            (ListError::Refused { status: 403, said: None }, "the vendor refused", "(403);"),
            (
                ListError::TooOften { said: said(), retry_after_seconds: Some(7) },
                "the vendor was asked too often: no",
                "again in 7 s",
            ),
            (
                ListError::TooOften { said: None, retry_after_seconds: None },
                "the vendor was asked too often;",
                "again later",
            ),
            (
                ListError::Status { place: place(), status: 500, said: None },
                "https://x.test answered 500;",
                "later",
            ),
            (
                ListError::Status { place: place(), status: 302, said: None },
                "https://x.test answered 302;",
                "not followed",
            ),
        ] {
            let text = error.to_string();
            assert!(text.starts_with(begins) && text.contains(ends), "{text}");
        }
    }
}
