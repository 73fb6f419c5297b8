//! The programs that the service manager keeps alive, and all in which looking after one differs
//! from looking after another. Data only; what is done with it is `manager`'s and `service`'s.

use host::Native;
use host::units::Units;
use std::fmt;

/// A program of the suite.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its name in a sentence and as a command: `parachute server`.
    pub(crate) name: &'static str,
    /// The file that is run.
    pub(crate) file: &'static str,
    /// The unit that is the program itself.
    pub(crate) service: &'static str,
    /// Its units, in the order in which they have to be stopped: while the socket listens, the
    /// next connection starts the service again. With launchd one job is both.
    pub(crate) units: &'static [&'static str],
    /// A door of it that costs little.
    pub(crate) door: &'static str,
    /// What to do where its units are missing.
    pub(crate) missing: &'static str,
    /// What to do where it does not answer.
    pub(crate) absent: &'static str,
    /// What to do where there is no manager.
    pub(crate) by_hand: &'static str,
}

/// The server.
pub(crate) static SERVER: Program = Program {
    name: "server",
    file: "parachute-server",
    service: "parachute.service",
    units: match Native::SOCKET_UNITS {
        true => &["parachute.socket", "parachute.service"],
        false => &["parachute.service"],
    },
    door: "/api/health",
    missing: "scripts/install-units installs them; `parachute server -f` runs the server without",
    absent: "start it with `parachute server start`, or name another with --server",
    by_hand: "`parachute server -f` runs the server here, in the foreground",
};

/// The supervisor.
pub(crate) static SUPERVISOR: Program = Program {
    name: "supervisor",
    file: "parachute-supervisor",
    service: "parachute-supervisor.service",
    units: match Native::SOCKET_UNITS {
        true => &["parachute-supervisor.socket", "parachute-supervisor.service"],
        false => &["parachute-supervisor.service"],
    },
    door: "/supervisor/status",
    missing: "`parachute supervisor install` installs them; \
              `parachute supervisor -f` runs the supervisor without",
    absent: "`parachute supervisor install` installs it, `parachute supervisor start` starts it",
    by_hand: "`parachute supervisor -f` runs the supervisor here, in the foreground",
};

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
