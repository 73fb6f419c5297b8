//! The notes of a vault, understood: front matter, what a note says, and an index in which it is
//! found again. A crate of its own because it needs no server: it knows no sessions, no HTTP and
//! no settings, and its parsers are tested (and fuzzed) alone.

mod draft;
mod files;
mod follow;
pub mod front;
mod index;
mod limits;
mod links;
mod note;
mod prose;
mod query;
mod readers;
mod search;
mod store;
mod tags;
mod text;
mod walk;
mod watch;

pub use draft::{is_draft, sweep};
pub use front::Front;
pub use ignored::{Ignored, RULES_FILE, Warning};
pub(crate) use index::Shared;
pub use index::{Answer, Census, Index};
pub use limits::FOUND_MAX;
pub use note::Note;
pub use search::{Counted, Found, Hit, Named, Scope, Wanted};
pub use store::IndexError;
