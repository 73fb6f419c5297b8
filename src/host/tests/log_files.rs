//! Log files read as launchd and the direct mode leave them: from the end, and on, whatever is
//! done to them meanwhile.
#![allow(clippy::unwrap_used, reason = "a test")]

use parachute_host::logs::{Entry, LogError, LogFile, Reader, Source, Wanted};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

struct Logs {
    folder: TempDir,
    source: Source,
}

const UNITS: [&str; 2] = ["a.service", "b.service"];

impl Logs {
    fn new() -> Logs {
        let folder = tempfile::tempdir().unwrap();
        let file = |unit: &str| LogFile {
            unit: unit.to_owned(),
            path: folder.path().join(unit).with_extension("log"),
        };
        let source = Source::Files(UNITS.map(file).to_vec());
        Logs { folder, source }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let file = OpenOptions::new().append(true).create(true).open(self.path(name));
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// As logrotate does it.
    fn rotate(&self, name: &str) {
        for number in (1..9).rev() {
            let from = self.path(&format!("{name}.{number}"));
            if from.exists() {
                fs::rename(from, self.path(&format!("{name}.{}", number + 1))).unwrap();
            }
        }
        fs::rename(self.path(name), self.path(&format!("{name}.1"))).unwrap();
    }

    fn open(&self, wanted: Wanted) -> Reader {
        self.source.open(&wanted).unwrap()
    }

    /// From the end backwards: all there is, and the anchor.
    async fn past(&self, wanted: Wanted) -> (Vec<Entry>, String) {
        let mut reader = self.open(Wanted { backwards: true, ..wanted });
        let entries = all(&mut reader).await;
        (entries, reader.anchor().unwrap().to_owned())
    }
}

fn both() -> Wanted {
    Wanted { units: UNITS.map(str::to_owned).to_vec(), ..Wanted::default() }
}

fn following(after: &str) -> Wanted {
    Wanted { follow: true, after: Some(after.to_owned()).filter(|a| !a.is_empty()), ..both() }
}

async fn all(reader: &mut Reader) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some(more) = reader.next().await.unwrap() {
        entries.extend_from_slice(more);
    }
    entries
}

/// As many as that, from one that follows.
async fn some(reader: &mut Reader, count: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.len() < count {
        entries.extend_from_slice(reader.next().await.unwrap().unwrap());
    }
    entries
}

fn messages(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.message.as_str()).collect()
}

fn timed(second: usize, text: &str) -> String {
    format!("2026-01-01T00:{:02}:{:02}.000000Z  INFO x: {text}\n", second / 60, second % 60)
}

#[tokio::test]
async fn several_files_are_one_log_in_the_order_of_time() {
    let logs = Logs::new();
    logs.append("a.log.1", &timed(1, "one"));
    logs.append("a.log", &timed(3, "three"));
    logs.append("a.log", "  a word about three\n");
    logs.append("b.log", &(timed(2, "two") + &timed(4, "four")));
    let forwards = all(&mut logs.open(both())).await;
    let expected = ["one", "two", "three", "  a word about three", "four"];
    assert_eq!(messages(&forwards), expected);
    let (mut backwards, anchor) = logs.past(both()).await;
    backwards.reverse();
    assert_eq!(messages(&backwards), expected);
    assert_eq!(backwards.last().unwrap().cursor, anchor);
    // Both ways a cursor is a place from which exactly the rest comes.
    for (number, entry) in backwards.iter().enumerate() {
        let rest = Wanted { after: Some(entry.cursor.clone()), ..both() };
        let rest = all(&mut logs.open(rest)).await;
        assert_eq!(messages(&rest), expected[number + 1..], "after {number}");
    }
}

#[tokio::test]
async fn a_last_line_without_an_end_waits_for_it_if_somebody_follows() {
    let logs = Logs::new();
    logs.append("a.log", "whole\nhal");
    let (entries, _) = logs.past(both()).await;
    assert_eq!(messages(&entries), ["hal", "whole"]);
    assert_eq!(messages(&all(&mut logs.open(both())).await), ["whole", "hal"]);

    let (entries, anchor) = logs.past(following("")).await;
    assert_eq!(messages(&entries), ["whole"]);
    let mut reader = logs.open(following(&anchor));
    logs.append("a.log", "f\nmore\n");
    assert_eq!(messages(&some(&mut reader, 2).await), ["half", "more"]);
}

#[tokio::test]
async fn a_follower_goes_along_with_new_files_renames_copies_and_truncation() {
    let logs = Logs::new();
    let mut reader = logs.open(following(""));
    logs.append("b.log", "first\n");
    assert_eq!(messages(&some(&mut reader, 1).await), ["first"]);

    logs.append("b.log", "before it is renamed\n");
    logs.rotate("b.log");
    logs.append("b.log.1", "late\n");
    logs.append("b.log", "new\n");
    let heard = some(&mut reader, 3).await;
    assert_eq!(messages(&heard), ["before it is renamed", "late", "new"]);

    // Twice before anybody looks.
    logs.append("b.log", "A\n");
    logs.rotate("b.log");
    logs.append("b.log", "B\n");
    logs.rotate("b.log");
    logs.append("b.log", "C\n");
    assert_eq!(messages(&some(&mut reader, 3).await), ["A", "B", "C"]);

    logs.append("b.log", "copied\n");
    fs::remove_file(logs.path("b.log.1")).unwrap();
    fs::copy(logs.path("b.log"), logs.path("b.log.1")).unwrap();
    File::create(logs.path("b.log")).unwrap();
    logs.append("b.log", "D\n");
    assert_eq!(messages(&some(&mut reader, 2).await), ["copied", "D"]);

    File::create(logs.path("b.log")).unwrap();
    logs.append("b.log", "E\n");
    assert_eq!(messages(&some(&mut reader, 1).await), ["E"]);
}

#[tokio::test]
async fn a_place_holds_although_its_file_is_another_by_now() {
    let logs = Logs::new();
    logs.append("a.log", &(timed(1, "1") + &timed(2, "2") + &timed(3, "3")));
    let entries = all(&mut logs.open(both())).await;
    let after = &entries[1].cursor;
    let rest = || async {
        let wanted = Wanted { after: Some(after.clone()), ..both() };
        let rest = all(&mut logs.open(wanted)).await;
        messages(&rest).join(" ")
    };
    logs.rotate("a.log");
    assert_eq!(rest().await, "3");
    logs.append("a.log", &timed(4, "4"));
    assert_eq!(rest().await, "3 4");
    logs.rotate("a.log");
    logs.append("a.log", &timed(5, "5"));
    assert_eq!(rest().await, "3 4 5");
    // Gone: what is left is all that came after.
    fs::remove_file(logs.path("a.log.2")).unwrap();
    assert_eq!(rest().await, "4 5");
}

#[tokio::test]
async fn what_is_wanted_is_chosen() {
    let logs = Logs::new();
    logs.append("a.log", "2026-01-01T00:00:01Z ERROR x: bad session=s-1 turn=t-1\n");
    logs.append("a.log", "trace of s-1\n2026-01-01T00:00:02Z  INFO x: fine session=s-2\n");
    logs.append("b.log", "2026-01-01T00:00:03Z DEBUG x: detail turn=t-1\n");
    let second = 1_767_225_600_000_000;
    let chosen = |wanted: Wanted| {
        let logs = &logs;
        async move {
            let forwards = all(&mut logs.open(wanted.clone())).await;
            let (mut backwards, _) = logs.past(wanted).await;
            backwards.reverse();
            assert_eq!(messages(&forwards), messages(&backwards));
            forwards.iter().map(|e| e.message[..4].to_owned()).collect::<Vec<_>>().join(" ")
        }
    };
    let all = both();
    assert_eq!(chosen(Wanted { priority: Some(3), ..all.clone() }).await, "bad ");
    assert_eq!(chosen(Wanted { priority: Some(6), ..all.clone() }).await, "bad  trac fine");
    let session = Wanted { session: Some("s-1".into()), ..all.clone() };
    assert_eq!(chosen(session).await, "bad  trac");
    let turn = Wanted { turn: Some("t-1".into()), ..all.clone() };
    assert_eq!(chosen(turn).await, "bad  deta");
    let late = Wanted { since_us: Some(second + 2_000_000), ..all.clone() };
    assert_eq!(chosen(late).await, "fine deta");
    let early = Wanted { until_us: Some(second + 1_500_000), ..all.clone() };
    assert_eq!(chosen(early).await, "bad  trac");
    let one = Wanted { units: vec!["b.service".into()], ..all };
    assert_eq!(chosen(one).await, "deta");
}

#[tokio::test]
async fn a_line_without_end_is_not_kept() {
    let logs = Logs::new();
    logs.append("a.log", "before\n");
    logs.append("a.log", &"x".repeat(3 << 20));
    logs.append("a.log", "\nafter\n");
    let said = "(a line of more than 1024 KiB, which is not shown)";
    let forwards = all(&mut logs.open(both())).await;
    assert_eq!(messages(&forwards), ["before", said, "after"]);
    let (backwards, _) = logs.past(both()).await;
    assert_eq!(messages(&backwards), ["after", said, "before"]);
    let rest = Wanted { after: Some(forwards[1].cursor.clone()), ..both() };
    assert_eq!(messages(&all(&mut logs.open(rest)).await), ["after"]);
}

#[tokio::test]
async fn what_has_no_meaning_here_is_refused() {
    let logs = Logs::new();
    for wanted in [
        Wanted { boot: Some("0".into()), ..both() },
        Wanted { after: Some("s=1;i=1".into()), ..both() },
        Wanted { session: Some("a b".into()), ..both() },
        Wanted { units: vec!["../x".into()], ..both() },
        Wanted::default(),
    ] {
        assert!(matches!(logs.source.open(&wanted), Err(LogError::Unlawful(_))), "{wanted:?}");
    }
    fs::create_dir(logs.path("a.log")).unwrap();
    assert!(matches!(logs.source.open(&both()), Err(LogError::File { .. })));
}

/// What happens to a log file between two looks.
#[derive(Clone, Debug)]
enum Act {
    Write(usize),
    WriteHalf,
    Rotate,
    Copy,
    Resume,
    Read,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1usize..40).prop_map(Act::Write),
        1 => Just(Act::WriteHalf),
        1 => Just(Act::Rotate),
        1 => Just(Act::Copy),
        2 => Just(Act::Resume),
        2 => Just(Act::Read),
    ];
    prop::collection::vec(act, 1..24)
}

/// Does it all, and reads it all; the lines written and the lines read.
async fn acted(acts: Vec<Act>) -> (Vec<String>, Vec<String>) {
    let logs = Logs::new();
    let (mut written, mut heard): (Vec<String>, Vec<String>) = Default::default();
    let (mut after, mut rotations, mut reader) = (String::new(), 0, logs.open(following("")));
    for act in acts {
        match act {
            Act::Write(count) => {
                let mut text = String::new();
                for _ in 0..count {
                    let line = format!("line {} {}", written.len(), "-".repeat(written.len() % 90));
                    writeln!(text, "{line}").unwrap();
                    written.push(line);
                }
                logs.append("a.log", &text);
            }
            Act::WriteHalf => {
                logs.append("a.log", &format!("line {}", written.len()));
                logs.append("a.log", " in two\n");
                written.push(format!("line {} in two", written.len()));
            }
            // More than are kept would lose lines, as they should.
            Act::Rotate | Act::Copy if rotations == 8 || !logs.path("a.log").exists() => {}
            Act::Rotate => {
                rotations += 1;
                logs.rotate("a.log");
            }
            Act::Copy => {
                rotations += 1;
                logs.rotate("a.log");
                // The same file stays the one that is written to, empty.
                let copy = logs.path("copy");
                fs::copy(logs.path("a.log.1"), &copy).unwrap();
                fs::rename(logs.path("a.log.1"), logs.path("a.log")).unwrap();
                fs::rename(copy, logs.path("a.log.1")).unwrap();
                File::create(logs.path("a.log")).unwrap();
            }
            Act::Resume => reader = logs.open(following(&after)),
            Act::Read if heard.len() < written.len() => {
                for entry in reader.next().await.unwrap().unwrap() {
                    heard.push(entry.message.clone());
                    after.clone_from(&entry.cursor);
                }
            }
            Act::Read => {}
        }
    }
    while heard.len() < written.len() {
        let more = some(&mut reader, 1).await;
        heard.extend(more.iter().map(|entry| entry.message.clone()));
    }
    (written, heard)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_lost_or_told_twice(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let limit = std::time::Duration::from_secs(20);
        let told = runtime.block_on(async { tokio::time::timeout(limit, acted(acts)).await });
        let (written, heard) = told.expect("lines are missing");
        prop_assert_eq!(written, heard);
    }

    #[test]
    fn backwards_is_the_other_way_round(
        lines in prop::collection::vec("[a-z]{0,30}", 0..200),
        long in prop::option::of(60_000usize..140_000),
        ended: bool,
    ) {
        let logs = Logs::new();
        let mut text = lines.join("\n");
        if let Some(long) = long {
            text.push_str(&"y".repeat(long));
        }
        if ended {
            text.push('\n');
        }
        logs.append("a.log", &text);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (forwards, (mut backwards, _)) = runtime.block_on(async {
            (all(&mut logs.open(both())).await, logs.past(both()).await)
        });
        backwards.reverse();
        prop_assert_eq!(messages(&forwards), messages(&backwards));
        let lines: Vec<&str> = text.lines().collect();
        let cut = |text: &str| text.chars().take(60_000).collect::<String>();
        let told: Vec<String> = forwards.iter().map(|e| cut(&e.message)).collect();
        prop_assert_eq!(lines.into_iter().map(cut).collect::<Vec<_>>(), told);
    }
}
