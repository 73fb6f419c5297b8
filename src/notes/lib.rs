//! The notes of a vault, understood: front matter, which files are nobody's business, what a note
//! says, and an index in which it is found again. A crate of its own because it needs no server:
//! it knows no sessions, no HTTP and no settings, and its parsers are tested (and fuzzed) alone.

pub mod front;
mod ignored;
mod warning;
mod yaml;

pub use front::Front;
pub use ignored::{Ignored, RULES_FILE};
pub use warning::Warning;
