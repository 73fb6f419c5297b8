//! The journal as the place of our tracing, with fields, where standard error leads to it.

use crate::log::{PREFIX, set};
use std::os::unix::ffi::OsStrExt;
use tracing_journald::{Layer, Priority, PriorityMappings};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// Whether `$JOURNAL_STREAM` (device:inode) is still what standard error is, and not a
/// redirection of it; see systemd.exec(5).
pub(super) fn behind_stderr() -> bool {
    let Some(said) = crate::variable("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else {
        return false;
    };
    said.as_bytes() == format!("{}:{}", stat.st_dev, stat.st_ino).as_bytes()
}

pub(super) fn trace(program: &str, heard: &Targets) -> bool {
    if !behind_stderr() {
        return false;
    }
    // No journal socket (a service in a chroot): lines on standard error reach it all the same.
    let Ok(layer) = Layer::new() else {
        return false;
    };
    let layer = layer
        .with_syslog_identifier(program.to_owned())
        .with_field_prefix(Some(PREFIX.to_owned()))
        .with_priority_mappings(PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        });
    set(tracing_subscriber::registry().with(heard.clone()).with(layer));
    true
}
