//! Waiting for what is so sooner or later, and looking at processes from outside.

use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Looks until there is something to see, and fails when that takes too long.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < until, "it did not come about: {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Resident memory of a process, in KiB; None if it is gone.
pub fn rss_kib(pid: u32) -> Option<u64> {
    field_kib(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, in KiB; None if it is gone.
pub fn rss_most_kib(pid: u32) -> Option<u64> {
    field_kib(pid, "VmHWM:")
}

fn field_kib(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
