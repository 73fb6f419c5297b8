//! Going into a [`View`]: name spaces first, so that what is not shown is not there; then no
//! capability and no way to get one; then Landlock, which holds even where a name space had a
//! hole, and without which nothing is run.
//!
//! Every step is taken by a process of its own with one thread, before the program starts.

mod first;
mod mounts;
mod rights;

pub(crate) use first::{run, run_inside};

use crate::confine::{ConfineError, EXIT_UNCONFINED, View};
use rustix::process::{Pid, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use std::fs;
use std::io;

/// How a shell tells of an end by a signal.
const SIGNALLED: i32 = 128;

fn step(what: impl Into<String>) -> impl FnOnce(io::Error) -> ConfineError {
    let what = what.into();
    move |source| ConfineError::Step { what, source }
}

fn names(what: &'static str) -> impl FnOnce(io::Error) -> ConfineError {
    move |source| ConfineError::NoNamespaces { what, source }
}

pub(crate) fn available() -> Result<(), ConfineError> {
    rights::landlock_version().map(drop)?;
    for limit in ["user/max_user_namespaces", "kernel/unprivileged_userns_clone"] {
        let said = fs::read_to_string(format!("/proc/sys/{limit}")).unwrap_or_default();
        if said.trim() == "0" {
            return Err(names("sysctl")(io::Error::other(format!("{limit} is 0"))));
        }
    }
    Ok(())
}

pub(crate) fn enter(view: &View) -> Result<(), ConfineError> {
    available()?;
    let threads = fs::read_dir("/proc/self/task").map_err(step("/proc/self/task"))?.count();
    if threads != 1 {
        return Err(step("confining")(io::Error::other("there is more than one thread already")));
    }
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let apart = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    // SAFETY: this process has one thread (seen above), so that none is left in other spaces
    // than the rest; descriptors stay shared with nobody.
    #[allow(unsafe_code, reason = "the call has no safe wrapper")]
    let apart = unsafe { rustix::thread::unshare_unsafe(apart) };
    apart.map_err(|e| names("unshare")(e.into()))?;
    // Nobody but this user is known inside; without the first line the third is refused.
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{0} {0} 1", uid.as_raw())),
        ("gid_map", format!("{0} {0} 1", gid.as_raw())),
    ];
    for (file, line) in maps {
        fs::write(format!("/proc/self/{file}"), line).map_err(names("uid_map"))?;
    }
    inside()?;
    mounts::build(view)?;
    rights::give_up(view)
}

/// Makes the first process of the new process space and returns in that one. This one waits for
/// it, and ends as it does.
fn inside() -> Result<(), ConfineError> {
    rights::outlive_requests().map_err(step("sigaction"))?;
    // SAFETY: this process has one thread, so that nothing is half done in the child.
    #[allow(unsafe_code, reason = "nothing else makes a process go on where it is")]
    match unsafe { libc::fork() } {
        -1 => Err(names("fork")(io::Error::last_os_error())),
        0 => {
            // Whoever kills the one outside means this one, too; both are of one group.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(|e| step("prctl")(e.into()))
        }
        child => std::process::exit(end_of(child)),
    }
}

/// Waits for the child's end; its exit status.
fn end_of(child: i32) -> i32 {
    let child = Pid::from_raw(child).expect("fork gave it");
    loop {
        match rustix::process::waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return first::code(status),
            // A signal that came to the whole group.
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return EXIT_UNCONFINED.into(),
        }
    }
}
