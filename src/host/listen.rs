//! What a program listens on: the sockets that the service manager holds for it, or, where none
//! were handed over, those it is told to bind. Never both. Nothing here accepts.

use crate::{Listener, inherited, private_socket};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// Listening sockets, and what there is to say about them.
#[derive(Debug)]
pub struct Listening {
    /// Non-blocking.
    pub sockets: Vec<Listener>,
    /// In words, each with where it came from.
    pub told: Vec<String>,
    /// Held by the service manager: it starts us again when somebody comes.
    pub inherited: bool,
    /// One of them can be reached from other machines.
    pub wide: Option<SocketAddr>,
    /// The socket file that is ours to remove.
    pub own_socket: Option<PathBuf>,
}

/// Takes what was handed over under `name`, else binds `addresses` and `socket`.
///
/// # Errors
/// An address cannot be bound (other than `::1` on a machine without IPv6), or the socket; one
/// that another process holds is passed over with a warning, for the addresses will do.
pub fn listen(name: &str, addresses: &[SocketAddr], socket: &Path) -> io::Result<Listening> {
    let handed = inherited(&[name])?;
    let mut out = Listening {
        sockets: Vec::new(),
        told: Vec::new(),
        inherited: !handed.is_empty(),
        wide: None,
        own_socket: None,
    };
    for handed in handed {
        out.add(handed.socket, "inherited from the service manager")?;
    }
    if !out.inherited {
        out.bind(addresses, socket)?;
    }
    Ok(out)
}

impl Listening {
    fn bind(&mut self, addresses: &[SocketAddr], socket: &Path) -> io::Result<()> {
        for address in addresses {
            match TcpListener::bind(address) {
                Ok(listener) => {
                    listener.set_nonblocking(true)?;
                    self.add(Listener::Tcp(listener), "bound")?;
                }
                Err(error)
                    if address.is_ipv6() && error.kind() == io::ErrorKind::AddrNotAvailable =>
                {
                    tracing::info!(%address, "this machine does not have that address");
                }
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{address}: {error}")));
                }
            }
        }
        match private_socket(socket) {
            Ok(listener) => {
                self.add(Listener::Unix(listener), "bound")?;
                self.own_socket = Some(socket.to_owned());
            }
            // The installed program's; this one, in a terminal, is reached over TCP.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                tracing::warn!(%error, "another process has the Unix socket; serving TCP only");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn add(&mut self, listener: Listener, origin: &str) -> io::Result<()> {
        match &listener {
            Listener::Tcp(listener) => {
                let address = listener.local_addr()?;
                if !address.ip().to_canonical().is_loopback() {
                    self.wide = Some(address);
                }
                self.told.push(format!("http://{address} ({origin})"));
            }
            Listener::Unix(listener) => {
                let address = listener.local_addr()?;
                let path = address.as_pathname().map(|p| p.display().to_string());
                self.told
                    .push(format!("unix:{} ({origin})", path.unwrap_or_else(|| "unnamed".into())));
            }
        }
        self.sockets.push(listener);
        Ok(())
    }
}

/// Loopback in both families on this port.
pub fn loopback(port: u16) -> [SocketAddr; 2] {
    [SocketAddr::from(([127, 0, 0, 1], port)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port))]
}
