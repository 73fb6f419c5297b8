//! Accept loops for TCP and Unix listeners: a permit per connection, a pause after a failed
//! accept, bounds in time, and a goodbye with a limit.
//!
//! Stopping refuses nobody. The listeners may belong to the service manager, so we just stop
//! accepting; a connection that was accepted and has not asked yet is still answered, because
//! its request may be on the way.

use crate::answer::{App, Peer, Service};
use crate::body::Body;
use crate::taken::Taken;
use bytes::Bytes;
use http_body::Frame;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// One listener.
pub enum Door {
    /// TCP.
    Tcp(TcpListener),
    /// Unix.
    Unix(UnixListener),
}

impl TryFrom<std::net::TcpListener> for Door {
    type Error = io::Error;
    fn try_from(listener: std::net::TcpListener) -> io::Result<Door> {
        TcpListener::from_std(listener).map(Door::Tcp)
    }
}

impl TryFrom<std::os::unix::net::UnixListener> for Door {
    type Error = io::Error;
    fn try_from(listener: std::os::unix::net::UnixListener) -> io::Result<Door> {
        UnixListener::from_std(listener).map(Door::Unix)
    }
}

/// Shows a watchdog that the accept loops move: each counts its rounds.
#[derive(Default)]
pub struct Pulse(Vec<AtomicU64>);

impl Pulse {
    /// For so many listeners.
    pub fn new(doors: usize) -> Pulse {
        Pulse((0..doors).map(|_| AtomicU64::new(0)).collect())
    }

    /// The rounds so far, a number for each listener.
    pub fn rounds(&self) -> Vec<u64> {
        self.0.iter().map(|n| n.load(Ordering::Relaxed)).collect()
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const ROUND: Duration = Duration::from_secs(1);
/// For the request of a connection that was accepted just before a stop.
const FIRST_REQUEST: Duration = Duration::from_secs(2);

/// A test may set it to make the accept loops hang.
#[cfg(feature = "faults")]
pub static HANG: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Serves until `service.stop` is cancelled and what was under way has ended, or the limit for
/// goodbyes is over.
pub async fn serve<A: App>(doors: Vec<Door>, service: Arc<Service<A>>, pulse: Arc<Pulse>) {
    let slots = Arc::new(Semaphore::new(service.limits.connections_max));
    let tasks = TaskTracker::new();
    for (index, door) in doors.into_iter().enumerate() {
        let accepting =
            accept(door, service.clone(), slots.clone(), tasks.clone(), pulse.clone(), index);
        tasks.spawn(accepting);
    }
    service.stop.cancelled().await;
    tasks.close();
    let limit = Duration::from_secs(service.limits.goodbye_seconds_max);
    if tokio::time::timeout(limit, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "requests were still under way when time was up");
    }
}

/// Answers one connection to its end. Who is at the other end is told by whoever accepted it.
pub async fn converse<A: App>(stream: impl Stream + 'static, peer: Peer, service: Arc<Service<A>>) {
    let slot = None;
    let talk = Talk { service, peer, slot };
    talk.run(Box::new(stream)).await;
}

async fn accept<A: App>(
    door: Door,
    service: Arc<Service<A>>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    pulse: Arc<Pulse>,
    index: usize,
) {
    let mut round = tokio::time::interval(ROUND);
    let mut slot: Option<OwnedSemaphorePermit> = None;
    loop {
        pulse.0[index].fetch_add(1, Ordering::Relaxed);
        #[cfg(feature = "faults")]
        if HANG.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        let full = slot.is_none();
        tokio::select! {
            biased;
            () = service.stop.cancelled() => return,
            taken = slots.clone().acquire_owned(), if full => slot = taken.ok(),
            accepted = door.accept(), if !full => match accepted {
                Ok((stream, peer)) => {
                    let talk = Talk { service: service.clone(), peer, slot: slot.take() };
                    tasks.spawn(talk.run(stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection; pausing");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            _ = round.tick() => {}
        }
    }
}

/// Either kind of stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Door {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Peer)> {
        match self {
            Door::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), Peer::Tcp(peer)))
            }
            Door::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                Ok((Box::new(stream), Peer::Unix(uid)))
            }
        }
    }
}

struct Talk<A: App> {
    service: Arc<Service<A>>,
    peer: Peer,
    slot: Option<OwnedSemaphorePermit>,
}

/// How many requests of a connection were answered; wakes who waits for the first.
#[derive(Default)]
struct Answered {
    count: AtomicUsize,
    more: Notify,
}

impl<A: App> Talk<A> {
    /// One connection to its end.
    async fn run(self, stream: Box<dyn Stream>) {
        let answered = Arc::new(Answered::default());
        let count = answered.clone();
        let service = self.service.clone();
        let peer = self.peer;
        let handle = service_fn(move |req| {
            let (service, count) = (service.clone(), count.clone());
            async move {
                let busy = Busy::begin(service.app.clone());
                let reply = service.answer(peer, req).await;
                count.count.fetch_add(1, Ordering::Relaxed);
                count.more.notify_one();
                Ok::<_, Infallible>(reply.map(|body| Tracked { body, _busy: busy }))
            }
        });
        let limits = &self.service.limits;
        let mut talk = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_time())
            .max_buf_size(limits.head_bytes_max)
            .half_close(true)
            .serve_connection(TokioIo::new(Taken::new(stream, limits.stalled_time())), handle);
        let ended = tokio::select! {
            ended = &mut talk => ended,
            () = self.service.stop.cancelled() => {
                let first = async {
                    if answered.count.load(Ordering::Relaxed) == 0 {
                        answered.more.notified().await;
                    }
                };
                tokio::select! {
                    ended = &mut talk => ended,
                    _ = tokio::time::timeout(FIRST_REQUEST, first) => {
                        Pin::new(&mut talk).graceful_shutdown();
                        (&mut talk).await
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended badly");
            let parts = talk.into_parts();
            // A kept connection that was merely idle is closed without a word.
            if error.is_timeout() && !parts.read_buf.is_empty() {
                too_slow(&mut parts.io.into_inner()).await;
            }
        }
        drop(self.slot);
    }
}

/// Tells the program when a request begins, and when it is over, however that happens.
struct Busy<A: App>(Arc<A>);

impl<A: App> Busy<A> {
    fn begin(app: Arc<A>) -> Busy<A> {
        app.busy(true);
        Busy(app)
    }
}

impl<A: App> Drop for Busy<A> {
    fn drop(&mut self) {
        self.0.busy(false);
    }
}

/// A body that counts as busy until it has gone out.
struct Tracked<A: App> {
    body: Body,
    _busy: Busy<A>,
}

impl<A: App> http_body::Body for Tracked<A> {
    type Data = Bytes;
    type Error = io::Error;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Writes the answer to a head that never became whole.
async fn too_slow(stream: &mut (impl AsyncWrite + Unpin)) {
    let said = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // The client may be gone already; there is nobody else to tell.
    let _ = stream.write_all(said.as_bytes()).await;
}
