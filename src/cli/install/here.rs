//! What of this machine goes into the unit files: programs, vault, state, port. What a server
//! was installed with counts for the supervisor, too, so that both look after the same vault.

use super::disk::{after_key, between, private};
use super::files;
use crate::args::Common;
use crate::fail::Fail;
use crate::manager;
use crate::reach::{self, SUPERVISOR_PORT};
use crate::service::beside_us;
use crate::suite::SUPERVISOR;
use ::config::settings::Origin;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// For which manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Unit files.
    Systemd,
    /// A plist.
    Launchd,
}

impl Kind {
    /// This machine's.
    pub(super) fn ours() -> Kind {
        match manager::NAME {
            "launchd" => Kind::Launchd,
            _ => Kind::Systemd,
        }
    }

    /// Where files of it belong, for a person with this home.
    pub(super) fn folder(self, home: &Path) -> PathBuf {
        match self {
            Kind::Systemd => {
                let config = variable("XDG_CONFIG_HOME").map(PathBuf::from);
                let config = config.filter(|path| path.is_absolute());
                config.unwrap_or_else(|| home.join(".config")).join("systemd/user")
            }
            Kind::Launchd => home.join("Library/LaunchAgents"),
        }
    }
}

/// What goes into the files. All paths are absolute and can stand in a unit and in a plist.
#[derive(Debug)]
pub(super) struct Here {
    /// For which manager.
    pub(super) kind: Kind,
    /// Where the files belong.
    pub(super) folder: PathBuf,
    /// Where the programs are.
    pub(super) bin: String,
    /// The vault.
    pub(super) vault: String,
    /// The state directory.
    pub(super) state: String,
    /// `PATH`.
    pub(super) search: String,
    /// Where sockets belong with launchd.
    pub(super) run: String,
    /// Where logs belong with launchd.
    pub(super) logs: String,
    /// The port on loopback.
    pub(super) port: u16,
    /// Whether loopback has an address of version 6.
    pub(super) ipv6: bool,
}

impl Here {
    /// Looks around.
    pub(super) fn look(common: &Common) -> Result<Here, Fail> {
        let kind = Kind::ours();
        let dirs = host::dirs().map_err(|e| Fail::local(e.to_string(), "set HOME"))?;
        let folder = kind.folder(&dirs.home);
        let server = Server { kind, folder: &folder };
        let bin = lasting(kind, &programs()?)?;
        let vault = match &common.vault {
            Some(vault) => PathBuf::from(reach::absolute("--vault", vault)?),
            None => match server.was("VAULT_PATH") {
                Some(vault) => vault.into(),
                None => usual_vault(common, &dirs.home)?,
            },
        };
        let search = match server.was("PATH") {
            Some(search) => search,
            None => search(kind, &bin, &dirs.home)?,
        };
        let state = server.was("STATE_DIRECTORY").map_or(dirs.state, PathBuf::from);
        Ok(Here {
            kind,
            bin,
            vault: lasting(kind, &vault)?,
            state: fit(&state)?,
            search,
            run: fit(&dirs.home.join("Library/Parachute/run"))?,
            logs: fit(&dirs.home.join("Library/Logs/Parachute"))?,
            port: port(kind, &folder)?,
            ipv6: has_ipv6(),
            folder,
        })
    }

    /// Makes the folders that the unit may write to: what is missing when it starts stays closed
    /// to it, and launchd makes none.
    pub(super) fn make_folders(&self) -> io::Result<()> {
        private(self.state.as_ref())?;
        if self.kind == Kind::Launchd {
            private(self.run.as_ref())?;
            fs::create_dir_all(&self.logs)?;
        }
        private(&Path::new(&self.vault).join(".parachute"))
    }
}

/// The server's installation, if there is one.
struct Server<'a> {
    kind: Kind,
    folder: &'a Path,
}

impl Server<'_> {
    /// A variable as it is given to the server.
    fn was(&self, variable: &str) -> Option<String> {
        match self.kind {
            Kind::Systemd => {
                let file = self.folder.join("parachute.service.d/50-installed.conf");
                let value = between(&file, &format!("Environment=\"{variable}="), "\"")?;
                Some(value.replace("%%", "%"))
            }
            Kind::Launchd => {
                after_key(&self.folder.join("io.openparachute.server.plist"), variable)
            }
        }
    }
}

/// The folder of the programs, which is our own.
fn programs() -> Result<PathBuf, Fail> {
    let beside = beside_us(&SUPERVISOR);
    beside.and_then(|file| Some(file.parent()?.to_owned())).ok_or_else(|| {
        let said = format!("there is no {} beside this program", SUPERVISOR.file);
        Fail::local(said, "install both into one folder, and run `parachute` from there")
    })
}

/// The vault of the settings; one in the current directory is meant by nobody.
fn usual_vault(common: &Common, home: &Path) -> Result<PathBuf, Fail> {
    let loaded = reach::settings(common)?;
    let chosen = loaded.get("vault_path").is_some_and(|shown| shown.origin != Origin::Default);
    Ok(match chosen {
        true => loaded.settings.vault_path,
        false => home.join("Parachute"),
    })
}

/// Where programs are looked for, the Claude CLI first of all: a manager's own `PATH` is short.
fn search(kind: Kind, bin: &str, home: &Path) -> Result<String, Fail> {
    let mut folders = vec![bin.to_owned()];
    if let Some(folder) = folder_of("claude") {
        folders.push(fit(&folder)?);
    }
    folders.push(fit(&home.join(".local/bin"))?);
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    folders.extend(usual.map(str::to_owned));
    if kind == Kind::Launchd {
        folders.push("/opt/homebrew/bin".into());
    }
    Ok(folders.join(":"))
}

fn folder_of(program: &str) -> Option<PathBuf> {
    let runs = |file: &Path| {
        let found = fs::metadata(file);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let search = variable("PATH")?;
    std::env::split_paths(&search).find(|dir| dir.is_absolute() && runs(&dir.join(program)))
}

/// As a person asks for it, else as it was, else as usual.
fn port(kind: Kind, folder: &Path) -> Result<u16, Fail> {
    if let Some(port) = reach::supervisor_port()? {
        return Ok(port);
    }
    let file = files::port_is_in(kind, folder);
    let was = match kind {
        Kind::Systemd => between(&file, "ListenStream=127.0.0.1:", ""),
        Kind::Launchd => after_key(&file, "SockServiceName"),
    };
    Ok(was.and_then(|port| port.parse().ok()).unwrap_or(SUPERVISOR_PORT))
}

fn has_ipv6() -> bool {
    let addresses = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let loopback = format!("{:0>32} ", 1);
    addresses.lines().any(|line| line.starts_with(&loopback))
}

/// A path as text that can stand in a unit and in a plist, without an end that says nothing.
fn fit(path: &Path) -> Result<String, Fail> {
    let path: PathBuf = path.components().collect();
    let odd = |c: char| "\"\\$<>&:\n".contains(c);
    match path.to_str().filter(|text| !text.contains(odd)) {
        Some(text) => Ok(text.to_owned()),
        None => {
            let said = format!("{} cannot stand in a unit file", path.display());
            Err(Fail::local(said, "choose a path without any of \" \\ $ < > & : in it"))
        }
    }
}

/// The same, of what has to be seen by the service, which has folders for temporary files of its
/// own.
fn lasting(kind: Kind, path: &Path) -> Result<String, Fail> {
    let temporary = path.starts_with("/tmp") || path.starts_with("/var/tmp");
    if kind == Kind::Systemd && temporary {
        let said = format!("{} lies in a folder for temporary files", path.display());
        return Err(Fail::local(said, "the service sees only its own; choose another place"));
    }
    fit(path)
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_a_unit_cannot_hold_is_refused() {
        assert_eq!(fit(Path::new("/a b/c%/")).unwrap(), "/a b/c%");
        for odd in ["/a\"b", "/a\\b", "/$HOME", "/a:b", "/a\nb", "/a<b"] {
            assert_eq!(fit(Path::new(odd)).unwrap_err().exit(), 1, "{odd:?}");
        }
        assert!(lasting(Kind::Systemd, Path::new("/tmp/x")).is_err());
        assert!(lasting(Kind::Systemd, Path::new("/tmpx")).is_ok());
        assert!(lasting(Kind::Launchd, Path::new("/tmp/x")).is_ok());
    }
}
