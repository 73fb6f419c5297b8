//! Where the child tells us how it is: a datagram socket and the words of sd_notify(3).
//!
//! Each run has a socket of its own, so that what one said is never taken for the next one's.
//! Who speaks is not looked at: the folder is ours alone, and the variable that leads here goes
//! to one process, which passes it to nobody.

use crate::dirs::make_private;
use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::{Path, PathBuf};
use tokio::net::UnixDatagram;

/// The socket's name. One for all supervisors, so that two of them cannot keep a server each.
const NAME: &str = "notify.sock";

/// Longest message, in bytes; systemd passes over longer ones, too.
const MESSAGE_BYTES_MAX: usize = 4096;

/// Messages that may be left when the child has ended; the kernel keeps fewer.
const LEFT_MAX: usize = 1024;

/// Something that the child said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It serves.
    Ready,
    /// It is on its way out.
    Stopping,
    /// It is not stuck.
    Alive,
    /// What it is doing, for a person.
    Status(String),
}

/// The socket, which is gone when this is dropped.
#[derive(Debug)]
pub(super) struct Ear {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Ear {
    /// Listens in the folder `runtime`. An error of kind `AddrInUse` says that somebody does so
    /// already; what a supervisor that was killed left behind is replaced.
    pub(super) fn open(runtime: &Path) -> io::Result<Ear> {
        make_private(runtime)?;
        let path = runtime.join(NAME);
        // Two that start at once must not each take the other's new socket for an old one.
        let dir = File::open(runtime)?;
        dir.lock()?;
        match StdDatagram::unbound()?.connect(&path) {
            Ok(()) => {
                let said = "another supervisor keeps a server already; stop that one first";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, said));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(&path)?;
            }
            Err(error) => return Err(error),
        }
        Ok(Ear { socket: UnixDatagram::bind(&path)?, path })
    }

    /// Where to speak: the value of `NOTIFY_SOCKET`.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is said next. Nothing is lost when the future is dropped.
    pub(super) async fn heard(&self) -> Vec<Said> {
        let mut message = [0; MESSAGE_BYTES_MAX + 1];
        match self.socket.recv(&mut message).await {
            Ok(length) => read(&message[..length]),
            Err(error) => {
                // Whoever is not heard is taken for silent, and there are limits for that.
                tracing::warn!(%error, "cannot hear the server");
                std::future::pending().await
            }
        }
    }

    /// What was said and not yet heard.
    pub(super) fn left(&self) -> Vec<Said> {
        let mut said = Vec::new();
        let mut message = [0; MESSAGE_BYTES_MAX + 1];
        for _ in 0..LEFT_MAX {
            let Ok(length) = self.socket.try_recv(&mut message) else { break };
            said.extend(read(&message[..length]));
        }
        said
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = ?self.path, "could not remove a socket of ours");
        }
    }
}

fn read(message: &[u8]) -> Vec<Said> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Vec::new();
    }
    let line = |line: &str| match line.split_once('=')? {
        ("READY", "1") => Some(Said::Ready),
        ("STOPPING", "1") => Some(Said::Stopping),
        ("WATCHDOG", "1") => Some(Said::Alive),
        ("STATUS", text) => Some(Said::Status(text.to_owned())),
        _ => None,
    };
    String::from_utf8_lossy(message).lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_known_of_the_protocol_is_read_and_the_rest_passed_over() {
        let message = b"READY=1\nSTATUS=a=b, \xff\nMAINPID=7\nnonsense\nWATCHDOG=1\nSTOPPING=1\n";
        let status = Said::Status("a=b, \u{fffd}".to_owned());
        assert_eq!(read(message), [Said::Ready, status, Said::Alive, Said::Stopping]);
        for nothing in ["", "READY", "READY=0", "WATCHDOG=trigger", "\n\n="] {
            assert_eq!(read(nothing.as_bytes()), [], "{nothing}");
        }
        assert_eq!(read(&[b'x'; MESSAGE_BYTES_MAX + 1]), []);
    }

    #[tokio::test]
    async fn a_socket_has_one_listener_and_is_gone_with_it() {
        let top = tempfile::tempdir().unwrap();
        let runtime = top.path().join("run");
        let ear = Ear::open(&runtime).unwrap();
        assert_eq!(fs::metadata(&runtime).unwrap().mode() & 0o777, 0o700);
        assert_eq!(Ear::open(&runtime).unwrap_err().kind(), ErrorKind::AddrInUse);
        let mouth = StdDatagram::unbound().unwrap();
        mouth.send_to(b"READY=1", ear.path()).unwrap();
        mouth.send_to(b"STOPPING=1", ear.path()).unwrap();
        assert_eq!(ear.heard().await, [Said::Ready]);
        assert_eq!(ear.left(), [Said::Stopping]);
        let path = ear.path().to_owned();
        drop(ear);
        assert!(!path.exists());
        // As one that was killed leaves it.
        drop(StdDatagram::bind(&path).unwrap());
        Ear::open(&runtime).unwrap();
    }
}
