//! Finding, starting and ending the CLI's process, and moving its bytes.
//!
//! Ending is a ladder, because a tool's command has a process group of its own: an interrupt
//! (it alone kills the command), closed stdin, SIGTERM, SIGKILL.

use super::control;
use crate::limits::{
    BUFFER_KEPT_BYTES_MAX, CHUNKS_WAITING_MAX, LINE_BYTES_MAX, OUTLET_PORT, STDERR_BYTES_MAX,
    STOP_STEP,
};
use crate::outlet::Outlet;
use crate::view::{self, Own};
use bytes::{Bytes, BytesMut};
use host::child::{self, Signal};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use wire::Trust;
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
    #[error("{0} is outside of the vault, which is all there is at this trust level")]
    Outside(PathBuf),
    #[error("it cannot be confined: {0}")]
    Unconfined(String),
    #[error("no agent of this kind can run at the trust level {0}")]
    Trust(&'static str),
}

/// Where a CLI is started for which session.
pub(crate) struct Begin<'a> {
    /// The CLI's id of the conversation.
    pub(crate) conversation: &'a str,
    /// Go on with it, rather than begin it.
    pub(crate) resume: bool,
    /// The session's own folder.
    pub(crate) dir: &'a Path,
    /// The vault, absolute.
    pub(crate) vault: &'a Path,
    /// Where its way out may be opened, if it needs one.
    pub(crate) outlet: &'a Path,
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
    /// Open for as long as the CLI lives.
    _outlet: Option<Outlet>,
}

const PATH_OTHERWISE: &str = "/usr/local/bin:/usr/bin:/bin";

impl Claude {
    /// Starts the CLI, confined as its trust level asks.
    pub(crate) fn start(setup: &ClaudeSetup, begin: &Begin<'_>) -> Result<Claude, StartError> {
        let program = find(setup.program.as_deref())?;
        let directory = Path::new(&setup.directory);
        std::fs::read_dir(directory).map_err(|e| StartError::Directory(directory.to_owned(), e))?;
        let (mut command, outlet) = match setup.trust {
            Trust::Full => {
                let env = environment(setup, &begin.dir.join("tmp"));
                (child::command_bound(&program, directory, env), None)
            }
            Trust::Vault => confined(setup, begin, &program)?,
            Trust::Sandboxed => return Err(StartError::Trust(setup.trust.name())),
        };
        let resume = begin.resume;
        command
            .args(arguments(setup, begin.conversation, resume))
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
        let (trust, program) = (setup.trust.name(), program.display());
        tracing::info!(pid, %program, trust, resume, "started the Claude CLI");
        Ok(Claude { setup: setup.clone(), pid, heard, to, ended: false, _outlet: outlet })
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

/// A command that runs the CLI confined to the vault, and its way out.
fn confined(
    setup: &ClaudeSetup,
    begin: &Begin<'_>,
    program: &Path,
) -> Result<(Command, Option<Outlet>), StartError> {
    let failed = |error: io::Error| StartError::Unconfined(error.to_string());
    host::confine::available().map_err(|e| StartError::Unconfined(e.to_string()))?;
    let vault = begin.vault.canonicalize().map_err(failed)?;
    let directory = Path::new(&setup.directory).canonicalize().map_err(failed)?;
    if !directory.starts_with(&vault) {
        return Err(StartError::Outside(directory));
    }
    let program = program.canonicalize().map_err(failed)?;
    let own = Own::of(begin.dir).map_err(failed)?;
    let outlet = Outlet::open(begin.outlet, setup).map_err(failed)?;
    let view = view::of_vault(&own, &vault, &directory, &program, begin.outlet).map_err(failed)?;
    let helper = std::env::current_exe().map_err(failed)?;
    let wrapped = view.command(&helper, &begin.dir.join("view.json"), &program);
    let (helper, words) = wrapped.map_err(failed)?;
    let mut command = child::command_bound(&helper, Path::new("/"), inside(setup, &own));
    command.args(words);
    Ok((command, Some(outlet)))
}

/// Variables of a confined CLI. What it shows as a credential is a word that means nothing; the
/// outlet puts the true one in its place.
fn inside(setup: &ClaudeSetup, own: &Own) -> Vec<(OsString, OsString)> {
    const NOTHING: &str = "not-inside";
    let mut env = child::passed_on(&["LANG", "LANGUAGE", "LC_*", "TZ", "TERM"]);
    let mut set = |name: &str, value: &Path| env.push((name.into(), value.into()));
    let outlet = PathBuf::from(format!("http://127.0.0.1:{OUTLET_PORT}"));
    set("HOME", &own.home);
    set("TMPDIR", &own.tmp);
    set("PATH", Path::new(PATH_OTHERWISE));
    set("SHELL", Path::new("/bin/sh"));
    set("ANTHROPIC_BASE_URL", &outlet);
    for name in ["HTTPS_PROXY", "https_proxy"] {
        set(name, &outlet);
    }
    for name in ["NO_PROXY", "no_proxy"] {
        set(name, Path::new("127.0.0.1,localhost,::1"));
    }
    if let Some(credential) = &setup.credential {
        set(variable(credential.kind), Path::new(NOTHING));
    }
    common(&mut env, &own.tmp);
    env
}

/// Variables of a CLI that runs as the person.
fn environment(setup: &ClaudeSetup, tmp: &Path) -> Vec<(OsString, OsString)> {
    let mut env = child::passed_on(&child::PERSONAL);
    if !env.iter().any(|(name, _)| name == "PATH") {
        env.push(("PATH".into(), PATH_OTHERWISE.into()));
    }
    if let Some(url) = &setup.base_url {
        env.push(("ANTHROPIC_BASE_URL".into(), url.into()));
    }
    if let Some(credential) = &setup.credential {
        env.push((variable(credential.kind).into(), credential.secret.expose().into()));
    }
    common(&mut env, tmp);
    env
}

fn variable(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::ApiKey => "ANTHROPIC_API_KEY",
        CredentialKind::OauthToken => "CLAUDE_CODE_OAUTH_TOKEN",
        CredentialKind::AuthToken => "ANTHROPIC_AUTH_TOKEN",
    }
}

fn common(env: &mut Vec<(OsString, OsString)>, tmp: &Path) {
    let mut set = |name: &str, value: &str| env.push((name.into(), value.into()));
    set("CLAUDE_CODE_ENTRYPOINT", "sdk-rs");
    set("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    set("DISABLE_AUTOUPDATER", "1");
    set("CLAUDE_CODE_MAX_RETRIES", "3");
    set("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1");
    set("CLAUDE_CODE_TMPDIR", &tmp.to_string_lossy());
}

/// Whether the CLI has a conversation under this id, wherever it was begun. A confined one has
/// its own in the session's folder `dir`, and finds no others.
pub(crate) fn transcript_exists(session: &str, trust: Trust, dir: &Path) -> bool {
    let moved = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|h| Path::new(&h).join(".claude"));
    let root = match trust {
        Trust::Full => moved.or_else(home),
        Trust::Vault | Trust::Sandboxed => Some(dir.join("home/.claude")),
    };
    let Some(root) = root else {
        return false;
    };
    let file = format!("{session}.jsonl");
    let projects = std::fs::read_dir(root.join("projects")).into_iter().flatten().flatten();
    projects.map(|p| p.path().join(&file)).any(|f| f.is_file())
}
