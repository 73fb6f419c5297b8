//! What the supervisor's tests share: its streams read event by event, and waiting for what it
//! says of the suite.

use crate::lab::Lab;
use http::Method;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parachute_tests::{Caller, eventually};
use serde_json::Value;
use std::collections::VecDeque;

/// A stream of server-sent events with ids that are any text.
pub(crate) struct Events {
    body: Incoming,
    rest: Vec<u8>,
    ready: VecDeque<(Option<String>, Option<Value>)>,
    /// The last id that was seen.
    pub(crate) last_id: Option<String>,
}

impl Events {
    /// Opens a stream, from after an event if one is named.
    pub(crate) async fn open(who: &Caller, path: &str, after: Option<&str>) -> Events {
        let who = match after {
            Some(id) => who.clone().with("last-event-id", id),
            None => who.clone(),
        };
        let answer = who.open(Method::GET, path, None).await.expect("a stream");
        assert_eq!(answer.status(), 200);
        Events {
            body: answer.into_body(),
            rest: Vec::new(),
            ready: VecDeque::new(),
            last_id: after.map(str::to_owned),
        }
    }

    /// The next event; None at the end of the stream, in order or not.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            while self.ready.is_empty() {
                let data = self.body.frame().await?.ok()?.into_data().ok()?;
                self.take(&data);
            }
            let (id, event) = self.ready.pop_front()?;
            self.last_id = id.or(self.last_id.take());
            // An id alone is a place to go on from.
            if event.is_some() {
                return event;
            }
        }
    }

    /// The next event for which this is so.
    pub(crate) async fn until(&mut self, mut so: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if so(&event) {
                return event;
            }
        }
    }

    fn take(&mut self, data: &[u8]) {
        self.rest.extend_from_slice(data);
        let Some(end) = self.rest.windows(2).rposition(|w| w == b"\n\n") else {
            return;
        };
        let whole: Vec<u8> = self.rest.drain(..end + 2).collect();
        let text = String::from_utf8(whole).expect("events are text");
        for frame in text.split("\n\n") {
            let line = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
            let event = line("data: ").map(|data| serde_json::from_str(data).expect("JSON"));
            let id = line("id: ").map(str::to_owned);
            if id.is_some() || event.is_some() {
                self.ready.push_back((id, event));
            }
        }
    }
}

/// The status, once it is so.
pub(crate) async fn status_when(lab: &Lab, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let status = lab.overseer().get("/supervisor/status").await.json();
        so(&status).then_some(status)
    })
    .await
}

/// One unit of a status.
pub(crate) fn unit<'a>(status: &'a Value, name: &str) -> &'a Value {
    let units = status["units"].as_array().expect("units");
    units.iter().find(|unit| unit["name"] == name).expect("a unit of the suite")
}

/// What a unit's log said, from the supervisor.
pub(crate) async fn lines(who: &Caller, query: &str) -> Vec<Value> {
    let mut events =
        Events::open(who, &format!("/supervisor/logs?follow=false&{query}"), None).await;
    let mut lines = Vec::new();
    while let Some(line) = events.next().await {
        lines.push(line);
    }
    lines
}
