//! Bounds of what is asked of a server, in one place. The app gives up after 15 s.

use std::time::Duration;

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To begin to speak, and then to list its tools.
    pub step: Duration,
    /// For all of it.
    pub whole: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { step: Duration::from_secs(10), whole: Duration::from_secs(13) }
    }
}

/// Of what a server says in all.
pub(crate) const SAID_BYTES_MAX: u64 = 8 << 20;
/// Tools, and pages of them.
pub(crate) const TOOLS_MAX: usize = 2000;
pub(crate) const PAGES_MAX: usize = 100;
/// Of its error output, kept and told.
pub(crate) const STDERR_BYTES_MAX: usize = 16 * 1024;
pub(crate) const HINT_CHARS_MAX: usize = 500;
/// Of a sentence of somebody else's.
pub(crate) const SENTENCE_CHARS_MAX: usize = 300;
/// Of a refusal's body.
pub(crate) const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// For a program to leave by itself, after SIGTERM, and to be reaped after SIGKILL.
pub(crate) const LEAVE: Duration = Duration::from_millis(300);
pub(crate) const LEAVE_TOLD: Duration = Duration::from_millis(500);
pub(crate) const REAP: Duration = Duration::from_millis(500);
/// For a session over HTTP to be given up.
pub(crate) const FAREWELL: Duration = Duration::from_millis(500);
