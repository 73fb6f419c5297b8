//! What the endpoint remembers between requests: what was asked, how often an error that comes a
//! limited number of times was given, and what the model list was said to be. Keeps nothing that
//! was asked of a demonstration.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::Options;
use crate::models::Play;

/// Requests kept for `GET /__scripted/requests`; the oldest go first.
const REQUESTS_KEPT_MAX: usize = 1024;

/// Shared by all connections of one endpoint.
#[derive(Debug)]
pub struct State {
    pub(crate) options: Options,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    requests: VecDeque<(u64, Value)>,
    next: u64,
    errors: HashMap<String, u64>,
    play: Play,
    usage: Option<Value>,
    log: Option<File>,
}

impl State {
    /// Opens the log, if the options name one.
    pub fn open(options: Options) -> std::io::Result<Self> {
        let log = match &options.log {
            Some(path) => Some(File::options().create(true).append(true).open(path)?),
            None => None,
        };
        Ok(Self { options, memory: Mutex::new(Memory { log, ..Memory::default() }) })
    }

    /// Keeps a request; the number given back is for [`State::outcome`].
    pub(crate) fn record(&self, entry: Value) -> u64 {
        let mut memory = self.memory();
        let number = memory.next;
        memory.next += 1;
        if let Some(log) = &mut memory.log
            && let Err(error) = writeln!(log, "{entry}")
        {
            eprintln!("scripted-api: cannot write the log: {error}");
        }
        if !self.options.demo {
            if memory.requests.len() == REQUESTS_KEPT_MAX {
                memory.requests.pop_front();
            }
            memory.requests.push_back((number, entry));
        }
        number
    }

    /// Notes how a recorded request ended, if it is still kept.
    pub(crate) fn outcome(&self, number: u64, outcome: &str) {
        let mut memory = self.memory();
        if let Some((_, entry)) = memory.requests.iter_mut().find(|(kept, _)| *kept == number) {
            entry["outcome"] = outcome.into();
        }
    }

    /// Counts an error and says how often it has now been asked for.
    pub(crate) fn count(&self, key: String) -> u64 {
        let mut memory = self.memory();
        let served = memory.errors.entry(key).or_default();
        *served += 1;
        *served
    }

    /// The requests kept, oldest first.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.memory().requests.iter().map(|(_, entry)| entry.clone()).collect()
    }

    pub(crate) fn reset(&self) {
        let mut memory = self.memory();
        memory.requests.clear();
        memory.errors.clear();
        memory.play = Play::default();
        memory.usage = None;
    }

    /// What `GET /api/oauth/usage` answers: a status and a body.
    pub(crate) fn usage(&self) -> (u16, Value) {
        let usage = self.memory().usage.clone().unwrap_or_else(
            || json!({ "body": { "five_hour": { "utilization": 1.0, "resets_at": null } } }),
        );
        let status = usage["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        (status.unwrap_or(200), usage["body"].clone())
    }

    pub(crate) fn set_usage(&self, usage: Value) {
        self.memory().usage = Some(usage);
    }

    /// What the model list is to be.
    pub(crate) fn play(&self) -> Play {
        self.memory().play.clone()
    }

    pub(crate) fn set_play(&self, play: Play) {
        self.memory().play = play;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("nothing panics while it holds the memory")
    }
}
