//! The journal of a real systemd, read by our child. These need a user manager that may be
//! played with, such as scripts/systemd-lab boots; they run only where PARACHUTE_LAB is set, and
//! say so elsewhere.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the test plays the person at the keyboard")]

use parachute_host::logs::{Entry, Journal, LogError, Reader, Source, Wanted};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Lines of the unit that writes as fast as it can.
const FLOOD: usize = 100_000;

struct Lab {
    source: Source,
    folder: TempDir,
    began_us: u64,
}

impl Lab {
    fn open() -> Option<Lab> {
        if std::env::var_os("PARACHUTE_LAB").is_none() {
            eprintln!("not run: it wants a journal of its own (PARACHUTE_LAB is not set)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Journal(Journal::new(folder.path()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Some(Lab { source, folder, began_us: now.as_micros().try_into().unwrap() })
    }

    /// What these units say from now on.
    fn wanted(&self, units: &[&str]) -> Wanted {
        Wanted {
            units: units.iter().map(|unit| (*unit).to_owned()).collect(),
            since_us: Some(self.began_us),
            follow: true,
            ..Wanted::default()
        }
    }
}

/// Runs a program as a unit, to its end; what it writes goes to the journal.
fn unit(name: &str, words: &[&str]) {
    let mut command = Command::new("systemd-run");
    command.args(["--user", "--quiet", "--wait", "--collect", "--unit", name]);
    assert!(command.args(words).status().unwrap().success(), "{name}");
}

/// Has a unit write an entry with fields of its own.
fn entry(name: &str, more: &[&str], fields: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), fields).unwrap();
    let from = format!("--journald={}", file.path().display());
    unit(name, &[more, &["logger", &from]].concat());
}

fn flood(name: &str) {
    let mut command = Command::new("systemd-run");
    command.args(["--user", "--quiet", "--collect", "--unit", name]);
    let lines = FLOOD.to_string();
    assert!(command.args(["seq", "-f", "line %.0f", &lines]).status().unwrap().success());
}

/// The number of a line of the flood.
fn number(entry: &Entry) -> Option<usize> {
    entry.message.strip_prefix("line ")?.parse().ok()
}

async fn until(reader: &mut Reader, last: &str) -> Vec<Entry> {
    let mut heard: Vec<Entry> = Vec::new();
    while heard.last().is_none_or(|entry| entry.message != last) {
        heard.extend_from_slice(reader.next().await.unwrap().unwrap());
    }
    heard
}

#[tokio::test]
async fn lines_at_full_speed_come_complete_and_in_order() {
    let Some(lab) = Lab::open() else { return };
    let name = "parachute-test-flood.service";
    let mut reader = lab.source.open(&lab.wanted(&[name])).unwrap();
    flood(name);
    let mut next = 1;
    while next <= FLOOD {
        for number in reader.next().await.unwrap().unwrap().iter().filter_map(number) {
            assert_eq!(number, next);
            next += 1;
        }
    }
}

#[tokio::test]
async fn however_often_one_leaves_the_rest_comes_after_the_cursor() {
    let Some(lab) = Lab::open() else { return };
    let name = "parachute-test-cut.service";
    let mut wanted = lab.wanted(&[name]);
    flood(name);
    let (mut next, mut chance) = (1, lab.began_us);
    let mut cuts = 0;
    while next <= FLOOD {
        let mut reader = lab.source.open(&wanted).unwrap();
        // A generator of Knuth's; somewhere within the next 800 lines.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let cut = if cuts < 200 { (chance >> 33) as usize % 800 } else { usize::MAX };
        cuts += 1;
        let mut heard = 0;
        'heard: while next <= FLOOD {
            for entry in reader.next().await.unwrap().unwrap() {
                wanted.after = Some(entry.cursor.clone());
                if let Some(number) = number(entry) {
                    assert_eq!(number, next, "after {cuts} cuts");
                    next += 1;
                }
                heard += 1;
                if heard > cut {
                    break 'heard;
                }
            }
        }
    }
    assert!(cuts > 200, "{cuts}");
}

#[tokio::test]
async fn what_there_is_is_read_backwards_and_then_on() {
    let Some(lab) = Lab::open() else { return };
    let name = "parachute-test-past.service";
    unit(name, &["printf", "%s\\n", "one", "two", "three"]);
    // Written when the unit ends; by then the manager has all of its output read.
    let wanted = lab.wanted(&[name]);
    let mut reader = lab.source.open(&Wanted { backwards: true, ..wanted.clone() }).unwrap();
    let mut past = Vec::new();
    while let Some(more) = reader.next().await.unwrap() {
        past.extend(more.iter().filter(|e| e.program.as_deref() == Some("printf")).cloned());
    }
    let anchor = reader.anchor().unwrap().to_owned();
    let said: Vec<&str> = past.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(said, ["three", "two", "one"]);

    let mut reader = lab.source.open(&Wanted { after: Some(anchor), ..wanted.clone() }).unwrap();
    unit(name, &["printf", "%s\\n", "four"]);
    let heard = until(&mut reader, "four").await;
    assert!(heard.iter().all(|e| !said.contains(&e.message.as_str())), "{heard:?}");

    let after = Some(past[2].cursor.clone());
    let rest = Wanted { after, follow: false, priority: Some(6), ..wanted };
    let mut reader = lab.source.open(&rest).unwrap();
    let rest = until(&mut reader, "four").await;
    let rest: Vec<&str> = rest.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(rest[..2], ["two", "three"]);
}

#[tokio::test]
async fn a_session_is_followed_through_all_units_and_agents_to_come() {
    let Some(lab) = Lab::open() else { return };
    let (server, agent) = ("parachute-test-session.service", "parachute-agent@test-s.service");
    let all = Wanted { agents: true, ..lab.wanted(&[server]) };
    let mut everything = lab.source.open(&all).unwrap();
    let session = Wanted { session: Some("test-s".into()), ..all.clone() };
    let mut session = lab.source.open(&session).unwrap();
    let turn = Wanted { turn: Some("test-t".into()), ..all };
    let mut turn = lab.source.open(&turn).unwrap();

    let fields =
        "PRIORITY=4\nPARACHUTE_SESSION=test-s\nPARACHUTE_TURN=test-t\nPARACHUTE_ERROR=gone\n";
    entry(server, &[], b"MESSAGE=none of that\n");
    entry(server, &[], b"MESSAGE=other\nPARACHUTE_SESSION=test-q\n");
    entry(server, &[], format!("MESSAGE=begun\n{fields}").as_bytes());
    let slice = "--slice=parachute-agents.slice";
    unit(agent, &[slice, "echo", "from the CLI"]);
    entry(agent, &[slice], format!("MESSAGE=last\n{fields}").as_bytes());

    let from_cli = |e: &&Entry| e.message == "from the CLI";
    let by_programs = |heard: &[Entry]| {
        let said = heard.iter().filter(|e| e.program.as_deref() != Some("systemd"));
        said.map(|e| e.message.clone()).collect::<Vec<_>>()
    };
    let heard = until(&mut everything, "last").await;
    let in_order = ["none of that", "other", "begun", "from the CLI", "last"];
    assert_eq!(by_programs(&heard), in_order);
    let managers = heard.iter().find(|e| e.message.starts_with("Started parachute-agent@test-s"));
    assert_eq!(managers.unwrap().unit.as_deref(), Some(agent));
    let cli = heard.iter().find(from_cli).unwrap();
    assert_eq!((cli.unit.as_deref(), cli.session.as_deref()), (Some(agent), Some("test-s")));
    let begun = heard.iter().find(|e| e.message == "begun").unwrap();
    assert_eq!((begun.unit.as_deref(), begun.priority), (Some(server), Some(4)));
    assert_eq!(begun.turn.as_deref(), Some("test-t"));
    assert_eq!(begun.fields["error"], "gone");

    let heard = until(&mut session, "last").await;
    assert_eq!(by_programs(&heard), ["begun", "from the CLI", "last"]);
    assert!(heard.iter().any(|e| e.message.starts_with("Started parachute-agent@test-s")));
    let heard = until(&mut turn, "last").await;
    assert_eq!(by_programs(&heard), ["begun", "last"]);
}

#[tokio::test]
async fn an_entry_may_be_anything() {
    let Some(lab) = Lab::open() else { return };
    let name = "parachute-test-odd.service";
    let mut reader = lab.source.open(&lab.wanted(&[name])).unwrap();
    entry(name, &[], format!("MESSAGE={}\n", "x".repeat(3 << 20)).as_bytes());
    entry(name, &[], b"MESSAGE=a\xff\x1b[1mb\nPARACHUTE_X=1\nPARACHUTE_X=2\n");
    unit(name, &["echo", "end"]);
    let heard = until(&mut reader, "end").await;
    let long = heard.iter().find(|e| e.message.contains("more than 1024 KiB")).unwrap();
    let odd = heard.iter().find(|e| e.message == "a\u{fffd}b").unwrap();
    assert_eq!(odd.fields["x"], serde_json::json!(["1", "2"]));
    // One resumes after it as after any other, if its cursor was found.
    if !long.cursor.is_empty() {
        let after = Wanted { after: Some(long.cursor.clone()), ..lab.wanted(&[name]) };
        let mut reader = lab.source.open(&after).unwrap();
        let rest = until(&mut reader, "end").await;
        assert!(rest.iter().all(|e| !e.message.contains("more than 1024 KiB")));
    }
}

#[tokio::test]
async fn what_journalctl_refuses_is_said_in_its_words() {
    let Some(lab) = Lab::open() else { return };
    let wanted = Wanted { boot: Some("-999".into()), ..lab.wanted(&["x.service"]) };
    match lab.source.open(&wanted).unwrap().next().await {
        Err(LogError::Broke(said)) => assert!(said.contains("boot"), "{said}"),
        other => panic!("{other:?}"),
    }
    let wanted = Wanted { after: Some("t=zz".into()), ..wanted };
    assert!(matches!(lab.source.open(&wanted), Err(LogError::Unlawful(_))));
}

#[tokio::test]
async fn whoever_leaves_leaves_no_child_and_no_folder_behind() {
    let Some(lab) = Lab::open() else { return };
    let wanted = lab.wanted(&["parachute-test-left.service"]);
    unit("parachute-test-left.service", &["echo", "here"]);
    let mut readers: Vec<Reader> = (0..3).map(|_| lab.source.open(&wanted).unwrap()).collect();
    for reader in &mut readers {
        until(reader, "here").await;
    }
    assert_eq!(children().len(), 3);
    assert!(lab.folder.path().join("journal/1/changed").exists());
    drop(readers);
    // Each look lets the runtime take leave of those that ended.
    while !children().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fs::read_dir(lab.folder.path().join("journal")).unwrap().count(), 0);
}

/// Our children, dead ones that nobody waited for among them, by process id.
fn children() -> BTreeMap<u32, PathBuf> {
    let own = std::process::id().to_string();
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if parent == Some(own.as_str()) {
            found.insert(pid, entry.path());
        }
    }
    found
}
