//! Session ids. One is used as a file name, a unit name and a flag of the Claude CLI, so only
//! what is harmless in all three is an id (trap 20 of the contract).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest id taken, in bytes: a socket's path has to fit into 107 of them.
pub const SESSION_ID_BYTES_MAX: usize = 64;

/// 1 to 64 of `A-Z a-z 0-9 _ -`, not beginning with `-`. Ours are UUIDs (version 4).
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

/// Why a text is no session id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a session id is 1 to 64 characters of A-Z, a-z, 0-9, _ and -, and begins with no -")]
pub struct NotAnId;

impl SessionId {
    /// The id in a text, if it is one.
    pub fn parse(text: &str) -> Result<SessionId, NotAnId> {
        let lawful = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let fits = (1..=SESSION_ID_BYTES_MAX).contains(&text.len());
        if fits && !text.starts_with('-') && text.bytes().all(lawful) {
            Ok(SessionId(text.to_owned()))
        } else {
            Err(NotAnId)
        }
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the CLI would take it for `--session-id`, which must be a UUID.
    pub fn is_uuid(&self) -> bool {
        let b = self.0.as_bytes();
        b.len() == 36
            && b.iter().enumerate().all(|(i, c)| match i {
                8 | 13 | 18 | 23 => *c == b'-',
                _ => c.is_ascii_hexdigit(),
            })
    }
}

impl TryFrom<String> for SessionId {
    type Error = NotAnId;
    fn try_from(text: String) -> Result<SessionId, NotAnId> {
        SessionId::parse(&text)
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> String {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::SessionId;

    #[test]
    fn takes_only_what_is_harmless_as_a_file_a_unit_and_a_flag() {
        for good in ["a", "0f8c-_9", "00000000-0000-4000-8000-000000000001"] {
            assert!(SessionId::parse(good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", "../x", "a/b", "-rf", "a b", "a\0", "é", ".", &long] {
            assert!(SessionId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
