//! Tests: conversations that the real CLI had, line by line through the session, and what a
//! client would have seen. The recordings are in tests/golden/claude.

use crate::ask::answered;
use crate::claude::lines::{self, Ended};
use crate::log::Log;
use crate::session::{Place, Session};
use crate::turn::Turn;
use serde_json::{Map, Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use wire::agent::{AgentStatus, ClaudeSetup, TurnRequest};
use wire::frames::Heard;
use wire::record::Record;
use wire::{ChatEvent, Timestamp, Trust};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/claude");

/// A session without a process, fed from a recording.
struct Replay {
    session: Session,
    dir: TempDir,
}

impl Replay {
    fn new() -> Replay {
        let dir = tempfile::tempdir().expect("a folder");
        let (log, past) = Log::open(dir.path()).expect("a log");
        let now = Timestamp::now();
        let status = Arc::new(Mutex::new(AgentStatus {
            session: "s".into(),
            pid: 1,
            version: String::new(),
            since: now,
            used: now,
            turn: None,
            waiting: 0,
            last_id: 0,
            claude_pid: None,
        }));
        let place = Place {
            session: "s".into(),
            dir: dir.path().into(),
            outlet: dir.path().join("out.sock"),
            idle: Some(Duration::from_secs(1)),
        };
        Replay { session: Session::new(place, log, past, status), dir }
    }

    fn begin(&mut self, uuid: &str) {
        if let Some(turn) = &mut self.session.turn {
            return turn.inject(uuid.to_owned());
        }
        let request = request(uuid);
        let number = self.session.log.last_turn() + 1;
        for event in &request.preface {
            self.session.batch.push(&self.session.log, number, event);
        }
        self.session.last = Some(request.clone());
        self.session.turn = Some(Turn::new(number, request, self.session.total_cost));
        self.session.commit();
    }

    fn play(&mut self, name: &str) {
        let text = std::fs::read_to_string(format!("{GOLDEN}/{name}.jsonl")).expect("a recording");
        let mut stderr = String::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a recording is JSON lines");
            if let Some(said) = line.get("in").filter(|said| said["type"] == "user") {
                self.begin(said["uuid"].as_str().unwrap_or("unnamed"));
            } else if let Some(out) = line.get("out") {
                let bytes = out.to_string();
                assert!(lines::read(bytes.as_bytes()).is_some(), "not read: {bytes}");
                self.session.lines(bytes.as_bytes());
            } else if let Some(said) = line.get("stderr").and_then(Value::as_str) {
                stderr.push_str(said);
            } else if let Some(code) = line.get("exit") {
                let code = code.as_i64().or_else(|| code["code"].as_i64()).unwrap_or(0);
                let status = ExitStatus::from_raw((code as i32) << 8);
                self.session.cli_ended(Some(status), &stderr);
            }
        }
        self.session.commit();
    }

    fn events(&self) -> Vec<ChatEvent> {
        let text = std::fs::read(self.dir.path().join("events.jsonl")).expect("a log");
        let lines = text.split_inclusive(|b| *b == b'\n');
        lines.map(|l| Record::parse(l).expect("our line").event().expect("our event")).collect()
    }
}

fn request(uuid: &str) -> TurnRequest {
    TurnRequest {
        turn: uuid.into(),
        message: "x".into(),
        attached: Vec::new(),
        preface: vec![ChatEvent::Session {
            session_id: Some("s".into()),
            working_directory: None,
            resume_info: Default::default(),
            session_resume: Default::default(),
            trust_level: None,
            trust: None,
            title: None,
            turn_id: uuid.into(),
        }],
        message_count: 0,
        title: None,
        working_directory: None,
        resume: Default::default(),
        vault: "/v".into(),
        claude: ClaudeSetup {
            trust: Trust::Full,
            program: None,
            directory: "/v".into(),
            model: None,
            system_prompt: None,
            append_prompt: None,
            permission_mode: Default::default(),
            base_url: None,
            credential: None,
            plugins: Vec::new(),
            agents: Default::default(),
            tools: None,
            mcp_config: None,
            directory_trusted: false,
            container: None,
        },
        fresh: false,
    }
}

/// How each conversation's turns ended, in one word each.
fn ends(events: &[ChatEvent]) -> Vec<String> {
    let ends = events.iter().filter(|e| e.is_last());
    ends.map(|event| match event {
        ChatEvent::TypedError(error) => error.code.clone(),
        ChatEvent::Done(done) => format!("done: {}", done.response),
        ChatEvent::Aborted { partial_response, .. } => {
            format!("aborted: {}", partial_response.clone().unwrap_or_default())
        }
        ChatEvent::SessionUnavailable { .. } => "session_unavailable".into(),
        other => format!("{other:?}"),
    })
    .collect()
}

#[test]
fn each_recorded_conversation_ends_as_it_should() {
    let expected: &[(&str, &[&str])] = &[
        ("plain-text", &["done: You said: hello there"]),
        ("partial-streaming", &["done: one two three"]),
        ("tool-allow", &["done: I will make a file.\n\nAll done."]),
        ("error-400", &["unknown_error"]),
        ("error-401", &["invalid_api_key"]),
        ("error-403", &["invalid_api_key"]),
        ("error-429-exhausted", &["rate_limited"]),
        ("error-500-exhausted", &["service_error"]),
        ("error-529-exhausted", &["service_unavailable"]),
        ("connection-refused", &["network_error"]),
        ("auth-none", &["invalid_api_key"]),
        ("invalid-model", &["model_not_found"]),
        ("max-turns", &["limit_reached"]),
        ("max-budget", &["limit_reached"]),
        ("resume-missing", &["session_unavailable"]),
        ("tool-deny-interrupt", &["aborted: I will make a file."]),
        ("session-id-in-use", &["cli_failed"]),
    ];
    let mut wrong = Vec::new();
    for (name, ended) in expected {
        let mut replay = Replay::new();
        replay.play(name);
        let got = ends(&replay.events());
        if got != *ended {
            wrong.push(format!("{name}: {got:?}, not {ended:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_recording_is_read_and_each_begun_turn_ends_once() {
    for file in std::fs::read_dir(GOLDEN).expect("recordings") {
        let name = file.expect("a file").file_name().into_string().expect("text");
        let Some(name) = name.strip_suffix(".jsonl") else { continue };
        let mut replay = Replay::new();
        replay.play(name);
        let events = replay.events();
        let begun = events.iter().filter(|e| matches!(e, ChatEvent::Session { .. })).count();
        assert_eq!(ends(&events).len(), begun, "{name}: {:?}", ends(&events));
    }
}

#[test]
fn text_that_came_in_pieces_is_not_said_twice_and_a_broken_message_is_taken_back() {
    for (name, said) in [
        ("partial-streaming", "one two three"),
        ("disconnect-recovered", "Recovered after 1 broken streams."),
    ] {
        let mut replay = Replay::new();
        replay.play(name);
        let mut heard = Heard::default();
        for event in replay.events() {
            heard.hear(&format!("data: {}\n\n", serde_json::to_string(&event).expect("JSON")));
        }
        assert_eq!(heard.texts.concat(), said, "{name}");
    }
}

#[test]
fn what_a_turn_spent_is_told_however_it_ended() {
    let spent = |name: &str| {
        let mut replay = Replay::new();
        replay.session.total_cost = Some(0.0);
        replay.play(name);
        let usages = replay.events().into_iter().filter_map(|event| match event {
            ChatEvent::Done(done) => Some(done.usage),
            ChatEvent::Aborted { usage, .. } => usage,
            ChatEvent::TypedError(error) => error.usage,
            _ => None,
        });
        let of = |u: wire::chat::Usage| (u.input_tokens, u.output_tokens, u.cost_usd.is_some());
        usages.map(of).collect::<Vec<_>>()
    };
    // The result of the first says 0; the message that it broke off was paid for.
    assert_eq!(spent("interrupt"), [(2838, 1, true), (2892, 7, true)]);
    assert_eq!(spent("interrupt-running-tool"), [(2884, 14, true)]);
    assert_eq!(spent("max-turns"), [(6022, 10, true)]);
    assert_eq!(spent("disconnect-mid-stream"), [(5670, 2, true)]);
    // Killed: it told no cost.
    assert_eq!(spent("sigterm-mid-turn"), [(2838, 1, false)]);
    assert_eq!(spent("error-500-exhausted"), [(0, 0, true)]);
}

#[test]
fn two_questions_at_once_trap_54() {
    let mut replay = Replay::new();
    replay.begin("u");
    for call in ["toolu_1", "toolu_2"] {
        let input = json!({ "questions": [{ "question": "Which?", "options": [] }] });
        let request = json!({ "subtype": "can_use_tool", "tool_name": "AskUserQuestion",
            "input": input, "tool_use_id": call });
        let id = format!("request of {call}");
        let line = json!({ "type": "control_request", "request_id": id, "request": request });
        replay.session.lines(line.to_string().as_bytes());
    }
    let asked: Vec<String> = replay
        .events()
        .into_iter()
        .filter_map(|event| match event {
            ChatEvent::UserQuestion { request_id, .. } => Some(request_id),
            _ => None,
        })
        .collect();
    assert_eq!(asked, ["s-q-toolu_1", "s-q-toolu_2"]);
    let asks = &mut replay.session.asks;
    assert!(asks.take("s-q-toolu_3", true).is_none());
    // The second first: each answer goes to the call that it is about, and once.
    for (id, call, fruit) in [(&asked[1], "toolu_2", "Plum"), (&asked[0], "toolu_1", "Pear")] {
        let ask = asks.take(id, true).expect("it waits");
        let answers = Map::from_iter([("Which?".to_owned(), json!(fruit))]);
        let told: Value = serde_json::from_slice(&answered(&ask, &answers)).expect("JSON");
        assert_eq!(told["response"]["request_id"], format!("request of {call}"));
        let input = &told["response"]["response"]["updatedInput"];
        assert_eq!(input["answers"]["Which?"], fruit, "{told}");
        assert!(asks.take(id, true).is_none());
    }
}

#[test]
fn digits_name_no_error_trap_46() {
    let turn = Turn::new(1, request("u"), None);
    let code = |status: Option<u64>, said: &str| {
        let (subtype, text) = ("error_during_execution".into(), said.to_owned());
        turn.error(&Ended { is_error: true, subtype, text, status, ..Ended::default() }).code
    };
    for said in [
        "3500 tokens, 402 of them new, in 5001 ms",
        "the page said 401 Unauthorized",
        "the session's token was not found",
        "a rate limit of 429 knots",
        "the mcp tool's transcript failed: 503 lines, a timeout in the network of pipes",
    ] {
        assert_eq!(code(None, said), "unknown_error", "{said}");
    }
    for (status, said, expected) in [
        (401, "session 500: no such token", "invalid_api_key"),
        (402, "401 sessions", "billing_error"),
        (429, "500 unauthorized", "rate_limited"),
        (500, "a payment of 402", "service_error"),
        (529, "429, 401, 500", "service_unavailable"),
        (400, "session 401 not found", "unknown_error"),
        (400, "prompt is too long: 5000 tokens", "context_exceeded"),
    ] {
        assert_eq!(code(Some(status), said), expected, "{status}: {said}");
    }
}
