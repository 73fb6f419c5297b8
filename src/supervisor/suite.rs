//! The units of the suite: which there are, what each is, and the file that this version ships
//! for it. No other unit can be named here, so none can be acted upon. Writes nothing.

use crate::state::Known;
use host::control::Control;
use std::path::Path;
use wire::supervisor::UnitFile;

/// A unit of the suite.
#[derive(Debug)]
pub(crate) struct Member {
    /// Its name.
    pub(crate) unit: &'static str,
    /// What it is.
    pub(crate) about: &'static str,
    /// Its file, with `@bin@` where the folder of the programs belongs.
    shipped: &'static str,
}

macro_rules! members {
    ($($unit:literal: $about:literal;)+) => {
        /// Every unit of the suite, in the order in which they are shown.
        const MEMBERS: &[Member] = &[
            $(Member {
                unit: $unit,
                about: $about,
                shipped: include_str!(concat!("../../units/", $unit)),
            },)+
        ];
    };
}

members! {
    "parachute.service": "the server";
    "parachute.socket": "the server's addresses";
    "parachute-supervisor.service": "the supervisor";
    "parachute-supervisor.socket": "the supervisor's addresses";
    "parachute-agents.slice": "what all agents may use together";
    "parachute.target": "everything";
}

/// The server.
pub(crate) const SERVER: &str = "parachute.service";
/// Its addresses.
pub(crate) const SERVER_SOCKET: &str = "parachute.socket";
/// The supervisor itself.
pub(crate) const OURSELVES: &str = "parachute-supervisor.service";
/// How the names of the agents' units begin, and all of ours.
pub(crate) const AGENTS: &str = "parachute-agent@";
pub(crate) const PREFIX: &str = "parachute";
/// Units whose stop ends this program, too.
pub(crate) const ABOVE_US: [&str; 3] =
    [OURSELVES, "parachute-supervisor.socket", "parachute.target"];

/// The members that there are where this one keeps them: with a manager that knows only services
/// no others, and without one only the server.
pub(crate) fn members(control: &Control) -> impl Iterator<Item = &'static Member> + use<> {
    let (sockets, direct) = (control.socket_units(), matches!(control, Control::Direct(_)));
    MEMBERS.iter().filter(move |member| match direct {
        true => member.unit == SERVER,
        false => sockets || member.unit.ends_with(".service"),
    })
}

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    MEMBERS.iter().map(|member| member.unit)
}

/// Whether logs of a unit may be asked for: ours, and the agents'.
pub(crate) fn is_ours(unit: &str) -> bool {
    let agent = || {
        let session = unit.strip_prefix(AGENTS)?.strip_suffix(".service")?;
        wire::SessionId::parse(session).ok()
    };
    MEMBERS.iter().any(|member| member.unit == unit) || agent().is_some()
}

impl Member {
    /// Its installed file held against the shipped one; `bin` is where our programs are. Blocks
    /// for one small read.
    pub(crate) fn file(&self, known: &Known, bin: &Path, has_files: bool) -> UnitFile {
        let status = &known.status;
        let Some(file) = status.file.as_deref() else {
            return if has_files { UnitFile::Missing } else { UnitFile::None };
        };
        if status.stale {
            return UnitFile::Stale;
        }
        // In a unit a percent sign begins a specifier.
        let bin = bin.to_string_lossy().replace('%', "%%");
        let shipped = self.shipped.replace("@bin@", &bin);
        match std::fs::read_to_string(file) {
            Ok(installed) if installed == shipped => UnitFile::Same,
            Ok(_) => UnitFile::Differs,
            Err(_) => UnitFile::Missing,
        }
    }
}

/// Drop-ins that are the owner's: not those that the installer writes.
pub(crate) fn own_drop_ins(known: &Known) -> Vec<String> {
    let installers = ["50-installed.conf", "40-no-user-namespaces.conf"];
    let own = |path: &&std::path::PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        !name.is_some_and(|name| installers.contains(&name.as_str()))
    };
    known.status.drop_ins.iter().filter(own).map(|path| path.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn only_logs_of_the_suite_can_be_asked_for() {
        assert!(is_ours("parachute.service"));
        for other in ["ssh.service", "../parachute.service", "parachute-x.service", "", "\0"] {
            assert!(!is_ours(other), "{other:?}");
        }
        assert!(is_ours("parachute-agent@0a-1.service"));
        assert!(!is_ours("parachute-agent@../x.service"));
    }
}
