//! One run of the program: its process, the socket on which it speaks, the task that writes its
//! log. It does what it is told to the process and judges nothing.

use super::Program;
use super::ear::{Ear, Said};
use super::output::{self, Output};
use crate::child::{self, kill_group};
use rustix::process::{Pid, Signal};
use std::ffi::OsString;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::task::JoinHandle;

/// How long the end of the output is waited for when the process has ended. It is there at once,
/// unless somebody outside the group holds the pipe.
const OUTPUT_MILLISECONDS_MAX: u64 = 500;

/// What a run has to tell.
#[derive(Debug)]
pub(super) enum Event {
    /// The program said something.
    Said(Vec<Said>),
    /// Its process has ended, or cannot be waited for.
    Ended(io::Result<ExitStatus>),
}

/// A run. Dropping it kills what is left of it.
#[derive(Debug)]
pub(super) struct Run {
    /// The main process, which leads the group.
    pub(super) pid: u32,
    child: Child,
    ear: Option<Ear>,
    output: JoinHandle<()>,
}

impl Run {
    /// Starts the program. An error is a sentence.
    pub(super) fn start(program: &Program) -> Result<Run, String> {
        let log = &program.log;
        let output = Output::open(log, program.bounds.log_bytes_max);
        let output = output.map_err(|error| format!("cannot open the log {log:?}: {error}"))?;
        let ear = program.notify.then(|| Ear::open(&program.runtime)).transpose();
        let runtime = &program.runtime;
        let ear = ear.map_err(|error| format!("cannot listen in {runtime:?}: {error}"))?;
        let (path, dir) = (&program.program, &program.dir);
        let trouble = |error: io::Error| format!("cannot start {path:?} in {dir:?}: {error}");
        let (read, write) = io::pipe().map_err(trouble)?;
        let read = pipe::Receiver::from_owned_fd(read.into()).map_err(trouble)?;
        let env = program.env.iter().cloned().chain(spoken(ear.as_ref(), program));
        let mut command = child::command_bound(path, dir, env);
        command.stdout(Stdio::from(write.try_clone().map_err(trouble)?)).stderr(Stdio::from(write));
        let child = command.spawn().map_err(trouble)?;
        let pid = child.id().expect("a child that was not awaited has its id");
        Ok(Run { pid, child, ear, output: tokio::spawn(output::copy(read, output)) })
    }

    /// What it tells next. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Event {
        tokio::select! {
            said = heard(self.ear.as_ref()) => Event::Said(said),
            ended = self.child.wait() => Event::Ended(ended),
        }
    }

    /// Asks the main process, and no other, to end.
    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Has the main process say where it hangs (a core, if the system keeps any), and end.
    pub(super) fn abort(&self) {
        self.signal(Signal::ABORT);
    }

    /// Ends the whole group.
    pub(super) fn kill(&self) {
        if let Err(error) = kill_group(self.pid, child::Signal::Kill) {
            tracing::warn!(pid = self.pid, %error, "cannot kill the server");
        }
    }

    /// Clears up after the process has ended, and returns what it said last.
    pub(super) async fn finish(mut self) -> Vec<Said> {
        // Its id is free for others only when its group is empty, and then not for a long while.
        self.kill();
        let limit = Duration::from_millis(OUTPUT_MILLISECONDS_MAX);
        if tokio::time::timeout(limit, &mut self.output).await.is_err() {
            tracing::debug!("a process outside the server's group holds its output");
            self.output.abort();
        }
        self.ear.as_ref().map(Ear::left).unwrap_or_default()
    }

    /// Followed by SIGCONT, as systemd does: a process that was suspended would hear nothing.
    fn signal(&self, signal: Signal) {
        // Without an id it was awaited, and the number may be somebody else's.
        let pid = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let Some(pid) = pid else { return };
        let sent = rustix::process::kill_process(pid, signal);
        if let Err(error) = sent.and_then(|()| rustix::process::kill_process(pid, Signal::CONT)) {
            tracing::warn!(pid = self.pid, %error, "cannot signal the server");
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.child.id().is_some() {
            self.kill();
        }
    }
}

async fn heard(ear: Option<&Ear>) -> Vec<Said> {
    match ear {
        Some(ear) => ear.heard().await,
        None => std::future::pending().await,
    }
}

/// The variables by which the program learns where and how often to speak, sd_notify(3). Without
/// `WATCHDOG_PID`: the id is not known before it runs.
fn spoken(ear: Option<&Ear>, program: &Program) -> Vec<(OsString, OsString)> {
    let Some(ear) = ear else { return Vec::new() };
    let watchdog = program.bounds.watchdog.as_micros().to_string();
    vec![("NOTIFY_SOCKET".into(), ear.path().into()), ("WATCHDOG_USEC".into(), watchdog.into())]
}
