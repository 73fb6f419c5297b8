//! A program that is killed while it changes the config: the file is the old one or the new one,
//! and what was half written is cleared away by the next change.
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the test kills programs that change its file")]

use parachute_config::settings::{Asked, change, show_file};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const KILLS: usize = 100;
/// Most that a writer lives after its first change, in microseconds; several changes long.
const LIFE_MICROS_MAX: u64 = 20_000;
/// Comments of the file, and the length of each: several pages of the disk.
const LINES: usize = 60;
const COLUMNS: usize = 500;
/// How often a writer changes the file that nobody kills.
const CHANGES_MAX: u64 = 20_000;
const FILE: &str = "KILLED_TEST_FILE";

/// The whole file after the change of this number.
fn text(number: u64) -> String {
    let words = "what its owner says ".repeat(COLUMNS / 20);
    let rest: String = (0..LINES).map(|line| format!("# {line}: {words}\n")).collect();
    format!(
        "port: {number} # one\n{rest}idle_exit_seconds: {number}\nlist: [a, 'b']\n\n\
         default_model: claude-{number}\n"
    )
}

fn number(path: &Path) -> u64 {
    show_file(path).values["port"].as_u64().unwrap()
}

fn change_to(path: &Path, number: u64) {
    let model = format!("claude-{number}");
    let values = json!({ "port": number, "idle_exit_seconds": number, "default_model": model });
    let Value::Object(values) = values else { unreachable!() };
    let asked = Asked { values: &values, only_if: None, known_models: &[], dry_run: false };
    change(path, &asked).unwrap();
}

#[test]
#[ignore = "run by the test below, as another process"]
fn the_writer() {
    let path = PathBuf::from(std::env::var_os(FILE).unwrap());
    for count in 0..CHANGES_MAX {
        change_to(&path, number(&path) % 60_000 + 1);
        // Nobody listens any longer.
        if count == 0 {
            eprintln!("written");
        }
    }
}

/// Ends with the test, whatever becomes of it.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Writer {
    /// One that has made its first change.
    fn start(path: &Path) -> Writer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "the_writer", "--ignored", "--nocapture"]).env(FILE, path);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut writer = Writer(command.spawn().unwrap());
        let said = BufReader::new(writer.0.stderr.take().unwrap());
        let first = said.lines().map(Result::unwrap).find(|line| line == "written");
        assert!(first.is_some(), "it ended before its first change");
        writer
    }
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, text(1)).unwrap();
    let names = || {
        let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let mut unfinished = 0;
    for round in 0..KILLS {
        let before = number(&path);
        let mut writer = Writer::start(&path);
        if round % 2 == 0 {
            let mut random = [0; 8];
            getrandom::fill(&mut random).unwrap();
            // Not to wait for anything: to kill it at any moment.
            thread::sleep(Duration::from_micros(u64::from_ne_bytes(random) % LIFE_MICROS_MAX));
        } else {
            // In the midst of writing, as nearly as can be.
            while names().len() == 2 {
                assert!(writer.0.try_wait().unwrap().is_none(), "it ended by itself");
            }
        }
        drop(writer);

        let now = number(&path);
        assert_ne!(now, before, "it had begun");
        assert_eq!(fs::read_to_string(&path).unwrap(), text(now), "neither old nor new");
        unfinished += names().len() - 2;
        change_to(&path, now + 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), text(now + 1));
        assert_eq!(names(), [".config.lock", "config.yaml"], "the rest is cleared away");
    }
    eprintln!("{KILLS} killed, {unfinished} of them in the midst of writing");
}
