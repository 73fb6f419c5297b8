//! The scripted MCP server over HTTP, as a process of its own on a free port; and real ones.

use crate::program;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running scripted MCP server; it ends with this value.
pub struct ScriptedMcp {
    /// `http://127.0.0.1:PORT/mcp`.
    pub url: String,
    child: Child,
}

impl ScriptedMcp {
    /// Starts one with these words.
    pub fn start(words: &[&str]) -> ScriptedMcp {
        let mut child = Command::new(program("scripted-mcp"))
            .arg("--http")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the scripted MCP server starts");
        let mut url = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut url).expect("it says where it is");
        ScriptedMcp { url: url.trim().to_owned(), child }
    }
}

impl Drop for ScriptedMcp {
    fn drop(&mut self) {
        self.child.kill().expect("the scripted MCP server can be ended");
        self.child.wait().expect("it ends");
    }
}

/// The reference server that scripts/test provides, a script for node; None where there is none.
pub fn real_mcp() -> Option<PathBuf> {
    std::env::var_os("MCP_EVERYTHING").map(PathBuf::from).filter(|path| path.is_file())
}
