//! The program as a client meets it: started on a free port, spoken to over a plain socket.

// A test starts the program under test as a host would, and fails where a step fails.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A running endpoint, ended with the test.
struct Api {
    child: Child,
    address: String,
}

impl Api {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_scripted-api"))
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Self { child, address }
    }

    /// Status, head and body as they came, up to the end of the connection.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &Value) -> (u16, String, String) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        // A connection that the scenario drops may end with a reset; what came before counts.
        let _ = stream.read_to_string(&mut answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
        (status, head.to_owned(), body.to_owned())
    }

    fn messages(&self, prompt: &str, stream: bool) -> (u16, String, String) {
        let body = json!({
            "model": "m", "max_tokens": 9, "stream": stream,
            "messages": [{"role": "user", "content": prompt}],
        });
        self.ask("POST", "/v1/messages", "", &body)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The `data:` objects of a chunked event stream. Chunks end at events, so lines stay whole.
fn events(body: &str) -> Vec<Value> {
    let data = body.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn text(events: &[Value]) -> String {
    events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect()
}

#[test]
fn an_answer_is_a_stream_of_events() {
    let api = Api::start(&[]);
    let (status, head, body) = api.messages(r#"[[scripted:text {"tokens":3,"utf8":true}]]"#, true);
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/event-stream"), "{head}");
    assert!(body.ends_with("0\r\n\r\n"), "the body ends properly");
    let events = events(&body);
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "message_start",
            "ping",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    assert_eq!(text(&events), "θάλασσα 漢字 🌊");
    assert_eq!(events[7]["delta"]["stop_reason"], "end_turn");
}

#[test]
fn tool_input_comes_in_pieces_of_json() {
    let api = Api::start(&[]);
    let prompt =
        r#"[[scripted:tool {"name":"Write","input":{"file_path":"a","content":"ü ü ü"}}]]"#;
    let events = events(&api.messages(prompt, true).2);
    let input: String =
        events.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    let input: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(input, json!({"file_path": "a", "content": "ü ü ü"}));
    assert!(events.iter().any(|event| event["delta"]["stop_reason"] == "tool_use"));
}

#[test]
fn broken_streams_break() {
    let api = Api::start(&[]);
    let (_, _, body) = api.messages(r#"[[scripted:disconnect {"after":2}]]"#, true);
    assert_eq!(text(&events(&body)), "alpha beta ");
    assert!(!body.ends_with("0\r\n\r\n"), "no proper end of the body");
    let (status, _, _) = api.messages("[[scripted:disconnect]]", false);
    assert_eq!(status, 0, "no answer at all");
    let (_, _, body) = api.messages("[[scripted:stream_error]]", true);
    assert_eq!(events(&body).last().unwrap()["error"]["type"], "overloaded_error");
    let (status, _, _) = api.messages("[[scripted:stream_error]]", false);
    assert_eq!(status, 529);
    let (_, _, body) = api.messages(r#"[[scripted:stall {"seconds":0.05}]]"#, true);
    let pings = events(&body).iter().filter(|event| event["type"] == "ping").count();
    assert!(pings >= 2 && text(&events(&body)).ends_with("upsilon"), "pings, then on with it");
}

#[test]
fn the_other_doors() {
    let api = Api::start(&["--reject-key", "bad", "--require-auth", "--strict-models"]);
    let key = "x-api-key: good\r\n";
    let (status, _, body) = api.messages("hi", false);
    assert_eq!((status, body.contains("authentication_error")), (401, true));
    let bad = api.ask("GET", "/v1/models", "authorization: Bearer bad\r\n", &Value::Null);
    assert_eq!(bad.0, 401);
    assert_eq!(api.ask("GET", "/v1/models/claude-sonnet-5", key, &Value::Null).0, 200);
    let unlisted = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user"}]});
    assert_eq!(api.ask("POST", "/v1/messages", key, &unlisted).0, 404);
    let counted = api.ask("POST", "/v1/messages/count_tokens", key, &json!({"messages": []}));
    assert!(counted.2.contains("input_tokens"));
    assert_eq!(api.ask("HEAD", "/", "", &Value::Null).0, 200);
    assert_eq!(api.ask("GET", "/nowhere", key, &Value::Null).0, 404);

    let asked = api.ask("GET", "/__scripted/requests", "", &Value::Null).2;
    let asked: Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked.as_array().unwrap().len(), 7);
    assert_eq!(
        (&asked[0]["scenario"], &asked[0]["path"]),
        (&json!("echo"), &json!("/v1/messages"))
    );
    api.ask("POST", "/__scripted/reset", "", &Value::Null);
    assert_eq!(api.ask("GET", "/__scripted/requests", "", &Value::Null).2, "[]");
}

/// `GET /v1/models` after this was asked of it: status, head and body.
fn listed(api: &Api, play: &Value) -> (u16, String, String) {
    assert_eq!(api.ask("POST", "/__scripted/models", "", play).0, 200, "{play}");
    api.ask("GET", "/v1/models?limit=1000", "", &Value::Null)
}

#[test]
fn the_model_list_is_what_it_is_said_to_be() {
    let api = Api::start(&["--strict-models"]);
    let (status, _, body) = listed(&api, &json!({"models": ["a", "b", "c"], "page": 2}));
    let page: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &page["has_more"], &page["last_id"]), (200, &json!(true), &json!("b")));
    let next = api.ask("GET", "/v1/models?after_id=b", "", &Value::Null).2;
    assert!(next.contains(r#""id":"c""#) && next.contains(r#""has_more":false"#), "{next}");
    assert_eq!(api.ask("GET", "/v1/models/claude-sonnet-5", "", &Value::Null).0, 404);
    let body = json!({"model": "c", "max_tokens": 9, "messages": [{"role": "user"}]});
    assert_eq!(api.ask("POST", "/v1/messages", "", &body).0, 200);

    let bad = api.ask("POST", "/__scripted/models", "", &json!({"fault": "x"}));
    assert_eq!((bad.0, bad.2.contains("no fault 'x'")), (400, true));
    let still = api.ask("GET", "/v1/models?after_id=b", "", &Value::Null);
    assert_eq!(still.0, 200, "what was refused changes nothing");
    api.ask("POST", "/__scripted/reset", "", &Value::Null);
    assert_eq!(api.ask("GET", "/v1/models/claude-sonnet-5", "", &Value::Null).0, 200);
}

#[test]
fn a_faulty_model_list() {
    let api = Api::start(&[]);
    let (status, head, body) = listed(&api, &json!({"fault": "429", "retry_after": 7}));
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: 7") && body.contains("rate_limit_error"), "{head}{body}");
    let (status, _, body) = listed(&api, &json!({"fault": "401"}));
    assert_eq!((status, body.contains("invalid x-api-key")), (401, true));
    let (status, head, _) = listed(&api, &json!({"fault": "redirect", "location": "http://x/"}));
    assert_eq!((status, head.contains("location: http://x/")), (307, true));
    let (status, _, body) = listed(&api, &json!({"fault": "garbage"}));
    assert_eq!((status, body.starts_with("<!doctype")), (200, true));
    let (status, _, body) = listed(&api, &json!({"fault": "shape"}));
    assert_eq!((status, body.contains("data")), (200, false));
    let (status, _, body) = listed(&api, &json!({"fault": "half"}));
    assert!(status == 200 && body.contains("claude-opus-5-5") && !body.ends_with("0\r\n\r\n"));
    assert_eq!(listed(&api, &json!({"fault": "drop"})).0, 0, "no answer at all");
    let (status, _, body) = listed(&api, &json!({"fault": "circle"}));
    assert_eq!((status, body.contains(r#""has_more":true"#)), (200, true));
    assert_eq!(listed(&api, &json!({})).0, 200);
}

#[test]
fn a_model_list_that_hangs_holds_nobody_else_up() {
    let api = Api::start(&[]);
    api.ask("POST", "/__scripted/models", "", &json!({"fault": "hang"}));
    let mut stream = TcpStream::connect(&api.address).unwrap();
    stream.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let asked = || api.ask("GET", "/__scripted/requests", "", &Value::Null).2;
    while asked() == "[]" {}
    api.ask("POST", "/__scripted/models", "", &json!({}));
    assert_eq!(api.ask("GET", "/v1/models", "", &Value::Null).0, 200);
    stream.set_nonblocking(true).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_demonstration_says_so_and_keeps_nothing() {
    let api = Api::start(&["--demo"]);
    let said = text(&events(&api.messages("hello there", true).2));
    assert!(said.contains("no real model") && said.contains("hello there"), "{said}");
    assert_eq!(api.ask("GET", "/__scripted/requests", "", &Value::Null).2, "[]");
}
