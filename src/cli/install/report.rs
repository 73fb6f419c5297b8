//! What an installation did, said as it does it, or at its end as JSON.

use crate::args::Json;
use crate::manager::{self, View};
use crate::term::{Ink, line, print, print_json, width};
use serde_json::{Value, json};
use std::io;
use std::path::Path;

/// What was done so far.
pub(super) struct Report {
    json: bool,
    files: Vec<Value>,
    changed: bool,
}

impl Report {
    /// Of nothing yet.
    pub(super) fn new(args: Json) -> Report {
        Report { json: args.json, files: Vec::new(), changed: false }
    }

    /// What became of a file: `wrote`, `unchanged` or `removed`.
    pub(super) fn did(&mut self, what: &str, path: &Path) -> io::Result<()> {
        self.changed |= what != "unchanged";
        self.files.push(json!({ "path": path, "did": what }));
        let head = format!("{what}:");
        self.print(&format!("{head:10} {}\n", line(&path.display().to_string())))
    }

    /// Whether any file is not as it was.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// A line for a person.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        self.print(&format!("{text}\n"))
    }

    fn print(&self, text: &str) -> io::Result<()> {
        if self.json { Ok(()) } else { print(text) }
    }

    /// How the units are now; none where no manager answers.
    pub(super) fn end(&self, view: Option<&View>) -> io::Result<()> {
        if self.json {
            return print_json(&json!({
                "manager": view.map(|_| manager::NAME),
                "files": self.files,
                "units": view.map_or(Value::Array(Vec::new()), View::json),
            }));
        }
        match view {
            Some(view) if view.installed() => print(&view.table(width(), Ink::out())),
            _ => Ok(()),
        }
    }
}
