//! Confinement: a program that finds only what it is shown. What it is shown is a [`View`],
//! made by the caller; how that is enforced is the operating system's matter.
//!
//! On Linux a helper of ours goes in first (user, mount, process, network, IPC and host name
//! spaces of its own, no capability, Landlock on top), so the caller's own program has to offer
//! a way to [`run`]. On macOS sandbox-exec(1) applies a seatbelt profile. Where it cannot be
//! enforced nothing is run: there is no weaker second way.

use crate::{Machine, Native};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Exit status of a helper that could not confine; its error output says why.
pub const EXIT_UNCONFINED: u8 = 125;

/// What a confined program finds. All paths are absolute and free of links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// An empty folder of ours, in which the view is put together.
    pub stage: PathBuf,
    /// What is there, each under its own path. A place inside of another one covers it; what is
    /// named by none is not there.
    pub places: Vec<Place>,
    /// Where the program begins.
    pub directory: PathBuf,
    /// The only way out to the network: connections to this port of its own loopback address
    /// reach the socket that stands at this path of the view.
    pub way_out: Option<WayOut>,
}

/// One place of a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its path, inside and outside.
    pub at: PathBuf,
    /// What stands there.
    pub shows: Shows,
}

/// What stands at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// What is there outside, to be read and run. Passed over where there is nothing.
    Readable,
    /// What is there outside, to be written, too.
    Writable,
    /// A folder or socket from elsewhere, to be written. On macOS it has to be its own path.
    From(PathBuf),
    /// An empty folder or file that nothing can be put into, whatever is outside.
    Nothing,
}

/// See [`View::way_out`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayOut {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The socket's path inside.
    pub socket: PathBuf,
}

/// Why a program is not confined, and so not run.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The kernel has no Landlock, or it was turned off.
    #[error(
        "the kernel offers no Landlock ({0}): it needs Linux 5.13 or newer with `landlock` among \
         the security modules (the boot parameter lsm=)"
    )]
    NoLandlock(String),
    /// The kernel does not let this user make name spaces.
    #[error(
        "the kernel lets this user make no name spaces ({what}: {source}); where it is \
         forbidden on purpose: sysctl kernel.unprivileged_userns_clone=1, \
         user.max_user_namespaces=10000, on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0"
    )]
    NoNamespaces {
        /// Which step.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A step failed.
    #[error("{what}: {source}")]
    Step {
        /// Which.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl View {
    /// The program and the first arguments by which `program` is run confined; its own follow.
    /// `helper` is our own program, which calls [`run`] when it is started with
    /// `--confined FILE --`; the view is written to `file` for it, readable by its owner alone.
    pub fn command(
        &self,
        helper: &Path,
        file: &Path,
        program: &Path,
    ) -> io::Result<(PathBuf, Vec<OsString>)> {
        Native::confined(self, helper, file, program)
    }
}

/// What a helper does that was started as [`View::command`] says: goes into the view that was
/// written to `file`, runs the program there, serves its way out, and ends as it ends. What the
/// program leaves running ends then, too. Where it cannot be confined nothing is run, and the
/// exit status is [`EXIT_UNCONFINED`].
///
/// Has to be called before the process has a second thread.
pub fn run(file: &Path, program: &Path, args: &[OsString]) -> ConfineError {
    let read = std::fs::read_to_string(file).and_then(|text| Ok(serde_json::from_str(&text)?));
    match read {
        Ok(view) => Native::run_confined(&view, program, args),
        Err(source) => ConfineError::Step { what: file.display().to_string(), source },
    }
}

/// What a helper does as the first process of a container: runs the program, serves its way out,
/// and ends as it ends.
pub fn run_inside(way_out: &WayOut, program: &Path, args: &[OsString]) -> ConfineError {
    Native::run_inside(way_out, program, args)
}

/// Whether the system has what confinement needs, as far as that can be told without trying.
pub fn available() -> Result<(), ConfineError> {
    Native::can_confine()
}
