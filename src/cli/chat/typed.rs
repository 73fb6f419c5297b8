//! Lines that a person types while events go on. A thread of its own reads them, one for each
//! that was asked for: a read from a terminal cannot be taken back. It ends with the program.

use std::io::{BufRead, Read, stdin};
use std::sync::mpsc as std_mpsc;
use std::thread;
use tokio::sync::mpsc;

/// Longest line taken, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The reader.
pub(crate) struct Typed {
    want: std_mpsc::Sender<()>,
    lines: mpsc::Receiver<Option<String>>,
    reading: bool,
}

impl Typed {
    /// Starts the thread; it reads nothing yet.
    pub(crate) fn start() -> Typed {
        let (want, wanted) = std_mpsc::channel();
        let (told, lines) = mpsc::channel(1);
        thread::spawn(move || while wanted.recv().is_ok() && told.blocking_send(read()).is_ok() {});
        Typed { want, lines, reading: false }
    }

    /// Has a line read.
    pub(crate) fn want(&mut self) {
        if !self.reading {
            // The thread lives as long as this value, so it hears it.
            self.reading = self.want.send(()).is_ok();
        }
    }

    /// The line; `None` at the end of input. Never comes where none is wanted. Dropping the
    /// future loses nothing.
    pub(crate) async fn line(&mut self) -> Option<String> {
        if !self.reading {
            std::future::pending::<()>().await;
        }
        let line = self.lines.recv().await.flatten();
        self.reading = false;
        line
    }
}

fn read() -> Option<String> {
    let mut line = Vec::new();
    let read = stdin().lock().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
    // A terminal that cannot be read any more is one that is gone.
    match read {
        Ok(1..) => Some(String::from_utf8_lossy(&line).into_owned()),
        _ => None,
    }
}
