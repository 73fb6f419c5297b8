//! The first process of a view: starts the program, serves its way out, and takes in what it
//! leaves behind. Its own end is the end of everything in there.

use super::step;
use crate::confine::{ConfineError, View, WayOut};
use rustix::process::{DumpableBehavior, WaitOptions, WaitStatus};
use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener as Bound};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Semaphore;

/// Connections that go out at once.
const CONNECTIONS_MAX: usize = 64;

/// Confines this process, then runs the program. Comes back only if that cannot be done.
pub(crate) fn run(view: &View, program: &Path, args: &[OsString]) -> ConfineError {
    match super::enter(view) {
        Ok(()) => run_inside(view.way_out.as_ref(), program, args),
        Err(error) => error,
    }
}

/// Runs the program where we are. Comes back only if that cannot be done.
pub(crate) fn run_inside(
    way_out: Option<&WayOut>,
    program: &Path,
    args: &[OsString],
) -> ConfineError {
    match begin(way_out, program, args) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn begin(
    way_out: Option<&WayOut>,
    program: &Path,
    args: &[OsString],
) -> Result<std::convert::Infallible, ConfineError> {
    let bound = way_out.map(|way| Bound::bind((Ipv4Addr::LOCALHOST, way.port)));
    let bound = bound.transpose().map_err(step("the way out"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(step("runtime"))?;
    #[allow(clippy::disallowed_methods, reason = "it has what we have, which is nothing")]
    let child = Command::new(program).args(args).spawn();
    let child = child.map_err(step(program.display().to_string()))?.id();
    // Nobody in there gets at our memory and files.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|e| step("prctl")(e.into()))?;
    // Everything whose parent has ended becomes a child of the first process.
    std::thread::spawn(move || reap(child));
    runtime.block_on(async {
        if let (Some(bound), Some(way)) = (bound, way_out)
            && let Err(error) = lead_out(bound, way).await
        {
            eprintln!("the way out is closed: {error}");
        }
        std::future::pending().await
    })
}

/// Waits for everybody; ends with the program.
fn reap(program: u32) {
    loop {
        let ended = match rustix::process::wait(WaitOptions::empty()) {
            Ok(ended) => ended,
            Err(rustix::io::Errno::INTR) => None,
            Err(_) => std::process::exit(super::EXIT_UNCONFINED.into()),
        };
        if let Some((pid, status)) = ended
            && u32::try_from(pid.as_raw_nonzero().get()) == Ok(program)
        {
            std::process::exit(code(status));
        }
    }
}

/// As a shell tells it.
pub(super) fn code(status: WaitStatus) -> i32 {
    let signalled = status.terminating_signal().map(|signal| super::SIGNALLED + signal);
    status.exit_status().or(signalled).unwrap_or(super::EXIT_UNCONFINED.into())
}

async fn lead_out(bound: Bound, way: &WayOut) -> io::Result<()> {
    bound.set_nonblocking(true)?;
    let listener = TcpListener::from_std(bound)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let held = room.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (mut inner, _) = listener.accept().await?;
        let socket = way.socket.clone();
        tokio::spawn(async move {
            let _held = held;
            match UnixStream::connect(&socket).await {
                // Either end may leave whenever it likes.
                Ok(mut outer) => drop(tokio::io::copy_bidirectional(&mut inner, &mut outer).await),
                Err(error) => eprintln!("nobody is at the way out: {error}"),
            }
        });
    }
}
