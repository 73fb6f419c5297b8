//! Where the programs under measurement live: a home of their own, sockets that this program
//! holds as a service manager would, processes started on them, and what these take of memory.
//! Everything is ended and removed with the [`Place`].
#![allow(clippy::disallowed_methods, reason = "the bench plays the service manager")]

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// For a program to end after it was told to.
const PATIENCE: Duration = Duration::from_secs(30);

/// A home of its own.
pub(crate) struct Place {
    dir: TempDir,
    programs: PathBuf,
    more: Vec<(&'static str, PathBuf)>,
}

impl Place {
    /// Makes one; the programs are those beside this one.
    pub(crate) fn new() -> io::Result<Place> {
        let here = std::env::current_exe()?;
        let programs = here.parent().unwrap_or(Path::new("/")).to_owned();
        // Short: a socket's path has to fit into 107 bytes.
        let dir = tempfile::Builder::new().prefix("pb").tempdir_in("/tmp")?;
        let place = Place { dir, programs, more: Vec::new() };
        for folder in ["h", "r/parachute", "s", "vault/.parachute"] {
            fs::create_dir_all(place.path(folder))?;
        }
        for private in ["r", "r/parachute"] {
            fs::set_permissions(place.path(private), fs::Permissions::from_mode(0o700))?;
        }
        Ok(place)
    }

    /// The same with this in every program's environment, in place of what is there.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<PathBuf>) -> Place {
        self.more.push((name, value.into()));
        self
    }

    /// A path in it.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// A program that the same build made.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// What every program is given.
    pub(crate) fn env(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("HOME", self.path("h")),
            ("XDG_RUNTIME_DIR", self.path("r")),
            ("XDG_STATE_HOME", self.path("s")),
            ("VAULT_PATH", self.path("vault")),
            ("CLAUDE_PATH", self.program("scripted-claude")),
            ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
            ("ANTHROPIC_API_KEY", "sk-ant-api-scripted".into()),
            ("AGENTS_LIVE_MAX", "32".into()),
            ("AGENT_IDLE_SECONDS", "3600".into()),
            ("IDLE_EXIT_SECONDS", "0".into()),
        ]
        .into_iter()
        .chain(self.more.clone())
        .collect()
    }

    /// Sockets as `parachute.socket` has them, held here.
    pub(crate) fn sockets(&self, name: &str) -> io::Result<Sockets> {
        let unix = UnixListener::bind(self.path("r/parachute").join(name))?;
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        Ok(Sockets { tcp, unix })
    }

    /// Starts a program on the sockets.
    pub(crate) fn start(&self, what: &What, sockets: &Sockets) -> io::Result<Program> {
        let log = fs::OpenOptions::new();
        let log = log.clone().append(true).create(true).open(self.path("log"))?;
        let map = |fd: std::os::fd::BorrowedFd<'_>, child_fd| {
            fd.try_clone_to_owned().map(|parent_fd| FdMapping { parent_fd, child_fd })
        };
        let handed = vec![map(sockets.tcp.as_fd(), 3)?, map(sockets.unix.as_fd(), 4)?];
        // The pid is not known before there is a process: the shell says it and becomes the
        // program. Ours and the bare server pay for it alike.
        let child = Command::new("/bin/sh")
            .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""])
            .arg(self.program(what.program))
            .args(what.args)
            .env_clear()
            .envs(self.env())
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "api:api")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .fd_mappings(handed)
            .map_err(io::Error::other)?
            .spawn()?;
        Ok(Program { child })
    }

    /// Process ids of the agents that live here.
    pub(crate) fn agents(&self) -> io::Result<Vec<u32>> {
        let own = self.dir.path().as_os_str().as_encoded_bytes().to_owned();
        let ours = |pid: &u32| {
            let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let program = line.split(|b| *b == 0).next().unwrap_or_default();
            program.ends_with(b"parachute-agent") && memchr::memmem::find(&env, &own).is_some()
        };
        let names = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
        let pids = names.filter_map(|name| name.to_str()?.parse().ok());
        Ok(pids.filter(ours).collect())
    }

    /// Ends the agents and waits until they are gone.
    pub(crate) fn end_agents(&self) -> io::Result<()> {
        for pid in self.agents()?.iter().filter_map(|pid| Pid::from_raw(*pid as i32)) {
            // One that has just left is no fault.
            let _ = kill_process(pid, Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        while !self.agents()?.is_empty() {
            if Instant::now() > until {
                return Err(io::Error::other("agents do not end"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = self.end_agents() {
            eprintln!("parachute-bench: {error}");
        }
    }
}

/// A program and how it is called.
pub(crate) struct What {
    pub(crate) program: &'static str,
    pub(crate) args: &'static [&'static str],
}

/// The server.
pub(crate) const OURS: What = What { program: "parachute-server", args: &[] };
/// What it is held against.
pub(crate) const BARE: What = What { program: "parachute-bench", args: &["--bare"] };

/// Listening sockets, as a service manager holds them.
pub(crate) struct Sockets {
    tcp: TcpListener,
    unix: UnixListener,
}

impl Sockets {
    /// Address of the TCP listener.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A running program; killed when it is dropped.
pub(crate) struct Program {
    child: Child,
}

impl Program {
    /// What it takes of memory.
    pub(crate) fn memory(&self) -> io::Result<Memory> {
        memory(self.child.id())
    }

    /// Tells it to end and waits for that.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.child.wait().map(drop)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Resident memory, in MB of 1,000,000 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) rss: f64,
    /// Pages shared with other processes counted in part.
    pub(crate) pss: f64,
}

/// Of a process, as the kernel tells.
pub(crate) fn memory(pid: u32) -> io::Result<Memory> {
    let told = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let of = |name: &str| {
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|l| l.trim().split(' ').next()?.parse::<f64>().ok());
        kib.map(|kib| kib * 1024.0 / 1e6).ok_or_else(|| io::Error::other("no such line"))
    };
    Ok(Memory { rss: of("Rss:")?, pss: of("Pss:")? })
}
