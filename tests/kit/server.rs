//! The server as a process, started as a service manager would: with listening sockets handed
//! over, which stay the kit's, so that it can be restarted without anybody being refused.

use crate::{Answer, Caller, Home, program};
use command_fds::{CommandFdExt, FdMapping};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running server and the sockets it serves.
pub struct Server {
    child: Child,
    tcp: TcpListener,
    unix: UnixListener,
    socket: PathBuf,
    log: PathBuf,
    env: Vec<(String, String)>,
    mounts: Option<String>,
}

impl Server {
    pub(crate) async fn start(home: &Home) -> Server {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let folder = home.path("r/parachute");
        std::fs::create_dir_all(&folder).expect("a folder");
        let socket = folder.join("server.sock");
        if socket.exists() {
            std::fs::remove_file(&socket).expect("removed");
        }
        let unix = UnixListener::bind(&socket).expect("a socket");
        let env: Vec<_> = home.env.clone().into_iter().collect();
        let log = home.path("server.log");
        let mounts = home.mounts.clone();
        let child = spawn(&tcp, &unix, &env, &log, mounts.as_deref());
        let server = Server { child, tcp, unix, socket, log, env, mounts };
        server.ready().await;
        server
    }

    /// Address of its TCP listener.
    pub fn address(&self) -> SocketAddr {
        self.tcp.local_addr().expect("bound")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until it answers; the connection waits in the socket's queue until it does.
    pub async fn ready(&self) {
        let answer: Answer = self.owner().get("/api/health").await;
        assert_eq!(answer.status, 200, "{}", self.log());
    }

    /// The owner, on the Unix socket.
    pub fn owner(&self) -> Caller {
        Caller::unix(&self.socket)
    }

    /// Somebody on this machine, over TCP.
    pub fn local(&self) -> Caller {
        Caller::tcp(self.address())
    }

    /// Kills it with SIGKILL and starts another on the same sockets, at once.
    pub fn crash_and_restart(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        self.child = self.spawn();
    }

    fn spawn(&self) -> Child {
        let mounts = self.mounts.as_deref();
        spawn(&self.tcp, &self.unix, &self.env, &self.log, mounts)
    }

    /// A path as the server sees it, where it has mounts of its own.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").expect("absolute"))
    }

    /// Stops it in order, then starts another on the same sockets.
    pub fn restart(&mut self) {
        let status = self.stop();
        assert!(status.success(), "{status}: {}", self.log());
        self.child = self.spawn();
    }

    /// Starts another after the last one has ended by itself.
    pub fn start_again(&mut self) {
        self.child.wait().expect("ended");
        self.child = self.spawn();
    }

    /// Stops it in order and waits for it.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told to stop");
        self.wait(Duration::from_secs(30)).expect("it stops in time")
    }

    /// Waits until it ends; None if it does not in time.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("waited for") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    tcp: &TcpListener,
    unix: &UnixListener,
    env: &[(String, String)],
    log: &Path,
    mounts: Option<&str>,
) -> Child {
    let clone = |fd: std::os::fd::BorrowedFd<'_>| -> OwnedFd {
        fd.try_clone_to_owned().expect("a descriptor")
    };
    let map = |parent_fd, child_fd| FdMapping { parent_fd, child_fd };
    let log = std::fs::OpenOptions::new().append(true).create(true).open(log).expect("a log");
    // The pid is not known before there is a process: the shell sets it and becomes the server.
    let words = format!("{} LISTEN_PID=$$ exec \"$0\"", mounts.unwrap_or_default());
    let mut command = match mounts {
        None => Command::new("/bin/sh"),
        Some(_) => {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--mount", "/bin/sh"]);
            command
        }
    };
    command
        .args(["-e", "-c", &words])
        .arg(program("parachute-server"))
        .env_clear()
        .envs(env.iter().map(|(n, v)| (n, v)))
        .env("LISTEN_FDS", "2")
        .env("LISTEN_FDNAMES", "api:api")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .fd_mappings(vec![map(clone(tcp.as_fd()), 3), map(clone(unix.as_fd()), 4)])
        .expect("two descriptors");
    command.spawn().expect("the server starts")
}
