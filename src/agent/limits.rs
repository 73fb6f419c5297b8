//! Every bound of an agent, in one place.

use std::time::Duration;

/// Turns that wait behind the one that runs.
pub(crate) const TURNS_WAITING_MAX: usize = 8;
/// Messages sent into one running turn.
pub(crate) const INJECTED_MAX: usize = 20;
/// Permission requests and questions open at once.
pub(crate) const ASKS_MAX: usize = 100;
/// A line of the CLI.
pub(crate) const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// A buffer that one long line made larger than this is given back.
pub(crate) const BUFFER_KEPT_BYTES_MAX: usize = 256 * 1024;
/// Pieces of the CLI's output that wait to be read; each is at most a pipe's worth.
pub(crate) const CHUNKS_WAITING_MAX: usize = 16;
/// Messages to the CLI that wait to be written.
pub(crate) const WRITES_WAITING_MAX: usize = 64;
/// Of a tool's result, so much goes into the event; the model has all of it.
pub(crate) const TOOL_RESULT_BYTES_MAX: usize = 256 * 1024;
/// Of the CLI's error output, the last part is kept for the message.
pub(crate) const STDERR_BYTES_MAX: usize = 4 * 1024;
/// Lines that are not the CLI's protocol before a turn is given up.
pub(crate) const GARBAGE_LINES_MAX: u32 = 8;
/// An event log that is larger when the agent starts loses its oldest turns.
pub(crate) const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Read from the log at once for one follower.
pub(crate) const FOLLOW_BYTES: usize = 64 * 1024;
/// Kept on disk so that a turn can still end in words when the disk is full.
pub(crate) const RESERVE_BYTES: u64 = 64 * 1024;
/// Files that the model is shown with a message, all together, and one image; the vendor takes no
/// more.
pub(crate) const ATTACHED_BYTES_MAX: u64 = 20 * 1024 * 1024;
pub(crate) const IMAGE_BYTES_MAX: u64 = 5 * 1024 * 1024;
/// How often is looked whether a container has met a limit, and how often for a while after it
/// has said something.
pub(crate) const LIMITS_PAUSE: Duration = Duration::from_secs(2);
pub(crate) const LIMITS_PAUSE_BUSY: Duration = Duration::from_millis(50);
pub(crate) const LIMITS_BUSY: Duration = Duration::from_secs(60);
/// For the engine to take a container away when the agent leaves.
pub(crate) const CONTAINER_GONE: Duration = Duration::from_secs(15);
/// Signals to a container that wait to be sent.
pub(crate) const SIGNALS_WAITING_MAX: usize = 8;
/// Connections through a confined CLI's way out at once.
pub(crate) const OUTLET_CONNECTIONS_MAX: usize = 64;
/// A request to the model's API; the vendor takes half of it.
pub(crate) const OUTLET_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Where the way out listens inside; nobody else is in there.
pub(crate) const OUTLET_PORT: u16 = 3399;
/// After a failure to take a connection.
pub(crate) const OUTLET_PAUSE: Duration = Duration::from_millis(100);
/// For a name to be looked up, and for each of its addresses to answer.
pub(crate) const OUTLET_LOOKUP: Duration = Duration::from_secs(10);
pub(crate) const OUTLET_CONNECT: Duration = Duration::from_secs(10);

/// For a permission request (contract-core §2.7).
pub(crate) const PERMISSION_SECONDS_MAX: u64 = 120;
/// For a question to the user (contract-core §2.6).
pub(crate) const QUESTION_SECONDS_MAX: u64 = 300;
/// For the session's last agent to be gone, and how often that is looked at.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(30);
pub(crate) const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// For followers to have had everything when the agent leaves.
pub(crate) const GOODBYE: Duration = Duration::from_secs(5);
/// For the CLI to stop after an interrupt, then after each stronger signal.
pub(crate) const STOP_STEP: Duration = Duration::from_secs(5);
/// Nothing at all from the CLI although no tool runs and nobody is asked.
pub(crate) const TURN_SILENCE: Duration = Duration::from_secs(900);
/// For the answer to an injected message to begin after the turn's own has ended.
pub(crate) const INJECTED_WAIT: Duration = Duration::from_secs(30);
