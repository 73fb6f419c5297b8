//! Sockets handed over as systemd does it, without systemd: this test binary is started again
//! with listeners on descriptors 3 and 4 and says what it found. And what is done where no
//! manager answers.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, and what it starts")]
#![allow(clippy::disallowed_methods, reason = "the test plays the service manager")]

use parachute_host::{Listener, inherited, notify, units};
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};

/// Starts `test` of this binary in a process of its own, by a shell that puts `fds` to 3 and 4
/// and says so (bash: others take one digit only); returns what it printed.
fn run(test: &str, fds: &[&dyn AsFd], env: &[(&str, &str)]) -> String {
    let leaky: Vec<OwnedFd> = fds.iter().map(|fd| leaky(*fd)).collect();
    let place = |(place, fd): (usize, &OwnedFd)| format!("{}<&{} ", place + 3, fd.as_raw_fd());
    let placed: String = leaky.iter().enumerate().map(place).collect();
    let redirect = if placed.is_empty() { String::new() } else { format!("exec {placed};") };
    let script = format!("{redirect} LISTEN_PID=${{LISTEN_PID-$$}} exec \"$@\"");
    let me = std::env::current_exe().unwrap();
    let output = Command::new("/bin/bash")
        .args(["-c", &script, "bash"])
        .arg(me)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env_clear()
        .envs(env.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{test}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A copy that the shell will inherit.
fn leaky(fd: &dyn AsFd) -> OwnedFd {
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, 20).unwrap();
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty()).unwrap();
    copy
}

fn unix() -> (tempfile::TempDir, UnixListener) {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("server.sock")).unwrap();
    (dir, listener)
}

#[test]
fn listeners_arrive_by_name_ready_for_use_and_once() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dir, unix) = unix();
    let env = [("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "api:api")];
    let said = run("the_program", &[&tcp, &unix], &env);
    let address = tcp.local_addr().unwrap();
    assert!(said.contains(&format!("found api tcp {address} cloexec")), "{said}");
    let path = dir.path().join("server.sock");
    assert!(said.contains(&format!("found api unix {path:?} cloexec")), "{said}");
    assert!(said.contains("again: the inherited sockets were taken before"), "{said}");
}

#[test]
fn what_was_meant_for_another_process_is_left_alone() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let env = [("LISTEN_FDS", "1"), ("LISTEN_PID", "1")];
    let said = run("the_program", &[&tcp], &env);
    assert!(said.contains("found nothing"), "{said}");
    assert!(run("the_program", &[], &[]).contains("found nothing"));
}

#[test]
fn a_descriptor_that_is_no_listener_is_named() {
    let file = tempfile::tempfile().unwrap();
    let env = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "api")];
    let said = run("the_program", &[&file], &env);
    assert!(said.contains("error") && said.contains("\"api\""), "{said}");
    let (datagram, _other) = UnixDatagram::pair().unwrap();
    assert!(run("the_program", &[&datagram], &env).contains("error"));
    assert!(run("the_program", &[], &[("LISTEN_FDS", "many")]).contains("error"));
}

#[test]
#[ignore = "run by the tests above, as another process"]
fn the_program() {
    let held = match inherited(&["api"]) {
        Ok(held) => held,
        Err(error) => return println!("error: {error}"),
    };
    if held.is_empty() {
        println!("found nothing");
    }
    for one in &held {
        let (what, fd) = match &one.socket {
            Listener::Tcp(tcp) => (format!("tcp {}", tcp.local_addr().unwrap()), tcp.as_fd()),
            Listener::Unix(unix) => {
                let address = unix.local_addr().unwrap();
                (format!("unix {:?}", address.as_pathname().unwrap()), unix.as_fd())
            }
        };
        let flags = rustix::io::fcntl_getfd(fd).unwrap();
        assert!(rustix::fs::fcntl_getfl(fd).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
        let kept = if flags.contains(rustix::io::FdFlags::CLOEXEC) { "cloexec" } else { "leaks" };
        println!("found {} {what} {kept}", one.name);
    }
    println!("again: {}", inherited(&["api"]).unwrap_err());
}

#[test]
fn readiness_reaches_the_socket_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let env = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "3000000")];
    assert!(run("the_notifier", &[], &env).contains("watched 3s"));
    let heard: Vec<String> = (0..4).map(|_| heard(&manager)).collect();
    assert_eq!(heard, ["READY=1", "STATUS=one two", "WATCHDOG=1", "STOPPING=1"]);
    // A manager that went away, and none at all.
    drop((manager, std::fs::remove_file(&path)));
    run("the_notifier", &[], &env);
    assert!(run("the_notifier", &[], &[]).contains("unwatched"));
}

fn heard(manager: &UnixDatagram) -> String {
    let mut bytes = [0; 256];
    let length = manager.recv(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned()
}

#[test]
#[ignore = "run by the test above, as another process"]
fn the_notifier() {
    match notify::watchdog_period() {
        Some(period) => println!("watched {period:?}"),
        None => println!("unwatched"),
    }
    notify::ready();
    notify::status("one\ntwo");
    notify::watchdog();
    notify::stopping();
}

#[test]
fn no_manager_is_an_answer() {
    let (dir, deaf) = unix();
    let deaf_bus = format!("unix:path={}", dir.path().join("server.sock").display());
    for env in [
        &[][..],
        &[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")],
        &[("DBUS_SESSION_BUS_ADDRESS", "nonsense")],
        &[("XDG_RUNTIME_DIR", "/nowhere")],
        &[("DBUS_SESSION_BUS_ADDRESS", deaf_bus.as_str())],
    ] {
        assert!(run("the_seeker", &[], env).contains("no manager"), "{env:?}");
    }
    drop(deaf);
}

#[tokio::test]
#[ignore = "run by the test above, as another process"]
async fn the_seeker() {
    println!("{}", units::connect().await.map_or("no manager", |_| "a manager"));
}
