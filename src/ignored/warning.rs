//! What a person should know about one of their files. Nothing is refused for it.

use std::fmt;
use std::path::PathBuf;

/// Something in a file is not as it should be, and was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The file, below the vault.
    pub path: PathBuf,
    /// Where in it, counted from one, if it is one place.
    pub line: Option<usize>,
    /// What is wrong.
    pub said: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.said)
    }
}
