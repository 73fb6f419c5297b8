//! What the child writes, as a log file of bounded size: at a bound it becomes `….1`, in place of
//! the one before, and a new one begins.
//!
//! The child does not hold the file. Then it would go on writing into the one that was renamed,
//! or lose lines while it is copied and emptied. It writes into a pipe, and a task of ours takes
//! it from there, so that files change at the end of a line, nothing is lost between them, and no
//! more than a pipe's content is in memory. The price: it waits for us when it writes faster than
//! the disk. It is not parsed here, and nothing is added.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// How much is read at once.
const PIECE_BYTES: usize = 16 << 10;

/// How much longer than its bound a log gets for the sake of a line's end.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The log file.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
    /// The last write went wrong, and that was said.
    failing: bool,
}

/// Writes all that comes out of `pipe` to `output`, until nobody can write into it any more.
pub(super) async fn copy(mut pipe: pipe::Receiver, mut output: Output) {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match pipe.read(&mut piece).await {
            Ok(0) => return,
            // Written here and now: a log's pages go to memory, and the disk comes later.
            Ok(length) => output.take(&piece[..length]),
            Err(error) => return tracing::warn!(%error, "cannot read what the server writes"),
        }
    }
}

impl Output {
    /// Goes on with the log at `path`, or begins it.
    pub(super) fn open(path: &Path, bytes_max: u64) -> io::Result<Output> {
        let file = private(path)?;
        let bytes = file.metadata()?.len();
        Ok(Output { path: path.to_owned(), file, bytes, bytes_max, failing: false })
    }

    fn take(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let (now, last) = self.share(piece);
            let (now, later) = piece.split_at(now);
            self.write(now);
            if last {
                self.change();
            }
            piece = later;
        }
    }

    /// How much of `piece` belongs into this file, and whether that is the last of it.
    fn share(&self, piece: &[u8]) -> (usize, bool) {
        let length = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let room = length(self.bytes_max.saturating_sub(self.bytes));
        // The line with which the bound is reached goes in whole.
        let from = room.saturating_sub(1).min(piece.len());
        if let Some(end) = piece[from..].iter().position(|byte| *byte == b'\n') {
            return (from + end + 1, true);
        }
        let most = length((self.bytes_max + LINE_BYTES_MAX).saturating_sub(self.bytes));
        (piece.len().min(most), piece.len() >= most)
    }

    /// A child must not wait for a full disk: what cannot be written is let go.
    fn write(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        match self.file.write_all(piece) {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, path = ?self.path, "what the server says is lost");
            }
            Err(_) => {}
        }
    }

    /// Puts this file aside and begins another. Whatever goes wrong, the bound holds.
    fn change(&mut self) {
        self.bytes = 0;
        let mut before = OsString::from(&self.path);
        before.push(".1");
        let changed = match fs::rename(&self.path, before) {
            Ok(()) => private(&self.path).map(|file| self.file = file),
            // Somebody removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                private(&self.path).map(|file| self.file = file)
            }
            Err(error) => self.file.set_len(0).and(Err(error)),
        };
        if let Err(error) = changed {
            tracing::warn!(%error, path = ?self.path, "the log cannot be put aside");
        }
    }
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = options.open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Place {
            Place { dir: tempfile::tempdir().unwrap() }
        }

        fn log(&self) -> PathBuf {
            self.dir.path().join("server.log")
        }

        fn now(&self) -> String {
            fs::read_to_string(self.log()).unwrap()
        }

        fn before(&self) -> String {
            fs::read_to_string(self.dir.path().join("server.log.1")).unwrap()
        }
    }

    #[test]
    fn a_log_changes_at_the_end_of_the_line_that_reaches_its_bound() {
        let place = Place::new();
        let mut output = Output::open(&place.log(), 8).unwrap();
        output.take(b"one\ntw");
        output.take(b"o\nthree\nfour\nfive\n");
        assert_eq!((&*place.before(), &*place.now()), ("three\nfour\n", "five\n"));
        assert_eq!(fs::read_dir(place.dir.path()).unwrap().count(), 2);
        // One more run goes on where that one ended.
        let mut output = Output::open(&place.log(), 8).unwrap();
        output.take(b"six\n");
        assert_eq!((&*place.before(), &*place.now()), ("five\nsix\n", ""));
    }

    #[test]
    fn a_line_without_end_is_bounded_too() {
        let place = Place::new();
        let most = usize::try_from(LINE_BYTES_MAX).unwrap() + 8;
        let mut output = Output::open(&place.log(), 8).unwrap();
        output.take("x".repeat(2 * most + 5).as_bytes());
        assert_eq!((place.before().len(), place.now().len()), (most, 5));
    }

    #[test]
    fn a_log_that_was_far_too_long_is_put_aside_at_once() {
        let place = Place::new();
        fs::write(place.log(), "x".repeat(200_000)).unwrap();
        fs::set_permissions(place.log(), Permissions::from_mode(0o644)).unwrap();
        let mut output = Output::open(&place.log(), 8).unwrap();
        let mode = fs::metadata(place.log()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        output.take(b"new");
        assert_eq!((place.before().len(), &*place.now()), (200_000, "new"));
    }

    #[test]
    fn a_log_that_cannot_be_put_aside_or_was_removed_stays_bounded() {
        let place = Place::new();
        let aside = place.dir.path().join("server.log.1");
        fs::create_dir_all(aside.join("in the way")).unwrap();
        let mut output = Output::open(&place.log(), 8).unwrap();
        output.take(b"1234567\nnext\n");
        assert_eq!(place.now(), "next\n");
        fs::remove_file(place.log()).unwrap();
        output.take(b"12\nlast\n");
        assert_eq!(place.now(), "last\n");
    }
}
