//! Load on one address: a few clients on kept connections, each asking again as soon as it has
//! its answer. It reads no more of an answer than its length and that it is a 200.

use crate::place::{Place, Sockets, What};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Clients at once.
pub(crate) const CLIENTS: usize = 8;

/// How long a round lasts.
pub(crate) const LOAD_TIME: Duration = Duration::from_millis(500);

/// What one round came to.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    /// Microseconds.
    pub(crate) p99: f64,
}

/// Loads an address for so long; each client goes through the paths in turn, and asks at least
/// once.
pub(crate) async fn load(to: SocketAddr, paths: &[String], time: Duration) -> io::Result<Load> {
    let requests: Vec<Vec<u8>> = paths.iter().map(|path| request(path)).collect();
    let begun = Instant::now();
    let until = begun + time;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let requests = requests.clone();
        clients.push(tokio::spawn(client(to, requests, number, until)));
    }
    let mut micros = Vec::new();
    for client in clients {
        micros.extend(client.await.map_err(io::Error::other)??);
    }
    let per_second = micros.len() as f64 / begun.elapsed().as_secs_f64();
    let (p50, p99) = (percentile(&mut micros, 50), percentile(&mut micros, 99));
    Ok(Load { per_second, p50, p99 })
}

/// The value that so many of a hundred do not exceed; 0 of none.
pub(crate) fn percentile(values: &mut [f64], of_hundred: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * of_hundred).div_ceil(100).max(1) - 1;
    values.get(at).copied().unwrap_or_default()
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

async fn client(
    to: SocketAddr,
    requests: Vec<Vec<u8>>,
    number: usize,
    until: Instant,
) -> io::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(64 * 1024);
    let mut micros = Vec::new();
    // Each begins elsewhere, so that they do not ask for the same at the same time.
    for request in requests.iter().cycle().skip(number * requests.len() / CLIENTS) {
        let asked = Instant::now();
        if asked >= until && !micros.is_empty() {
            break;
        }
        stream.write_all(request).await?;
        answer(&mut stream, &mut buffer).await?;
        micros.push(asked.elapsed().as_secs_f64() * 1e6);
    }
    Ok(micros)
}

/// Reads one answer whole.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    let wrong = |said: &str| io::Error::new(io::ErrorKind::InvalidData, said.to_owned());
    buffer.clear();
    let mut whole = usize::MAX;
    while buffer.len() < whole {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if whole == usize::MAX
            && let Some(head) = memchr::memmem::find(buffer, b"\r\n\r\n")
        {
            let said = String::from_utf8_lossy(&buffer[..head]);
            if !said.starts_with("HTTP/1.1 200 ") {
                return Err(wrong(&said));
            }
            let length = said.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.and_then(|l| l.parse::<usize>().ok());
            whole = head + 4 + length.ok_or_else(|| wrong("an answer without a length"))?;
        }
    }
    Ok(())
}

/// Connects while nothing of the program runs, starts it, and waits for the first byte of the
/// answer: milliseconds. The program is ended again.
pub(crate) fn cold_start(place: &Place, what: &What, sockets: &Sockets) -> io::Result<f64> {
    let begun = Instant::now();
    let mut stream = std::net::TcpStream::connect(sockets.address()?)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(&request("/api/health"))?;
    // The connection now lies in the listener's queue, by which a service manager is woken.
    let program = place.start(what, sockets)?;
    stream.read_exact(&mut [0])?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    program.stop()?;
    Ok(took)
}
