//! The tests' kit: a home of its own for each test, the real programs started in it, and
//! callers that speak to them through their public doors.
//!
//! The kit plays the service manager where a test does not run beside a real one: it owns the
//! listening sockets and hands them over, so that no port is ever taken twice. Whatever a test
//! started is ended with its [`Home`], and what does not end fails the test.
#![allow(clippy::disallowed_methods, reason = "tests start programs as a person would")]

mod api;
mod browser;
mod caller;
mod home;
mod mcp;
mod raw;
mod server;
mod supervisor;
mod wait;

pub use api::ScriptedApi;
pub use browser::Browser;
pub use caller::{Answer, Caller, Stream};
pub use home::{Cli, Home};
pub use mcp::{RealMcp, ScriptedMcp, real_mcp};
pub use raw::Raw;
pub use server::Server;
pub use supervisor::Supervisor;
pub use wait::{eventually, rss_kib, rss_most_kib};

use std::path::PathBuf;

/// A program of the suite, or one of its stand-ins, as the same build made it.
pub fn program(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("a test is a program");
    let target = here.parent().and_then(|deps| deps.parent()).expect("target/debug/deps");
    let program = target.join(name);
    assert!(program.is_file(), "{} is missing: cargo build --workspace --bins", program.display());
    program
}

/// The real Claude CLI that scripts/test provides; None where there is none.
pub fn real_claude() -> Option<PathBuf> {
    std::env::var_os("CLAUDE").map(PathBuf::from).filter(|path| path.is_file())
}

/// Whether the test runs beside a real service manager (scripts/test boots one for it).
pub fn in_lab() -> bool {
    std::env::var_os("PARACHUTE_LAB").is_some()
}
