//! Nouns that cross a socket: requests, answers, events, ids, time. Every program of the suite
//! and every client speaks in these; a shape is written down here once, and the JSON on the
//! wire, the OpenAPI schema, the event log and the bots' view all come from it.
//!
//! No I/O, no policy: what may be asked and what is done about it is decided elsewhere.

pub mod agent;
pub mod auth;
pub mod brain;
pub mod capability;
pub mod chat;
pub mod claude_code;
pub mod context;
pub mod control;
pub mod daily;
pub mod definition;
pub mod error;
pub mod files;
pub mod frames;
pub mod health;
pub mod id;
pub mod import;
pub mod mcp;
pub mod migration;
pub mod module;
pub mod plugin;
pub mod record;
pub mod sandbox;
pub mod secret;
pub mod session;
pub mod skill;
pub mod supervisor;
pub mod survey;
pub mod sync;
pub mod time;
pub mod trust;
pub mod trusted;
pub mod usage;
pub mod words;
pub mod workspace;

pub use chat::ChatEvent;
pub use id::SessionId;
pub use secret::Secret;
pub use time::Timestamp;
pub use trust::Trust;
