//! A stream cut anywhere, any number of times, and taken up again ends with the same text and
//! the same events, nothing twice and nothing missing; in both text modes, multi-byte text too.

use parachute_wire::ChatEvent;
use parachute_wire::chat::{TextMode, ToolCall};
use parachute_wire::frames::{CONTENT_BYTES_PER_SECOND, Framer, Heard};
use parachute_wire::record::{self, Record};
use proptest::prelude::*;

/// One happening of a made-up turn.
#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Thinking(String, u64),
    Tool,
    Reset(String),
    Other,
    NextTurn,
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        8 => "[a-zé界😀\"\\\\\n ]{1,12}".prop_map(Part::Text),
        2 => ("[a-zλ ]{1,9}", 0u64..3).prop_map(|(t, b)| Part::Thinking(t, b)),
        1 => Just(Part::Tool),
        1 => "[a-z界]{0,9}".prop_map(Part::Reset),
        1 => Just(Part::Other),
        1 => Just(Part::NextTurn),
    ]
}

fn log_of(parts: &[Part]) -> Vec<Vec<u8>> {
    let mut turn = 1;
    let mut lines = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let id = i as u64 + 1;
        let event = match part.clone() {
            Part::Text(delta) => ChatEvent::Text { content: None, delta },
            Part::Thinking(text, block) => {
                ChatEvent::Thinking { content: None, delta: Some(text), block: Some(block) }
            }
            Part::Tool => ChatEvent::ToolUse {
                tool: ToolCall {
                    id: format!("t{id}"),
                    name: "Bash".into(),
                    input: serde_json::Map::new(),
                },
            },
            Part::Reset(content) => ChatEvent::TextReset { content },
            Part::Other => ChatEvent::Model { model: format!("m{id}") },
            Part::NextTurn => {
                turn += 1;
                ChatEvent::Session {
                    session_id: None,
                    working_directory: None,
                    resume_info: Default::default(),
                    session_resume: Default::default(),
                    trust_level: None,
                    trust: None,
                    title: None,
                    turn_id: turn.to_string(),
                }
            }
        };
        let mut line = Vec::new();
        record::write(&mut line, id, turn, id, &event);
        lines.push(line);
    }
    lines
}

/// Frames for a client that had everything up to `after`; each record takes `pace_ms`.
fn frames(lines: &[Vec<u8>], mode: TextMode, after: u64, pace_ms: u64) -> Vec<u8> {
    let mut framer = Framer::new(mode, after);
    let mut out = Vec::new();
    let mut now = 0;
    for line in lines {
        now += pace_ms;
        framer.take(&Record::parse(line).expect("our own line"), now, &mut out);
    }
    framer.flush(now, &mut out);
    out
}

fn whole_frames(bytes: &[u8]) -> &str {
    let end = bytes.windows(2).rposition(|w| w == b"\n\n").map_or(0, |at| at + 2);
    std::str::from_utf8(&bytes[..end]).expect("a frame is whole text")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn equal_to_an_unbroken_stream(
        mut parts in prop::collection::vec(part(), 1..60),
        cuts in prop::collection::vec(0.0f64..1.0, 0..6),
        pace_ms in 0u64..60,
        delta in any::<bool>(),
    ) {
        // A turn always ends; what ends it also settles what was held back.
        parts.push(Part::Other);
        let mode = if delta { TextMode::Delta } else { TextMode::Content };
        let lines = log_of(&parts);
        let mut unbroken = Heard::default();
        unbroken.hear(whole_frames(&frames(&lines, mode, 0, pace_ms)));

        let mut broken = Heard::default();
        for cut in cuts {
            let sent = frames(&lines, mode, broken.last_id, pace_ms);
            let arrived = (sent.len() as f64 * cut) as usize;
            broken.hear(whole_frames(&sent[..arrived]));
        }
        broken.hear(whole_frames(&frames(&lines, mode, broken.last_id, pace_ms)));
        prop_assert_eq!(&broken.texts, &unbroken.texts);
        prop_assert_eq!(&broken.others, &unbroken.others);

        let mut other_mode = Heard::default();
        let other = if delta { TextMode::Content } else { TextMode::Delta };
        other_mode.hear(whole_frames(&frames(&lines, other, 0, pace_ms)));
        prop_assert_eq!(other_mode.texts, unbroken.texts);
    }
}

#[test]
fn a_long_answer_costs_an_app_no_more_than_the_bound() {
    let piece = "word ".repeat(2);
    let parts: Vec<Part> = (0..20_000).map(|_| Part::Text(piece.clone())).collect();
    let lines = log_of(&parts);
    // 200 KB in 20 s of the framer's own clock, one piece a millisecond.
    let bytes = frames(&lines, TextMode::Content, 0, 1).len() as u64;
    let whole = 2 * 200 * 1024;
    assert!(bytes <= 20 * CONTENT_BYTES_PER_SECOND + whole, "{bytes} bytes in 20 s");
    let delta = frames(&lines, TextMode::Delta, 0, 1).len() as u64;
    assert!(delta < 20_000 * 64, "{delta} bytes of deltas");
}
