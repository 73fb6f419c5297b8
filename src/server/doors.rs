//! The listeners of the server: those the service manager holds for us, else those the config
//! says.

use crate::limits::{TURN_AWAY, TURN_AWAY_READ};
use config::settings::Settings;
use host::{Dirs, Listener, Listening};
use serve::Door;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Name of our sockets in the manager's files.
const NAME: &str = "api";

pub(crate) fn open(settings: &Settings, dirs: &Dirs) -> io::Result<Listening> {
    host::listen(NAME, &addresses(settings), &dirs.server_socket())
}

/// The same sockets, to be served.
pub(crate) fn serve(sockets: Vec<Listener>) -> io::Result<Vec<Door>> {
    let door = |socket| match socket {
        Listener::Tcp(listener) => listener.try_into(),
        Listener::Unix(listener) => listener.try_into(),
    };
    sockets.into_iter().map(door).collect()
}

/// Answers those who wait already, and whom nobody will serve. A service manager that holds the
/// sockets would start us for them again, and again.
pub(crate) fn turn_away(sockets: &[Listener], why: &str) {
    let until = Instant::now() + TURN_AWAY;
    for socket in sockets {
        // Ends where nobody waits any more: the sockets do not block.
        while let Ok(()) = turn_one_away(socket, why, until) {}
    }
}

fn turn_one_away(socket: &Listener, why: &str, until: Instant) -> io::Result<()> {
    let patience = until.saturating_duration_since(Instant::now()).min(TURN_AWAY_READ);
    // None would be for ever.
    let patience = Some(patience.max(Duration::from_millis(1)));
    let heard = match socket {
        Listener::Tcp(listener) => {
            let (stream, peer) = listener.accept()?;
            // Strangers need not know what is amiss.
            let why = if peer.ip().is_loopback() { why } else { "The server cannot start." };
            stream
                .set_nonblocking(false)
                .and_then(|()| stream.set_read_timeout(patience))
                .and_then(|()| stream.set_write_timeout(patience))
                .and_then(|()| refuse(stream, why))
        }
        Listener::Unix(listener) => {
            let (stream, _) = listener.accept()?;
            stream
                .set_nonblocking(false)
                .and_then(|()| stream.set_read_timeout(patience))
                .and_then(|()| stream.set_write_timeout(patience))
                .and_then(|()| refuse(stream, why))
        }
    };
    if let Err(error) = heard {
        tracing::debug!(%error, "somebody who waited did not hear why");
    }
    Ok(())
}

fn refuse(mut stream: impl Read + Write, why: &str) -> io::Result<()> {
    // A connection that is closed with its request unread is torn down, answer and all.
    let asked = stream.read(&mut [0; 16 * 1024]);
    let body = serde_json::json!({ "detail": why }).to_string();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    asked.and_then(|_| stream.write_all(answer.as_bytes()))
}

/// Loopback means both families, as the socket unit has it.
fn addresses(settings: &Settings) -> Vec<SocketAddr> {
    let asked = SocketAddr::new(settings.host, settings.port);
    let both = host::loopback(settings.port);
    if both.contains(&asked) { both.to_vec() } else { vec![asked] }
}
