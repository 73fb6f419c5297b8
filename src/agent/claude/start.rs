//! Finding, starting and ending the CLI.
//!
//! Ending is a ladder, because a tool's command has a process group of its own: an interrupt
//! (it alone kills the command), closed stdin, SIGTERM, SIGKILL.

use super::pump::{Heard, read, write};
use super::{contained, control, env, walls};
use crate::limits::{CHUNKS_WAITING_MAX, STOP_STEP, WRITES_WAITING_MAX};
use crate::outlet::Outlet;
use host::child::{self, Signal};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use wire::Trust;
use wire::agent::ClaudeSetup;
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
}

/// Where a CLI is started for which session.
pub(crate) struct Begin<'a> {
    /// The session.
    pub(crate) session: &'a str,
    /// Those who take containers away again.
    pub(crate) containers: &'a TaskTracker,
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

/// A running CLI of one session.
pub(crate) struct Claude {
    pub(crate) setup: ClaudeSetup,
    /// Its process, which in a container is not ours.
    pub(crate) pid: Option<u32>,
    pub(crate) heard: mpsc::Receiver<Heard>,
    /// What it was told to leave alone, as it was told.
    pub(crate) left_alone: Vec<u8>,
    to: mpsc::Sender<Vec<u8>>,
    /// To its container.
    signals: Option<mpsc::Sender<Signal>>,
    ended: bool,
    /// Open for as long as the CLI lives.
    _outlet: Option<Outlet>,
}

impl Claude {
    /// Starts the CLI, confined as its trust level asks.
    pub(crate) fn start(setup: &ClaudeSetup, begin: &Begin<'_>) -> Result<Claude, StartError> {
        let directory = Path::new(&setup.directory);
        std::fs::read_dir(directory).map_err(|e| StartError::Directory(directory.to_owned(), e))?;
        let (tell, heard) = mpsc::channel(CHUNKS_WAITING_MAX);
        let (to, writes) = mpsc::channel(WRITES_WAITING_MAX);
        let mcp = mcp_file(setup, begin.dir)?;
        let arguments = arguments(setup, begin, &mcp);
        let (mut pid, mut signals) = (None, None);
        let outlet = match setup.trust {
            Trust::Full => {
                let program = find(setup.program.as_deref())?;
                let env = env::environment(setup, &begin.dir.join("tmp"));
                let command = child::command_bound(&program, directory, env);
                pid = Some(spawn(command, &program, arguments, writes, tell)?);
                None
            }
            Trust::Vault => {
                let program = find(setup.program.as_deref())?;
                let (command, outlet) = walls::confined(setup, begin, &program)?;
                pid = Some(spawn(command, &program, arguments, writes, tell)?);
                Some(outlet)
            }
            Trust::Sandboxed => {
                let contained = contained::start(setup, begin, arguments, writes, tell)?;
                signals = Some(contained.signals);
                Some(contained.outlet)
            }
        };
        let (trust, resume) = (setup.trust.name(), begin.resume);
        tracing::info!(pid, trust, resume, "started the Claude CLI");
        let setup = setup.clone();
        let left_alone = Vec::new();
        Ok(Claude { setup, pid, heard, left_alone, to, signals, ended: false, _outlet: outlet })
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
        self.ended = matches!(heard, Heard::Ended { .. } | Heard::Lost(_));
        heard
    }

    /// Signals it and what is in its group.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid
            && let Err(error) = child::kill_group(pid, signal)
        {
            tracing::warn!(pid, %error, "could not signal the Claude CLI");
        }
        if let Some(signals) = &self.signals
            && let Err(error) = signals.try_send(signal)
        {
            tracing::debug!(%error, "the container has signals enough, or has ended");
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
        while !matches!(self.hear().await, Heard::Ended { .. } | Heard::Lost(_)) {}
    }
}

/// Starts a process and those who move its bytes.
fn spawn(
    mut command: Command,
    program: &Path,
    arguments: Vec<String>,
    writes: mpsc::Receiver<Vec<u8>>,
    tell: mpsc::Sender<Heard>,
) -> Result<u32, StartError> {
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().map_err(|e| StartError::NotThere(program.to_owned(), e))?;
    let pid = process.id().expect("a child that was not awaited has its id");
    let stdin = process.stdin.take().expect("piped above");
    let stdout = process.stdout.take().expect("piped above");
    let stderr = process.stderr.take().expect("piped above");
    tokio::spawn(write(stdin, writes));
    tokio::spawn(read(process, stdout, stderr, tell));
    Ok(pid)
}

/// An explicit path, or where it is installed.
fn find(explicit: Option<&str>) -> Result<PathBuf, StartError> {
    match explicit.map(PathBuf::from) {
        Some(path) => match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(StartError::NotThere(path, error)),
        },
        None => child::installed("claude").ok_or(StartError::Missing),
    }
}

/// The CLI's arguments; `mcp` is the file with its MCP servers.
fn arguments(setup: &ClaudeSetup, begin: &Begin<'_>, mcp: &Path) -> Vec<String> {
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
        "--thinking-display=summarized",
    ]
    .map(String::from)
    .into();
    // A directory's own hooks and tools would run before anybody agreed.
    let sources = if setup.directory_trusted { "user,project,local" } else { "user" };
    out.push(format!("--setting-sources={sources}"));
    out.push(format!("--permission-mode={mode}"));
    // `--flag=value` throughout: a value that begins with a dash stays a value.
    let how = if begin.resume { "resume" } else { "session-id" };
    out.push(format!("--{how}={}", begin.conversation));
    if setup.trust != Trust::Full {
        // Those that we name and no others.
        out.push("--strict-mcp-config".into());
    }
    out.extend(setup.model.iter().map(|m| format!("--model={m}")));
    if let Some(tools) = &setup.tools {
        // Here it is told of its own tools; that there are no others is `permits`' to see to.
        let own: Vec<&str> =
            tools.iter().map(String::as_str).filter(|tool| !tool.starts_with("mcp__")).collect();
        out.push(format!("--tools={}", own.join(",")));
    }
    out.extend(setup.plugins.iter().map(|dir| format!("--plugin-dir={dir}")));
    out.extend(setup.mcp_config.iter().map(|_| format!("--mcp-config={}", mcp.display())));
    out
}

/// Writes the file with the CLI's MCP servers: arguments could be read by every user.
fn mcp_file(setup: &ClaudeSetup, dir: &Path) -> Result<PathBuf, StartError> {
    let file = dir.join("mcp.json");
    if let Some(config) = &setup.mcp_config {
        let written = child::write_private(&file, config.expose().as_bytes());
        written.map_err(|error| StartError::NotThere(file.clone(), error))?;
    }
    Ok(file)
}

/// Whether the CLI has a conversation under this id, wherever it was begun. A confined one has
/// its own below the session's folder `dir`, and finds no others.
pub(crate) fn transcript_exists(session: &str, trust: Trust, dir: &Path) -> bool {
    let moved = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|h| Path::new(&h).join(".claude"));
    let root = match trust {
        Trust::Full => moved.or_else(home),
        Trust::Vault | Trust::Sandboxed => Some(dir.join(crate::view::CONFIG)),
    };
    let Some(root) = root else {
        return false;
    };
    let file = format!("{session}.jsonl");
    let projects = std::fs::read_dir(root.join("projects")).into_iter().flatten().flatten();
    projects.map(|p| p.path().join(&file)).any(|f| f.is_file())
}
