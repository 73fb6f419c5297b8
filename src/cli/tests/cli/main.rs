//! The built program against a small server on a Unix socket that speaks canned answers of the
//! contract, in the place of the server or of the supervisor. Nothing of the real ones, and
//! nothing of this machine's: each run has a home and a runtime folder of its own, and no service
//! manager.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start the program they test, and one that panics has failed"
)]

mod chat;
mod commands;
mod files;
mod import;
mod install;
mod kept;
mod logs;
mod module;
mod run;
mod sandbox;
mod search;
mod stub;
mod supervisor;
mod sync;
mod terminal;
mod trust;
