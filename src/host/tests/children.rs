//! Children: what they get, what they do not, and how they end.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the test plays a program that starts ours")]

use parachute_host::child::{self, Detached, Signal};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;

const LONG: Duration = Duration::from_secs(60);

fn variables(list: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    list.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn path() -> Vec<(OsString, OsString)> {
    variables(&[("PATH", "/usr/bin:/bin")])
}

async fn output_of(program: &str, args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = child::command(Path::new(program), Path::new("/"), variables(env));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_child_gets_the_variables_it_was_given_and_no_other() {
    assert!(std::env::var_os("PATH").is_some());
    let given = [("NAME", "value with spaces"), ("EMPTY", "")];
    assert_eq!(output_of("/usr/bin/env", &[], &given).await, "EMPTY=\nNAME=value with spaces\n");
}

#[tokio::test]
async fn a_child_gets_no_descriptor_of_ours_even_one_left_open() {
    let file = tempfile::tempfile().unwrap();
    let leaky = rustix::io::fcntl_dupfd_cloexec(&file, 40).unwrap();
    rustix::io::fcntl_setfd(&leaky, rustix::io::FdFlags::empty()).unwrap();
    assert!(leaky.as_raw_fd() >= 40);
    let listed = output_of("/bin/ls", &["/proc/self/fd"], &[]).await;
    let open: BTreeSet<&str> = listed.lines().collect();
    // 3 is the folder that ls reads.
    assert_eq!(open, BTreeSet::from(["0", "1", "2", "3"]));
}

#[tokio::test]
async fn a_child_leads_a_group_of_its_own() {
    let fields = output_of("/usr/bin/cut", &["-d", " ", "-f", "1,5", "/proc/self/stat"], &[]).await;
    let (pid, group) = fields.trim().split_once(' ').unwrap();
    assert_eq!(pid, group);
}

#[tokio::test]
async fn killing_a_group_reaches_grandchildren_and_forgives_the_dead() {
    let mut command = child::command(Path::new("sh"), Path::new("/"), path());
    command.args(["-c", "sleep 1000 & echo $!; wait"]).stdout(Stdio::piped());
    let mut shell = command.spawn().unwrap();
    let pid = shell.id().unwrap();
    let mut out = shell.stdout.take().unwrap();
    assert_ne!(out.read_u8().await.unwrap(), b'\n');
    child::kill_group(pid, Signal::Kill).unwrap();
    // The pipe ends when nobody holds it any more: the grandchild is gone, too.
    out.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(shell.wait().await.unwrap().signal(), Some(9));
    child::kill_group(pid, Signal::Interrupt).unwrap();
    for nobody in [0, 1, u32::MAX] {
        let refused = child::kill_group(nobody, Signal::Terminate).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn only_named_variables_are_passed_on() {
    // Cargo and nextest set these for every test.
    let exact = child::passed_on(&["CARGO_PKG_NAME", "NOT_SET_ANYWHERE"]);
    assert_eq!(exact, variables(&[("CARGO_PKG_NAME", "parachute-host")]));
    let family = child::passed_on(&["CARGO_PKG_VERSION_*"]);
    assert!(family.len() >= 3, "{family:?}");
    assert!(child::passed_on(&[]).is_empty());
}

#[test]
fn a_bound_child_ends_with_its_parent() {
    let me = std::env::current_exe().unwrap();
    let mut middle = std::process::Command::new(me)
        .args(["--exact", "the_parent_that_leaves", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, mut output) = (middle.stdin.take(), middle.stdout.take().unwrap());
    assert!(middle.wait().unwrap().success());
    // By now the kernel has killed the child; one that lived would see its input end and speak.
    drop(input);
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert!(!said.contains("survived"), "{said}");
}

#[tokio::test]
#[ignore = "run by a_bound_child_ends_with_its_parent, as another process"]
async fn the_parent_that_leaves() {
    let mut command = child::command_bound(Path::new("sh"), Path::new("/"), path());
    command.args(["-c", "read line; echo survived"]);
    let _child = command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).spawn().unwrap();
    std::process::exit(0);
}

fn shell(script: &str, log: &Path) -> Detached {
    child::detached(Path::new("/bin/sh"), ["-c", script], path(), log).unwrap()
}

#[tokio::test]
async fn a_detached_child_says_when_it_is_ready_and_leads_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, "of the run before").unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o644)).unwrap();
    let mut detached = shell("echo oops >&2; echo ready; exec sleep 1000", &log);
    detached.wait_ready(LONG).await.unwrap();
    detached.wait_ready(LONG).await.unwrap();
    assert_eq!(fs::read_to_string(&log).unwrap(), "oops\n");
    assert_eq!(File::open(&log).unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let pid = rustix::process::Pid::from_raw(i32::try_from(detached.pid).unwrap()).unwrap();
    assert_eq!(rustix::process::getsid(Some(pid)).unwrap(), pid);
    child::kill_group(detached.pid, Signal::Terminate).unwrap();
    assert_eq!(detached.ended().await.unwrap().signal(), Some(15));
    assert!(rustix::process::test_kill_process(pid).is_err(), "it was not reaped");
}

#[tokio::test]
async fn a_detached_child_lives_on_when_its_handle_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut detached = shell("echo ready; exec sleep 1000", &dir.path().join("log"));
    detached.wait_ready(LONG).await.unwrap();
    let pid = detached.pid;
    drop(detached);
    let alive = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::test_kill_process(alive).unwrap();
    child::kill_group(pid, Signal::Kill).unwrap();
}

#[tokio::test]
async fn a_detached_child_that_is_not_ready_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let died = shell("exit 7", &log).wait_ready(LONG).await.unwrap_err();
    assert_eq!(died.kind(), ErrorKind::UnexpectedEof);
    assert!(died.to_string().contains("exit status: 7"), "{died}");
    let mut chatty = shell("echo hello; exec sleep 1000", &log);
    let said = chatty.wait_ready(LONG).await.unwrap_err();
    assert_eq!(said.kind(), ErrorKind::InvalidData);
    child::kill_group(chatty.pid, Signal::Kill).unwrap();
    let mut late = shell("exec sleep 1000", &log);
    let waited = late.wait_ready(Duration::ZERO).await.unwrap_err();
    assert_eq!(waited.kind(), ErrorKind::TimedOut);
    child::kill_group(late.pid, Signal::Kill).unwrap();
}
