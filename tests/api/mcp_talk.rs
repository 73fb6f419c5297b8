//! The MCP client against servers of every kind and revision, good and bad, with limits that a
//! test can wait for. Through the doors the same is in `mcps_tried.rs`.

use mcp::{Limits, Place, Program, Report, Told, Way, ask};
use parachute_tests::{ScriptedMcp, eventually, program};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use wire::Secret;

const REVISIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// Enough for what answers.
const PATIENT: Limits = Limits { step: Duration::from_secs(60), whole: Duration::from_secs(60) };
/// Enough to see that nothing comes.
const BRIEF: Limits =
    Limits { step: Duration::from_millis(300), whole: Duration::from_millis(300) };
/// Enough to begin, and to see that nothing comes then.
const TWO_STEPS: Limits = Limits { step: Duration::from_secs(4), whole: Duration::from_secs(8) };

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn started(dir: &TempDir, command: &str, args: &[&str]) -> Way {
    let dir = dir.path().to_owned();
    Way::Program(Program { command: command.into(), args: words(args), env: Vec::new(), dir })
}

fn scripted(dir: &TempDir, args: &[&str]) -> Way {
    started(dir, program("scripted-mcp").to_str().expect("text"), args)
}

fn called(url: &str) -> Way {
    Way::Place(Place { url: url.into(), headers: Vec::new(), older: false })
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn asked(way: &Way) -> Report {
    ask(way, &[], &PATIENT).await
}

fn told(report: Report) -> Told {
    report.outcome.unwrap_or_else(|failed| panic!("{failed:?}"))
}

/// What was said, and the hint.
fn failed(report: Report) -> (String, String) {
    let failed = report.outcome.expect_err("it cannot be spoken with");
    (failed.said, failed.hint.unwrap_or_default())
}

fn notes(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Waits until no process has this id, or another one has it that began later.
async fn gone(pid: &Value) {
    let path = format!("/proc/{pid}/cmdline");
    let lives = || std::fs::read(&path).is_ok_and(|line| !line.is_empty());
    eventually(&format!("{pid} ends"), async || (!lives()).then_some(())).await;
}

#[tokio::test]
async fn every_revision_over_standard_streams() {
    let dir = folder();
    for revision in REVISIONS {
        let way = scripted(&dir, &["--revision", revision, "--tools", "7", "--page", "3"]);
        let told = told(asked(&way).await);
        assert_eq!(told.revision, revision);
        assert_eq!(told.server.as_deref(), Some("scripted 1.0"), "{revision}");
        let names: Vec<&str> = told.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names.len(), 7, "{revision}: {names:?}");
        assert_eq!(told.tools[2].description.as_deref(), Some("Does 2 things."));
        assert_eq!(told.tools[3].description, None);
    }
}

#[tokio::test]
async fn every_revision_over_http_with_and_without_events_and_sessions() {
    for revision in REVISIONS {
        for words in [&[][..], &["--events"], &["--sessions"], &["--events", "--sessions"]] {
            let all = [&["--revision", revision, "--tools", "5", "--page", "2"], words].concat();
            let server = ScriptedMcp::start(&all);
            let report = asked(&called(&server.url)).await;
            assert_eq!(report.http_status, Some(200), "{all:?}: {report:?}");
            let told = told(report);
            assert_eq!((told.revision.as_str(), told.tools.len()), (revision, 5), "{all:?}");
        }
    }
}

#[tokio::test]
async fn the_older_http_of_2024_works() {
    for revision in ["2024-11-05", "2025-06-18"] {
        let server = ScriptedMcp::start(&["--older", "--revision", revision]);
        let place = Place { url: server.url.clone(), headers: Vec::new(), older: true };
        assert_eq!(told(asked(&Way::Place(place)).await).tools.len(), 2);
    }
    let url = ScriptedMcp::start(&["--older"]).url.clone();
    let (said, _) =
        failed(asked(&Way::Place(Place { url, headers: Vec::new(), older: true })).await);
    assert!(said.contains("cannot be reached"), "{said}");
    // Where it is not said to be of that kind, the hint says so.
    let server = ScriptedMcp::start(&["--fault", "exit", "--status", "405"]);
    let (said, hint) = failed(asked(&called(&server.url)).await);
    assert!(said.contains("405") && hint.contains("`sse`"), "{said} {hint}");
}

#[tokio::test]
async fn a_server_without_tools_has_none() {
    let dir = folder();
    assert_eq!(told(asked(&scripted(&dir, &["--tools", "0"])).await).tools, []);
}

#[tokio::test]
async fn what_is_no_protocol_is_passed_over() {
    let dir = folder();
    assert_eq!(told(asked(&scripted(&dir, &["--fault", "chatter"])).await).tools.len(), 2);
    // Its error output is more than a pipe holds.
    assert_eq!(told(asked(&scripted(&dir, &["--fault", "loud"])).await).tools.len(), 2);
}

#[tokio::test]
async fn a_program_that_fails_is_told_in_words() {
    let dir = folder();
    for (args, said, hint) in [
        (
            &["--fault", "exit", "--says", "no key\nset KEY"][..],
            "ended with status 3",
            "no key\nset KEY",
        ),
        (&["--fault", "exit", "--status", "0"], "ended with status 0", ""),
        (&["--fault", "exit-list", "--says", "why"], "ended with status 3", "why"),
        (&["--fault", "refuse"], "refused: not today (-32000)", ""),
        (&["--fault", "refuse-list"], "refused: no list today (-32001)", ""),
        (&["--fault", "no-list"], "is not MCP", "nothing but the protocol"),
        (&["--fault", "circle"], "has no end", ""),
        (&["--fault", "flood"], "more than 8 MiB", ""),
        (&["--revision", "1999-01-01"], "revision 1999-01-01", ""),
    ] {
        let (was_said, was_hint) = failed(asked(&scripted(&dir, args)).await);
        assert!(was_said.contains(said), "{args:?}: {was_said}");
        assert!(was_hint.contains(hint), "{args:?}: {was_hint}");
    }
    let (said, hint) = failed(asked(&started(&dir, "no-such-program-at-all", &[])).await);
    assert_eq!(said, "`no-such-program-at-all` is not found");
    assert!(hint.contains("install"), "{hint}");
    for command in ["./nothing", "/nothing/at/all"] {
        let (said, _) = failed(asked(&started(&dir, command, &[])).await);
        assert!(said.contains("not found"), "{said}");
    }
    std::fs::write(dir.path().join("text"), "no program").expect("written");
    let (said, _) = failed(asked(&started(&dir, "./text", &[])).await);
    assert!(said.contains("cannot be started"), "{said}");
}

#[tokio::test]
async fn a_silent_server_has_so_long_and_no_longer() {
    let dir = folder();
    let http = ScriptedMcp::start(&["--fault", "silent"]);
    let list = ScriptedMcp::start(&["--fault", "silent-list"]);
    for way in [
        scripted(&dir, &["--fault", "silent"]),
        scripted(&dir, &["--fault", "garbage"]),
        started(&dir, "sleep", &["1000"]),
        called(&http.url),
    ] {
        let (said, _) = failed(ask(&way, &[], &BRIEF).await);
        assert!(said.contains("did not begin to speak within"), "{said}");
    }
    let (program, place) = (scripted(&dir, &["--fault", "silent-list"]), called(&list.url));
    let both = tokio::join!(ask(&program, &[], &TWO_STEPS), ask(&place, &[], &TWO_STEPS));
    for report in [both.0, both.1] {
        let (said, _) = failed(report);
        assert!(said.contains("did not list its tools within 4 s"), "{said}");
    }
}

#[tokio::test]
async fn trap_t71_nothing_of_a_program_is_left_whatever_it_does() {
    let dir = folder();
    let (notes_at, child_at) = (dir.path().join("notes"), dir.path().join("child"));
    let (notes_text, child_text) =
        (notes_at.to_str().expect("text"), child_at.to_str().expect("text"));
    let server = program("scripted-mcp");
    // A child that will not be told, of a server that will not be told.
    let script = format!(
        "trap '' TERM INT HUP; sleep 1000 <&- >&- 2>&- & echo $! > '{child_text}'; \
         exec '{}' --notes '{notes_text}' \"$@\"",
        server.display()
    );
    for fault in [&[][..], &["--fault", "silent"], &["--fault", "exit"], &["--fault", "flood"]] {
        let args = [&["-c", script.as_str(), "sh"], fault].concat();
        let silent = fault.contains(&"silent");
        let limits = if silent { &TWO_STEPS } else { &PATIENT };
        let report = ask(&started(&dir, "/bin/sh", &args), &[], limits).await;
        assert_eq!(report.outcome.is_ok(), fault.is_empty(), "{report:?}");
        let own = notes(&notes_at).last().expect("a line")["pid"].clone();
        let child = std::fs::read_to_string(&child_at).expect("a pid");
        gone(&own).await;
        gone(&serde_json::from_str(child.trim()).expect("a number")).await;
    }
    // Nor where whoever asked does not wait.
    let args = ["--fault", "silent", "--notes", notes_text];
    let way = scripted(&dir, &args);
    let lines = notes(&notes_at).len();
    let own = {
        let asking = asked(&way);
        tokio::pin!(asking);
        let begun = eventually("it is started", async || {
            tokio::select! {
                report = &mut asking => panic!("{report:?}"),
                () = std::future::ready(()) => notes(&notes_at).get(lines).cloned(),
            }
        });
        begun.await["pid"].clone()
    };
    gone(&own).await;
}

#[tokio::test]
async fn a_program_gets_a_clean_environment() {
    let dir = folder();
    let notes_at = dir.path().join("notes");
    let mut way = scripted(&dir, &["--notes", notes_at.to_str().expect("text"), "--tools", "1"]);
    if let Way::Program(program) = &mut way {
        program.env.push(("OWN".into(), Secret::new("value with spaces".into())));
        program.env.push(("HOME".into(), Secret::new("/elsewhere".into())));
    }
    told(asked(&way).await);
    let process = notes(&notes_at).remove(0);
    assert_eq!(process["env"]["OWN"], "value with spaces");
    assert_eq!(process["env"]["HOME"], "/elsewhere");
    assert_eq!(process["dir"], dir.path().to_str().expect("text"));
    let env = process["env"].as_object().expect("variables");
    // The test's own, of which cargo has set a good deal.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")));
    let strays: Vec<&String> = env
        .keys()
        .filter(|name| {
            let known = |entry: &&str| match entry.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == entry,
            };
            *name != "OWN" && !host::child::PERSONAL.iter().any(known)
        })
        .collect();
    assert_eq!(strays, Vec::<&String>::new());
}

#[tokio::test]
async fn headers_are_shown_with_every_request_and_not_told() {
    let dir = folder();
    let notes_at = dir.path().join("notes");
    let notes_text = notes_at.to_str().expect("text");
    let server =
        ScriptedMcp::start(&["--token", "very-private", "--sessions", "--notes", notes_text]);
    let place = |value: &str| {
        let headers = vec![("authorization".into(), Secret::new(value.into()))];
        Way::Place(Place { url: server.url.clone(), headers, older: false })
    };
    assert_eq!(told(asked(&place("Bearer very-private")).await).tools.len(), 2);
    let requests = notes(&notes_at).into_iter().filter(|note| note.get("method").is_some());
    let requests: Vec<Value> = requests.collect();
    let methods: Vec<&Value> = requests.iter().map(|request| &request["method"]).collect();
    assert_eq!(methods, ["POST", "POST", "POST", "DELETE"]);
    for request in &requests {
        assert_eq!(request["headers"]["authorization"], "Bearer very-private");
        assert!(request["headers"].get("referer").is_none());
    }
    for request in &requests[1..] {
        assert_eq!(request["headers"]["mcp-session-id"], "a-session");
        assert_eq!(request["headers"]["mcp-protocol-version"], "2025-11-25");
    }
    let report = asked(&place("Bearer something-else")).await;
    assert_eq!(report.http_status, Some(401));
    let (said, hint) = failed(report);
    assert!(said.contains("401") && hint.contains("Authorization"), "{said} {hint}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_stranger_gets_no_message() {
    let dir = folder();
    let notes_at = dir.path().join("notes");
    let elsewhere = ScriptedMcp::start(&["--notes", notes_at.to_str().expect("text")]);
    let redirects = ScriptedMcp::start(&["--elsewhere", &elsewhere.url]);
    let report = asked(&called(&redirects.url)).await;
    assert_eq!(report.http_status, Some(307));
    let (said, hint) = failed(report);
    assert!(said.contains("307") && hint.contains("not followed"), "{said} {hint}");
    let older = ScriptedMcp::start(&["--older", "--elsewhere", &elsewhere.url]);
    let place = Place { url: older.url.clone(), headers: Vec::new(), older: true };
    let (said, _) = failed(asked(&Way::Place(place)).await);
    assert!(said.contains("another address"), "{said}");
    assert_eq!(notes(&notes_at).len(), 1, "its own beginning, and no request");
}

#[tokio::test]
async fn a_server_that_answers_badly_over_http_is_told_in_words() {
    for (words, status, said) in [
        (&["--fault", "exit", "--status", "500"][..], Some(500), "answered 500"),
        (&["--fault", "exit", "--status", "400"], Some(400), "answered 400"),
        (&["--fault", "exit", "--status", "404"], Some(404), "answered 404"),
        (&["--fault", "garbage"], Some(200), "not MCP"),
        (&["--fault", "flood"], Some(200), "more than 8 MiB"),
        (&["--fault", "refuse"], Some(200), "refused: not today"),
        (&["--fault", "refuse-list"], Some(200), "refused: no list today"),
        (&["--fault", "no-list", "--events"], Some(200), "not MCP"),
        (&["--fault", "circle"], Some(200), "no end"),
        (&["--fault", "exit-list"], Some(202), "cannot be reached"),
    ] {
        let server = ScriptedMcp::start(words);
        let report = asked(&called(&server.url)).await;
        assert_eq!(report.http_status, status, "{words:?}: {report:?}");
        let (was_said, _) = failed(report);
        assert!(was_said.contains(said), "{words:?}: {was_said}");
    }
    for url in ["", "x", "ftp://x.test/", "file:///etc/passwd", "http://", "unix:/x", "http://[::1"]
    {
        let (said, _) = failed(asked(&called(url)).await);
        assert!(said.contains("no http"), "{url}: {said}");
    }
    let gone = ScriptedMcp::start(&[]).url.clone();
    let (said, hint) = failed(asked(&called(&gone)).await);
    assert!(said.contains("cannot be reached") && hint.contains("address"), "{said} {hint}");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_taken_up_again() {
    for words in [&["--fault", "break"][..], &["--fault", "break", "--sessions"]] {
        let server = ScriptedMcp::start(words);
        assert_eq!(told(asked(&called(&server.url)).await).tools.len(), 2, "{words:?}");
    }
}

#[tokio::test]
async fn headers_that_are_the_protocols_cannot_be_set() {
    let server = ScriptedMcp::start(&[]);
    for (name, value) in [
        ("Host", "x"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Mcp-Session-Id", "x"),
        ("Accept", "*/*"),
        ("a b", "x"),
        ("x", "a\r\nHost: b"),
        ("x", "a\u{0}"),
        ("", "x"),
    ] {
        let headers = vec![(name.into(), Secret::new(value.into()))];
        let place = Place { url: server.url.clone(), headers, older: false };
        let (said, _) = failed(asked(&Way::Place(place)).await);
        assert!(said.contains("cannot be sent"), "{name}: {said}");
    }
}

#[tokio::test]
async fn secrets_are_taken_out_of_what_is_told() {
    let dir = folder();
    let says = "cannot log in with sk-123456 as \u{1b}[31mme\u{1b}[0m";
    let way = scripted(&dir, &["--fault", "exit", "--says", says]);
    let report = ask(&way, &[Secret::new("sk-123456".into())], &PATIENT).await;
    let (said, hint) = failed(report);
    assert_eq!(hint, "cannot log in with [REDACTED] as me", "{said}");
}
