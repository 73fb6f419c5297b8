//! What a person can ask of the service manager, by its own programs: units, their processes,
//! the journal. Everything is waited for; nothing is remembered.

use serde_json::Value;
use std::process::Stdio;
use tokio::process::Command;

/// Runs a program and gives its output; it must end well.
pub(crate) async fn run(program: &str, arguments: &[&str]) -> String {
    let (well, out) = tried(program, arguments).await;
    assert!(well, "{program} {arguments:?}: {out}");
    out
}

/// Runs a program; whether it ended well, and all it said.
pub(crate) async fn tried(program: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(program);
    let ran = command.args(arguments).stdin(Stdio::null()).output().await;
    let ran = ran.unwrap_or_else(|e| panic!("{program} does not start: {e}"));
    let out = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8_lossy(&out).into_owned())
}

/// `systemctl --user …`.
pub(crate) async fn systemctl(arguments: &[&str]) -> String {
    run("systemctl", &[&["--user"], arguments].concat()).await
}

/// A property of a unit.
pub(crate) async fn show(unit: &str, property: &str) -> String {
    let out = systemctl(&["show", "--value", "-p", property, unit]).await;
    out.trim().to_owned()
}

/// The main process of a unit; None while it does not run.
pub(crate) async fn main_pid(unit: &str) -> Option<u32> {
    let pid = show(unit, "MainPID").await.parse();
    pid.ok().filter(|pid| *pid != 0)
}

/// A session's agent.
pub(crate) fn agent_unit(session: &str) -> String {
    format!("parachute-agent@{session}.service")
}

/// Journal entries of a user unit since a time (journalctl's `--since`), oldest first.
pub(crate) async fn journal(unit: &str, since: &str) -> Vec<Value> {
    let asked = ["--user", "-u", unit, "-o", "json", "--all", "--no-pager"];
    let out = run("journalctl", &[&asked[..], &["--since", since]].concat()).await;
    out.lines().map(|line| serde_json::from_str(line).expect("the journal's JSON")).collect()
}

/// Microseconds since 1970 of a journal entry.
pub(crate) fn micros(entry: &Value) -> u64 {
    let text = entry["__REALTIME_TIMESTAMP"].as_str();
    text.and_then(|t| t.parse().ok()).expect("an entry's time")
}

/// What a journal entry says.
pub(crate) fn message(entry: &Value) -> &str {
    entry["MESSAGE"].as_str().unwrap_or_default()
}

/// Processes of the user manager's units whose control group has this in its path, with their
/// command lines.
pub(crate) fn processes(within: &str) -> Vec<(u32, String)> {
    let all = std::fs::read_dir("/proc").expect("a /proc").flatten();
    let pids = all.filter_map(|p| p.file_name().to_str()?.parse::<u32>().ok());
    let ours = |pid: u32| {
        let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let mut paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
        let found = paths.any(|path| path.contains("/user@") && path.contains(within));
        let said = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A process that has ended and was not waited for has none.
        let alive = found && !said.is_empty();
        alive.then(|| (pid, String::from_utf8_lossy(&said).replace('\0', " ").to_string()))
    };
    pids.filter_map(ours).collect()
}

/// The middle of some numbers, and the largest.
pub(crate) fn middle_and_most(mut numbers: Vec<f64>) -> (f64, f64) {
    numbers.sort_by(f64::total_cmp);
    let most = numbers.last().copied().unwrap_or(0.0);
    (numbers.get(numbers.len() / 2).copied().unwrap_or(0.0), most)
}
