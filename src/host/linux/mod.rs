//! Linux with systemd: sockets and readiness by its environment variables, units over D-Bus,
//! logs in its journal, folders by XDG. Without systemd all of it answers with nothing.

mod bus;
mod confine;
mod failures;
mod journal;
mod kernel;
mod manager;
mod properties;
mod transient;
mod watch;

pub use bus::Systemd;

use crate::confine::{ConfineError, View, WayOut};
use crate::{Machine, dirs};
use rustix::net::sockopt;
use sd_notify::NotifyState;
use std::ffi::{OsString, c_int};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing_subscriber::filter::Targets;

impl Machine for Systemd {
    const SPEAKS: bool = true;

    fn handed_over(_names: &[&str]) -> io::Result<Vec<(String, OwnedFd)>> {
        let listed = sd_notify::listen_fds_with_names()?;
        // Owned all at once, so that a bad one closes the others.
        let held: Vec<(String, OwnedFd)> = listed
            .map(|(fd, name)| {
                // SAFETY: by sd_listen_fds(3) the descriptor is open and ours; the caller asks
                // once in the process's life, so that no other value owns it.
                #[allow(unsafe_code, reason = "a descriptor by number has no safe owner")]
                let fd = unsafe { OwnedFd::from_raw_fd(fd) };
                (name, fd)
            })
            .collect();
        for (name, fd) in &held {
            if !sockopt::socket_acceptconn(fd).unwrap_or(false) {
                let said =
                    format!("the inherited descriptor {fd:?} named {name:?} does not listen");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
            }
        }
        Ok(held)
    }

    fn tell(state: &str) -> io::Result<()> {
        sd_notify::notify(&[NotifyState::Custom(state)])
    }

    fn watchdog_period() -> Option<Duration> {
        sd_notify::watchdog_enabled().filter(|period| !period.is_zero())
    }

    fn places(env: dirs::Env<'_>, home: &Path) -> (PathBuf, PathBuf) {
        // systemd lists several state directories with colons between.
        let first = |list: std::ffi::OsString| std::env::split_paths(&list).next();
        let given = env("STATE_DIRECTORY").and_then(first).filter(|path| path.is_absolute());
        let state = given.unwrap_or_else(|| {
            let base = dirs::absolute(env("XDG_STATE_HOME"));
            base.unwrap_or_else(|| home.join(".local/state")).join("parachute")
        });
        let runtime = match dirs::absolute(env("XDG_RUNTIME_DIR")) {
            Some(base) => base.join("parachute"),
            None => state.join("run"),
        };
        (state, runtime)
    }

    fn shed(limit: c_int) {
        kernel::shed(limit);
    }

    fn bind(parent: u32) -> io::Result<()> {
        kernel::bind(parent)
    }

    fn confined(
        view: &View,
        helper: &Path,
        file: &Path,
        program: &Path,
    ) -> io::Result<(PathBuf, Vec<OsString>)> {
        crate::child::write_private(file, &serde_json::to_vec(view)?)?;
        let words = ["--confined".into(), file.into(), "--".into(), program.into()];
        Ok((helper.to_owned(), words.into()))
    }

    fn run_confined(view: &View, program: &Path, args: &[OsString]) -> ConfineError {
        confine::run(view, program, args)
    }

    fn run_inside(way_out: &WayOut, program: &Path, args: &[OsString]) -> ConfineError {
        confine::run_inside(Some(way_out), program, args)
    }

    fn can_confine() -> Result<(), ConfineError> {
        confine::available()
    }

    fn low_priority() -> io::Result<()> {
        /// Half way down.
        const NICE: i32 = 10;
        // Of this thread alone (setpriority(2): the kernel does not do as POSIX says).
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE)?;
        Ok(())
    }

    fn one_heap() {
        // SAFETY: it takes two numbers. Where it does not know them, all is as it was.
        #[cfg(target_env = "gnu")]
        #[allow(unsafe_code, reason = "only C knows the heap")]
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }

    fn give_memory_back() {
        // SAFETY: it takes a number, locks what it looks at, and frees nothing that is in use.
        // Whether there was something to give back is of no interest.
        #[cfg(target_env = "gnu")]
        #[allow(unsafe_code, reason = "only C knows the heap")]
        unsafe {
            libc::malloc_trim(0);
        }
    }

    fn journal_behind_stderr() -> bool {
        journal::behind_stderr()
    }

    fn trace_to_journal(program: &str, heard: &Targets) -> bool {
        journal::trace(program, heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(list: &[(&str, &str)]) -> (PathBuf, PathBuf) {
        let env = |name: &str| list.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        Systemd::places(&env, Path::new("/h"))
    }

    #[test]
    fn one_thread_goes_back_and_the_others_stay() {
        use rustix::process::getpriority_process;
        let own = || getpriority_process(Some(rustix::thread::gettid())).expect("a priority");
        let before = own();
        let low = std::thread::spawn(move || {
            Systemd::low_priority().expect("always allowed");
            own()
        });
        assert!(low.join().expect("ended") > before.min(9));
        assert_eq!(own(), before);
    }

    #[test]
    fn folders_by_xdg_and_without() {
        let pair = |state: &str, runtime: &str| (PathBuf::from(state), PathBuf::from(runtime));
        assert_eq!(places(&[]), pair("/h/.local/state/parachute", "/h/.local/state/parachute/run"));
        let xdg = [("XDG_STATE_HOME", "/s"), ("XDG_RUNTIME_DIR", "/run/user/1")];
        assert_eq!(places(&xdg), pair("/s/parachute", "/run/user/1/parachute"));
        let relative = [("XDG_STATE_HOME", "s"), ("XDG_RUNTIME_DIR", "r")];
        assert_eq!(places(&relative), places(&[]));
    }
}
