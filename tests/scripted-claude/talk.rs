//! The conversation: what holds between turns, and everything the host may say at any time
//! (requests, interrupts, further prompts). What a turn says is in `turn.rs`.

use std::collections::{HashSet, VecDeque};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::flags::Flags;
use crate::inbox::{self, Incoming, Prompt};
use crate::out::{Out, uuid};
use crate::plan::Plan;
use crate::transcript::Transcript;
use crate::{VERSION, shape, turn};

/// A registered `PreToolUse` hook.
pub(crate) struct Hook {
    pub matcher: Option<String>,
    pub callback: String,
}

/// What came of a question to the host.
pub(crate) enum Reply {
    Answer(Value),
    Failed(String),
    Interrupted,
    /// stdin was closed before an answer came.
    Closed,
}

/// One process, one session.
pub(crate) struct Talk {
    pub flags: Flags,
    /// The plan for prompts without a directive.
    pub plan: Plan,
    pub out: Out,
    pub transcript: Transcript,
    pub mode: String,
    pub model: String,
    pub hooks: Vec<Hook>,
    /// Tools that the host allowed for the session.
    pub allowed: HashSet<String>,
    pub queue: VecDeque<Prompt>,
    /// An interrupt came in since the turn began.
    pub interrupted: bool,
    pub results: u64,
    /// Tokens of this process: input, output.
    pub tokens: (u64, u64),
    pub failed: bool,
    /// The system prompt, or what was added to it.
    pub told: String,
    inbox: Receiver<Incoming>,
}

impl Talk {
    pub(crate) fn new(flags: Flags, plan: Plan, transcript: Transcript) -> Self {
        Self {
            mode: flags.mode.clone(),
            model: flags.model.clone(),
            out: Out::new(),
            inbox: inbox::open(),
            hooks: Vec::new(),
            allowed: HashSet::new(),
            queue: VecDeque::new(),
            interrupted: false,
            results: 0,
            tokens: (0, 0),
            failed: false,
            told: String::new(),
            flags,
            plan,
            transcript,
        }
    }

    /// Turn by turn to the end of stdin. The status says whether the last one failed.
    pub(crate) fn run(mut self) -> ExitCode {
        loop {
            if self.queue.is_empty() {
                let Ok(incoming) = self.inbox.recv() else {
                    break;
                };
                self.take(incoming);
                continue;
            }
            // All that has queued up is one turn, as the real CLI has it.
            let prompts = self.queue.drain(..).collect();
            self.interrupted = false;
            turn::run(&mut self, prompts);
        }
        if self.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// A line of the session's own: `session_id` and a fresh `uuid` are put in.
    pub(crate) fn say(&mut self, mut line: Value) {
        line["session_id"] = json!(self.transcript.session);
        line["uuid"] = json!(uuid());
        self.out.line(&line);
    }

    /// `session_state_changed`, where the host asked for it.
    pub(crate) fn state(&mut self, state: &str) {
        if self.flags.states {
            let subtype = "session_state_changed";
            self.say(json!({"type": "system", "subtype": subtype, "state": state}));
        }
    }

    /// `command_lifecycle` of a prompt that has an id.
    pub(crate) fn lifecycle(&mut self, uuid: Option<&str>, state: &str) {
        if let Some(uuid) = uuid {
            let kind = "command_lifecycle";
            self.say(json!({"type": kind, "command_uuid": uuid, "state": state}));
        }
    }

    /// Takes what has come in meanwhile. True: the turn is interrupted.
    pub(crate) fn poll(&mut self) -> bool {
        while let Ok(incoming) = self.inbox.try_recv() {
            self.take(incoming);
        }
        self.interrupted
    }

    /// Waits, unless an interrupt comes. True: the turn is interrupted.
    pub(crate) fn pause(&mut self, length: Duration) -> bool {
        self.out.flush();
        let end = Instant::now() + length;
        loop {
            if self.interrupted {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(incoming) => self.take(incoming),
                Err(RecvTimeoutError::Timeout) => return self.interrupted,
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(left);
                    return self.interrupted;
                }
            }
        }
    }

    /// Asks the host and waits for the answer, as long as it takes.
    pub(crate) fn ask(&mut self, request: Value) -> Reply {
        let id = uuid();
        let line = json!({"type": "control_request", "request_id": id, "request": request});
        self.out.line(&line);
        loop {
            match self.inbox.recv() {
                Err(_) => return Reply::Closed,
                Ok(Incoming::Answer(to, answer)) if to == id => {
                    return answer.map_or_else(Reply::Failed, Reply::Answer);
                }
                Ok(Incoming::Request(request, body)) if body["subtype"] == "interrupt" => {
                    self.out.line(&json!({"type": "control_cancel_request", "request_id": id}));
                    self.take(Incoming::Request(request, body));
                    return Reply::Interrupted;
                }
                Ok(incoming) => self.take(incoming),
            }
        }
    }

    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Prompt(prompt) => {
                if self.queue.is_empty() {
                    self.state("running");
                }
                self.lifecycle(prompt.uuid.as_deref(), "queued");
                self.queue.push_back(prompt);
            }
            Incoming::Request(id, request) => self.answer(&id, &request),
            // An answer to what is no longer asked.
            Incoming::Answer(..) => {}
        }
    }

    fn answer(&mut self, id: &str, request: &Value) {
        let body = match request["subtype"].as_str().unwrap_or_default() {
            "initialize" => return self.initialize(id, request),
            "interrupt" => {
                self.interrupted = true;
                let queued: Vec<_> = self.queue.iter().filter_map(|p| p.uuid.clone()).collect();
                Ok(json!({"still_queued": queued}))
            }
            "set_permission_mode" => match request["mode"].as_str() {
                Some(mode) => {
                    self.mode = mode.to_owned();
                    Ok(json!({"mode": mode}))
                }
                None => Err(("Cannot set permission mode".to_owned(), "invalid_mode")),
            },
            "set_model" => {
                self.model = request["model"].as_str().unwrap_or(&self.flags.model).to_owned();
                Ok(json!({"model": self.model}))
            }
            other => {
                let text = format!("Unsupported control request subtype: {other}");
                Err((text, "unsupported_request"))
            }
        };
        let response = match body {
            Ok(body) => json!({"subtype": "success", "request_id": id, "response": body}),
            Err((error, code)) => {
                json!({"subtype": "error", "request_id": id, "error": error, "error_code": code})
            }
        };
        self.out.line(&json!({"type": "control_response", "response": response}));
    }

    fn initialize(&mut self, id: &str, request: &Value) {
        self.hooks.clear();
        let told = request["systemPrompt"].as_str().or(request["appendSystemPrompt"].as_str());
        told.unwrap_or_default().clone_into(&mut self.told);
        let registered = request["hooks"]["PreToolUse"].as_array();
        for entry in registered.map_or(&[][..], Vec::as_slice) {
            let callbacks = entry["hookCallbackIds"].as_array();
            for callback in callbacks.map_or(&[][..], Vec::as_slice) {
                self.hooks.push(Hook {
                    matcher: entry["matcher"].as_str().map(str::to_owned),
                    callback: callback.as_str().unwrap_or_default().to_owned(),
                });
            }
        }
        let mut line = shape::initialized();
        line["response"]["request_id"] = json!(id);
        let body = &mut line["response"]["response"];
        body["pid"] = json!(std::process::id());
        body["claude_code_version"] = json!(VERSION);
        body["current_permission_mode"] = json!(self.mode);
        body["account"]["apiKeySource"] = json!(self.flags.key_source);
        self.out.line(&line);
    }
}
