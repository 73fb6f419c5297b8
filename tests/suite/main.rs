//! The suite beside a real systemd: the installed units, the real programs, the real Claude CLI
//! against a scripted model API. Each test passes itself over where scripts/test booted no
//! systemd for it, begins with nothing installed, and ends so.
//!
//! There is one user manager, so the tests run one after the other: they hold a lock, and
//! .config/nextest.toml keeps everything else away meanwhile.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests start programs as a person would, and print what they measured"
)]

mod activation;
mod boxes;
mod branch;
mod confined;
mod console;
mod crowded;
mod deaths;
mod files;
mod follow;
mod lab;
mod lost;
mod memory;
mod outlive;
mod overseen;
mod plan_models;
mod plan_supervisor;
mod restarts;
mod sandboxed;
mod secrets;
mod settings;
mod stop;
mod strangers;
mod units;
mod watchdog;
mod working;
