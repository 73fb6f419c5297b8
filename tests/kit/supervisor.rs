//! The supervisor as a process without any service manager, so that the server is its child. It
//! binds what it needs itself, on ports that nobody else has.

use crate::{Caller, Home, eventually, program};
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running supervisor.
pub struct Supervisor {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    /// The port that the server will have.
    pub port: u16,
}

impl Supervisor {
    /// Starts one in a home and waits until it answers.
    pub async fn start(home: &Home) -> Supervisor {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("bound").port();
        drop(free);
        let log = home.path("supervisor.log");
        let out = std::fs::OpenOptions::new().append(true).create(true).open(&log);
        let child = Command::new(program("parachute-supervisor"))
            .env_clear()
            .envs(&home.env)
            .env("SUPERVISOR_PORT", "0")
            .env("PORT", port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out.expect("a log"))
            .spawn()
            .expect("the supervisor starts");
        let socket = home.path("r/parachute/supervisor.sock");
        let supervisor = Supervisor { child, socket, log, port };
        eventually("the supervisor answers", async || {
            let owner = supervisor.owner();
            owner.open(Method::GET, "/supervisor/config/schema", None).await.ok()
        })
        .await;
        supervisor
    }

    /// The owner, on its socket.
    pub fn owner(&self) -> Caller {
        Caller::unix(&self.socket)
    }

    /// Somebody on this machine who asks the server.
    pub fn server(&self) -> Caller {
        Caller::tcp(([127, 0, 0, 1], self.port).into())
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal and waits for its end.
    pub fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).expect("told");
        self.child.wait().expect("ended")
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("its log:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
        // It may have ended by itself; told to, it takes its child with it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}
