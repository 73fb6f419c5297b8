//! The predecessor's daemon: unit files, or plists, of the same names as ours that start a Python
//! program (contract-extended §6.5). They are stopped through the manager and moved aside; a
//! server that somebody started otherwise is named, and nobody's process is ended.

use crate::fail::Fail;
use crate::manager::NAME;
use crate::suite::{Program, SERVER, SUPERVISOR};
use host::units::{UnitError, Units};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What its files have in them, and no file of ours.
const MARKS: [&str; 2] = ["parachute.server:app", "parachute.supervisor:app"];
/// Such a file is a page long.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// For something at the port to take a connection.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// What is there of it.
pub(super) struct Old {
    files: Vec<(&'static Program, PathBuf)>,
}

impl Old {
    /// Looks where a person's units are.
    pub(super) fn find() -> Result<Old, Fail> {
        let dirs = host::dirs().map_err(|e| Fail::local(e.to_string(), "set HOME"))?;
        let programs = [&SERVER, &SUPERVISOR];
        let files = programs.map(|program| (program, file_of(program, &dirs.home)));
        let is_old = |(_, path): &(_, PathBuf)| is_old(path);
        Ok(Old { files: files.into_iter().filter(is_old).collect() })
    }

    /// Whether there is nothing of it.
    pub(super) fn is_none(&self) -> bool {
        self.files.is_empty()
    }

    /// The files.
    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|(_, path)| path.display().to_string()).collect()
    }

    /// Whether something that is no unit of its own serves at the port: it would write into the
    /// database while that is brought up to date.
    pub(super) async fn must_not_run(&self, port: u16) -> Result<(), Fail> {
        self.stop().await?;
        let asked = timeout(ANSWER_MAX, TcpStream::connect(("127.0.0.1", port))).await;
        if !matches!(asked, Ok(Ok(_))) {
            return Ok(());
        }
        let said = format!("something serves at port {port} that no unit here has started");
        Err(Fail::local(said, "stop the old server where it runs, then run this again"))
    }

    async fn stop(&self) -> Result<(), Fail> {
        let Some(manager) = host::units::connect().await else { return Ok(()) };
        for (program, _) in &self.files {
            let stopped = manager.stop(program.service).await;
            known(stopped).map_err(|error| crate::manager::fail(program, &error))?;
        }
        Ok(())
    }

    /// Stops them and moves their files into a folder; answers with what was moved.
    pub(super) async fn put_away(&self, to: &Path) -> Result<Vec<String>, Fail> {
        if self.is_none() {
            return Ok(Vec::new());
        }
        self.stop().await?;
        let hint = "nothing was taken away; correct that, and run this again";
        let failed = |path: &Path, e: io::Error| {
            Fail::local(format!("cannot move {}: {e}", path.display()), hint)
        };
        fs::create_dir_all(to).map_err(|e| failed(to, e))?;
        for (_, path) in &self.files {
            let name = path.file_name().unwrap_or_default();
            // Over file systems, too; ours is whole before the old one goes.
            fs::copy(path, to.join(name)).map_err(|e| failed(path, e))?;
            fs::remove_file(path).map_err(|e| failed(path, e))?;
            for link in wants(path) {
                known_file(fs::remove_file(&link)).map_err(|e| failed(&link, e))?;
            }
        }
        if let Some(manager) = host::units::connect().await {
            let told = known(manager.reload().await);
            told.map_err(|error| crate::manager::fail(&SERVER, &error))?;
        }
        Ok(self.names())
    }
}

fn file_of(program: &Program, home: &Path) -> PathBuf {
    if NAME == "launchd" {
        let label = match program.service {
            "parachute-supervisor.service" => "io.openparachute.supervisor.plist",
            _ => "io.openparachute.server.plist",
        };
        return home.join("Library/LaunchAgents").join(label);
    }
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.filter(|path| path.is_absolute());
    let config = config.unwrap_or_else(|| home.join(".config"));
    config.join("systemd/user").join(program.service)
}

fn is_old(path: &Path) -> bool {
    let is_small = fs::metadata(path).is_ok_and(|found| found.len() <= FILE_BYTES_MAX);
    // One that cannot be read is not taken for one of the predecessor's.
    let text = if is_small { fs::read_to_string(path).unwrap_or_default() } else { String::new() };
    MARKS.iter().any(|mark| text.contains(mark))
}

/// Where systemd was told to start it at login.
fn wants(path: &Path) -> Vec<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if NAME != "launchd" => {
            vec![folder.join("default.target.wants").join(name)]
        }
        _ => Vec::new(),
    }
}

/// What is not there needs no ending.
fn known(done: Result<(), UnitError>) -> Result<(), UnitError> {
    match done {
        Err(UnitError::Unknown(_)) => Ok(()),
        done => done,
    }
}

fn known_file(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
