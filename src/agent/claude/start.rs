//! Finding, starting and ending the CLI's process, and moving its bytes.
//!
//! Ending is a ladder, because a tool's command has a process group of its own: an interrupt
//! (it alone kills the command), closed stdin, SIGTERM, SIGKILL.

use super::control;
use crate::limits::{
    BUFFER_KEPT_BYTES_MAX, CHUNKS_WAITING_MAX, LINE_BYTES_MAX, STDERR_BYTES_MAX, STOP_STEP,
};
use bytes::{Bytes, BytesMut};
use host::child::{self, Signal};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use wire::agent::{ClaudeSetup, CredentialKind};
use wire::chat::PermissionMode;

/// Why there is no CLI.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("no `claude` program was found on PATH or in the usual places")]
    Missing,
    #[error("{0} is not a program that can be run")]
    NotThere(PathBuf, #[source] io::Error),
    #[error("the working directory {0} cannot be entered")]
    Directory(PathBuf, #[source] io::Error),
}

/// What comes from the process.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Whole lines.
    Lines(Bytes),
    /// A line longer than the bound; the process is of no more use.
    TooLong,
    /// It has ended; the last of its error output.
    Ended { status: Option<ExitStatus>, stderr: String },
}

/// A running CLI of one session.
pub(crate) struct Claude {
    pub(crate) setup: ClaudeSetup,
    pub(crate) pid: u32,
    pub(crate) heard: mpsc::Receiver<Heard>,
    to: mpsc::Sender<Vec<u8>>,
    ended: bool,
}

const PATH_OTHERWISE: &str = "/usr/local/bin:/usr/bin:/bin";

impl Claude {
    /// Starts the CLI for `session`, going on with its conversation where it has one.
    pub(crate) fn start(
        setup: &ClaudeSetup,
        session: &str,
        resume: bool,
        tmp: &Path,
    ) -> Result<Claude, StartError> {
        let program = find(setup.program.as_deref())?;
        let directory = Path::new(&setup.directory);
        std::fs::read_dir(directory).map_err(|e| StartError::Directory(directory.to_owned(), e))?;
        let mut command = child::command_bound(&program, directory, environment(setup, tmp));
        command
            .args(arguments(setup, session, resume))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().map_err(|e| StartError::NotThere(program.clone(), e))?;
        let pid = process.id().expect("a child that was not awaited has its id");
        let stdin = process.stdin.take().expect("piped above");
        let stdout = process.stdout.take().expect("piped above");
        let stderr = process.stderr.take().expect("piped above");
        let (tell, heard) = mpsc::channel(CHUNKS_WAITING_MAX);
        let (to, writes) = mpsc::channel(crate::limits::WRITES_WAITING_MAX);
        tokio::spawn(write(stdin, writes));
        tokio::spawn(read(process, stdout, stderr, tell));
        tracing::info!(pid, program = %program.display(), resume, "started the Claude CLI");
        Ok(Claude { setup: setup.clone(), pid, heard, to, ended: false })
    }

    /// Queues a line. False: it does not read any more.
    pub(crate) fn tell(&self, line: Vec<u8>) -> bool {
        self.to.try_send(line).is_ok()
    }

    /// What it said next; `Ended` once, then never again.
    pub(crate) async fn hear(&mut self) -> Heard {
        if self.ended {
            return std::future::pending().await;
        }
        let heard = self.heard.recv().await;
        let heard = heard.unwrap_or(Heard::Ended { status: None, stderr: String::new() });
        self.ended = matches!(heard, Heard::Ended { .. });
        heard
    }

    /// Signals it and what is in its group.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Err(error) = child::kill_group(self.pid, signal) {
            tracing::warn!(pid = self.pid, %error, "could not signal the Claude CLI");
        }
    }

    /// Ends it, step by step, and waits until it is gone.
    pub(crate) async fn end(mut self) {
        if self.ended {
            return;
        }
        self.tell(control::interrupt());
        // Closing its input lets it finish and leave by itself.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.to, closed));
        for next in [Some(Signal::Terminate), Some(Signal::Kill), None] {
            if tokio::time::timeout(STOP_STEP, self.drained()).await.is_ok() {
                return;
            }
            let Some(signal) = next else { break };
            self.signal(signal);
        }
        tracing::warn!(pid = self.pid, "the Claude CLI did not end");
    }

    async fn drained(&mut self) {
        while !matches!(self.hear().await, Heard::Ended { .. }) {}
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if let Err(error) = stdin.write_all(&line).await {
            tracing::debug!(%error, "the Claude CLI closed its input");
            return;
        }
    }
}

async fn read(
    mut process: Child,
    mut stdout: ChildStdout,
    stderr: ChildStderr,
    tell: mpsc::Sender<Heard>,
) {
    let last = Arc::new(Mutex::new(String::new()));
    let errors = tokio::spawn(keep_last(stderr, last.clone()));
    let mut buffer = BytesMut::with_capacity(64 * 1024);
    loop {
        if buffer.capacity() - buffer.len() < 16 * 1024 {
            buffer.reserve(64 * 1024);
        }
        let looked = buffer.len();
        match stdout.read_buf(&mut buffer).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "could not read from the Claude CLI");
                break;
            }
        }
        if let Some(end) = memchr::memrchr(b'\n', &buffer[looked..]) {
            let lines = buffer.split_to(looked + end + 1).freeze();
            if lines.len() > BUFFER_KEPT_BYTES_MAX {
                // What is left moves out of the large one.
                let rest = std::mem::replace(&mut buffer, BytesMut::with_capacity(64 * 1024));
                buffer.extend_from_slice(&rest);
            }
            if tell.send(Heard::Lines(lines)).await.is_err() {
                return;
            }
        } else if buffer.len() > LINE_BYTES_MAX {
            // Nobody left to tell is nobody left to mind.
            let _ = tell.send(Heard::TooLong).await;
            return;
        }
    }
    if !buffer.is_empty() {
        let _ = tell.send(Heard::Lines(buffer.freeze())).await;
    }
    let status = process.wait().await.ok();
    // A tool's command that outlives the CLI may hold the pipe open; a moment is enough.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), errors).await;
    let stderr = last.lock().unwrap_or_else(PoisonError::into_inner).trim().to_owned();
    let _ = tell.send(Heard::Ended { status, stderr }).await;
}

async fn keep_last(mut stderr: ChildStderr, last: Arc<Mutex<String>>) {
    let mut piece = [0u8; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        last.push_str(&String::from_utf8_lossy(&piece[..read]));
        let over = last.len().saturating_sub(STDERR_BYTES_MAX);
        let cut = (over..last.len()).find(|i| last.is_char_boundary(*i)).unwrap_or(0);
        last.drain(..cut);
    }
}

/// An explicit path, PATH, then where its installers put it.
fn find(explicit: Option<&str>) -> Result<PathBuf, StartError> {
    if let Some(path) = explicit {
        let path = PathBuf::from(path);
        let here = std::fs::metadata(&path);
        return here.map(|_| path.clone()).map_err(|e| StartError::NotThere(path, e));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH_OTHERWISE.into());
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let usual = [".local/bin", ".claude/local", ".npm-global/bin", ".bun/bin", "node_modules/.bin"];
    let at_home = home.iter().flat_map(|home| usual.iter().map(|dir| home.join(dir)));
    let everywhere = ["/usr/local/bin", "/opt/homebrew/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(at_home)
        .chain(everywhere)
        .map(|dir| dir.join("claude"))
        .find(|file| file.is_absolute() && file.is_file())
        .ok_or(StartError::Missing)
}

fn arguments(setup: &ClaudeSetup, session: &str, resume: bool) -> Vec<String> {
    let mode = match setup.permission_mode {
        PermissionMode::Plan => "plan",
        PermissionMode::Auto | PermissionMode::Ask => "default",
    };
    let mut out: Vec<String> = [
        "--output-format=stream-json",
        "--input-format=stream-json",
        "--verbose",
        "--include-partial-messages",
        "--permission-prompt-tool=stdio",
        // Not the directory's own: its hooks and servers would run before anybody agreed.
        "--setting-sources=user",
        "--thinking-display=summarized",
    ]
    .map(String::from)
    .into();
    out.push(format!("--permission-mode={mode}"));
    // `--flag=value` throughout: a value that begins with a dash stays a value.
    out.push(format!("--{}={session}", if resume { "resume" } else { "session-id" }));
    out.extend(setup.model.iter().map(|m| format!("--model={m}")));
    out
}

fn environment(setup: &ClaudeSetup, tmp: &Path) -> Vec<(OsString, OsString)> {
    let mut env = child::passed_on(&child::PERSONAL);
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".into(), PATH_OTHERWISE.into()));
    }
    let mut set = |name: &str, value: &str| env.push((name.into(), value.into()));
    set("CLAUDE_CODE_ENTRYPOINT", "sdk-rs");
    set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    set("DISABLE_AUTOUPDATER", "1");
    set("CLAUDE_CODE_MAX_RETRIES", "3");
    set("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1");
    set("CLAUDE_CODE_TMPDIR", &tmp.to_string_lossy());
    if let Some(url) = &setup.base_url {
        set("ANTHROPIC_BASE_URL", url);
    }
    if let Some(credential) = &setup.credential {
        let name = match credential.kind {
            CredentialKind::ApiKey => "ANTHROPIC_API_KEY",
            CredentialKind::OauthToken => "CLAUDE_CODE_OAUTH_TOKEN",
            CredentialKind::AuthToken => "ANTHROPIC_AUTH_TOKEN",
        };
        set(name, credential.secret.expose());
    }
    env
}

/// Whether the CLI has a conversation under this id, wherever it was begun.
pub(crate) fn transcript_exists(session: &str) -> bool {
    let moved = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|h| Path::new(&h).join(".claude"));
    let Some(root) = moved.or_else(home) else {
        return false;
    };
    let file = format!("{session}.jsonl");
    let projects = std::fs::read_dir(root.join("projects")).into_iter().flatten().flatten();
    projects.map(|p| p.path().join(&file)).any(|f| f.is_file())
}
