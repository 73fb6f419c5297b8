//! The config: what each source may say, which one counts, and what an edit leaves alone.

mod changes;
mod crowd;
mod edits;
mod loads;
mod random;
mod shown;
mod values;

use super::{Loaded, Sources, load};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A home, a current directory and a state directory of its own.
struct Place {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap(), environment: Vec::new() };
        for name in ["home", "cwd"] {
            fs::create_dir(place.path(name)).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The config of the vault that is found when nothing else is said.
    fn config(&self, text: &str) {
        self.write("home/Parachute/.parachute/config.yaml", text);
    }

    fn env(&mut self, name: &str, value: &str) {
        self.environment.push((name.into(), value.into()));
    }

    fn sources(&self) -> Sources {
        Sources {
            environment: self.environment.iter().cloned().collect(),
            cwd: self.path("cwd"),
            home: self.path("home"),
            state: Some(self.path("state")),
        }
    }

    fn load(&self) -> Loaded {
        load(&self.sources())
    }
}
