//! The server kept without a service manager. It is this test binary, in the role that `ROLE`
//! names; real processes, real signals, real time, with limits short enough to wait for.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the test plays the person at the keyboard")]

#[path = "direct/alone.rs"]
mod alone;
#[path = "direct/orders.rs"]
mod orders;
#[path = "direct/place.rs"]
mod place;
#[path = "direct/roles.rs"]
mod roles;

use parachute_host::direct::Direct;
use parachute_host::units::Units;
use place::{Place, UNIT, result, states, status, told, words};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

#[tokio::test]
async fn a_started_server_is_ready_and_a_stopped_one_stays_stopped() {
    let place = Place::new();
    let server = place.server("steady");
    let before = status(&server).await;
    assert_eq!((words(&before).as_str(), &*before.load), ("inactive dead success", "loaded"));
    assert_eq!(before.description, "Parachute server");
    assert!(!place.path("server.log").exists(), "nothing is started by making it");

    let mut changes = server.watch("parachute").await.unwrap();
    server.start(UNIT).await.unwrap();
    let up = status(&server).await;
    assert_eq!((words(&up).as_str(), &*up.said), ("active running success", "steady"));
    assert_eq!((up.restarts, up.exit_status), (0, None));
    assert_eq!(up.watchdog_microseconds, Some(3_600_000_000));
    assert!(up.memory_bytes.unwrap() > 100_000 && up.since > before.since, "{up:?}");
    let pid = up.pid.unwrap();
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command.contains("stand_in"), "{command}");
    server.start(UNIT).await.unwrap();
    assert_eq!(status(&server).await.pid, Some(pid));
    assert_eq!(server.list("para").await.unwrap()[0].sub, "running");

    server.stop(UNIT).await.unwrap();
    let down = status(&server).await;
    assert_eq!((words(&down).as_str(), down.pid), ("inactive dead success", None));
    assert_eq!(down.exit_status.unwrap().signal(), Some(15));
    let log = place.log();
    assert!(log.contains("a line to its output\n") && log.contains("a line to its errors\n"));
    assert_eq!(fs::metadata(place.path("server.log")).unwrap().permissions().mode() & 0o777, 0o600);
    let states = states(&mut changes, "inactive dead success").await;
    let expected = [
        "activating start success",
        "active running success",
        "deactivating stop-sigterm success",
        "inactive dead success",
    ];
    assert_eq!(states, expected);
    assert_eq!(place.all_gone(), 1);
    place.nothing_is_left();
}

#[tokio::test]
async fn a_server_gets_the_variables_it_was_given_and_where_to_speak() {
    let place = Place::new();
    let server = place.server("tells");
    server.start(UNIT).await.unwrap();
    server.close().await;
    let log = place.log();
    let mut names: Vec<&str> = log.lines().filter_map(|l| Some(l.split_once('=')?.0)).collect();
    names.sort_unstable();
    // The shell of the stand-in adds its folder.
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
    assert_eq!(names, ["ME", "NOTIFY_SOCKET", "PLACE", "ROLE", "WATCHDOG_USEC"], "{log}");
}

#[tokio::test]
async fn a_server_that_finds_its_settings_wrong_says_so_and_is_not_started_again() {
    let place = Place::new();
    let server = place.server("refuses");
    let mut changes = server.watch(UNIT).await.unwrap();
    assert_eq!(result(server.start(UNIT).await), "exit-code");
    let failed = status(&server).await;
    assert_eq!(words(&failed), "failed failed exit-code");
    assert_eq!(failed.exit_status.unwrap().code(), Some(78));
    assert_eq!(failed.said, "did not start: config.yaml line 4");
    let states = states(&mut changes, "failed failed exit-code").await;
    assert_eq!(states, ["activating start success", "failed failed exit-code"]);
    server.stop(UNIT).await.unwrap();
    assert_eq!(words(&status(&server).await), "failed failed exit-code");
    server.reset_failed(UNIT).await.unwrap();
    assert_eq!(words(&status(&server).await), "inactive dead success");
    place.nothing_is_left();
}

#[tokio::test]
async fn a_server_that_crashes_comes_back_and_every_state_is_told() {
    let place = Place::new();
    let server = place.bounded("crashes twice", |bounds| {
        bounds.pause_min = Duration::from_millis(1);
    });
    let mut changes = server.watch(UNIT).await.unwrap();
    server.start(UNIT).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let status = told(&mut changes).await;
        if words(&status) == "activating auto-restart exit-code" {
            assert_eq!((status.exit_status.unwrap().code(), status.pid), (Some(3), None));
        }
        let done = status.active == "active" && status.restarts == 2;
        seen.push(words(&status));
        if done {
            break;
        }
    }
    let once = ["activating start success", "active running success"];
    let again = "activating auto-restart exit-code";
    let expected = [once[0], once[1], again, once[0], once[1], again, once[0], once[1]];
    assert_eq!(seen, expected);
    server.restart(UNIT).await.unwrap();
    assert_eq!(status(&server).await.restarts, 0);
    server.close().await;
    assert_eq!(place.all_gone(), 4);
}

#[tokio::test]
async fn a_server_that_crashes_all_the_time_is_left_alone_at_last() {
    let place = Place::new();
    let server = place.bounded("crashes", |bounds| {
        bounds.pause_min = Duration::from_millis(1);
        bounds.crashes_max = 2;
    });
    let mut changes = server.watch(UNIT).await.unwrap();
    server.start(UNIT).await.unwrap();
    let mut last = told(&mut changes).await;
    while last.result != "start-limit-hit" {
        last = told(&mut changes).await;
    }
    assert_eq!((&*last.active, last.restarts), ("failed", 2));
    assert_eq!(last.exit_status.unwrap().signal(), Some(6));
    // A start by hand has as many chances again.
    server.start(UNIT).await.unwrap();
    let states = states(&mut changes, "failed failed start-limit-hit").await;
    let pauses = states.iter().filter(|state| state.contains("auto-restart")).count();
    assert_eq!(pauses, 2, "{states:?}");
    assert_eq!(place.all_gone(), 6);
}

#[tokio::test]
async fn good_health_for_a_while_makes_crashes_forgotten() {
    let place = Place::new();
    let server = place.bounded("crashes", |bounds| {
        (bounds.pause_min, bounds.pause_max) = (Duration::from_millis(1), Duration::from_millis(1));
        bounds.steady = Duration::ZERO;
        bounds.crashes_max = 1;
    });
    let mut changes = server.watch(UNIT).await.unwrap();
    server.start(UNIT).await.unwrap();
    while told(&mut changes).await.restarts < 4 {}
    server.stop(UNIT).await.unwrap();
    assert_ne!(status(&server).await.result, "start-limit-hit");
}

#[tokio::test]
async fn a_start_that_fails_is_told_at_once_and_can_be_stopped_or_hurried() {
    let place = Place::new();
    for (role, word) in [("breaks", "exit-code"), ("says nothing and leaves", "protocol")] {
        let server = place.server(role);
        assert_eq!(result(server.start(UNIT).await), word);
        assert_eq!(words(&status(&server).await), format!("activating auto-restart {word}"));
        // It would come back in an hour.
        assert_eq!(result(server.start(UNIT).await), word);
        assert_eq!(result(server.restart(UNIT).await), word);
        server.stop(UNIT).await.unwrap();
        assert_eq!(words(&status(&server).await), format!("inactive dead {word}"));
        server.close().await;
    }
    assert_eq!(place.all_gone(), 6);
}

#[tokio::test]
async fn a_server_that_is_not_ready_in_time_is_stopped() {
    let place = Place::new();
    let server = place.bounded("mute", |bounds| bounds.start = Duration::from_millis(50));
    let mut changes = server.watch(UNIT).await.unwrap();
    assert_eq!(result(server.start(UNIT).await), "timeout");
    let states = states(&mut changes, "activating auto-restart timeout").await;
    assert_eq!(
        states[1..],
        ["deactivating stop-sigterm timeout", "activating auto-restart timeout"]
    );
    server.close().await;
    place.nothing_is_left();
}

#[tokio::test]
async fn a_server_that_ignores_the_request_is_killed_with_its_group() {
    let place = Place::new();
    let server = place.bounded("stubborn", |bounds| bounds.stop = Duration::from_millis(50));
    let mut changes = server.watch(UNIT).await.unwrap();
    server.start(UNIT).await.unwrap();
    server.stop(UNIT).await.unwrap();
    let end = status(&server).await;
    assert_eq!(words(&end), "failed failed timeout");
    assert_eq!(end.exit_status.unwrap().signal(), Some(9));
    let states = states(&mut changes, "failed failed timeout").await;
    assert_eq!(states[3], "deactivating stop-sigkill timeout");
    // Its child held the other end, too.
    assert_eq!(place.all_gone(), 1);
    place.nothing_is_left();
}

#[tokio::test]
async fn a_server_that_ends_when_asked_takes_its_group_with_it() {
    let place = Place::new();
    let server = place.server("leader");
    server.start(UNIT).await.unwrap();
    server.stop(UNIT).await.unwrap();
    assert_eq!(words(&status(&server).await), "inactive dead success");
    assert_eq!(place.all_gone(), 1);
}

#[tokio::test]
async fn what_left_the_group_lives_on_even_with_the_output_in_its_hands() {
    let place = Place::new();
    for role in ["agent", "stranger"] {
        let server = place.server(role);
        server.start(UNIT).await.unwrap();
        let first = status(&server).await.said;
        server.restart(UNIT).await.unwrap();
        let second = status(&server).await.said;
        server.close().await;
        place.nothing_is_left();
        let alive = [first, second].map(|pid| roles::end(pid.parse().unwrap()));
        assert_eq!(alive, [true, true], "{role}");
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_ended_by_the_watchdog() {
    let place = Place::new();
    let server = place.bounded("falls silent", |bounds| {
        bounds.watchdog = Duration::from_secs(2);
    });
    let mut changes = server.watch(UNIT).await.unwrap();
    server.start(UNIT).await.unwrap();
    let mut last = told(&mut changes).await;
    // It spoke for longer than the period before.
    while last.said != "silent" {
        assert_ne!(last.active, "deactivating", "{last:?}");
        last = told(&mut changes).await;
    }
    let states = states(&mut changes, "activating auto-restart watchdog").await;
    let expected = ["deactivating stop-watchdog watchdog", "activating auto-restart watchdog"];
    assert_eq!(states, expected);
    assert_eq!(status(&server).await.exit_status.unwrap().signal(), Some(6));
    server.close().await;
    place.nothing_is_left();
}

#[tokio::test]
async fn a_server_that_is_suspended_hears_the_request_all_the_same() {
    let place = Place::new();
    let server = place.server("steady");
    server.start(UNIT).await.unwrap();
    let pid = i32::try_from(status(&server).await.pid.unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    server.stop(UNIT).await.unwrap();
    assert_eq!(words(&status(&server).await), "inactive dead success");
    place.nothing_is_left();
}

#[tokio::test]
async fn a_server_that_leaves_by_itself_is_let_go() {
    let place = Place::new();
    let server = place.server("leaves");
    let mut changes = server.watch(UNIT).await.unwrap();
    server.start(UNIT).await.unwrap();
    let states = states(&mut changes, "inactive dead success").await;
    assert_eq!(states[2..], ["deactivating stop-sigterm success", "inactive dead success"]);
    place.nothing_is_left();
}

#[tokio::test]
async fn a_log_is_complete_across_files_and_bounded() {
    const LINES: usize = 3000;
    let place = Place::new();
    let mut program = place.program("prints");
    program.env.push(("LINES".into(), LINES.to_string().into()));
    program.bounds.log_bytes_max = 96 << 10;
    let server = Direct::new(program);
    server.start(UNIT).await.unwrap();
    server.close().await;
    let before = fs::read_to_string(place.path("server.log.1")).unwrap();
    let now = place.log();
    assert!((96 << 10..(96 << 10) + 100).contains(&before.len()), "{}", before.len());
    assert!(before.ends_with('\n') && now.len() < 96 << 10);
    let line = |line: usize| format!("line {line:06} {}", "-".repeat(line % 80));
    let both = before + &now;
    let lines: Vec<&str> = both.lines().filter(|text| text.starts_with("line ")).collect();
    assert_eq!(lines, (0..LINES).map(line).collect::<Vec<_>>());
}

#[test]
#[ignore = "the server of the tests above"]
fn stand_in() {
    roles::play(&std::env::var("ROLE").unwrap());
}
