//! The machine under us: inherited sockets, readiness, unit control, logs, folders, children.
//!
//! What differs between operating systems sits behind two traits ([`units::Units`] and the
//! private `Machine`) and in two folders. Programs say [`Native`] where they need to name it.
//! This crate knows nothing of HTTP, sessions or vaults, and is the only one with unsafe code.

pub mod child;
mod clear;
pub mod confine;
pub mod control;
pub mod direct;
mod dirs;
mod listen;
mod lock;
pub mod log;
pub mod logs;
pub mod notify;
mod sockets;
pub mod units;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub use linux::Systemd as Native;
#[cfg(target_os = "macos")]
pub use macos::Launchd as Native;

pub use clear::{clear, remove_folder};
pub use dirs::{Dirs, dirs};
pub use listen::{Listening, listen, loopback};
pub use lock::{Lock, LockError};
pub use sockets::{Inherited, Listener, inherited, own_ids, own_uid, peer_uid, private_socket};

use confine::{ConfineError, View, WayOut};
use std::ffi::{OsString, c_int};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::filter::Targets;

/// What one operating system does otherwise than another, beside [`units::Units`]. Nothing here
/// needs a connection, so every function stands alone.
pub(crate) trait Machine {
    /// The listening sockets that the service manager holds for us, each with its name. Where
    /// the manager keeps no list, only `names` are asked for.
    fn handed_over(names: &[&str]) -> io::Result<Vec<(String, OwnedFd)>>;

    /// Whether [`tell`](Machine::tell) tells anybody.
    const SPEAKS: bool;

    /// Tells the service manager how we are, in the words of sd_notify(3). `Ok` where nobody
    /// listens.
    fn tell(state: &str) -> io::Result<()>;

    /// How long the service manager bears silence before it kills us.
    fn watchdog_period() -> Option<Duration>;

    /// Where state and sockets belong, for a person whose home is `home`.
    fn places(env: dirs::Env<'_>, home: &Path) -> (PathBuf, PathBuf);

    /// Runs in a child between fork and exec, so it may neither allocate nor lock: marks every
    /// descriptor from 3 up to `limit` close-on-exec.
    fn shed(limit: c_int);

    /// Runs in the same place: has the kernel kill the child when `parent` ends, where it can.
    fn bind(parent: u32) -> io::Result<()>;

    /// See [`confine::View::command`].
    fn confined(
        view: &View,
        helper: &Path,
        file: &Path,
        program: &Path,
    ) -> io::Result<(PathBuf, Vec<OsString>)>;

    /// See [`confine::run`].
    fn run_confined(view: &View, program: &Path, args: &[OsString]) -> ConfineError;

    /// See [`confine::run_inside`].
    fn run_inside(way_out: &WayOut, program: &Path, args: &[OsString]) -> ConfineError;

    /// See [`confine::available`].
    fn can_confine() -> Result<(), ConfineError>;

    /// See [`low_priority`].
    fn low_priority() -> io::Result<()>;

    /// See [`one_heap`].
    fn one_heap();

    /// See [`give_memory_back`].
    fn give_memory_back();

    /// Whether standard error leads to the system's own log.
    fn journal_behind_stderr() -> bool;

    /// If it does, sends what is traced from now on there, as `program`. False: nothing was set
    /// up, and the caller writes to standard error.
    fn trace_to_journal(program: &str, heard: &Targets) -> bool;
}

/// From now on the calling thread works behind everything else the machine has to do. That it
/// cannot is worth a line in the log, and no more.
pub fn low_priority() {
    if let Err(error) = Native::low_priority() {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// From now on all threads take their memory from one heap. An allocator that makes one for each
/// thread keeps in all of them what a large piece of work needed; only the first gives it back.
pub fn one_heap() {
    Native::one_heap();
}

/// Gives memory that was freed back to the machine. An allocator keeps what one large piece of
/// work needed, and we may then be idle for days. May take some milliseconds.
pub fn give_memory_back() {
    Native::give_memory_back();
}

/// A variable of our own environment, if it is set and not empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
