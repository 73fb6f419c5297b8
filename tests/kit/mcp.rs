//! The scripted MCP server over HTTP, as a process of its own on a free port; and real ones.

use crate::program;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
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

/// The reference server that scripts/test provides, a program for node; None where there is none.
pub fn real_mcp() -> Option<PathBuf> {
    std::env::var_os("MCP_EVERYTHING").map(PathBuf::from).filter(|path| path.is_file())
}

/// The reference server over HTTP; it ends with this value.
pub struct RealMcp {
    port: u16,
    child: Child,
}

impl RealMcp {
    /// Starts it in a way of its own: `streamableHttp` or `sse`. None where there is none.
    pub fn start(way: &str) -> Option<RealMcp> {
        let server = real_mcp()?;
        // It takes no socket, so somebody may take the port before it does.
        (0..10).find_map(|_| {
            let free = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = free.local_addr().expect("bound").port();
            drop(free);
            let mut child = Command::new("node")
                .arg(&server)
                .arg(way)
                .env("PORT", port.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("node starts");
            let said = BufReader::new(child.stderr.take().expect("piped"));
            let mut lines = said.lines().map_while(Result::ok);
            let serves = lines.any(|line| line.contains("on port"));
            // It speaks on; nobody would read it, so nobody shall wait for it to be read.
            std::thread::spawn(move || lines.for_each(drop));
            let started = RealMcp { port, child };
            serves.then_some(started)
        })
    }

    /// Where it is.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }
}

impl Drop for RealMcp {
    fn drop(&mut self) {
        // One that could not have its port has ended by itself.
        let _ = self.child.kill();
        self.child.wait().expect("it ends");
    }
}
