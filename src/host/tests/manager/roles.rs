//! The programs that the units of these tests run: this test binary, playing a role.

use crate::transient;
use parachute_host::units::{self, Units};
use parachute_host::{Listener, dirs, inherited, log, notify, own_uid, peer_uid};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use tokio::io::AsyncWriteExt;

/// Plays `role`, most of them until somebody ends it.
pub(crate) fn play(role: &str) {
    match role {
        "steady" | "silent" => {
            notify::status(role);
            notify::ready();
        }
        "fails" => std::process::exit(78),
        "report" => {
            let argument = std::env::args().next_back().unwrap();
            let variable = std::env::var("ODD").unwrap();
            let dir = std::env::current_dir().unwrap();
            let said = format!("{argument}\n{variable}\n{}", dir.display());
            fs::write(std::env::var("OUT").unwrap(), said).unwrap();
            notify::ready();
        }
        "hog" => {
            notify::ready();
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(vec![1; 1 << 20]);
            }
        }
        "logs" => {
            assert!(log::to_journal());
            log::init("stand-in", None);
            // The name begins as those of our crates do, so that it is heard.
            const OURS: &str = "parachute_test";
            tracing::warn!(target: OURS, session = "s-1", turn = 3, "fields of an event");
            let span = tracing::info_span!(target: OURS, "turn", session = "s-2");
            span.in_scope(|| tracing::info!(target: OURS, "fields of a span"));
            notify::ready();
        }
        "server" => serve(),
        other => panic!("{other} is no role"),
    }
    loop {
        std::thread::park();
    }
}

/// A server that tries what the real one has to do, and tells whoever connects how it went.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let report = attempts().await;
        let mut listeners = tokio::task::JoinSet::new();
        let held = inherited(&["api"]).unwrap();
        assert_eq!(held.len(), 3);
        for one in held {
            assert_eq!(one.name, "api");
            listeners.spawn(answer(one.socket, report.clone()));
        }
        let half = notify::watchdog_period().expect("WatchdogSec= is set") / 2;
        notify::ready();
        loop {
            notify::watchdog();
            tokio::time::sleep(half).await;
        }
    });
}

async fn answer(listener: Listener, report: String) {
    match listener {
        Listener::Tcp(tcp) => {
            let tcp = tokio::net::TcpListener::from_std(tcp).unwrap();
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                stream.write_all(report.as_bytes()).await.unwrap();
            }
        }
        Listener::Unix(unix) => {
            let unix = tokio::net::UnixListener::from_std(unix).unwrap();
            loop {
                let (mut stream, _) = unix.accept().await.unwrap();
                assert_eq!(peer_uid(&stream).unwrap(), own_uid());
                stream.write_all(report.as_bytes()).await.unwrap();
            }
        }
    }
}

async fn attempts() -> String {
    let dirs = dirs().unwrap();
    let vault = PathBuf::from(std::env::var_os("VAULT_PATH").unwrap());
    let refused = |done: std::io::Result<()>| {
        let kinds = [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied];
        done.is_err_and(|error| kinds.contains(&error.kind()))
    };
    let mut agent = transient("parachute-agent@lab.service", "steady");
    agent.slice = "parachute-agents.slice".to_owned();
    let manager = units::connect().await;
    let started = match &manager {
        // The one before us may have started it.
        Some(manager) => match manager.start_transient(&agent).await {
            Ok(()) | Err(units::UnitError::Exists(_)) => true,
            Err(error) => panic!("{error}"),
        },
        None => false,
    };
    // The unit belongs to a connection that must live as long as we do.
    std::mem::forget(manager);
    let private_tmp = std::env::temp_dir().join("only-for-the-server");
    let list = [
        ("our folders are made", dirs.create().is_ok()),
        ("state is where it was said", dirs.state.ends_with(".local/state/parachute")),
        ("state is written", fs::write(dirs.state.join("x"), "x").is_ok()),
        (
            "sockets have a place",
            fs::write(dirs.agents().join("x"), "x").is_ok()
                && fs::remove_file(dirs.agents().join("x")).is_ok(),
        ),
        ("the vault is written", fs::write(vault.join(".parachute/x"), "x").is_ok()),
        ("notes are written", fs::write(vault.join("note.md"), "x").is_ok()),
        ("transcripts are read", fs::read(dirs.home.join(".claude/projects/t.jsonl")).is_ok()),
        ("an agent is started", started),
        ("scratch files are written", fs::write(private_tmp, "x").is_ok()),
        ("the home is closed", refused(fs::write(dirs.home.join(".claude/x"), "x"))),
        ("the rest is closed", refused(fs::write(dirs.runtime.with_file_name("x"), "x"))),
    ];
    let line =
        |(what, went): &(&str, bool)| format!("{what}: {}\n", if *went { "ok" } else { "no" });
    list.iter().map(line).collect()
}
