//! What our server is held against: hyper alone, with the runtime and the settings of ours, that
//! answers "hello" to everything. It is this program again, started on an inherited socket.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::time::Duration;

/// As in `serve::Limits`.
const HEAD_TIME: Duration = Duration::from_secs(20);
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Serves on the first inherited TCP socket until it is ended.
pub(crate) async fn serve() -> io::Result<()> {
    let held = host::inherited(&["api"])?.into_iter();
    let tcp = held.map(|held| held.socket).find_map(|socket| match socket {
        host::Listener::Tcp(listener) => Some(listener),
        host::Listener::Unix(_) => None,
    });
    let none = || io::Error::other("no TCP socket was handed over");
    let listener = tokio::net::TcpListener::from_std(tcp.ok_or_else(none)?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let hello = service_fn(|_| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
        });
        let talk = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES_MAX)
            .half_close(true)
            .serve_connection(TokioIo::new(stream), hello);
        // How a client leaves is its own affair.
        tokio::spawn(async move { drop(talk.await) });
    }
}
