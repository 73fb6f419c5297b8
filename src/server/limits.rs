//! Bounds of the server that are no settings, in one place. HTTP's own are `serve::Limits`.

use std::time::Duration;

/// For an agent to say that it is ready.
pub(crate) const AGENT_START: Duration = Duration::from_secs(15);
/// How often a turn is handed over again to a new agent after its own died.
pub(crate) const HAND_OVER_TRIES: u32 = 4;
/// For the end of a turn to reach the database before the client is told of it all the same.
pub(crate) const APPLY_WAIT: Duration = Duration::from_secs(5);
/// Answers to `GET /api/chat` kept while they are true.
pub(crate) const LISTS_KEPT_MAX: usize = 8;
/// Of the vault's own prompt files, so much is read.
pub(crate) const PROMPT_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Of earlier messages, told to a model that has no memory of them.
pub(crate) const PRIOR_CHARS_MAX: usize = 40_000;
/// A line of a transcript.
pub(crate) const TRANSCRIPT_LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Before a database that could not be opened is tried again.
pub(crate) const REOPEN_PAUSE: Duration = Duration::from_secs(5);
/// Memory above which an agent with all it runs is slowed down, and killed.
pub(crate) const AGENT_MEMORY_HIGH_BYTES: u64 = 6 << 30;
pub(crate) const AGENT_MEMORY_MAX_BYTES: u64 = 8 << 30;
/// Processes and threads of an agent with all it runs.
pub(crate) const AGENT_TASKS_MAX: u64 = 2048;
/// Its share of the processor beside other units (systemd's default is 100).
pub(crate) const AGENT_CPU_WEIGHT: u64 = 80;
