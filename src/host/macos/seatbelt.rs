//! A [`View`](crate::confine::View) as a profile of sandbox-exec(1), in its Scheme-like words:
//! everything is denied, what is shown is allowed, what covers something is denied again. Of two
//! rules that fit, the later one counts.
//!
//! There are no name spaces on macOS: a place cannot come from elsewhere, what is covered is
//! refused rather than absent, and the way out is a port of this machine.

use super::{Place, Shows, View};
use std::fmt::Write;
use std::path::Path;

/// What every program needs to start: the linker's caches, randomness, its own processes.
const BASE: &str = "\
(version 1)
(deny default)
(import \"system.sb\")
(allow process-fork)
(allow process-exec)
(allow signal (target same-sandbox))
(allow process-info* (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
";

/// The profile's text.
pub(crate) fn profile(view: &View) -> String {
    let mut text = BASE.to_owned();
    let mut places: Vec<&Place> = view.places.iter().collect();
    // What is inside comes after what it is in.
    places.sort_by_key(|place| place.at.components().count());
    for place in places {
        let (verb, what) = match &place.shows {
            Shows::Readable => ("allow", "file-read*"),
            Shows::Writable | Shows::From(_) => ("allow", "file-read* file-write*"),
            Shows::Nothing => ("deny", "file-read* file-write*"),
        };
        let path = quoted(&place.at);
        writeln!(text, "({verb} {what} (subpath {path}))").expect("a String takes it");
        if place.shows == Shows::Readable {
            writeln!(text, "(deny file-write* (subpath {path}))").expect("a String takes it");
        }
    }
    if let Some(way) = &view.way_out {
        let out = format!("(allow network-outbound (remote tcp \"localhost:{}\"))", way.port);
        writeln!(text, "{out}").expect("a String takes it");
    }
    text
}

/// A path as a string of the profile's language.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{text}\"")
}
