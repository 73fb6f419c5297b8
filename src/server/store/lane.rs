//! One thread that owns one SQLite connection and does what is handed to it, in order. Closures
//! go in through a bounded queue, answers come out as futures. It knows no SQL.

use rusqlite::Connection;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

enum Note {
    Do(Job),
    Ping,
    Close(oneshot::Sender<()>),
}

/// The thread is gone or going: nothing more is taken.
#[derive(Debug)]
pub(super) struct Closed;

/// The near end of the thread. When the last one is dropped the thread ends by itself.
pub(super) struct Lane {
    queue: mpsc::Sender<Note>,
    /// Jobs handed over and not yet done.
    load: Arc<AtomicUsize>,
    beats: Arc<AtomicU64>,
}

impl Lane {
    /// Starts the thread. `farewell` runs on it, last, before the connection is closed.
    pub(super) fn start(
        name: &str,
        connection: Connection,
        queue_max: usize,
        farewell: fn(&Connection),
    ) -> io::Result<Lane> {
        let (queue, notes) = mpsc::channel(queue_max);
        let beats = Arc::new(AtomicU64::new(0));
        let counted = beats.clone();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(connection, notes, &counted, farewell))?;
        Ok(Lane { queue, load: Arc::default(), beats })
    }

    /// Hands a job over and waits for its answer. The job runs even if nobody waits any more.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, Closed>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> T + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let place = self.queue.reserve().await.map_err(|_| Closed)?;
        self.load.fetch_add(1, Ordering::Relaxed);
        let load = self.load.clone();
        place.send(Note::Do(Box::new(move |connection| {
            let answer = job(connection);
            load.fetch_sub(1, Ordering::Relaxed);
            // Whoever asked may have gone; the work is done all the same.
            let _ = tell.send(answer);
        })));
        told.await.map_err(|_| Closed)
    }

    /// Jobs waiting or being done.
    pub(super) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// Asks for a sign of life without waiting. False if the queue is full or closed.
    pub(super) fn ping(&self) -> bool {
        self.queue.try_send(Note::Ping).is_ok()
    }

    /// How many jobs and pings the thread has finished.
    pub(super) fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Lets what is queued be done, then closes the connection. Returns when it is closed.
    pub(super) async fn close(&self) {
        let (tell, told) = oneshot::channel();
        if self.queue.send(Note::Close(tell)).await.is_ok() {
            // An error here means that the thread is gone, which is what was asked for.
            let _ = told.await;
        }
    }
}

fn serve(
    mut connection: Connection,
    mut notes: mpsc::Receiver<Note>,
    beats: &AtomicU64,
    farewell: fn(&Connection),
) {
    let mut waiting = Vec::new();
    while let Some(note) = notes.blocking_recv() {
        match note {
            Note::Do(job) => job(&mut connection),
            Note::Ping => {}
            Note::Close(tell) => {
                notes.close();
                waiting.push(tell);
            }
        }
        beats.fetch_add(1, Ordering::Relaxed);
    }
    farewell(&connection);
    drop(connection);
    for tell in waiting {
        let _ = tell.send(());
    }
}
