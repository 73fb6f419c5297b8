//! One test's installation: units in the user's own manager, a vault, a scripted model API. What
//! was installed is taken away with this value, and what then still runs fails the test.

use crate::units::{journal, processes, run, systemctl, tried};
use parachute_tests::{Caller, ScriptedApi, Stream, in_lab, program, real_claude};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// What the model's key is in here; nobody but the CLI and the API may ever see it.
pub(crate) const KEY: &str = "sk-ant-api03-suite-5ecret-0123456789abcdef";

/// The server's unit.
pub(crate) const SERVICE: &str = "parachute.service";

/// The supervisor's unit.
pub(crate) const SUPERVISOR: &str = "parachute-supervisor.service";

/// Units beside which a test may have put a file.
const DROPPED_IN: [&str; 5] = [
    SERVICE,
    "parachute.socket",
    SUPERVISOR,
    "parachute-supervisor.socket",
    "parachute-agent@.service",
];

const PROGRAMS: [&str; 4] =
    ["parachute-server", "parachute-agent", "parachute-supervisor", "parachute"];

/// The suite installed for the user who runs this.
pub(crate) struct Lab {
    /// The vault.
    pub(crate) vault: PathBuf,
    /// The vendor's stand-in.
    pub(crate) api: ScriptedApi,
    /// Where the programs are installed.
    pub(crate) bin: PathBuf,
    began: String,
    _folder: TempDir,
    _alone: File,
}

impl Lab {
    /// Installs the suite with these lines in its config; None where there is no lab.
    pub(crate) async fn open(config: &str) -> Option<Lab> {
        let claude = real_claude();
        if !in_lab() {
            eprintln!("passed over: no systemd was booted for this test (scripts/test does)");
            return None;
        }
        let claude = claude.expect("the lab has the real Claude CLI in $CLAUDE");
        let alone = File::create("/tmp/parachute-suite.lock").expect("a lock file");
        alone.lock().expect("the lock");
        assert_eq!(ours(), [], "something of ours runs before the test");

        // Not in /tmp: the service has a /tmp of its own.
        let folder = TempDir::with_prefix_in("parachute-suite", home()).expect("a folder");
        let vault = folder.path().join("vault");
        let secrets = vault.join(".parachute");
        fs::create_dir_all(&secrets).expect("a folder");
        let api = ScriptedApi::start();
        let config =
            format!("claude_path: {}\nanthropic_base_url: {}\n{config}", claude.display(), api.url);
        fs::write(secrets.join("config.yaml"), config).expect("written");
        let token = secrets.join(".token");
        fs::write(&token, KEY).expect("written");
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("made private");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        for name in PROGRAMS {
            fs::copy(program(name), bin.join(name)).expect("copied");
        }
        let lab = Lab { vault, api, bin, began: now(), _folder: folder, _alone: alone };
        let (bin, vault) = (text(&lab.bin), text(&lab.vault));
        run(&installer(), &["--bin", &bin, "--vault", &vault]).await;
        Some(lab)
    }

    /// The same, with the sockets open.
    pub(crate) async fn started(config: &str) -> Option<Lab> {
        let lab = Lab::open(config).await?;
        systemctl(&["start", "parachute.socket", "parachute-supervisor.socket"]).await;
        Some(lab)
    }

    /// Somebody on this machine who asks the supervisor over TCP.
    pub(crate) fn overseer(&self) -> Caller {
        Caller::tcp(([127, 0, 0, 1], 3334).into()).with("host", "localhost:3334")
    }

    /// The same without a name of who is meant.
    pub(crate) fn bare(&self) -> Caller {
        Caller::tcp(([127, 0, 0, 1], 3334).into())
    }

    /// The owner, on the supervisor's socket.
    pub(crate) fn oversocket(&self) -> Caller {
        Caller::unix(&runtime().join("supervisor.sock"))
    }

    /// Runs the installed command line.
    pub(crate) async fn parachute(&self, arguments: &[&str]) -> (bool, String) {
        tried(&text(&self.bin.join("parachute")), arguments).await
    }

    /// Somebody on this machine, over TCP.
    pub(crate) fn local(&self) -> Caller {
        Caller::tcp(([127, 0, 0, 1], 3333).into())
    }

    /// The owner, on the Unix socket.
    pub(crate) fn owner(&self) -> Caller {
        Caller::unix(&runtime().join("server.sock"))
    }

    /// A session's agent, on its own socket.
    pub(crate) fn agent(&self, session: &str) -> Caller {
        Caller::unix(&runtime().join("agents").join(format!("{session}.sock")))
    }

    /// A session's event log, parsed.
    pub(crate) fn log(&self, session: &str) -> Vec<Value> {
        let file = state().join("runs").join(session).join("events.jsonl");
        let text = fs::read_to_string(file).expect("a log");
        let lines = text.lines();
        lines.map(|line| serde_json::from_str(line).expect("a line of the log")).collect()
    }

    /// What a unit said since this was installed.
    pub(crate) async fn journal(&self, unit: &str) -> Vec<Value> {
        journal(unit, &self.began).await
    }

    /// Opens the vault's database.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        let file = self.vault.join("Chat/sessions.db");
        rusqlite::Connection::open(file).expect("the database opens")
    }

    /// A new file of the user beside the installed unit.
    pub(crate) async fn drop_in(&self, unit: &str, lines: &str) {
        let folder = units_folder().join(format!("{unit}.d"));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("90-suite.conf"), lines).expect("written");
        systemctl(&["daemon-reload"]).await;
    }
}

/// A turn whose model does this.
pub(crate) fn ask(message: &str, scenario: &str, arguments: Value) -> Value {
    json!({ "message": format!("{message}\n[[scripted:{scenario} {arguments}]]") })
}

/// Reads a stream whose server goes away to that end, comes back, and reads the rest.
pub(crate) async fn go_on(who: &Caller, session: &str, mut stream: Stream) -> Stream {
    while stream.more().await {}
    let after = stream.heard.last_id;
    let resumed = who.resume(session, "text=delta", after).await;
    let mut resumed = resumed.expect("nobody is refused");
    resumed.heard = stream.heard;
    resumed.whole().await
}

/// Everything of ours that runs as a unit.
pub(crate) fn ours() -> Vec<(u32, String)> {
    processes("/parachute")
}

/// Where the units are.
pub(crate) fn units_folder() -> PathBuf {
    home().join(".config/systemd/user")
}

/// Our folder for sockets.
pub(crate) fn runtime() -> PathBuf {
    let base = std::env::var_os("XDG_RUNTIME_DIR").expect("a runtime folder");
    PathBuf::from(base).join("parachute")
}

/// As journalctl reads it.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    format!("@{:.6}", since.expect("a clock that goes").as_secs_f64())
}

fn home() -> PathBuf {
    std::env::var_os("HOME").expect("a home").into()
}

/// Our folder for what is no note of the user's.
pub(crate) fn state() -> PathBuf {
    home().join(".local/state/parachute")
}

pub(crate) fn installer() -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    text(&tests.parent().expect("a workspace").join("scripts/install-units"))
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

impl Drop for Lab {
    fn drop(&mut self) {
        let said = |program: &str, arguments: &[&str]| {
            let ran = Command::new(program).args(arguments).output();
            let ran = ran.unwrap_or_else(|e| panic!("{program} does not start: {e}"));
            String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned()
        };
        let failed = std::thread::panicking();
        if failed {
            let last = ["--user", "-n", "80", "--no-pager", "-o", "short-precise"];
            eprintln!("the journal:\n{}", said("journalctl", &last));
        }
        for unit in DROPPED_IN {
            let file = units_folder().join(format!("{unit}.d/90-suite.conf"));
            // Only some tests have one.
            let _ = fs::remove_file(file);
        }
        let removed = said(&installer(), &["--remove"]);
        let loaded = ["--user", "list-units", "--all", "--plain", "--no-legend"];
        let loaded = said("systemctl", &[&loaded[..], &["parachute*"]].concat());
        let left = ours();
        // What is of this test alone: nobody else's programs live there.
        let _ = fs::remove_dir_all(state());
        if !failed {
            assert_eq!(loaded.trim(), "", "loaded after --remove, which said {removed}");
            assert_eq!(left, [], "runs after --remove");
            let sockets = fs::read_dir(runtime().join("agents"));
            let sockets = sockets.into_iter().flatten().flatten().map(|f| f.file_name());
            let ended = |name: &OsString| name.to_string_lossy().ends_with(".sock");
            let sockets: Vec<OsString> = sockets.filter(ended).collect();
            assert!(sockets.is_empty(), "left behind: {sockets:?}");
        }
    }
}
