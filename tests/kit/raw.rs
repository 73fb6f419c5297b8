//! A connection on which anything can be said, also what is no HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// Longest wait for an answer that should come at once.
const PATIENCE: Duration = Duration::from_secs(60);

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Bytes to and from a server.
pub struct Raw(Box<dyn Wire>);

impl Raw {
    /// Over TCP.
    pub async fn tcp(to: SocketAddr) -> Raw {
        Raw(Box::new(TcpStream::connect(to).await.expect("connected")))
    }

    /// Over a Unix socket.
    pub async fn unix(to: &Path) -> Raw {
        Raw(Box::new(UnixStream::connect(to).await.expect("connected")))
    }

    /// Says something; false if the other end no longer listens.
    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Says nothing more.
    pub async fn shut(&mut self) {
        // The other end may have closed before.
        let _ = self.0.shutdown().await;
    }

    /// Everything until the other end closes.
    pub async fn all(&mut self) -> String {
        let mut out = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut out));
        // A reset after an answer is an end, too.
        let _ = read.await.expect("the server closes the connection");
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Everything until this has come so often; what came by then.
    pub async fn until(&mut self, what: &str, times: usize) -> String {
        let mut out = Vec::new();
        let mut piece = vec![0u8; 16 * 1024];
        let seen = |out: &[u8]| String::from_utf8_lossy(out).matches(what).count() >= times;
        while !seen(&out) {
            let read = tokio::time::timeout(PATIENCE, self.0.read(&mut piece)).await;
            let read = read.expect("the server answers").unwrap_or(0);
            if read == 0 {
                break;
            }
            out.extend_from_slice(&piece[..read]);
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}
