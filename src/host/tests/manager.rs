//! The real service manager of a user. These need one that may be played with, such as
//! scripts/systemd-lab boots; they run only where PARACHUTE_LAB is set, and say so elsewhere.
//! The programs in their units are this test binary, in the role that `ROLE` names.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test, and what it starts")]
#![allow(clippy::disallowed_methods, reason = "the test plays the person at the keyboard")]

#[path = "manager/installed.rs"]
mod installed;
#[path = "manager/roles.rs"]
mod roles;

use parachute_host::Native;
use parachute_host::units::{self, Limits, Transient, UnitError, UnitStatus, Units};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const MIB: u64 = 1 << 20;

/// The manager, in the lab; `None`, with a word, outside.
async fn lab() -> Option<Native> {
    if std::env::var_os("PARACHUTE_LAB").is_none() {
        eprintln!("not run: it wants a user service manager of its own (PARACHUTE_LAB is not set)");
        return None;
    }
    Some(units::connect().await.expect("PARACHUTE_LAB is set, so a manager must answer"))
}

fn transient(name: &str, role: &str) -> Transient {
    let words = ["--exact", "stand_in", "--ignored", "--nocapture"];
    Transient {
        name: name.to_owned(),
        description: format!("a stand-in, {role}"),
        program: std::env::current_exe().unwrap(),
        args: words.map(str::to_owned).to_vec(),
        afterwards: Vec::new(),
        env: vec![("ROLE".to_owned(), role.to_owned())],
        slice: "parachute-test.slice".to_owned(),
        directory: PathBuf::from("/"),
        part_of: None,
        notify: true,
        limits: Limits::default(),
        stop_seconds: 5,
    }
}

fn systemctl(args: &[&str]) -> String {
    let output = Command::new("systemctl").arg("--user").args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// How `unit` ended, once it has. Each look is a question to the manager, which paces the loop.
async fn end_of(manager: &Native, unit: &str) -> UnitStatus {
    loop {
        let status = manager.status(unit).await.unwrap();
        if matches!(status.active.as_str(), "inactive" | "failed") {
            return status;
        }
    }
}

#[tokio::test]
async fn a_transient_unit_is_ready_when_started_and_has_its_limits() {
    let Some(manager) = lab().await else { return };
    let mut unit = transient("parachute-test-limits.service", "steady");
    unit.limits = Limits {
        memory_high_bytes: Some(64 * MIB),
        memory_max_bytes: Some(96 * MIB),
        tasks_max: Some(32),
        cpu_weight: Some(50),
    };
    manager.start_transient(&unit).await.unwrap();
    let status = manager.status(&unit.name).await.unwrap();
    assert_eq!((&*status.load, &*status.active, &*status.sub), ("loaded", "active", "running"));
    assert_eq!((&*status.result, status.restarts, status.exit_status), ("success", 0, None));
    assert!(status.memory_bytes.unwrap() < 96 * MIB, "{status:?}");
    assert!(status.since.unwrap() > 1_700_000_000_000_000, "{status:?}");
    let command = fs::read_to_string(format!("/proc/{}/cmdline", status.pid.unwrap())).unwrap();
    assert!(command.contains("stand_in"), "{command}");

    let shown = systemctl(&["show", &unit.name]);
    for line in [
        "MemoryHigh=67108864",
        "MemoryMax=100663296",
        "TasksMax=32",
        "CPUWeight=50",
        "Slice=parachute-test.slice",
        "KillMode=mixed",
        "OOMPolicy=kill",
        "Type=notify",
        "StatusText=steady",
        "TimeoutStopUSec=5s",
        "UMask=0077",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line} in {shown}");
    }
    assert!(matches!(manager.start_transient(&unit).await, Err(UnitError::Exists(_))));
    let listed = manager.list("parachute-test-limits").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].sub, "running");

    // The manager reads everything again, transient units too, and forgets nothing of them.
    systemctl(&["daemon-reload"]);
    assert_eq!(manager.status(&unit.name).await.unwrap().load, "loaded");
    manager.restart(&unit.name).await.unwrap();
    assert_ne!(manager.status(&unit.name).await.unwrap().pid, status.pid);
    manager.stop(&unit.name).await.unwrap();
    assert_eq!(manager.status(&unit.name).await.unwrap().active, "inactive");
    manager.forget(&unit.name).await.unwrap();
    assert_eq!(manager.status(&unit.name).await.unwrap().load, "not-found");
    manager.forget(&unit.name).await.unwrap();
}

#[tokio::test]
async fn a_unit_that_fails_to_start_says_how_and_frees_its_name() {
    let Some(manager) = lab().await else { return };
    let unit = transient("parachute-test-fails.service", "fails");
    for _ in 0..2 {
        match manager.start_transient(&unit).await {
            Err(UnitError::Job { act: "start", result, .. }) => assert_eq!(result, "failed"),
            other => panic!("{other:?}"),
        }
        let status = manager.status(&unit.name).await.unwrap();
        assert_eq!((&*status.active, &*status.result), ("failed", "exit-code"));
        assert_eq!(status.exit_status.unwrap().code(), Some(78));
    }
    manager.forget(&unit.name).await.unwrap();
    assert!(manager.list("parachute-test-fails").await.unwrap().is_empty());
}

#[tokio::test]
async fn what_a_unit_was_given_arrives_as_it_is() {
    let Some(manager) = lab().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let odd = r#"$HOME ${HOME} %h %% "two" 'one' \ tab	é"#;
    let mut unit = transient("parachute-test-literal.service", "report");
    unit.args.push(odd.to_owned());
    unit.env.push(("ODD".to_owned(), odd.to_owned()));
    unit.env.push(("OUT".to_owned(), out.to_str().unwrap().to_owned()));
    unit.directory = dir.path().to_owned();
    manager.start_transient(&unit).await.unwrap();
    let said = fs::read_to_string(&out).unwrap();
    assert_eq!(said, format!("{odd}\n{odd}\n{}", dir.path().display()));
    manager.stop(&unit.name).await.unwrap();
    manager.forget(&unit.name).await.unwrap();
}

#[tokio::test]
async fn a_unit_above_its_memory_ends_alone_and_is_remembered() {
    let Some(manager) = lab().await else { return };
    let mut unit = transient("parachute-test-hog.service", "hog");
    unit.limits.memory_max_bytes = Some(48 * MIB);
    manager.start_transient(&unit).await.unwrap();
    let ended = end_of(&manager, &unit.name).await;
    // On cgroup v1 systemd does not learn who killed.
    assert!(matches!(&*ended.result, "oom-kill" | "signal"), "{ended:?}");
    assert_eq!(ended.exit_status.unwrap().signal(), Some(9));
    manager.forget(&unit.name).await.unwrap();
}

#[tokio::test]
async fn a_unit_that_is_kept_outlives_no_connection() {
    let Some(manager) = lab().await else { return };
    let unit = transient("parachute-test-kept.service", "steady");
    manager.start_transient(&unit).await.unwrap();
    // The program restarts: its connection is new, and the unit still runs.
    drop(manager);
    let manager = units::connect().await.unwrap();
    manager.keep(&unit.name).await.unwrap();
    let pid = manager.status(&unit.name).await.unwrap().pid.unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let ended = end_of(&manager, &unit.name).await;
    assert_eq!((&*ended.load, &*ended.result), ("loaded", "signal"));
    manager.forget(&unit.name).await.unwrap();
    assert_eq!(manager.status(&unit.name).await.unwrap().load, "not-found");
}

#[tokio::test]
async fn a_unit_that_nobody_knows_is_named() {
    let Some(manager) = lab().await else { return };
    let nobody = "parachute-test-nobody.service";
    for done in [manager.start(nobody).await, manager.stop(nobody).await] {
        assert!(matches!(done, Err(UnitError::Unknown(name)) if name == nobody));
    }
    assert_eq!(manager.status(nobody).await.unwrap().load, "not-found");
    let refused = manager.start("no name").await;
    assert!(matches!(refused, Err(UnitError::Refused { .. })), "{refused:?}");
    let mut unit = transient(nobody, "steady");
    unit.slice = "no slice".to_owned();
    let refused = manager.start_transient(&unit).await;
    assert!(matches!(refused, Err(UnitError::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_silent_program_is_ended_by_the_watchdog() {
    let Some(manager) = lab().await else { return };
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let file = home.join(".config/systemd/user/parachute-test-silent.service");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let me = std::env::current_exe().unwrap();
    let unit = format!(
        "[Service]\nType=notify\nWatchdogSec=1\nEnvironment=ROLE=silent\n\
         ExecStart={} --exact stand_in --ignored --nocapture\n",
        me.display()
    );
    fs::write(&file, unit).unwrap();
    systemctl(&["daemon-reload"]);
    manager.start("parachute-test-silent.service").await.unwrap();
    let ended = end_of(&manager, "parachute-test-silent.service").await;
    assert_eq!(ended.result, "watchdog");
    fs::remove_file(&file).unwrap();
    systemctl(&["reset-failed", "parachute-test-silent.service"]);
    systemctl(&["daemon-reload"]);
}

#[tokio::test]
async fn fields_of_events_and_spans_reach_the_journal() {
    let Some(manager) = lab().await else { return };
    let unit = transient("parachute-test-logs.service", "logs");
    manager.start_transient(&unit).await.unwrap();
    let mut journal = Command::new("journalctl")
        .args(["--user", "--unit", &unit.name, "--output=json", "--follow", "--lines=all"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(journal.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut find = |text: &str| lines.find(|line| line.contains(text)).unwrap();
    let event = find("fields of an event");
    for field in [
        r#""PARACHUTE_SESSION":"s-1""#,
        r#""PARACHUTE_TURN":"3""#,
        r#""PRIORITY":"4""#,
        r#""SYSLOG_IDENTIFIER":"stand-in""#,
    ] {
        assert!(event.contains(field), "{field} in {event}");
    }
    let inside = find("fields of a span");
    assert!(inside.contains(r#""PARACHUTE_SESSION":"s-2""#), "{inside}");
    assert!(inside.contains(r#""PRIORITY":"6""#), "{inside}");
    journal.kill().unwrap();
    journal.wait().unwrap();
    manager.stop(&unit.name).await.unwrap();
    manager.forget(&unit.name).await.unwrap();
}

#[test]
#[ignore = "the program inside the units of the tests above"]
fn stand_in() {
    roles::play(&std::env::var("ROLE").unwrap());
}
