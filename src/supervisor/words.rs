//! How a unit is and how it ended, as sentences for a person. The words of the manager are
//! systemd's, systemd.exec(5) and systemctl(1); those of signals are signal(7)'s.

use host::units::UnitStatus;
use std::os::unix::process::ExitStatusExt;
use wire::Timestamp;
use wire::supervisor::Exit;

/// What a program of ours says of itself before it leaves for a reason.
const REASON: &str = "did not start: ";

/// The bad end that a status tells of, if it does: the unit failed, or waits to be started again.
pub(crate) fn bad_end(status: &UnitStatus) -> Option<Exit> {
    let down = status.active == "failed" || status.sub == "auto-restart";
    let badly = !matches!(status.result.as_str(), "" | "success");
    (down && badly).then(|| Exit {
        at: moment(status.since).unwrap_or_else(Timestamp::now),
        words: ended(status),
        result: status.result.clone(),
        code: status.exit_status.and_then(|exit| exit.code()),
        signal: status.exit_status.and_then(|exit| exit.signal()),
    })
}

/// How it ended, in the middle of a sentence.
fn ended(status: &UnitStatus) -> String {
    let signal = status.exit_status.and_then(|exit| exit.signal());
    let code = status.exit_status.and_then(|exit| exit.code());
    match status.result.as_str() {
        "watchdog" => match status.watchdog_microseconds {
            Some(period) => format!("killed by the watchdog after {} of silence", seconds(period)),
            None => "killed by the watchdog".to_owned(),
        },
        "oom-kill" => format!("out of memory{}", limit(status, ": it used more than its ")),
        "timeout" => "it took too long and was killed".to_owned(),
        "start-limit-hit" => "it was started too often in too short a time".to_owned(),
        "service-start-limit-hit" => "the service behind it was started too often".to_owned(),
        "trigger-limit-hit" => "it was knocked at too often in too short a time".to_owned(),
        "resources" => "the system did not give it what it needs to start".to_owned(),
        "protocol" => "it ended without having said that it is ready".to_owned(),
        "exec-condition" => "a condition of its unit was not met".to_owned(),
        _ => match (signal, code) {
            // The kernel kills so for want of memory, too, and systemd cannot always tell.
            (Some(9), _) => {
                format!("killed by SIGKILL{}", limit(status, ", perhaps for more memory than its "))
            }
            (Some(signal), _) => format!("killed by {}", signal_name(signal)),
            (None, Some(code)) => exited(code, &status.said),
            (None, None) => format!("its run ended as {}", status.result),
        },
    }
}

fn exited(code: i32, said: &str) -> String {
    let meaning = match code {
        64 => " (wrong arguments)",
        73 => " (cannot make what it needs)",
        78 => " (configuration)",
        203 => " (its program cannot be run)",
        217 => " (its user is not known)",
        218 => " (capabilities cannot be had)",
        226 => " (its sandbox cannot be set up)",
        _ => "",
    };
    match said.strip_prefix(REASON) {
        Some(reason) => format!("exit status {code}: {reason}"),
        None => format!("exit status {code}{meaning}"),
    }
}

fn limit(status: &UnitStatus, before: &str) -> String {
    let limit = status.memory_max_bytes.map(|bytes| format!("{before}{} MiB", bytes >> 20));
    limit.unwrap_or_default()
}

fn seconds(microseconds: u64) -> String {
    match microseconds % 1_000_000 {
        0 => format!("{} s", microseconds / 1_000_000),
        _ => format!("{:.1} s", microseconds as f64 / 1e6),
    }
}

/// How a unit is. `asleep`: it does not run, and a socket waits for it.
pub(crate) fn unit(status: &UnitStatus, last_exit: Option<&Exit>, asleep: bool) -> String {
    match status.load.as_str() {
        "" | "not-found" => return "Not installed".to_owned(),
        "masked" => return "Masked: it cannot be started until it is unmasked".to_owned(),
        "bad-setting" | "error" => return "Its file cannot be used; systemd says why".to_owned(),
        _ => {}
    }
    let why = || last_exit.map(|exit| format!(": {}", exit.words)).unwrap_or_default();
    match (status.active.as_str(), status.sub.as_str()) {
        ("active" | "reloading", "listening") => "Listening".to_owned(),
        ("active" | "reloading", _) => running(status),
        ("activating", "auto-restart") => format!("Crashed{}; it is started again", why()),
        ("activating", _) => "Starting".to_owned(),
        ("deactivating", _) => "Stopping".to_owned(),
        ("failed", _) => format!("Failed{}", why()),
        _ if asleep => "Asleep: it starts at the next connection".to_owned(),
        _ => "Stopped".to_owned(),
    }
}

fn running(status: &UnitStatus) -> String {
    // What the problem is, the status has beside it.
    let problem = status.said.contains("; PROBLEM: ");
    let running = if status.sub == "running" { "Running" } else { "Active" };
    if problem { format!("{running}, with a problem") } else { running.to_owned() }
}

/// A point in time from the manager's microseconds.
pub(crate) fn moment(microseconds: Option<u64>) -> Option<Timestamp> {
    let millis = i64::try_from(microseconds? / 1000).ok()?;
    Some(Timestamp::from_millis(millis))
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        // Numbers of others differ between systems.
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn failed(result: &str, raw: i32) -> UnitStatus {
        UnitStatus {
            load: "loaded".into(),
            active: "failed".into(),
            sub: "failed".into(),
            result: result.into(),
            exit_status: Some(ExitStatus::from_raw(raw)),
            watchdog_microseconds: Some(30_000_000),
            ..UnitStatus::default()
        }
    }

    #[test]
    fn each_way_to_end_has_its_words() {
        let words = |status: &UnitStatus| bad_end(status).unwrap().words;
        assert_eq!(words(&failed("signal", 11)), "killed by SIGSEGV");
        assert_eq!(words(&failed("core-dump", 0x86)), "killed by SIGABRT");
        assert_eq!(words(&failed("watchdog", 6)), "killed by the watchdog after 30 s of silence");
        assert_eq!(words(&failed("exit-code", 78 << 8)), "exit status 78 (configuration)");
        let mut status = failed("exit-code", 78 << 8);
        status.said = "did not start: config.yaml line 4: port is `x`".into();
        assert_eq!(words(&status), "exit status 78: config.yaml line 4: port is `x`");
        let mut status = failed("oom-kill", 9);
        status.memory_max_bytes = Some(64 << 20);
        assert_eq!(words(&status), "out of memory: it used more than its 64 MiB");
        status.result = "signal".into();
        let said = "killed by SIGKILL, perhaps for more memory than its 64 MiB";
        assert_eq!(words(&status), said);
    }

    #[test]
    fn a_unit_that_is_well_has_no_bad_end() {
        let mut status = failed("success", 0);
        assert_eq!(bad_end(&status), None);
        status.result = "exit-code".into();
        status.active = "active".into();
        status.sub = "running".into();
        assert_eq!(bad_end(&status), None);
    }

    #[test]
    fn a_unit_is_told_in_a_sentence() {
        let mut status = failed("signal", 11);
        let exit = bad_end(&status);
        assert_eq!(unit(&status, exit.as_ref(), false), "Failed: killed by SIGSEGV");
        (status.active, status.sub) = ("activating".into(), "auto-restart".into());
        let said = "Crashed: killed by SIGSEGV; it is started again";
        assert_eq!(unit(&status, exit.as_ref(), false), said);
        (status.active, status.sub) = ("inactive".into(), "dead".into());
        assert_eq!(unit(&status, None, true), "Asleep: it starts at the next connection");
        (status.active, status.sub) = ("active".into(), "running".into());
        assert_eq!(unit(&status, None, false), "Running");
        status.said = "serving x; PROBLEM: port is `x`".into();
        assert_eq!(unit(&status, None, false), "Running, with a problem");
        assert_eq!(unit(&UnitStatus::default(), None, false), "Not installed");
    }
}
