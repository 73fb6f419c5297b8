//! A value that no log line, error or `Debug` output may show. It is wiped when dropped.
//! Crossing a socket is an explicit act of the type that carries it ([`reveal`]).

use serde::{Deserialize, Deserializer, Serializer};
use std::fmt;
use zeroize::Zeroize;

/// Text that prints as `[redacted]` and is zeroed when it goes out of scope.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret)
    }
}

/// `#[serde(serialize_with = "secret::reveal")]`: the field is sent in clear. Only for bodies
/// that travel over a private socket, or an answer that shows a new key to its owner once.
pub fn reveal<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

/// The same for one that need not be there.
pub fn reveal_if_any<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => to.serialize_some(secret.expose()),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn shows_nothing_of_itself() {
        let secret = Secret::new("para_very_private".into());
        assert_eq!(format!("{secret:?} {secret}"), "[redacted] [redacted]");
    }
}
