//! The program as a host meets it, held against the recorded conversations of the real one:
//! the same lines in the same order with the same fields.

// A test starts the program under test as a host would, and fails where a step fails.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const ID: &str = "099f3874-dd49-47a6-919f-cfc137ac2a2f";
const SESSION: &str = "b9d7a1f0-6a39-4c5e-8d63-1f6f6c1f8a11";
const ASKING: &[&str] = &["--permission-prompt-tool", "stdio"];
const PARTIAL: &[&str] = &["--include-partial-messages"];

/// A running program in a home of its own.
struct Cli {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Cli {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_scripted-claude"))
            .args(["--output-format", "stream-json", "--input-format", "stream-json", "--verbose"])
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("ANTHROPIC_API_KEY", "sk-ant-scripted")
            .env("CLAUDE_CODE_MAX_RETRIES", "1")
            .env(
                "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS",
                if arguments == ASKING { "1" } else { "" },
            )
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    fn send(&mut self, message: &Value) {
        // A program that has refused to start is not there to read; what it said is tested.
        let _ = writeln!(self.stdin.as_mut().unwrap(), "{message}");
    }

    fn prompt(&mut self, text: &str) {
        self.send(&json!({
            "type": "user", "uuid": ID, "session_id": "", "parent_tool_use_id": null,
            "message": {"role": "user", "content": text},
        }));
    }

    fn request(&mut self, request: &Value) {
        self.send(&json!({"type": "control_request", "request_id": "r1", "request": request}));
    }

    fn reply(&mut self, to: &Value, response: &Value) {
        let id = &to["request_id"];
        let response = json!({"subtype": "success", "request_id": id, "response": response});
        self.send(&json!({"type": "control_response", "response": response}));
    }

    fn line(&mut self) -> Option<Value> {
        let mut line = Vec::new();
        self.stdout.read_until(b'\n', &mut line).unwrap();
        if line.is_empty() { None } else { Some(serde_json::from_slice(&line).unwrap_or_default()) }
    }

    /// Reads to the first line of this kind, that one included.
    fn until(&mut self, wanted: &str) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("no {wanted} after {lines:#?}"));
            let found = kind(&line) == wanted;
            lines.push(line);
            if found {
                return lines;
            }
        }
    }

    /// Closes stdin and reads the rest: lines, stderr, exit status.
    fn end(mut self) -> (Vec<Value>, String, Option<i32>) {
        drop(self.stdin.take());
        let lines = std::iter::from_fn(|| self.line()).collect();
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (lines, stderr, self.child.wait().unwrap().code())
    }
}

/// A whole conversation of one prompt: lines, stderr, status.
fn turn(home: &Path, arguments: &[&str], prompt: &str) -> (Vec<Value>, String, Option<i32>) {
    let mut cli = Cli::start(home, arguments);
    cli.prompt(prompt);
    cli.end()
}

/// `stream_event/content_block_delta/text_delta`, as deep as it goes.
fn kind(line: &Value) -> String {
    let parts = [
        &line["type"],
        &line["subtype"],
        &line["state"],
        &line["request"]["subtype"],
        &line["event"]["type"],
        &line["event"]["delta"]["type"],
        &line["event"]["content_block"]["type"],
        &line["message"]["content"][0]["type"],
    ];
    parts.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join("/")
}

fn kinds(lines: &[Value]) -> Vec<String> {
    lines.iter().map(kind).collect()
}

/// Every path to a field, list items taken together.
fn fields(value: &Value, path: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                fields(value, &path, into);
                into.insert(path);
            }
        }
        Value::Array(list) => {
            list.iter().for_each(|value| fields(value, &format!("{path}[]"), into))
        }
        _ => {}
    }
}

fn fields_by_kind(lines: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in lines {
        fields(line, "", found.entry(kind(line)).or_default());
    }
    found
}

fn recorded(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../golden/claude/{name}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter_map(|mut line| line.get_mut("out").map(Value::take)).collect()
}

/// The same fields in every kind of line; `loose` are paths that a tool's own data fills.
fn assert_same_shapes(ours: &[Value], theirs: &[Value], loose: &[&str]) {
    let strict = |fields: BTreeSet<String>| -> BTreeSet<String> {
        let tight = |path: &String| !loose.iter().any(|loose| path.starts_with(loose));
        fields.into_iter().filter(tight).collect()
    };
    let theirs = fields_by_kind(theirs);
    for (kind, fields) in fields_by_kind(ours) {
        let Some(expected) = theirs.get(&kind) else { panic!("{kind} was never recorded") };
        let (ours, theirs) = (strict(fields), strict(expected.clone()));
        let different: Vec<&String> = ours.symmetric_difference(&theirs).collect();
        assert!(different.is_empty(), "{kind}: {different:?}");
    }
}

#[test]
fn a_streamed_turn_is_as_recorded() {
    let home = TempDir::new().unwrap();
    let mut cli = Cli::start(home.path(), PARTIAL);
    cli.request(&json!({"subtype": "initialize", "hooks": null}));
    cli.prompt(r#"@@{"thinking":4,"text":"one two three"}@@"#);
    let (lines, stderr, status) = cli.end();
    let theirs = recorded("partial-streaming");
    assert_eq!(kinds(&lines), kinds(&theirs));
    assert_same_shapes(&lines, &theirs, &[]);
    assert_eq!((stderr.as_str(), status), ("", Some(0)));
    let result = lines.iter().find(|line| line["type"] == "result").unwrap();
    assert_eq!(
        (&result["result"], &result["user_message_uuids"]),
        (&json!("one two three"), &json!([ID]))
    );
}

#[test]
fn a_permission_is_asked_for_as_recorded() {
    let home = TempDir::new().unwrap();
    let loose = [".message.content[].input", ".request.input"];
    for (answer, name) in [
        (json!({"behavior": "allow", "updatedInput": {"command": "echo changed"}}), "tool-allow"),
        (json!({"behavior": "deny", "message": "The user said no."}), "tool-deny"),
        (json!({"behavior": "deny", "message": "stop", "interrupt": true}), "tool-deny-interrupt"),
    ] {
        let mut cli = Cli::start(home.path(), ASKING);
        cli.prompt(r#"@@{"ask":"Bash","n":2}@@"#);
        let mut lines = cli.until("control_request/can_use_tool");
        cli.reply(&lines[lines.len() - 1].clone(), &answer);
        lines.extend(cli.end().0);
        // The recording had no id on its prompt and no state events; those have one of their own.
        let mut theirs = recorded(name);
        theirs.extend(recorded("session-state-and-replay").into_iter().filter(|line| {
            line["subtype"] == "session_state_changed" || line["type"] == "command_lifecycle"
        }));
        let marks = [".user_message_uuid", ".user_message_uuids"];
        let unmarked = |mut line: Value| {
            for mark in marks {
                line.as_object_mut().unwrap().remove(&mark[1..]);
            }
            line
        };
        let lines: Vec<Value> = lines.into_iter().map(unmarked).collect();
        let known = ["command_lifecycle/cancelled"];
        let ours: Vec<Value> =
            lines.iter().filter(|line| !known.contains(&kind(line).as_str())).cloned().collect();
        let more = [".request_sent_wall_ms", ".first_request_", ".permission_denials[].tool_input"];
        assert_same_shapes(&ours, &theirs, &[&loose[..], &more[..]].concat());
        if name == "tool-allow" {
            let results: Vec<&Value> =
                lines.iter().filter(|line| kind(line) == "user/tool_result").collect();
            assert_eq!(results[0]["message"]["content"][0]["content"], "changed");
        }
        let result = lines.iter().find(|line| line["type"] == "result").unwrap();
        let reason = if name == "tool-deny-interrupt" { "aborted_tools" } else { "completed" };
        assert_eq!(result["terminal_reason"], reason);
    }
}

#[test]
fn an_interrupt_stops_the_text() {
    let home = TempDir::new().unwrap();
    let mut cli = Cli::start(home.path(), PARTIAL);
    cli.prompt(r#"@@{"n":1000000,"delay_us":1000}@@"#);
    let mut lines = cli.until("stream_event/content_block_delta/text_delta");
    cli.request(&json!({"subtype": "interrupt"}));
    lines.extend(cli.until("command_lifecycle/cancelled"));
    let tail: Vec<String> = kinds(&lines)
        .into_iter()
        .skip_while(|kind| !kind.starts_with("control_response"))
        .collect();
    let theirs = recorded("interrupt");
    let expected: Vec<String> = kinds(&theirs)
        .into_iter()
        .skip_while(|kind| !kind.starts_with("control_response"))
        .skip(1) // the answer to initialize
        .skip_while(|kind| !kind.starts_with("control_response"))
        .take_while(|kind| kind != "system/init")
        .collect();
    assert_eq!(tail, expected);
    cli.prompt("and on");
    let lines = cli.until("result/success");
    assert_eq!(lines.last().unwrap()["result"], "You said: and on", "the process lives");
    assert_eq!(cli.end().2, Some(0));
}

#[test]
fn an_interrupt_withdraws_a_question() {
    let home = TempDir::new().unwrap();
    let mut cli = Cli::start(home.path(), ASKING);
    cli.prompt(r#"@@{"question":true}@@"#);
    let asked = cli.until("control_request/can_use_tool").pop().unwrap();
    assert_eq!(asked["request"]["requires_user_interaction"], true);
    cli.request(&json!({"subtype": "interrupt"}));
    let withdrawn = cli.until("control_cancel_request").pop().unwrap();
    assert_eq!(withdrawn["request_id"], asked["request_id"]);
    let result = cli.until("result/error_during_execution").pop().unwrap();
    assert_eq!(result["terminal_reason"], "aborted_tools");
    assert_eq!(cli.end().2, Some(1));
}

#[test]
fn a_hook_decides_before_anybody_is_asked() {
    let home = TempDir::new().unwrap();
    for (decision, denials) in [("deny", 1), ("allow", 0)] {
        let mut cli = Cli::start(home.path(), ASKING);
        let hooks = json!({"PreToolUse": [{"matcher": "Bash", "hookCallbackIds": ["h0"]}]});
        cli.request(&json!({"subtype": "initialize", "hooks": hooks}));
        cli.prompt(r#"@@{"ask":"Bash","tools":1}@@"#);
        for _ in 0..2 {
            let called = cli.until("control_request/hook_callback").pop().unwrap();
            assert_eq!(called["request"]["callback_id"], "h0");
            let output = json!({"hookEventName": "PreToolUse", "permissionDecision": decision,
                "permissionDecisionReason": "because"});
            let is_free = called["request"]["input"]["tool_input"]["command"] == "echo 0";
            let output = if is_free { json!({}) } else { json!({"hookSpecificOutput": output}) };
            cli.reply(&called, &output);
        }
        let lines = cli.end().0;
        assert!(!kinds(&lines).iter().any(|kind| kind.contains("can_use_tool")));
        let result = lines.iter().find(|line| line["type"] == "result").unwrap();
        assert_eq!(result["permission_denials"].as_array().unwrap().len(), denials);
    }
}

#[test]
fn sessions_are_kept_resumed_and_refused() {
    let home = TempDir::new().unwrap();
    let new = format!("--session-id={SESSION}");
    let resume = format!("--resume={SESSION}");
    let result = |lines: &[Value]| lines.iter().find(|l| l["type"] == "result").unwrap().clone();

    let (lines, stderr, status) = turn(home.path(), &[&resume], "hi");
    assert_eq!((kinds(&lines), status), (vec!["result/error_during_execution".into()], Some(1)));
    assert_eq!(stderr.trim(), lines[0]["errors"][0]);
    assert_same_shapes(&lines, &recorded("resume-missing"), &[]);

    let first = result(&turn(home.path(), &[&new], "hi").0);
    let (lines, stderr, status) = turn(home.path(), &[&new], "hi");
    assert_eq!((lines.len(), status), (0, Some(1)));
    assert_eq!(stderr, format!("Error: Session ID {SESSION} is already in use.\n"));

    let second = result(&turn(home.path(), &[&resume], "more").0);
    assert_eq!(second["session_id"], SESSION);
    let cost = |result: &Value| result["total_cost_usd"].as_f64().unwrap();
    assert!(cost(&second) > cost(&first), "a resumed session goes on from its total");

    let (_, stderr, status) = turn(home.path(), &["--session-id=no"], "hi");
    assert_eq!(
        (stderr.as_str(), status),
        ("Error: Invalid session ID. Must be a valid UUID.\n", Some(1))
    );
    let (lines, ..) = turn(home.path(), &["--resume=nonsense"], "hi");
    assert!(lines[0]["errors"][0].as_str().unwrap().contains("does not match any session title"));

    let folder = home.path().canonicalize().unwrap();
    let encoded = folder.to_str().unwrap().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let path = folder.join(format!(".claude/projects/{encoded}/{SESSION}.jsonl"));
    let text = std::fs::read_to_string(path).unwrap();
    let said = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let types: Vec<String> = said.map(|line| line["type"].as_str().unwrap().to_owned()).collect();
    let one_turn = ["user", "assistant", "last-prompt", "cost-state"];
    assert_eq!(types, [one_turn, one_turn].concat());
}

#[test]
fn failures_are_as_asked_for() {
    let home = TempDir::new().unwrap();
    let fail = |plan: Value| turn(home.path(), PARTIAL, &format!("@@{plan}@@"));

    let (lines, stderr, status) = fail(json!({"n": 4, "fail": "exit1"}));
    assert_eq!((stderr.as_str(), status), ("", Some(1)));
    assert!(kinds(&lines).last().unwrap().ends_with("text_delta"), "half of the text");

    let (lines, stderr, status) = fail(json!({"fail": "stderr_only"}));
    let none: Vec<Value> = lines.into_iter().filter(|l| l["type"] != "command_lifecycle").collect();
    assert!(none.is_empty() && stderr.lines().count() == 2 && status == Some(1));

    assert_eq!(fail(json!({"n": 4, "fail": "crash"})).2, None, "ended by a signal");

    for name in ["garbage", "huge_line"] {
        let bytes = if name == "huge_line" { json!(100_000) } else { Value::Null };
        let (lines, _, status) = fail(json!({"n": 4, "fail": name, "bytes": bytes}));
        let result = lines.iter().find(|line| line["type"] == "result").unwrap();
        assert_eq!((&result["result"], status), (&json!("alpha beta gamma delta"), Some(0)));
    }

    let (lines, _, status) = fail(json!({"fail": "error_result"}));
    assert_same_shapes(&lines[lines.len() - 2..lines.len() - 1], &api_error(), &[]);
    assert_eq!(status, Some(1));

    let (lines, ..) = fail(json!({"fail": "auth"}));
    let retry = lines.iter().find(|line| line["subtype"] == "api_retry").unwrap();
    assert_eq!(retry["error"], "authentication_failed");
    assert_same_shapes(&lines[lines.len() - 2..lines.len() - 1], &api_error(), &[]);

    let (lines, ..) = fail(json!({"fail": "old_version"}));
    let init = lines.iter().find(|line| line["subtype"] == "init").unwrap();
    assert_eq!(init["claude_code_version"], "1.0.24");

    let (_, stderr, status) = turn(home.path(), &[], r#"@@{"fail":"no such"}@@"#);
    assert!(stderr.contains("bad directive") && status == Some(2));
}

/// The recorded result of an API error; ours has a marked prompt, the recorded one had none.
fn api_error() -> Vec<Value> {
    let mut lines = recorded("error-401");
    for line in lines.iter_mut().filter(|line| line["type"] == "result") {
        line["user_message_uuid"] = json!(ID);
        line["user_message_uuids"] = json!([ID]);
        line["modelUsage"] = recorded("plain-text").last().unwrap()["modelUsage"].clone();
        line["model_usage_since_last_result"] = line["modelUsage"].clone();
    }
    lines
}

#[test]
fn a_plan_in_the_config_folder_fails_at_the_start() {
    let home = TempDir::new().unwrap();
    let config = home.path().join(".claude");
    std::fs::create_dir(&config).unwrap();
    let plan = |plan: Value| {
        std::fs::write(config.join("scripted-claude.json"), plan.to_string()).unwrap();
    };
    plan(json!({"fail": "old_version", "when": "start"}));
    let (_, stderr, status) = turn(home.path(), &[], "hi");
    assert!(stderr.starts_with("error: unknown option") && status == Some(1));
    plan(json!({"text": "planned"}));
    let (lines, ..) = turn(home.path(), &[], "hi");
    assert_eq!(lines.iter().find(|l| l["type"] == "result").unwrap()["result"], "planned");
}

#[test]
fn prompts_that_queue_up_are_one_turn() {
    let home = TempDir::new().unwrap();
    let mut cli = Cli::start(home.path(), ASKING);
    cli.prompt(r#"@@{"ask":"Write"}@@"#);
    let asked = cli.until("control_request/can_use_tool").pop().unwrap();
    cli.prompt("second");
    cli.prompt("third");
    cli.until("command_lifecycle/queued");
    cli.until("command_lifecycle/queued");
    cli.reply(&asked, &json!({"behavior": "allow", "updatedInput": asked["request"]["input"]}));
    let (lines, ..) = cli.end();
    let results: Vec<&Value> = lines.iter().filter(|line| line["type"] == "result").collect();
    assert_eq!(results.len(), 2);
    assert_eq!(results[1]["result"], "You said: second\nthird");
}

#[test]
fn stamped_pieces_are_readings_of_a_clock_that_goes_on() {
    let home = TempDir::new().unwrap();
    let prompt = r#"@@{"n":5,"delay_us":100,"stamp":true}@@"#;
    let (lines, ..) = turn(home.path(), PARTIAL, prompt);
    let deltas = lines.iter().filter_map(|line| line["event"]["delta"]["text"].as_str());
    let stamps: Vec<u64> = deltas.map(|text| text.parse().unwrap()).collect();
    assert_eq!(stamps.len(), 5);
    assert!(stamps.is_sorted(), "{stamps:?}");
}
