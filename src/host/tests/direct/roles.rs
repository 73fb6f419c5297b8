//! The servers of these tests: this test binary, playing a role.

use parachute_host::child::{self, Signal};
use parachute_host::{Lock, LockError, notify};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// For a child that was started to be there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays `role`, most of them until somebody ends it.
pub(crate) fn play(role: &str) {
    let place = PathBuf::from(std::env::var_os("PLACE").unwrap());
    // Ends when this process does, which the test sees.
    let presence = UnixStream::connect(place.join("presence")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    match role {
        "steady" => {
            println!("a line to its output");
            eprintln!("a line to its errors");
            notify::status("steady");
            notify::ready();
        }
        "mute" => notify::status("mute"),
        "refuses" => {
            notify::status("did not start: config.yaml line 4");
            exit(78);
        }
        "breaks" => exit(1),
        "says nothing and leaves" => exit(0),
        "leaves" => {
            notify::ready();
            notify::stopping();
            exit(0);
        }
        "crashes twice" => {
            let count = place.join("count");
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(&count)
                .unwrap()
                .write_all(b"x")
                .unwrap();
            notify::ready();
            if fs::metadata(count).unwrap().len() <= 2 {
                exit(3);
            }
        }
        "crashes" => {
            notify::ready();
            std::process::abort();
        }
        "leader" | "stubborn" => {
            // From now on the signal does nothing.
            let _deaf = (role == "stubborn").then(|| signal(SignalKind::terminate()).unwrap());
            let held = OwnedFd::from(presence.try_clone().unwrap());
            let mut child = Command::new("/bin/sleep").arg("1000").stdin(held).spawn().unwrap();
            notify::ready();
            child.wait().unwrap();
        }
        "agent" => {
            let script = ["-c", "echo ready; exec sleep 1000"];
            let log = place.join("agent.log");
            let mut agent = child::detached(Path::new("/bin/sh"), script, [], &log).unwrap();
            runtime.block_on(agent.wait_ready(PATIENCE)).unwrap();
            notify::status(&agent.pid.to_string());
            notify::ready();
        }
        "stranger" => {
            let mut stranger =
                Command::new("/usr/bin/setsid").args(["sleep", "1000"]).spawn().unwrap();
            let pid = rustix::process::Pid::from_child(&stranger);
            while rustix::process::getpgid(Some(pid)).unwrap() != pid {
                std::thread::yield_now();
            }
            notify::status(&stranger.id().to_string());
            notify::ready();
            stranger.wait().unwrap();
        }
        "falls silent" => {
            notify::ready();
            let period = notify::watchdog_period().unwrap();
            // For longer than the period, so that being heard makes a difference.
            for _ in 0..15 {
                std::thread::sleep(period / 10);
                notify::watchdog();
            }
            notify::status("silent");
        }
        "prints" => {
            let lines: usize = std::env::var("LINES").unwrap().parse().unwrap();
            for line in 0..lines {
                let text = format!("line {line:06} {}\n", "-".repeat(line % 80));
                match line % 2 {
                    0 => std::io::stdout().write_all(text.as_bytes()).unwrap(),
                    _ => std::io::stderr().write_all(text.as_bytes()).unwrap(),
                }
            }
            notify::ready();
        }
        "tells" => {
            for (name, value) in std::env::vars() {
                println!("{name}={value}");
            }
            notify::ready();
        }
        "alone" => {
            let _held = match Lock::take(place.join("alone")) {
                Ok(lock) => lock,
                Err(LockError::Held(_)) => {
                    fs::write(place.join("two at once"), "").unwrap();
                    exit(78);
                }
                Err(error) => panic!("{error}"),
            };
            notify::ready();
            sleep_for_ever();
        }
        other => panic!("{other} is no role"),
    }
    sleep_for_ever();
}

fn sleep_for_ever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

/// Ends what the roles `agent` and `stranger` have started; false if it had ended before.
pub(crate) fn end(pid: u32) -> bool {
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let alive = rustix::process::test_kill_process(raw).is_ok() && command.contains("sleep");
    if alive {
        child::kill_group(pid, Signal::Kill).unwrap();
    }
    alive
}
