//! The CLI's bytes: lines to it, lines from it, and the last of what it complains about.

use crate::limits::{BUFFER_KEPT_BYTES_MAX, LINE_BYTES_MAX, STDERR_BYTES_MAX};
use bytes::{Bytes, BytesMut};
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdout};
use tokio::sync::mpsc;
use wire::chat::TypedError;

/// Read at once, about.
const BUFFER_BYTES: usize = 64 * 1024;

/// What comes from the process.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Whole lines.
    Lines(Bytes),
    /// A line longer than the bound; the process is of no more use.
    TooLong,
    /// It has ended; the last of its error output.
    Ended { status: Option<ExitStatus>, stderr: String },
    /// It has ended, or never began, for a reason of ours.
    Lost(Box<TypedError>),
}

/// Writes lines to the CLI until there are no more; then its input is closed.
pub(super) async fn write(mut stdin: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if let Err(error) = stdin.write_all(&line).await {
            tracing::debug!(%error, "the Claude CLI closed its input");
            return;
        }
    }
    if let Err(error) = stdin.shutdown().await {
        tracing::debug!(%error, "the Claude CLI's input was closed already");
    }
}

/// Whole lines of what comes in pieces.
pub(super) struct Lines(BytesMut);

impl Lines {
    pub(super) fn new() -> Lines {
        Lines(BytesMut::with_capacity(BUFFER_BYTES))
    }

    /// What can be read into.
    fn room(&mut self) -> &mut BytesMut {
        if self.0.capacity() - self.0.len() < BUFFER_BYTES / 4 {
            self.0.reserve(BUFFER_BYTES);
        }
        &mut self.0
    }

    pub(super) fn add(&mut self, piece: &[u8]) -> Option<Heard> {
        let looked = self.0.len();
        self.room().extend_from_slice(piece);
        self.whole(looked)
    }

    /// Lines that are whole since `looked` bytes were there.
    fn whole(&mut self, looked: usize) -> Option<Heard> {
        if let Some(end) = memchr::memrchr(b'\n', &self.0[looked..]) {
            let lines = self.0.split_to(looked + end + 1).freeze();
            if lines.len() > BUFFER_KEPT_BYTES_MAX {
                // What is left moves out of the large one.
                let rest = std::mem::replace(&mut self.0, BytesMut::with_capacity(BUFFER_BYTES));
                self.0.extend_from_slice(&rest);
            }
            return Some(Heard::Lines(lines));
        }
        (self.0.len() > LINE_BYTES_MAX).then_some(Heard::TooLong)
    }

    /// A last line that has no end.
    pub(super) fn rest(self) -> Option<Heard> {
        (!self.0.is_empty()).then(|| Heard::Lines(self.0.freeze()))
    }
}

/// Reads a process to its end.
pub(super) async fn read(
    mut process: Child,
    mut stdout: ChildStdout,
    stderr: ChildStderr,
    tell: mpsc::Sender<Heard>,
) {
    let last = Arc::new(Mutex::new(Last::default()));
    let errors = tokio::spawn(keep_last(stderr, last.clone()));
    let mut lines = Lines::new();
    loop {
        let looked = lines.0.len();
        match stdout.read_buf(lines.room()).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "could not read from the Claude CLI");
                break;
            }
        }
        let Some(heard) = lines.whole(looked) else { continue };
        let last = matches!(heard, Heard::TooLong);
        // Nobody left to tell is nobody left to mind.
        if tell.send(heard).await.is_err() || last {
            return;
        }
    }
    if let Some(rest) = lines.rest() {
        let _ = tell.send(rest).await;
    }
    let status = process.wait().await.ok();
    // A tool's command that outlives the CLI may hold the pipe open; a moment is enough.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), errors).await;
    let stderr = last.lock().unwrap_or_else(PoisonError::into_inner).text();
    let _ = tell.send(Heard::Ended { status, stderr }).await;
}

async fn keep_last(mut stderr: ChildStderr, last: Arc<Mutex<Last>>) {
    let mut piece = [0u8; 1024];
    while let Ok(read @ 1..) = stderr.read(&mut piece).await {
        last.lock().unwrap_or_else(PoisonError::into_inner).add(&piece[..read]);
    }
}

/// The last part of what a program complained about.
#[derive(Default)]
pub(super) struct Last(String);

impl Last {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.0.push_str(&String::from_utf8_lossy(piece));
        let over = self.0.len().saturating_sub(STDERR_BYTES_MAX);
        let cut = (over..self.0.len()).find(|i| self.0.is_char_boundary(*i)).unwrap_or(0);
        self.0.drain(..cut);
    }

    pub(super) fn text(&self) -> String {
        self.0.trim().to_owned()
    }
}
