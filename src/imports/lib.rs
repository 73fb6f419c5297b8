//! What other programs keep of conversations, read as a stream: exports of Claude and ChatGPT
//! (JSON, or a ZIP archive with it), and the session files of the Claude CLI. One conversation is
//! held at a time, whatever the length of the file, and everything in it is taken for hostile.
//!
//! Reads from `Read` and knows no other I/O; what becomes of a conversation is the caller's.

mod archive;
mod chatgpt;
mod claude;
pub mod export;
mod lenient;
pub mod limits;
pub mod lines;
pub mod project;
mod record;
mod scan;
pub mod session;

pub use limits::Bounds;

use std::io;
use wire::Timestamp;

/// Whose export it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// claude.ai.
    Claude,
    /// chatgpt.com.
    ChatGpt,
}

impl Source {
    /// As a session's row has it (contract-extended §5.3).
    pub fn name(self) -> &'static str {
        match self {
            Source::Claude => "claude",
            Source::ChatGpt => "chatgpt",
        }
    }
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// As transcripts have it.
    pub fn name(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// Something that was said; never blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// By whom.
    pub role: Role,
    /// Its text, without tools, thinking and attachments.
    pub text: String,
    /// When, where that can be read.
    pub at: Option<Timestamp>,
}

/// A conversation with at least one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Where it was held.
    pub source: Source,
    /// Its id there.
    pub original_id: String,
    /// Its title there.
    pub title: Option<String>,
    /// When it began, as the export says.
    pub created: Option<Timestamp>,
    /// When it was changed last, as the export says.
    pub updated: Option<Timestamp>,
    /// First to last.
    pub messages: Vec<Message>,
}

/// A record that is no conversation. The others are read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its place in the export, from 0.
    pub index: u64,
    /// Its id, where one can be read.
    pub id: Option<String>,
    /// What is wrong with it.
    pub why: String,
}

/// One record of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A conversation.
    Conversation(Conversation),
    /// A conversation in which nobody said anything: it is passed over.
    Empty,
    /// Something else.
    Bad(Bad),
}

/// Why an export was not read to its end. What was whole before that was told.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// It ends in the middle of a record or before its last bracket.
    #[error("the export breaks off after {0} bytes")]
    Truncated(u64),
    /// Where something of JSON should be is something else.
    #[error("the export is no JSON at byte {at}: {why}")]
    Malformed {
        /// From its begin.
        at: u64,
        /// What should be there.
        why: &'static str,
    },
    /// JSON, and neither a list nor an object.
    #[error("this is no export: it is neither a list of conversations nor an object")]
    NoExport,
    /// More records than are read.
    #[error("there are more than {0} conversations in the export")]
    Many(u64),
    /// An archive that is not read.
    #[error("{0}")]
    Archive(String),
    /// What the system says.
    #[error("the export cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Whoever is told wants to hear no more.
    #[error("the import was stopped")]
    Left,
}
