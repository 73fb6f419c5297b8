//! Streams cut anywhere, garbage, and files that are larger than memory: nothing panics, what was
//! whole is told, and no more is held than a conversation may have.

use parachute_imports::export::{envelope, read, read_file};
use parachute_imports::session::{facts, messages};
use parachute_imports::{Bounds, Found, Stopped};
use proptest::prelude::*;
use std::io::{self, BufReader, Cursor, Read, Write};
use std::ops::ControlFlow;
use zip::write::{SimpleFileOptions, ZipWriter};

const CLAUDE: &str = include_str!("exports/claude.json");
const CHATGPT: &str = include_str!("exports/chatgpt.json");

/// Gives its bytes in pieces of these lengths, round and round.
struct Pieces<'b>(&'b [u8], Vec<usize>, usize);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.2 += 1;
        let piece = self.1[self.2 % self.1.len()].min(into.len()).min(self.0.len());
        into[..piece].copy_from_slice(&self.0[..piece]);
        self.0 = &self.0[piece..];
        Ok(piece)
    }
}

fn found(from: impl Read, bounds: &Bounds) -> (Vec<Found>, Result<(), Stopped>) {
    let mut all = Vec::new();
    let ended = read(from, bounds, &mut |found| {
        all.push(found);
        ControlFlow::Continue(())
    });
    (all, ended)
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).expect("begun");
        archive.write_all(bytes).expect("packed");
    }
    archive.finish().expect("an archive").into_inner()
}

fn unpacked(archive: &[u8]) -> (Vec<Found>, Result<(), Stopped>) {
    let bounds = Bounds { unpacked_bytes_max: 1 << 20, ..Bounds::default() };
    let mut all = Vec::new();
    let ended = read_file(Cursor::new(archive), &bounds, &mut |found| {
        all.push(found);
        ControlFlow::Continue(())
    });
    (all, ended)
}

/// Most memory that this process has had, in KiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

proptest! {
    #[test]
    fn an_export_is_the_same_however_it_comes(
        sizes in proptest::collection::vec(1..200_usize, 1..8), which: bool,
    ) {
        let text = if which { CLAUDE } else { CHATGPT };
        let (whole, _) = found(text.as_bytes(), &Bounds::default());
        let (pieces, ended) = found(Pieces(text.as_bytes(), sizes, 0), &Bounds::default());
        prop_assert!(ended.is_ok());
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn of_what_is_cut_off_all_is_told_that_was_whole(at in 0..CLAUDE.len(), wrapped: bool) {
        let text = if wrapped { format!("{{\"chats\":{CLAUDE}}}") } else { CLAUDE.to_owned() };
        let (whole, _) = found(text.as_bytes(), &Bounds::default());
        // Behind the last bracket is only white space.
        let bytes = &text.as_bytes()[..at.min(text.trim_end().len() - 1)];
        let (some, ended) = found(bytes, &Bounds::default());
        prop_assert!(matches!(ended, Err(Stopped::Truncated(_))), "{ended:?}");
        prop_assert_eq!(&some[..], &whole[..some.len()]);
    }

    #[test]
    fn no_change_of_a_byte_is_too_much(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        which: bool,
    ) {
        let mut bytes = (if which { CLAUDE } else { CHATGPT }).as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = found(&bytes[..], &Bounds::default());
        let _ = envelope(&bytes[..]);
    }

    #[test]
    fn garbage_is_none_too_much(
        bytes: Vec<u8>,
        text in "[\\[\\]{}\",:a\\\\0 ]{0,80}",
        lines in "(\\{\"type\":\"(user|assistant|result)\",[\"a-z:{}\\[\\],]{0,30}\\}\n){0,5}",
    ) {
        for bytes in [&bytes[..], text.as_bytes(), lines.as_bytes()] {
            let _ = found(bytes, &Bounds::default());
            let _ = envelope(bytes);
            let _ = unpacked(bytes);
            let _ = facts(BufReader::new(bytes));
            let _ = messages(BufReader::new(bytes));
        }
    }

    #[test]
    fn a_conversation_over_the_bound_is_named_and_the_others_are_read(most in 20..400_usize) {
        let small = r#"{"id":"s","messages":[]}"#;
        let large = format!(r#"{{"id":"l","messages":[],"x":"{}"}}"#, "\\\"".repeat(most));
        let text = format!("[{small},{large},{small}]");
        let bounds = Bounds { conversation_bytes_max: most + 30, ..Bounds::default() };
        let (all, ended) = found(text.as_bytes(), &bounds);
        prop_assert!(ended.is_ok());
        prop_assert!(all[0] == Found::Empty && all[2] == Found::Empty);
        let Found::Bad(bad) = &all[1] else { panic!("{:?}", all[1]) };
        prop_assert!(bad.index == 1 && bad.why.contains("larger"), "{bad:?}");
        // As far as it was held.
        prop_assert_eq!(bad.id.as_deref(), Some("l"));
    }

    #[test]
    fn a_changed_archive_is_refused_or_read(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let files = [("a/u.json", &b"[]"[..]), ("a/conversations.json", CLAUDE.as_bytes())];
        let mut archive = packed(&files);
        for (at, byte) in changes {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        let _ = unpacked(&archive);
        let _ = unpacked(&archive[..cut.index(archive.len())]);
    }
}

/// Two conversations of which the first is far too large, then brackets without end.
struct Vast {
    left: u64,
    piece: &'static [u8],
    begun: bool,
}

impl Read for Vast {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.begun, true) {
            let begin = br#"[{"uuid":"vast","chat_messages":[{"sender":"human","text":""#;
            into[..begin.len()].copy_from_slice(begin);
            return Ok(begin.len());
        }
        let size = (into.len() as u64).min(self.left) as usize;
        for piece in into[..size].chunks_mut(self.piece.len()) {
            piece.copy_from_slice(&self.piece[..piece.len()]);
        }
        self.left -= size as u64;
        Ok(size)
    }
}

#[test]
fn what_is_larger_than_memory_is_not_held() {
    let before = most_memory();
    for piece in [&b"abcdefgh"[..], b"\\\"\\\\\\n\\t", b"\",[[[[[["] {
        let end: &[u8] = br#""}]},{"uuid":"b","chat_messages":[{"sender":"human","text":"x"}]}]"#;
        let vast = Vast { left: 24 << 20, piece, begun: false };
        let bounds = Bounds { conversation_bytes_max: 4 << 20, ..Bounds::default() };
        let (all, ended) = found(vast.chain(end), &bounds);
        if piece.contains(&b'[') {
            assert!(matches!(ended, Err(Stopped::Truncated(_))), "{ended:?}");
            continue;
        }
        ended.expect("read to its end");
        let Found::Bad(bad) = &all[0] else { panic!("{:?}", all[0]) };
        assert_eq!(bad.id.as_deref(), Some("vast"));
        assert!(matches!(all[1], Found::Conversation(_)));
    }
    let line = io::repeat(b'x').take(100 << 20).chain(&b"\n{\"type\":\"user\"}"[..]);
    assert_eq!(facts(BufReader::new(line)).expect("read").message_count, 0);
    // The bound of a line, and what growing it takes beside.
    let grown = most_memory().saturating_sub(before);
    assert!(grown < 200 << 10, "{grown} KiB");
}

#[test]
fn an_archive_is_read_without_being_unpacked() {
    let (whole, _) = found(CLAUDE.as_bytes(), &Bounds::default());
    for name in ["conversations.json", "data-2025/conversations.json"] {
        let archive = packed(&[("users.json", b"[]"), (name, CLAUDE.as_bytes()), ("a.png", b"x")]);
        let (all, ended) = unpacked(&archive);
        ended.expect("read to its end");
        assert_eq!(all, whole, "{name}");
    }
    let (first, second) = (br#"[{"id":"1"}]"#, br#"[{"id":"2","x":1},7]"#);
    let parts =
        packed(&[("e/conversations-001.json", second), ("e/conversations-000.json", first)]);
    let (all, ended) = unpacked(&parts);
    ended.expect("read to its end");
    let Found::Bad(bad) = &all[2] else { panic!("{all:?}") };
    assert_eq!((all.len(), bad.index), (3, 2), "records are counted through all parts");
}

#[test]
fn an_archive_that_lies_is_refused() {
    let refused = |archive: &[u8]| unpacked(archive).1.expect_err("refused").to_string();
    for name in
        ["../conversations.json", "/conversations.json", "a/../conversations.json", "c.json"]
    {
        let said = refused(&packed(&[(name, CLAUDE.as_bytes())]));
        assert!(said.starts_with("there is no conversations.json"), "{name}: {said}");
    }
    let mut link = ZipWriter::new(Cursor::new(Vec::new()));
    link.add_symlink("conversations.json", "/etc/passwd", SimpleFileOptions::default())
        .expect("linked");
    let link = link.finish().expect("an archive").into_inner();
    assert_eq!(refused(&link), "the conversations in the archive are no file");
    let bomb = vec![b' '; 2 << 20];
    let said = refused(&packed(&[("conversations.json", &bomb)]));
    assert_eq!(said, "what is in the archive is too large, or out of proportion to it");
    // Whatever it says of its length and its sum.
    let good = packed(&[("conversations.json", CLAUDE.as_bytes())]);
    let table = good.windows(4).rposition(|w| w == b"PK\x01\x02").expect("a table");
    for field in [16, 20, 24] {
        let mut lying = good.clone();
        lying[table + field..table + field + 3].copy_from_slice(&[1, 0, 0]);
        let (all, ended) = unpacked(&lying);
        assert!(ended.is_err(), "{field}: {} records", all.len());
    }
    let mut encrypted = good.clone();
    encrypted[table + 8] |= 1;
    assert_eq!(refused(&encrypted), "the conversations in the archive are encrypted");
}

#[test]
fn a_table_of_millions_is_not_read() {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let name = "x".repeat(60_000);
    for index in 0..150 {
        archive.start_file(format!("{name}{index}"), SimpleFileOptions::default()).expect("begun");
    }
    let archive = archive.finish().expect("an archive").into_inner();
    let said = unpacked(&archive).1.expect_err("refused").to_string();
    assert_eq!(said, "this is no ZIP archive that can be read: there are too many files in it");
}
