//! The listeners of the server: those the service manager holds for us, else those the config
//! says.

use config::settings::Settings;
use host::{Dirs, Listener, Listening};
use serve::Door;
use std::io;
use std::net::SocketAddr;

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

/// Loopback means both families, as the socket unit has it.
fn addresses(settings: &Settings) -> Vec<SocketAddr> {
    let asked = SocketAddr::new(settings.host, settings.port);
    let both = host::loopback(settings.port);
    if both.contains(&asked) { both.to_vec() } else { vec![asked] }
}
