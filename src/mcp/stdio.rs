//! Servers that are programs: started with an environment of their own, spoken with over their
//! standard streams, and ended with all that they started, whatever happens.

use crate::error::AskError;
use crate::limits::{LEAVE, LEAVE_TOLD, REAP, SAID_BYTES_MAX, STDERR_BYTES_MAX};
use crate::notes::Notes;
use crate::talk::{Clock, Era, talk};
use crate::{Attempt, Program};
use host::child::{self, PERSONAL, Signal};
use rmcp::transport::async_rw::AsyncRwTransport;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATH_OTHERWISE: &str = "/usr/local/bin:/usr/bin:/bin";

/// Starts it, speaks with it, ends it.
pub(crate) async fn once(program: &Program, era: Era, clock: &Clock, notes: &Notes) -> Attempt {
    let (running, stdin, stdout) = match start(program) {
        Ok(started) => started,
        Err(error) => return Attempt::failed(error),
    };
    let stdout = Bounded { inner: stdout, left: SAID_BYTES_MAX, notes: notes.clone() };
    let transport = AsyncRwTransport::new_client(stdout, stdin);
    let transport = transport.with_max_line_length(usize::MAX);
    let mut outcome = talk(transport, era, clock, notes).await;
    let (status, stderr) = running.end().await;
    if let Err(stopped) = &mut outcome
        && let AskError::Ended(how) = &mut stopped.error
        && let Some(told) = status.and_then(by_itself)
    {
        *how = told;
    }
    Attempt { outcome, http_status: None, stderr }
}

/// How it ended, unless that was our doing.
fn by_itself(status: ExitStatus) -> Option<String> {
    const OURS: [i32; 2] = [15, 9];
    match (status.code(), status.signal()) {
        (Some(code), _) => Some(format!("with status {code}")),
        (None, Some(signal)) if !OURS.contains(&signal) => Some(format!("by signal {signal}")),
        _ => None,
    }
}

fn start(program: &Program) -> Result<(Running, ChildStdin, ChildStdout), AskError> {
    let mut env = child::passed_on(&PERSONAL);
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".into(), PATH_OTHERWISE.into()));
    }
    let own = program.env.iter();
    env.extend(own.map(|(name, value)| (OsString::from(name), value.expose().into())));
    let mut command = child::command_bound(&file_of(program), &program.dir, env);
    command.args(&program.args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_started(program, &error))?;
    let stdin = child.stdin.take().expect("piped above");
    let stdout = child.stdout.take().expect("piped above");
    let stderr = child.stderr.take().expect("piped above");
    let last = Arc::new(Mutex::new(Vec::new()));
    let listening = tokio::spawn(keep_last(stderr, last.clone()));
    Ok((Running { child, listening, last }, stdin, stdout))
}

/// A path is meant from where the program works; a name is looked for.
fn file_of(program: &Program) -> PathBuf {
    if program.command.contains('/') {
        program.dir.join(&program.command)
    } else {
        Path::new(&program.command).to_owned()
    }
}

fn not_started(program: &Program, error: &io::Error) -> AskError {
    let name = crate::words::line(&program.command, 200);
    match error.kind() {
        io::ErrorKind::NotFound => AskError::Missing(name),
        _ => AskError::NotStarted { program: name, cause: error.to_string() },
    }
}

/// A program that was started. Dropping it kills it and its group.
struct Running {
    child: Child,
    /// Reads its error output, until nobody holds that any more.
    listening: JoinHandle<()>,
    last: Arc<Mutex<Vec<u8>>>,
}

impl Running {
    /// Ends it: its input is closed already, so that it may leave by itself; then it is told to,
    /// then killed. How it ended, and what it wrote last.
    async fn end(mut self) -> (Option<ExitStatus>, String) {
        for (patience, signal) in [(LEAVE, Signal::Terminate), (LEAVE_TOLD, Signal::Kill)] {
            if timeout(patience, &mut self.listening).await.is_ok() {
                break;
            }
            self.signal(signal);
        }
        // What it started may have lived on. The id is not free for others before it is reaped.
        self.signal(Signal::Kill);
        let status = timeout(REAP, self.child.wait()).await.ok().and_then(Result::ok);
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let stderr = String::from_utf8_lossy(&last).into_owned();
        drop(last);
        (status, stderr)
    }

    fn signal(&self, signal: Signal) {
        let Some(pid) = self.child.id() else { return };
        if let Err(error) = child::kill_group(pid, signal) {
            tracing::warn!(pid, %error, "could not signal an MCP server");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::Kill);
        self.listening.abort();
    }
}

async fn keep_last(mut stderr: ChildStderr, last: Arc<Mutex<Vec<u8>>>) {
    let mut piece = [0u8; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.extend_from_slice(&piece[..read]);
        let over = last.len().saturating_sub(STDERR_BYTES_MAX);
        last.drain(..over);
    }
}

/// Output up to a bound; what is beyond it is not read, as if it had ended there.
struct Bounded<R> {
    inner: R,
    left: u64,
    notes: Notes,
}

impl<R: AsyncRead + Unpin> AsyncRead for Bounded<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            self.notes.fault(AskError::TooMuch);
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        self.left = self.left.saturating_sub(read as u64);
        Poll::Ready(Ok(()))
    }
}
