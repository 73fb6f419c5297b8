//! The whole road over log files: what a client gets, and when.

use super::*;
use host::logs::LogFile;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;
use wire::Secret;

struct Place {
    folder: TempDir,
    source: Source,
    stop: CancellationToken,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.log");
        let source = Source::Files(vec![LogFile { unit: "parachute.service".into(), path }]);
        Place { folder, source, stop: CancellationToken::new() }
    }

    fn write(&self, text: &str) {
        let path = self.folder.path().join("server.log");
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn numbers(&self, numbers: std::ops::Range<usize>) {
        let lines: Vec<String> = numbers.map(|n| format!("line {n}\n")).collect();
        self.write(&lines.concat());
    }

    fn follow(&self, query: Value, after: Option<&str>) -> Result<Stream, Fault> {
        let query = serde_json::from_value(query).unwrap();
        let limits = Limits::default();
        let live = follow(&self.source, redactor(), query, after, &limits, &self.stop, |_| true)?;
        Ok(Stream { body: live.reply().into_body(), rest: String::new() })
    }

    async fn export(&self, query: Value) -> String {
        let query = serde_json::from_value(query).unwrap();
        let limits = Limits::default();
        let live = export(&self.source, redactor(), query, &limits, &self.stop, |_| true);
        let body = live.unwrap().reply().into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }
}

fn redactor() -> Arc<Redactor> {
    Arc::new(Redactor::new(Path::new("/home/x"), vec![Secret::new("canary-0".to_owned())]))
}

struct Stream {
    body: serve::Body,
    rest: String,
}

impl Stream {
    /// The next event's id and data; none at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let id = event.lines().find_map(|line| line.strip_prefix("id: "));
                let id = id.unwrap_or_default().to_owned();
                let data = event.lines().find_map(|line| line.strip_prefix("data: "));
                let data = data.map(|data| serde_json::from_str(data).unwrap());
                self.rest = rest.to_owned();
                match data {
                    Some(data) => return Some((id, data)),
                    // A place to go on from, and no line.
                    None => continue,
                }
            }
            let piece = self.body.frame().await?.unwrap().into_data().unwrap();
            self.rest.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }

    async fn messages(&mut self, count: usize) -> Vec<String> {
        let mut messages = Vec::new();
        while messages.len() < count
            && let Some((_, data)) = self.next().await
        {
            messages.push(data["message"].as_str().unwrap_or_default().to_owned());
        }
        messages
    }
}

#[tokio::test]
async fn the_last_lines_and_then_what_comes_without_a_gap() {
    let place = Place::new();
    place.numbers(0..100);
    let mut stream = place.follow(json!({ "lines": 3 }), None).unwrap();
    assert_eq!(stream.messages(3).await, ["line 97", "line 98", "line 99"]);
    place.numbers(100..102);
    assert_eq!(stream.messages(2).await, ["line 100", "line 101"]);

    let mut new = place.follow(json!({ "lines": 0 }), None).unwrap();
    // It has begun once the place it goes on from is known; what is written later is told.
    tokio::task::yield_now().await;
    place.numbers(102..103);
    assert_eq!(new.messages(1).await, ["line 102"]);

    let mut ended = place.follow(json!({ "lines": 2, "follow": false }), None).unwrap();
    assert_eq!(ended.messages(9).await, ["line 101", "line 102"]);
}

#[tokio::test]
async fn each_id_is_a_place_to_go_on_from() {
    let place = Place::new();
    place.numbers(0..20);
    let mut stream = place.follow(json!({ "lines": 5000, "follow": false }), None).unwrap();
    let mut ids = Vec::new();
    while let Some((id, _)) = stream.next().await {
        ids.push(id);
    }
    for (number, id) in ids.iter().enumerate() {
        let query = json!({ "lines": 2, "follow": false });
        let rest = place.follow(query, Some(id)).unwrap().messages(99).await;
        assert_eq!(rest.len(), 19 - number);
        assert_eq!(rest.first().cloned(), (number < 19).then(|| format!("line {}", number + 1)));
    }
    assert_eq!(place.follow(json!({}), Some("nonsense")).err().unwrap().status, 400);
}

#[tokio::test]
async fn with_an_expression_the_last_lines_are_those_in_which_it_is_found() {
    let place = Place::new();
    place.numbers(0..1000);
    let query = json!({ "lines": 3, "grep": "line \\d*7$" });
    let mut stream = place.follow(query, None).unwrap();
    assert_eq!(stream.messages(3).await, ["line 977", "line 987", "line 997"]);
    place.numbers(1000..1020);
    assert_eq!(stream.messages(2).await, ["line 1007", "line 1017"]);
}

#[tokio::test]
async fn no_secret_leaves_by_any_door() {
    let place = Place::new();
    place.write("a canary-0 b token=canary-1 /home/x/c\n");
    let mut stream = place.follow(json!({}), None).unwrap();
    let (_, event) = stream.next().await.unwrap();
    let text = place.export(json!({})).await;
    let json = place.export(json!({ "format": "json" })).await;
    let last = last(&place.source, &redactor(), "parachute.service", 5).await;
    for shown in [event.to_string(), text, json, last.concat()] {
        assert!(shown.contains("a [REDACTED] b token=[REDACTED] ~/c"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[tokio::test]
async fn trouble_is_one_event_and_the_end() {
    let place = Place::new();
    std::fs::create_dir(place.folder.path().join("server.log")).unwrap();
    let mut stream = place.follow(json!({}), None).unwrap();
    let (id, event) = stream.next().await.unwrap();
    let said = event["error"].as_str().unwrap();
    assert!(id.is_empty() && said.contains("cannot be read"), "{event}");
    assert_eq!(stream.next().await, None);
    assert!(last(&place.source, &redactor(), "parachute.service", 5).await.is_empty());
}

#[tokio::test]
async fn an_export_is_all_of_it_or_the_last_lines() {
    let place = Place::new();
    place.numbers(0..30_000);
    let all = place.export(json!({})).await;
    let expected: Vec<String> = (0..30_000).map(|n| format!("parachute: line {n}")).collect();
    assert_eq!(all.lines().collect::<Vec<_>>(), expected);
    let last = place.export(json!({ "lines": 2, "format": "json" })).await;
    let messages = last.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let messages: Vec<Value> = messages.map(|line| line["message"].clone()).collect();
    assert_eq!(messages, ["line 29998", "line 29999"]);
}

#[tokio::test]
async fn whoever_takes_nothing_is_waited_for_and_gets_all_of_it() {
    let place = Place::new();
    let mut stream = place.follow(json!({ "since": "@0" }), None).unwrap();
    place.numbers(0..50_000);
    // Everything that can go on without the client does.
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    let heard = stream.messages(50_000).await;
    assert!(heard.iter().enumerate().all(|(n, line)| *line == format!("line {n}")));
}

#[tokio::test]
async fn a_stop_ends_it() {
    let place = Place::new();
    place.numbers(0..2);
    let mut stream = place.follow(json!({}), None).unwrap();
    assert_eq!(stream.messages(2).await.len(), 2);
    place.stop.cancel();
    assert_eq!(stream.next().await, None);
}
