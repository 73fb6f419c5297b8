//! Whether a limit of a control group was met: the kernel counts how often it killed for want of
//! memory, and how often it refused a new process. What meets a limit goes on half broken, so a
//! turn in which that happens ends. Knows version 2 of control groups, and 1.

use std::fs;
use std::path::{Path, PathBuf};
use wire::chat::TypedError;
use wire::error::ErrorCode;

/// Where control groups are, in their usual layouts.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// What the path of a group of ours has in it.
const OWN_UNIT: &str = "/parachute-agent@";

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Memory,
    Tasks,
}

/// The counters of a control group, as they were.
#[derive(Debug)]
pub(crate) struct Exhausted(Vec<Counter>);

#[derive(Debug)]
struct Counter {
    file: PathBuf,
    name: &'static str,
    limit: Limit,
    count: u64,
}

impl Exhausted {
    /// Those of our own unit, from now on; none where we have none to ourselves.
    pub(crate) fn own() -> Exhausted {
        Exhausted::among(std::process::id(), |group| group.contains(OWN_UNIT))
    }

    /// Those of the group that a process is in, from now on. None are known where the system
    /// keeps them elsewhere.
    pub(crate) fn of(pid: u32) -> Exhausted {
        Exhausted::among(pid, |_| true)
    }

    fn among(pid: u32, counts: impl Fn(&str) -> bool) -> Exhausted {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let mut counters = Vec::new();
        for line in groups.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
            if !counts(group) {
                continue;
            }
            let roots: Vec<PathBuf> = match controllers {
                "" => ROOTS.iter().map(PathBuf::from).collect(),
                controllers => {
                    controllers.split(',').map(|name| Path::new(ROOTS[0]).join(name)).collect()
                }
            };
            for root in roots {
                let folder = root.join(group.trim_start_matches('/'));
                for (file, name, limit) in [
                    ("memory.events", "oom_kill", Limit::Memory),
                    ("memory.oom_control", "oom_kill", Limit::Memory),
                    ("pids.events", "max", Limit::Tasks),
                ] {
                    let file = folder.join(file);
                    if let Some(count) = read(&file, name) {
                        counters.push(Counter { file, name, limit, count });
                    }
                }
            }
        }
        Exhausted(counters)
    }

    /// A limit that was met since this was asked last.
    pub(crate) fn met(&mut self) -> Option<Limit> {
        let mut met = None;
        for counter in &mut self.0 {
            let Some(now) = read(&counter.file, counter.name) else { continue };
            if now > counter.count {
                met = met.or(Some(counter.limit));
            }
            counter.count = now;
        }
        met
    }
}

/// The number after a name at the begin of a line.
fn read(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(known, _)| *known == name)?.1.trim().parse().ok()
}

impl Limit {
    /// The error that a turn ends with.
    pub(crate) fn error(self) -> TypedError {
        let message = match self {
            Limit::Memory => "The agent used up its memory, and the turn was ended.",
            Limit::Tasks => "The agent started too many processes, and the turn was ended.",
        };
        let advice = "The limits of its workspace's sandbox, or of its unit, say how much it may \
            have.";
        ErrorCode::LimitReached.error(format!("{message} {advice}"), None)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counter, Exhausted, Limit};
    use std::fs;

    #[test]
    fn a_counter_that_grows_is_told_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("memory.events");
        let write = |count: u32| {
            let text = format!("low 0\noom {count}\noom_kill {count}\n");
            fs::write(&file, text).expect("written");
        };
        write(3);
        let counter =
            Counter { file: file.clone(), name: "oom_kill", limit: Limit::Memory, count: 3 };
        let mut exhausted = Exhausted(vec![counter]);
        assert_eq!(exhausted.met(), None);
        write(4);
        assert_eq!((exhausted.met(), exhausted.met()), (Some(Limit::Memory), None));
        fs::remove_file(&file).expect("removed");
        assert_eq!(exhausted.met(), None);
    }

    #[test]
    fn what_is_not_there_meets_nothing() {
        assert_eq!(Exhausted::of(u32::MAX).met(), None);
        Exhausted::of(std::process::id()).met();
    }
}
