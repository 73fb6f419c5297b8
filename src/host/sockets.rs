//! Listening sockets: those the service manager handed over, and private ones of our own; and
//! who is at the other end of a Unix socket. Nothing here accepts or speaks.

use crate::{Machine, Native, dirs};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};
use std::fs::{self, File, Permissions};
use std::io;
use std::mem::{offset_of, size_of};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest path of a socket, in bytes: 107 on Linux, 103 on macOS. One byte ends it.
const PATH_BYTES_MAX: usize =
    size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path) - 1;

/// A listening socket that the service manager holds for us.
#[derive(Debug)]
pub struct Inherited {
    /// What its unit or plist calls it; several sockets may share one name.
    pub name: String,
    /// The socket, non-blocking and close-on-exec.
    pub socket: Listener,
}

/// A listening stream socket of one of the two kinds we serve.
#[derive(Debug)]
pub enum Listener {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// A path, or an abstract name.
    Unix(UnixListener),
}

/// All sockets that the service manager handed over: none where it handed over nothing.
///
/// launchd has no list to ask for and gives only those of `names`; systemd gives all, whatever
/// `names` says. It can be asked once in a process's life: a second call is an error. So is a
/// descriptor that is not a listening stream socket, TCP or Unix; the error says which.
pub fn inherited(names: &[&str]) -> io::Result<Vec<Inherited>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Err(io::Error::other("the inherited sockets were taken before"));
    }
    let held = Native::handed_over(names)?;
    held.into_iter().map(|(name, fd)| known(name, fd)).collect()
}

fn known(name: String, fd: OwnedFd) -> io::Result<Inherited> {
    let wrong = |why: &str| {
        let said = format!("the inherited descriptor {fd:?} named {name:?} is {why}");
        io::Error::new(io::ErrorKind::InvalidInput, said)
    };
    match sockopt::socket_type(&fd) {
        Ok(SocketType::STREAM) => {}
        Ok(_) => return Err(wrong("no stream socket")),
        Err(_) => return Err(wrong("no socket")),
    }
    let family = rustix::net::getsockname(&fd)?.address_family();
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    let socket = match family {
        AddressFamily::INET | AddressFamily::INET6 => Listener::Tcp(TcpListener::from(fd)),
        AddressFamily::UNIX => Listener::Unix(UnixListener::from(fd)),
        _ => return Err(wrong("neither a TCP nor a Unix socket")),
    };
    Ok(Inherited { name, socket })
}

/// The user at the other end of a Unix socket, as the kernel knows it.
pub fn peer_uid(stream: &tokio::net::UnixStream) -> io::Result<u32> {
    Ok(stream.peer_cred()?.uid())
}

/// This process's user and group.
pub fn own_ids() -> (u32, u32) {
    (own_uid(), rustix::process::getegid().as_raw())
}

/// The user we act as.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Listens at `path` for this user alone: the socket has mode 0600 in a folder of mode 0700,
/// which is made if it is missing. Non-blocking and close-on-exec.
///
/// A socket that nobody answers at any more is replaced. An error of kind `AddrInUse` says that
/// somebody does, `AlreadyExists` that something else than a socket is there, `InvalidInput`
/// that the path is too long, `PermissionDenied` that others can reach into the folder.
pub fn private_socket(path: &Path) -> io::Result<UnixListener> {
    let error = |kind, said: &str| io::Error::new(kind, format!("{}: {said}", path.display()));
    let length = path.as_os_str().as_bytes().len();
    if length > PATH_BYTES_MAX {
        let said = format!(
            "a socket's path has at most {PATH_BYTES_MAX} bytes, this one {length}; \
             use a folder with a shorter path"
        );
        return Err(error(io::ErrorKind::InvalidInput, &said));
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.ok_or_else(|| error(io::ErrorKind::InvalidInput, "no absolute path"))?;
    if !dir.try_exists()? {
        dirs::make_private(dir)?;
    }
    let dir = File::open(dir)?;
    let found = dir.metadata()?;
    if found.uid() != own_uid() || found.mode() & 0o077 != 0 {
        let said = "its folder is open to others; make it yours alone with chmod 700";
        return Err(error(io::ErrorKind::PermissionDenied, said));
    }
    // Two that start at once must not each take the other's new socket for a stale one.
    dir.lock()?;
    remove_stale(path).map_err(|e| error(e.kind(), &e.to_string()))?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Clears a socket out of the way that its owner left behind.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let said = "something that is not a socket is in the way";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, said));
    }
    match knock(path) {
        Err(rustix::io::Errno::CONNREFUSED) => fs::remove_file(path),
        Err(rustix::io::Errno::NOENT) => Ok(()),
        // A full queue (EAGAIN) belongs to somebody who lives, too.
        Ok(()) | Err(rustix::io::Errno::AGAIN) => {
            let said = "another program listens here";
            Err(io::Error::new(io::ErrorKind::AddrInUse, said))
        }
        Err(error) => Err(error.into()),
    }
}

/// Connects without waiting: a listener that hangs must not hang us.
fn knock(path: &Path) -> rustix::io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use std::os::unix::net::UnixStream;

    fn room() -> tempfile::TempDir {
        let private = Permissions::from_mode(0o700);
        tempfile::Builder::new().permissions(private).tempdir().unwrap()
    }

    #[test]
    fn a_private_socket_is_ours_alone() {
        let dir = room();
        let path = dir.path().join("new/a.sock");
        let _listener = private_socket(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = room();
        let path = dir.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let listener = private_socket(&path).unwrap();
        assert_eq!(private_socket(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        private_socket(&path).unwrap();
    }

    #[test]
    fn a_listener_that_never_accepts_still_counts() {
        let dir = room();
        let path = dir.path().join("a.sock");
        // A short queue: a long one would take more descriptors than a process may have.
        let deaf = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&deaf, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&deaf, 1).unwrap();
        let mut waiting = Vec::new();
        while let Ok(()) = knock_and_keep(&path, &mut waiting) {}
        assert_eq!(private_socket(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    /// Fills the listener's queue by one; an error when it is full.
    fn knock_and_keep(path: &Path, waiting: &mut Vec<OwnedFd>) -> rustix::io::Result<()> {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
        waiting.push(socket);
        Ok(())
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = room();
        let path = dir.path().join("notes.md");
        fs::write(&path, "mine").unwrap();
        assert_eq!(private_socket(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn an_open_folder_and_a_long_path_are_refused_in_words() {
        let dir = room();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let refused = private_socket(&dir.path().join("a.sock")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        let refused = private_socket(&dir.path().join("x".repeat(200))).unwrap_err();
        assert!(refused.to_string().contains("at most 10"), "{refused}");
    }

    #[test]
    fn what_is_no_listener_is_named() {
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let said = known("api".into(), file).unwrap_err().to_string();
        assert!(said.contains("\"api\"") && said.contains("no socket"), "{said}");
        let datagram = std::os::unix::net::UnixDatagram::unbound().unwrap();
        let said = known("x".into(), datagram.into()).unwrap_err().to_string();
        assert!(said.contains("no stream socket"), "{said}");
    }

    #[tokio::test]
    async fn the_peer_is_known_by_its_user() {
        let (here, _there) = tokio::net::UnixStream::pair().unwrap();
        assert_eq!(peer_uid(&here).unwrap(), own_uid());
    }
}
