//! The supervisor's unit files and plist, rendered from the templates of units/ and launchd/ as
//! scripts/install-units renders them: which of the two came last cannot be told from the files.

use super::here::{Here, Kind};
use crate::suite::SUPERVISOR;
use std::path::{Path, PathBuf};

const SOCKET: &str = include_str!("../../../units/parachute-supervisor.socket");
const SERVICE: &str = include_str!("../../../units/parachute-supervisor.service");
const PLIST: &str = include_str!("../../../launchd/io.openparachute.supervisor.plist");
/// For machines that keep user namespaces from ordinary users.
pub(super) const BARE: &str = include_str!("../../../units/no-user-namespaces.conf");

const SOCKET_FILE: &str = "parachute-supervisor.socket";
const SOCKET_OWN: &str = "parachute-supervisor.socket.d/50-installed.conf";
const SERVICE_OWN: &str = "parachute-supervisor.service.d/50-installed.conf";
const SERVICE_BARE: &str = "parachute-supervisor.service.d/40-no-user-namespaces.conf";
const PLIST_FILE: &str = "io.openparachute.supervisor.plist";

/// A file and what belongs into it.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The files for a machine.
pub(super) fn wanted(here: &Here) -> Vec<Wanted> {
    let file = |name: &str, text| Wanted { path: here.folder.join(name), text };
    match here.kind {
        Kind::Systemd => vec![
            file(SOCKET_FILE, SOCKET.to_owned()),
            file(SUPERVISOR.service, SERVICE.replace("@bin@", &percent(&here.bin))),
            file(SOCKET_OWN, socket_own(here)),
            file(SERVICE_OWN, service_own(here)),
        ],
        Kind::Launchd => vec![file(PLIST_FILE, plist(here))],
    }
}

/// Where the drop-in belongs that does without user namespaces.
pub(super) fn bare(folder: &Path) -> PathBuf {
    folder.join(SERVICE_BARE)
}

/// The file in which the port stands.
pub(super) fn port_is_in(kind: Kind, folder: &Path) -> PathBuf {
    folder.join(match kind {
        Kind::Systemd => SOCKET_OWN,
        Kind::Launchd => PLIST_FILE,
    })
}

/// Everything that may have been installed, and whether its folder is ours, too.
pub(super) fn removable(kind: Kind, folder: &Path) -> Vec<(PathBuf, bool)> {
    let names: &[(&str, bool)] = match kind {
        Kind::Systemd => &[
            (SOCKET_FILE, false),
            (SUPERVISOR.service, false),
            (SOCKET_OWN, true),
            (SERVICE_OWN, true),
            (SERVICE_BARE, true),
            // Only left where no manager could take it away.
            ("default.target.wants/parachute-supervisor.socket", false),
        ],
        Kind::Launchd => &[(PLIST_FILE, false)],
    };
    names.iter().map(|(name, own)| (folder.join(name), *own)).collect()
}

fn service_own(here: &Here) -> String {
    let (vault, state) = (percent(&here.vault), percent(&here.state));
    let search = percent(&here.search);
    format!(
        "[Service]\n\
         Environment=\"VAULT_PATH={vault}\"\n\
         Environment=\"STATE_DIRECTORY={state}\"\n\
         Environment=\"PATH={search}\"\n\
         ReadWritePaths=\"-{vault}/.parachute\"\n\
         ReadWritePaths=\"{state}\"\n"
    )
}

fn socket_own(here: &Here) -> String {
    let port = here.port;
    // On a machine without IPv6 its address would fail the whole unit.
    let sixth = if here.ipv6 { format!("ListenStream=[::1]:{port}\n") } else { String::new() };
    format!(
        "[Socket]\n\
         ListenStream=\n\
         ListenStream=127.0.0.1:{port}\n\
         {sixth}\
         ListenStream=%t/parachute/supervisor.sock\n"
    )
}

fn plist(here: &Here) -> String {
    PLIST
        .replace("@bin@", &here.bin)
        .replace("@vault@", &here.vault)
        .replace("@supervisor-port@", &here.port.to_string())
        .replace("@run@", &here.run)
        .replace("@logs@", &here.logs)
        .replace("@path@", &here.search)
}

/// In a unit a percent sign begins a specifier.
fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(kind: Kind) -> Here {
        Here {
            kind,
            folder: "/units".into(),
            bin: "/b/100%".into(),
            vault: "/v".into(),
            state: "/s".into(),
            search: "/b:/usr/bin".into(),
            run: "/r".into(),
            logs: "/l".into(),
            port: 4444,
            ipv6: false,
        }
    }

    #[test]
    fn no_placeholder_is_left_and_what_is_wanted_can_be_removed() {
        for kind in [Kind::Systemd, Kind::Launchd] {
            let wanted = wanted(&here(kind));
            let removable = removable(kind, Path::new("/units"));
            for file in wanted {
                assert!(!has_placeholder(&file.text), "{file:?}");
                assert!(removable.iter().any(|(path, _)| *path == file.path), "{file:?}");
            }
        }
    }

    /// A word between two @ signs is one.
    fn has_placeholder(text: &str) -> bool {
        let plain = |b: u8| b.is_ascii_lowercase() || b == b'-';
        text.split('@').skip(1).any(|word| !word.is_empty() && word.bytes().all(plain))
    }

    #[test]
    fn percent_signs_are_doubled_for_systemd_alone() {
        let texts = |kind| wanted(&here(kind)).into_iter().map(|file| file.text);
        let systemd: String = texts(Kind::Systemd).collect();
        assert!(systemd.contains("ExecStart=\"/b/100%%/parachute-supervisor\"\n"));
        assert!(!systemd.contains("[::1]:4444"));
        let launchd: String = texts(Kind::Launchd).collect();
        assert!(launchd.contains("<string>/b/100%/parachute-supervisor</string>"));
        assert!(launchd.contains("<string>4444</string>"));
    }
}
