//! The listeners: those the service manager holds for us, else those the config says. A program
//! that was handed sockets binds none.

use config::settings::Settings;
use host::{Dirs, Listener};
use serve::Door;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::{TcpListener, UnixListener};

/// Name of our sockets in the manager's files.
const NAME: &str = "api";

/// What we listen on.
pub(crate) struct Doors {
    pub(crate) doors: Vec<Door>,
    /// In words, each with where it came from.
    pub(crate) told: Vec<String>,
    /// Held by the service manager: it starts us again when somebody comes.
    pub(crate) inherited: bool,
    /// One of them can be reached from other machines.
    pub(crate) wide: Option<SocketAddr>,
    /// The socket file that is ours to remove.
    pub(crate) own_socket: Option<PathBuf>,
}

pub(crate) fn open(settings: &Settings, dirs: &Dirs) -> io::Result<Doors> {
    let handed = host::inherited(&[NAME])?;
    let inherited = !handed.is_empty();
    let mut out =
        Doors { doors: Vec::new(), told: Vec::new(), inherited, wide: None, own_socket: None };
    for socket in handed {
        out.add(socket.socket, "inherited from the service manager")?;
    }
    if inherited {
        return Ok(out);
    }
    let origin = "bound";
    for address in addresses(settings) {
        let listener = std::net::TcpListener::bind(address);
        match listener {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                out.add(Listener::Tcp(listener), origin)?;
            }
            // A machine without IPv6 has no ::1.
            Err(error) if address.is_ipv6() && error.kind() == io::ErrorKind::AddrNotAvailable => {
                tracing::info!(%address, "this machine does not have that address");
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("{address}: {error}"))),
        }
    }
    let path = dirs.server_socket();
    match host::private_socket(&path) {
        Ok(listener) => {
            out.add(Listener::Unix(listener), origin)?;
            out.own_socket = Some(path);
        }
        // The installed server's; this one, in a terminal, is reached over TCP.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            tracing::warn!(%error, "another server has the Unix socket; serving TCP only");
        }
        Err(error) => return Err(error),
    }
    Ok(out)
}

/// Loopback means both families, as the socket unit has it.
fn addresses(settings: &Settings) -> Vec<SocketAddr> {
    let asked = SocketAddr::new(settings.host, settings.port);
    if !settings.host.is_loopback() {
        return vec![asked];
    }
    let v4 = SocketAddr::from(([127, 0, 0, 1], settings.port));
    let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], settings.port));
    if asked == v4 || asked == v6 { vec![v4, v6] } else { vec![asked] }
}

impl Doors {
    fn add(&mut self, listener: Listener, origin: &str) -> io::Result<()> {
        match listener {
            Listener::Tcp(listener) => {
                let address = listener.local_addr()?;
                if !address.ip().to_canonical().is_loopback() {
                    self.wide = Some(address);
                }
                self.told.push(format!("http://{address} ({origin})"));
                self.doors.push(Door::Tcp(TcpListener::from_std(listener)?));
            }
            Listener::Unix(listener) => {
                let address = listener.local_addr()?;
                let path = address.as_pathname().map(|p| p.display().to_string());
                let path = path.unwrap_or_else(|| "unnamed".into());
                self.told.push(format!("unix:{path} ({origin})"));
                self.doors.push(Door::Unix(UnixListener::from_std(listener)?));
            }
        }
        Ok(())
    }
}
