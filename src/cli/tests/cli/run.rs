//! One run of the program, in a house of its own.

use crate::stub::{Answer, Heard, Piece, Stub};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The session of the canned turns.
pub(crate) const SESSION: &str = "00000000-0000-4000-8000-000000000001";

/// Where the sockets belong in a home whose `XDG_RUNTIME_DIR` is `run`.
const RUNTIME: &str = match cfg!(target_os = "macos") {
    true => "Library/Parachute/run",
    false => "run/parachute",
};

/// Puts the program at another place, for what it looks for beside itself. A link where that can
/// be: a file just written may still be open in a child of another test's thread, and is then not
/// run. Where the place is of another file system, as under scripts/test, each test is a process.
pub(crate) fn lay(program: &std::path::Path) {
    let built = env!("CARGO_BIN_EXE_parachute");
    let linked = std::fs::hard_link(built, program);
    linked.or_else(|_| std::fs::copy(built, program).map(drop)).unwrap();
}

/// A home with a runtime folder, removed at the end.
pub(crate) struct House {
    dir: TempDir,
}

impl House {
    /// With nothing in it.
    pub(crate) fn new() -> House {
        House::in_dir(TempDir::new().unwrap())
    }

    /// The same, in a folder that is not for temporary files.
    pub(crate) fn lasting() -> House {
        House::in_dir(TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn in_dir(dir: TempDir) -> House {
        std::fs::create_dir_all(dir.path().join(RUNTIME)).unwrap();
        House { dir }
    }

    /// Where the server's socket belongs.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join(RUNTIME).join("server.sock")
    }

    /// Where the supervisor's socket belongs.
    pub(crate) fn supervisor_socket(&self) -> PathBuf {
        self.dir.path().join(RUNTIME).join("supervisor.sock")
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A server at its socket.
    pub(crate) fn serve(
        &self,
        script: impl Fn(&Heard, usize) -> Answer + Send + Sync + 'static,
    ) -> Stub {
        Stub::at(&self.socket(), script)
    }

    /// A supervisor at its socket.
    pub(crate) fn oversee(
        &self,
        script: impl Fn(&Heard, usize) -> Answer + Send + Sync + 'static,
    ) -> Stub {
        Stub::at(&self.supervisor_socket(), script)
    }

    /// The program with these arguments, its output kept, its input null.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_parachute").as_ref(), args)
    }

    /// The same, under another path.
    pub(crate) fn command_of(&self, program: &std::path::Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().current_dir(self.dir.path());
        command.env("HOME", self.dir.path()).env("XDG_RUNTIME_DIR", self.path("run"));
        // Somebody may have the usual one.
        command.env("PATH", "/usr/bin:/bin").env("SUPERVISOR_PORT", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// Runs it with this on its standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().into()
    }
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// A run that is under way, and is ended with the test if it is still.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An event as the wire has it.
pub(crate) fn event(id: u64, event: &Value) -> Piece {
    Piece::Say(format!("id: {id}\ndata: {event}\n\n").into())
}

/// A piece of the answer.
pub(crate) fn text(id: u64, delta: &str) -> Piece {
    event(id, &json!({"type": "text", "delta": delta}))
}

/// The first event of a turn.
pub(crate) fn session(id: u64) -> Piece {
    let resume = json!({"method": "new", "is_new_session": true, "previous_message_count": 0,
        "sdk_session_available": false});
    event(
        id,
        &json!({"type": "session", "sessionId": SESSION, "workingDirectory": null,
            "resumeInfo": resume, "sessionResume": resume, "trustLevel": "trusted",
            "trust": "full", "title": null, "turnId": "00000000-0000-4000-8000-00000000000a"}),
    )
}

/// The last event of a turn that ended well.
pub(crate) fn done(id: u64) -> Piece {
    event(
        id,
        &json!({"type": "done", "response": "", "sessionId": SESSION, "workingDirectory": null,
            "messageCount": 2, "model": "scripted", "durationMs": 1500, "spawned": [],
            "toolCalls": null, "permissionDenials": null, "sessionResume": null, "title": "T",
            "usage": {"inputTokens": 1, "outputTokens": 2, "cacheReadTokens": 0,
                "cacheWriteTokens": 0, "costUsd": null, "totalCostUsd": null}}),
    )
}
