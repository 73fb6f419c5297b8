//! The journal of a real systemd, read by our child. These need a user manager that may be
//! played with, such as scripts/systemd-lab boots; they run only where PARACHUTE_LAB is set, and
//! say so elsewhere.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "the test plays the person at the keyboard")]

use parachute_host::logs::{Entry, Journal, LogError, Reader, Source, Wanted};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::fs;
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
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

/// A unit that has said something and is still there: journald asks the kernel which unit a
/// process belongs to only after it spoke, and gets no answer for one that is gone.
struct Unit {
    name: String,
    _said: TempDir,
}

impl Unit {
    /// Writes lines to its standard output.
    fn say(name: &str, more: &[&str], lines: &[&str]) -> Unit {
        let lines: Vec<String> = lines.iter().map(|line| format!("echo '{line}'")).collect();
        Unit::script(name, more, &lines.join("; "))
    }

    /// Writes `line 1`, `line 2`, and so on, as fast as it can.
    fn flood(name: &str) -> Unit {
        let each = "i=$((i + 1)); echo \"line $i\"";
        Unit::script(name, &[], &format!("i=0; while [ $i -lt {FLOOD} ]; do {each}; done"))
    }

    /// What the shell does by itself: another program would be gone too soon.
    fn script(name: &str, more: &[&str], script: &str) -> Unit {
        let said = tempfile::tempdir().unwrap();
        let file = said.path().join("script");
        fs::write(&file, format!("{script}; exec sleep infinity")).unwrap();
        Unit::run(name, more, &["sh", file.to_str().unwrap()], said)
    }

    /// Writes entries with fields of its own.
    fn enter(name: &str, more: &[&str], entries: &[&[u8]]) -> Unit {
        let said = tempfile::tempdir().unwrap();
        for (number, entry) in entries.iter().enumerate() {
            fs::write(said.path().join(number.to_string()), entry).unwrap();
        }
        let folder = format!("--setenv=ENTRIES={}", said.path().display());
        let program = std::env::current_exe().unwrap();
        let program = [program.to_str().unwrap(), "--exact", "stand_in", "--ignored"];
        let quiet = ["--property=StandardOutput=null", &folder];
        Unit::run(name, more, &[&quiet[..], &program].concat(), said)
    }

    fn run(name: &str, more: &[&str], words: &[&str], said: TempDir) -> Unit {
        let mut command = Command::new("systemd-run");
        command.args(["--user", "--quiet", "--collect", "--unit", name]).args(more).args(words);
        assert!(command.status().unwrap().success(), "{name}");
        Unit { name: name.to_owned(), _said: said }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let mut command = Command::new("systemctl");
        let stopped = command.args(["--user", "stop", &self.name]).status();
        assert!(stopped.unwrap().success(), "{}", self.name);
    }
}

/// What `Unit::enter` runs.
#[test]
#[ignore = "it is the program of a unit"]
fn stand_in() {
    let Some(folder) = std::env::var_os("ENTRIES") else { return };
    let journal = UnixDatagram::unbound().unwrap();
    journal.connect("/run/systemd/journal/socket").unwrap();
    for number in 0.. {
        let Ok(entry) = fs::read(Path::new(&folder).join(number.to_string())) else { break };
        if entry.len() < 100_000 {
            journal.send(&entry).unwrap();
        } else {
            send_as_file(&journal, &entry);
        }
    }
    loop {
        std::thread::park();
    }
}

/// What is too long for a datagram is sent as a file that nobody can change any more.
fn send_as_file(journal: &UnixDatagram, entry: &[u8]) {
    let file = rustix::fs::memfd_create("entry", MemfdFlags::ALLOW_SEALING).unwrap();
    let mut file = fs::File::from(file);
    file.write_all(entry).unwrap();
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals).unwrap();
    let files = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
    rustix::net::sendmsg(journal, &[], &mut control, SendFlags::empty()).unwrap();
}

/// The number of a line of the flood.
fn number(entry: &Entry) -> Option<usize> {
    entry.message.strip_prefix("line ")?.parse().ok()
}

/// Reads until this was said.
async fn until(reader: &mut Reader, message: &str) -> Vec<Entry> {
    let mut heard: Vec<Entry> = Vec::new();
    while !heard.iter().any(|entry| entry.message == message) {
        heard.extend_from_slice(reader.next().await.unwrap().unwrap());
    }
    heard
}

#[tokio::test]
async fn lines_at_full_speed_come_complete_and_in_order() {
    let Some(lab) = Lab::open() else { return };
    let name = "parachute-test-flood.service";
    let mut reader = lab.source.open(&lab.wanted(&[name])).unwrap();
    let _unit = Unit::flood(name);
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
    let _unit = Unit::flood(name);
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
    let (name, other) = ("parachute-test-past.service", "parachute-test-on.service");
    let wanted = lab.wanted(&[name, other]);
    let mut reader = lab.source.open(&wanted).unwrap();
    let _unit = Unit::say(name, &[], &["one", "two", "three"]);
    until(&mut reader, "three").await;
    let mut reader = lab.source.open(&Wanted { backwards: true, ..wanted.clone() }).unwrap();
    let mut past = Vec::new();
    while let Some(more) = reader.next().await.unwrap() {
        past.extend(more.iter().filter(|e| e.program.as_deref() != Some("systemd")).cloned());
    }
    let anchor = reader.anchor().unwrap().to_owned();
    let said: Vec<&str> = past.iter().map(|entry| entry.message.as_str()).collect();
    assert_eq!(said, ["three", "two", "one"]);

    let mut reader = lab.source.open(&Wanted { after: Some(anchor), ..wanted.clone() }).unwrap();
    let _entered = Unit::enter(other, &[], &[b"MESSAGE=four\nPRIORITY=6\n"]);
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
    let (begun, last) = (format!("MESSAGE=begun\n{fields}"), format!("MESSAGE=last\n{fields}"));
    let entries: [&[u8]; 3] =
        [b"MESSAGE=none of that\n", b"MESSAGE=other\nPARACHUTE_SESSION=test-q\n", begun.as_bytes()];
    let _server = Unit::enter(server, &[], &entries);
    let mut heard = until(&mut everything, "begun").await;
    let slice = "--slice=parachute-agents.slice";
    let cli = Unit::say(agent, &[slice], &["from the CLI"]);
    heard.extend(until(&mut everything, "from the CLI").await);
    drop(cli);
    let _agent = Unit::enter(agent, &[slice], &[last.as_bytes()]);
    heard.extend(until(&mut everything, "last").await);

    let from_cli = |e: &&Entry| e.message == "from the CLI";
    let by_programs = |heard: &[Entry]| {
        let said = heard.iter().filter(|e| e.program.as_deref() != Some("systemd"));
        said.map(|e| e.message.clone()).collect::<Vec<_>>()
    };
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
    let long = format!("MESSAGE={}\n", "x".repeat(3 << 20));
    let odd = b"MESSAGE=a\xff\x1b[1mb\nPARACHUTE_X=1\nPARACHUTE_X=2\n";
    let _unit = Unit::enter(name, &[], &[long.as_bytes(), odd, b"MESSAGE=end\n"]);
    let heard = until(&mut reader, "end").await;
    let long = heard.iter().find(|e| e.message.contains("more than 1024 KiB")).unwrap();
    let odd = heard.iter().find(|e| e.message == "a\u{fffd}b").unwrap();
    assert_eq!(odd.fields["x"], serde_json::json!(["1", "2"]));
    let after = Wanted { after: Some(long.cursor.clone()), ..lab.wanted(&[name]) };
    let mut reader = lab.source.open(&after).unwrap();
    let rest = until(&mut reader, "end").await;
    assert!(rest.iter().all(|e| !e.message.contains("more than 1024 KiB")));
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
    let name = "parachute-test-left.service";
    let wanted = lab.wanted(&[name]);
    let mut readers: Vec<Reader> = (0..3).map(|_| lab.source.open(&wanted).unwrap()).collect();
    let _unit = Unit::say(name, &[], &["here"]);
    for reader in &mut readers {
        until(reader, "here").await;
    }
    let folder = lab.folder.path().join("journal/1");
    let children = children(&folder);
    assert_eq!(children.len(), 3);
    assert!(folder.join("changed").exists());
    drop(readers);
    // Each look lets the runtime take leave of those that ended; a dead one is there until then.
    while children.iter().any(|process| process.exists()) {
        tokio::task::yield_now().await;
    }
    assert!(!folder.exists());
}

/// The processes with this folder among their arguments.
fn children(folder: &Path) -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let folder = folder.display().to_string();
    let watches = |process: &PathBuf| {
        let command = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
        command.split('\0').any(|word| word == folder)
    };
    processes.filter(watches).collect()
}
