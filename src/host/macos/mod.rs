//! macOS with launchd: sockets by its one C call, units by launchctl, folders under ~/Library.
//! It has no readiness, no watchdog and no journal to write to: those answer with nothing.

mod launchctl;
mod printed;
mod seatbelt;
mod sockets;

pub use launchctl::Launchd;

use crate::child::shed_one_by_one;
use crate::confine::{ConfineError, Place, Shows, View, WayOut};
use crate::{Machine, dirs};
use std::ffi::{OsString, c_int};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::filter::Targets;

/// Applies a profile; see `seatbelt`.
const SANDBOX_EXEC: &str = "/usr/bin/sandbox-exec";

impl Machine for Launchd {
    const SPEAKS: bool = false;

    fn handed_over(names: &[&str]) -> io::Result<Vec<(String, OwnedFd)>> {
        sockets::take(names)
    }

    /// Being reachable is being ready here.
    fn tell(_state: &str) -> io::Result<()> {
        Ok(())
    }

    fn watchdog_period() -> Option<Duration> {
        None
    }

    /// Sockets are not kept under Application Support: with a session's id behind it the path
    /// would be longer than the 103 bytes a socket's may have.
    fn places(env: dirs::Env<'_>, home: &Path) -> (PathBuf, PathBuf) {
        let given = dirs::absolute(env("STATE_DIRECTORY"));
        let runtime = match &given {
            Some(state) => state.join("run"),
            None => home.join("Library/Parachute/run"),
        };
        let state = given.unwrap_or_else(|| home.join("Library/Application Support/Parachute"));
        (state, runtime)
    }

    fn shed(limit: c_int) {
        shed_one_by_one(limit);
    }

    /// There is no such thing here.
    fn bind(_parent: u32) -> io::Result<()> {
        Ok(())
    }

    fn confined(
        view: &View,
        _helper: &Path,
        _file: &Path,
        program: &Path,
    ) -> io::Result<(PathBuf, Vec<OsString>)> {
        let words = ["-p".into(), seatbelt::profile(view).into(), program.into()];
        Ok((SANDBOX_EXEC.into(), words.into()))
    }

    fn run_confined(_view: &View, _program: &Path, _args: &[OsString]) -> ConfineError {
        let source = io::Error::from(io::ErrorKind::Unsupported);
        ConfineError::Step { what: "sandbox-exec confines here".into(), source }
    }

    fn run_inside(_way_out: &WayOut, _program: &Path, _args: &[OsString]) -> ConfineError {
        let source = io::Error::from(io::ErrorKind::Unsupported);
        ConfineError::Step { what: "in containers there is Linux".into(), source }
    }

    fn can_confine() -> Result<(), ConfineError> {
        let failed = |source| ConfineError::Step { what: SANDBOX_EXEC.into(), source };
        std::fs::metadata(SANDBOX_EXEC).map(drop).map_err(failed)
    }

    fn low_priority() -> io::Result<()> {
        // SAFETY: setpriority(2) reads nothing of ours; 0 is the calling thread.
        #[allow(unsafe_code, reason = "only C knows threads in the background")]
        let done = unsafe { libc::setpriority(libc::PRIO_DARWIN_THREAD, 0, libc::PRIO_DARWIN_BG) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// The system takes what it needs by itself.
    fn one_heap() {}
    fn give_memory_back() {}

    fn journal_behind_stderr() -> bool {
        false
    }

    fn trace_to_journal(_program: &str, _heard: &Targets) -> bool {
        false
    }
}
