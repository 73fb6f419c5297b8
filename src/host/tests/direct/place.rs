//! A folder for a server of these tests, and what is asked of it again and again.

use parachute_host::direct::{Bounds, Direct, Program};
use parachute_host::units::{Changed, UnitError, UnitStatus, Units};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;

pub(crate) const UNIT: &str = "parachute.service";

/// For what is not to happen while a test runs.
pub(crate) const NEVER: Duration = Duration::from_secs(3600);

/// Where a server runs, and who of its processes is alive.
pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
    presence: UnixListener,
}

impl Place {
    pub(crate) fn new() -> Place {
        let private = Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        let script = "#!/bin/sh\nexec \"$ME\" --exact stand_in --ignored --nocapture\n";
        let server = dir.path().join("parachute-server");
        fs::write(&server, script).unwrap();
        fs::set_permissions(&server, Permissions::from_mode(0o755)).unwrap();
        let presence = UnixListener::bind(dir.path().join("presence")).unwrap();
        Place { dir, presence }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A server in `role`, which has as much time as it wants.
    pub(crate) fn program(&self, role: &str) -> Program {
        let me = std::env::current_exe().unwrap();
        Program {
            program: self.path("parachute-server"),
            dir: self.dir.path().to_owned(),
            env: vec![
                ("ME".into(), me.into()),
                ("ROLE".into(), role.into()),
                ("PLACE".into(), self.dir.path().into()),
            ],
            log: self.path("server.log"),
            runtime: self.path("run"),
            notify: true,
            bounds: Bounds {
                start: NEVER,
                stop: NEVER,
                watchdog: NEVER,
                pause_min: NEVER,
                pause_max: NEVER,
                ..Bounds::default()
            },
        }
    }

    pub(crate) fn server(&self, role: &str) -> Direct {
        Direct::new(self.program(role))
    }

    pub(crate) fn bounded(&self, role: &str, bound: impl FnOnce(&mut Bounds)) -> Direct {
        let mut program = self.program(role);
        bound(&mut program.bounds);
        Direct::new(program)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("server.log")).unwrap()
    }

    /// Returns when none of the processes that ever showed up is alive; how many there were.
    pub(crate) fn all_gone(&self) -> usize {
        self.presence.set_nonblocking(true).unwrap();
        let mut seen = 0;
        loop {
            match self.presence.accept() {
                Ok((stream, _)) => wait_for_the_end(stream),
                Err(none) if none.kind() == ErrorKind::WouldBlock => return seen,
                Err(error) => panic!("{error}"),
            }
            seen += 1;
        }
    }

    pub(crate) fn nothing_is_left(&self) {
        self.all_gone();
        let runtime = fs::read_dir(self.path("run")).unwrap().map(|e| e.unwrap().path());
        assert_eq!(runtime.collect::<Vec<_>>(), Vec::<PathBuf>::new());
    }
}

/// Nothing is ever written; it ends when nobody holds the other side any more.
fn wait_for_the_end(mut stream: UnixStream) {
    stream.set_nonblocking(false).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
}

pub(crate) async fn status(server: &Direct) -> UnitStatus {
    server.status(UNIT).await.unwrap()
}

/// The result word of an act that did not come about.
pub(crate) fn result(done: Result<(), UnitError>) -> String {
    match done {
        Err(UnitError::Job { result, .. }) => result,
        other => panic!("{other:?}"),
    }
}

/// A state in one line.
pub(crate) fn words(status: &UnitStatus) -> String {
    format!("{} {} {}", status.active, status.sub, status.result)
}

/// What is told next.
pub(crate) async fn told(changes: &mut mpsc::Receiver<Changed>) -> UnitStatus {
    match changes.recv().await {
        Some(Changed::Unit(unit, status)) if unit == UNIT => *status,
        other => panic!("{other:?}"),
    }
}

/// The states that are told up to the one in the words `last`, each once.
pub(crate) async fn states(changes: &mut mpsc::Receiver<Changed>, last: &str) -> Vec<String> {
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != last) {
        states.push(words(&told(changes).await));
        states.dedup();
    }
    states
}
