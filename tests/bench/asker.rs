//! One client that asks one question after the other on one connection and reads each answer
//! whole, and waits until the notes are indexed.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// For a vault to be indexed, and for what is kept for speed to be given back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
pub(crate) const REST: Duration = Duration::from_secs(13);
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// What is read at once.
const PIECE_BYTES: usize = 256 << 10;

/// One connection, one question after the other.
pub(crate) struct Asker {
    stream: TcpStream,
    buffer: Vec<u8>,
    piece: Vec<u8>,
}

impl Asker {
    pub(crate) fn new(to: SocketAddr) -> io::Result<Asker> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Asker { stream, buffer: Vec::new(), piece: vec![0; PIECE_BYTES] })
    }

    /// The body of the answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str) -> io::Result<&str> {
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes())
    }

    /// The same of a question with a body of JSON.
    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<&str> {
        let length = body.len();
        let asked = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.send(asked.as_bytes())
    }

    fn send(&mut self, asked: &[u8]) -> io::Result<&str> {
        self.stream.write_all(asked)?;
        self.buffer.clear();
        loop {
            let length = self.stream.read(&mut self.piece)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&self.piece[..length]);
            let Some(end) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..end]);
            let whole = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let whole = whole.and_then(|length| length.parse::<usize>().ok());
            let whole = whole.ok_or_else(|| io::Error::other("an answer without a length"))?;
            if self.buffer.len() >= end + 4 + whole {
                let is_good = head.starts_with("HTTP/1.1 200 ");
                let body =
                    std::str::from_utf8(&self.buffer[end + 4..]).map_err(io::Error::other)?;
                return if is_good { Ok(body) } else { Err(io::Error::other(body.to_owned())) };
            }
        }
    }
}

pub(crate) fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

pub(crate) fn until_indexed(asker: &mut Asker) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    while asker.ask("GET", "/api/brain/search?q=&limit=1")?.contains("\"indexing\":true") {
        if Instant::now() > until {
            return Err(io::Error::other("the notes are not indexed in time"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}
