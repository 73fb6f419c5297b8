//! The scripted Messages API, as a process of its own on a free port.

use crate::program;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running scripted API; it ends with this value.
pub struct ScriptedApi {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    child: Child,
}

impl ScriptedApi {
    /// Starts one.
    pub fn start() -> ScriptedApi {
        let mut child = Command::new(program("scripted-api"))
            .args(["--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the scripted API starts");
        let mut url = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut url).expect("it says where it is");
        ScriptedApi { url: url.trim().to_owned(), child }
    }
}

impl Drop for ScriptedApi {
    fn drop(&mut self) {
        self.child.kill().expect("the scripted API can be ended");
        self.child.wait().expect("it ends");
    }
}
