//! A person's home for one test: folders, a vault, an environment, and a CLI.

use crate::{ScriptedApi, Server, program, real_claude};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Which Claude CLI a home has.
pub enum Cli {
    /// The stand-in, driven by `@@{…}@@` in the prompt.
    Scripted,
    /// The real one, against a scripted model API.
    Real(ScriptedApi),
    /// None.
    Missing,
}

/// One test's home.
pub struct Home {
    dir: TempDir,
    /// What programs started here are given.
    pub env: BTreeMap<String, String>,
    /// What a shell does before the server begins, in namespaces of the server's own: mounts
    /// that nobody else sees and that are gone with it. None: no namespaces.
    pub mounts: Option<String>,
    _cli: Cli,
}

impl Home {
    /// A home with the scripted CLI.
    pub fn new() -> Home {
        Home::with(Cli::Scripted)
    }

    /// A home with the real CLI against a scripted API; None where scripts/test provides none.
    pub fn real() -> Option<Home> {
        real_claude()?;
        Some(Home::with(Cli::Real(ScriptedApi::start())))
    }

    /// A home with this CLI.
    pub fn with(cli: Cli) -> Home {
        // Short: a socket's path has to fit into 107 bytes.
        let dir = tempfile::Builder::new().prefix("pt").tempdir_in("/tmp").expect("a folder");
        let mut home = Home { dir, env: BTreeMap::new(), mounts: None, _cli: cli };
        for folder in ["h", "r", "s", "vault/.parachute"] {
            std::fs::create_dir_all(home.path(folder)).expect("a folder");
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(home.path("r"), private).expect("made private");
        for (name, folder) in [
            ("HOME", "h"),
            ("XDG_RUNTIME_DIR", "r"),
            ("XDG_STATE_HOME", "s"),
            ("VAULT_PATH", "vault"),
        ] {
            let path = home.path(folder);
            home.set(name, path.to_str().expect("text"));
        }
        home.set("PATH", "/usr/local/bin:/usr/bin:/bin");
        home.set("LOG_LEVEL", "debug");
        // What a machine has of container engines makes no difference here.
        home.set("DOCKER_HOST", "unix:///nowhere/docker.sock");
        home.set("ANTHROPIC_API_KEY", "sk-ant-api-scripted");
        let claude = match &home._cli {
            Cli::Scripted => program("scripted-claude"),
            Cli::Real(api) => {
                let url = api.url.clone();
                home.set("ANTHROPIC_BASE_URL", &url);
                real_claude().expect("asked for before")
            }
            Cli::Missing => home.path("no-such-claude"),
        };
        home.set("CLAUDE_PATH", claude.to_str().expect("text"));
        home
    }

    /// Gives programs started from now on a variable.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    /// A path in this home.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join(inside)
    }

    /// The vault.
    pub fn vault(&self) -> PathBuf {
        self.path("vault")
    }

    /// Folder of a session's event log.
    pub fn run(&self, session: &str) -> PathBuf {
        self.path("s/parachute/runs").join(session)
    }

    /// Writes `vault/.parachute/config.yaml`.
    pub fn config(&self, text: &str) {
        std::fs::write(self.path("vault/.parachute/config.yaml"), text).expect("written");
    }

    /// What the scripted CLI does for prompts without a directive, and before any.
    pub fn plan(&self, plan: &serde_json::Value) {
        std::fs::create_dir_all(self.path("h/.claude")).expect("a folder");
        let file = self.path("h/.claude/scripted-claude.json");
        std::fs::write(file, plan.to_string()).expect("written");
    }

    /// Starts the server on sockets that the kit owns, and waits until it serves.
    pub async fn server(&self) -> Server {
        Server::start(self).await
    }

    /// Process ids of the agents that live here, by the programs that run.
    pub fn agents(&self) -> Vec<u32> {
        let own = self.dir.path().to_str().expect("text").to_owned();
        let processes = std::fs::read_dir("/proc").expect("a /proc").flatten();
        let pids = processes.filter_map(|p| p.file_name().to_str()?.parse::<u32>().ok());
        let ours = |pid: &u32| {
            let env = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let program = arguments.split(|b| *b == 0).next().unwrap_or_default();
            program.ends_with(b"parachute-agent") && contains(&env, own.as_bytes())
        };
        pids.filter(ours).collect()
    }

    fn end_agents(&self) -> Vec<u32> {
        for pid in self.agents() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid as i32) {
                // One that has just left is no fault.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
        }
        let patience = Instant::now() + Duration::from_secs(30);
        while Instant::now() < patience {
            if self.agents().is_empty() {
                return Vec::new();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.agents()
    }
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let left = self.end_agents();
        if !std::thread::panicking() {
            assert!(left.is_empty(), "agents that do not end: {left:?}");
        }
    }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}
