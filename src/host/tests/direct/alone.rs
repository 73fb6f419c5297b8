//! A supervisor as a process of its own: one that is killed, and one that looks for a manager and
//! finds none.

use crate::place::{Place, UNIT};
use parachute_host::control::{self, Control};
use parachute_host::direct::Direct;
use parachute_host::units::Units;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// This binary once more, as another program, without a variable of ours.
fn another(test: &str, env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env_clear();
    command.envs(env.iter().copied()).stderr(Stdio::inherit());
    command
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_the_server_with_it() {
    let place = Place::new();
    let path = place.dir.path().to_str().unwrap();
    let ended = another("alone::the_supervisor_that_dies", &[("PLACE", path)]).status().unwrap();
    assert_eq!(ended.signal(), Some(6));
    assert_eq!(place.all_gone(), 1);
    // What it left in its folder is in nobody's way.
    assert!(place.path("run/notify.sock").exists());
    let server = place.server("steady");
    server.start(UNIT).await.unwrap();
    server.close().await;
    place.nothing_is_left();
}

#[tokio::test]
#[ignore = "run by the test above, as another process"]
async fn the_supervisor_that_dies() {
    let place = PathBuf::from(std::env::var_os("PLACE").unwrap());
    // The folder stays, and the sockets in it: they are the other process's.
    let mut program = Place::new().program("steady");
    program.program = place.join("parachute-server");
    (program.dir, program.runtime) = (place.clone(), place.join("run"));
    program.log = place.join("server.log");
    program.env.retain(|(name, _)| name != "PLACE");
    program.env.push(("PLACE".into(), place.into()));
    Direct::new(program).start(UNIT).await.unwrap();
    std::process::abort();
}

#[test]
fn without_a_manager_the_choice_is_to_keep_the_server_ourselves() {
    let private = tempfile::tempdir().unwrap();
    let private = private.path().to_str().unwrap();
    for env in [
        &[][..],
        // A checkout's own run, and a shell below a unit.
        &[("XDG_RUNTIME_DIR", private), ("INVOCATION_ID", "0123")],
        &[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus"), ("SYSTEMD_EXEC_PID", "1")],
    ] {
        let output = another("alone::the_chooser", env).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("chose direct, socket units: false"), "{said}");
    }
}

#[tokio::test]
#[ignore = "run by the test above, as another process"]
async fn the_chooser() {
    let place = Place::new();
    let control = control::choose(|| place.server("steady")).await;
    println!("chose {}, socket units: {}", control.name(), control.socket_units());
    assert_eq!(control.status(UNIT).await.unwrap().load, "loaded");
    control.start(UNIT).await.unwrap();
    control.restart(UNIT).await.unwrap();
    assert_eq!(control.list("parachute").await.unwrap()[0].active, "active");
    control.stop(UNIT).await.unwrap();
    let Control::Direct(direct) = control else { panic!("{control:?}") };
    direct.close().await;
    place.nothing_is_left();
}
