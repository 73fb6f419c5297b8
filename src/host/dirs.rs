//! Where this machine keeps things of ours: sockets while we run, state between runs.
//!
//! The vault is not here; it is the user's and its place is a setting.

use crate::{Machine, Native, variable};
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// How variables are looked up, so that tests need not change the process's own.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Our folders, all absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// Sockets and locks; may be gone after the user logs out.
    pub runtime: PathBuf,
    /// What is ours and is kept: event logs, caches, the search index.
    pub state: PathBuf,
    /// The user's home.
    pub home: PathBuf,
}

/// Our folders by this process's environment.
///
/// * state: `$STATE_DIRECTORY` (the first of several), else on Linux `$XDG_STATE_HOME/parachute`
///   or `~/.local/state/parachute`, on macOS `~/Library/Application Support/Parachute`;
/// * runtime: on Linux `$XDG_RUNTIME_DIR/parachute` or `<state>/run`, on macOS
///   `~/Library/Parachute/run`.
///
/// Relative values are ignored, as the XDG specification asks. An error of kind `NotFound` says
/// that there is no home.
pub fn dirs() -> io::Result<Dirs> {
    Dirs::by(&variable)
}

impl Dirs {
    fn by(env: Env<'_>) -> io::Result<Dirs> {
        let home = absolute(env("HOME")).ok_or_else(|| {
            let said = "HOME is not set to an absolute path; set it to your home folder";
            io::Error::new(io::ErrorKind::NotFound, said)
        })?;
        let (state, runtime) = Native::places(env, &home);
        Ok(Dirs { runtime, state, home })
    }

    /// Makes the folders that are missing, and closes those that are there to everybody else
    /// (mode 0700). One that belongs to another user is an error.
    pub fn create(&self) -> io::Result<()> {
        for dir in [&self.state, &self.runtime, &self.agents(), &self.runs()] {
            make_private(dir).map_err(|e| io::Error::new(e.kind(), format!("{dir:?}: {e}")))?;
        }
        Ok(())
    }

    /// The server's socket.
    pub fn server_socket(&self) -> PathBuf {
        self.runtime.join("server.sock")
    }

    /// The supervisor's socket.
    pub fn supervisor_socket(&self) -> PathBuf {
        self.runtime.join("supervisor.sock")
    }

    /// The folder of the agents' sockets.
    pub fn agents(&self) -> PathBuf {
        self.runtime.join("agents")
    }

    /// The socket of one session's agent.
    pub fn agent_socket(&self, session: &str) -> PathBuf {
        self.agents().join(plain(session) + ".sock")
    }

    /// The socket of one session's way out of its confinement.
    pub fn outlet_socket(&self, session: &str) -> PathBuf {
        self.runtime.join("outlets").join(plain(session) + ".sock")
    }

    /// The folder of what the sessions' turns leave behind.
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// The folder of one session: its event log and its lock.
    pub fn run(&self, session: &str) -> PathBuf {
        self.runs().join(plain(session))
    }
}

/// A path from a variable; `None` for one that is missing, empty or relative.
pub(crate) fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

/// `name` as one component of a path, whoever sent it: a session id as it is, and anything else
/// with what could lead elsewhere written as `%xx`.
fn plain(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => safe.push(char::from(byte)),
            _ => write!(safe, "%{byte:02x}").expect("a String takes what is written"),
        }
    }
    if safe.is_empty() { "%".to_owned() } else { safe }
}

/// Makes `dir`, and its parents, for nobody but us.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let found = fs::metadata(dir)?;
    if found.uid() != crate::own_uid() {
        let said = format!("belongs to user {}, not to us", found.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, said));
    }
    if found.mode() & 0o777 != 0o700 {
        fs::set_permissions(dir, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(list: &[(&str, &str)]) -> io::Result<Dirs> {
        Dirs::by(&|name| {
            let pair = list.iter().find(|(known, _)| *known == name)?;
            Some(pair.1.into())
        })
    }

    #[test]
    fn a_state_directory_wins_and_only_its_first() {
        let dirs = by(&[("HOME", "/h"), ("STATE_DIRECTORY", "/s/one:/s/two")]).unwrap();
        assert_eq!(dirs.state, Path::new("/s/one"));
    }

    #[test]
    fn no_home_or_a_relative_one_is_said() {
        for list in [&[][..], &[("HOME", "here")]] {
            assert_eq!(by(list).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_name_never_leaves_its_folder() {
        let dirs = by(&[("HOME", "/h"), ("STATE_DIRECTORY", "/s")]).unwrap();
        assert_eq!(dirs.run("0f-9_A"), Path::new("/s/runs/0f-9_A"));
        assert_eq!(dirs.run("../../x"), Path::new("/s/runs/%2e%2e%2f%2e%2e%2fx"));
        for odd in ["", ".", "..", "a/b", "a\0b"] {
            let run = dirs.run(odd);
            assert_eq!(run.parent(), Some(Path::new("/s/runs")), "{odd:?}");
            assert_eq!(dirs.agent_socket(odd).parent(), Some(&*dirs.agents()), "{odd:?}");
        }
    }

    #[test]
    fn folders_are_made_private_and_closed_where_they_were_open() {
        let top = tempfile::tempdir().unwrap();
        let dirs = Dirs {
            runtime: top.path().join("run"),
            state: top.path().join("a/state"),
            home: top.path().to_owned(),
        };
        fs::create_dir(&dirs.runtime).unwrap();
        fs::set_permissions(&dirs.runtime, Permissions::from_mode(0o755)).unwrap();
        dirs.create().unwrap();
        dirs.create().unwrap();
        for dir in [&dirs.runtime, &dirs.agents(), &dirs.state, &dirs.runs()] {
            assert_eq!(fs::metadata(dir).unwrap().mode() & 0o777, 0o700, "{dir:?}");
        }
    }
}
