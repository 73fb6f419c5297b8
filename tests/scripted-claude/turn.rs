//! One turn: the lines from `system/init` to the last before the result, in the order of the
//! recorded ones. The lines are made in `line.rs`, tool calls carried through in `tool.rs`; what
//! goes wrong is in `fail.rs`, the end in `result.rs`.

use std::ops::Range;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::fail;
use crate::inbox::Prompt;
use crate::out::{Delta, hex, uuid};
use crate::plan::{Fail, Plan, Speech};
use crate::result::{self, End};
use crate::talk::Talk;
use crate::tool::{self, Call};
use crate::{OLD_VERSION, shape};

/// Deltas between two looks at stdin where there is no delay.
const DELTAS_UNSEEN: usize = 64;
/// What every request is said to have cost on the way in.
pub(crate) const INPUT_TOKENS: u64 = 1000;
const TOOL_INPUT_PIECE_CHARS: usize = 12;

/// Why a turn stops before its end: an interrupt while it spoke, or at a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Streaming,
    Tools,
}

/// What a turn has said so far.
pub(crate) struct Turn {
    pub plan: Plan,
    pub prompt: String,
    pub uuids: Vec<String>,
    pub started: Instant,
    /// The text of the last message, which is the result.
    pub text: String,
    pub requests: u64,
    pub output: u64,
    /// Of those, the last message's.
    pub last_output: u64,
    pub denials: Vec<Value>,
    /// Lines of a person or tool in it, as `num_turns` counts them.
    pub rounds: u64,
    /// Ids of the message and request it is at.
    pub message: String,
    pub request: String,
    /// Whether an `assistant` line has named the prompts yet.
    pub marked: bool,
}

/// Runs a turn for all prompts that have queued up.
pub(crate) fn run(talk: &mut Talk, prompts: Vec<Prompt>) {
    let prompt = prompts.iter().map(|prompt| prompt.text.as_str()).collect::<Vec<_>>().join("\n");
    let (mut plan, echoed) = match Plan::of_prompt(&prompt) {
        Ok(Some(plan)) => (plan, None),
        Ok(None) => (talk.plan.clone(), Some(prompt.as_str())),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    if plan.told {
        plan.text = Some(format!("told: {}", talk.told));
    }
    let speech = plan.speech(echoed);
    let mut turn = Turn {
        uuids: prompts.iter().filter_map(|prompt| prompt.uuid.clone()).collect(),
        started: Instant::now(),
        text: String::new(),
        requests: 0,
        output: 0,
        last_output: 0,
        denials: Vec::new(),
        rounds: 1,
        message: String::new(),
        request: String::new(),
        marked: false,
        prompt: prompt.clone(),
        plan,
    };
    turn.begin(talk, &prompts);
    let end = match turn.go(talk, &speech) {
        Ok(()) if turn.plan.fail == Some(Fail::Auth) => fail::auth(talk, &mut turn),
        Ok(()) if turn.plan.fail == Some(Fail::ErrorResult) => fail::api_error(talk),
        Ok(()) => End::Completed,
        Err(stop) => End::Interrupted(stop),
    };
    result::say(talk, &turn, &end);
}

impl Turn {
    fn begin(&mut self, talk: &mut Talk, prompts: &[Prompt]) {
        for prompt in prompts {
            talk.lifecycle(prompt.uuid.as_deref(), "started");
            let id = prompt.uuid.clone().unwrap_or_else(uuid);
            let more = json!({"promptSource": "sdk", "permissionMode": talk.mode});
            talk.transcript.say("user", &id, &talk.flags.cwd, &prompt.message, more);
        }
        match self.plan.fail {
            Some(Fail::StderrOnly) => fail::stderr_only(),
            Some(Fail::Silent) => fail::silent(talk),
            _ => {}
        }
        let mut init = shape::init();
        init["cwd"] = json!(talk.flags.cwd);
        init["original_cwd"] = json!(talk.flags.cwd);
        init["model"] = json!(talk.model);
        init["permissionMode"] = json!(talk.mode);
        init["apiKeySource"] = json!(talk.flags.key_source);
        if self.plan.fail == Some(Fail::OldVersion) {
            init["claude_code_version"] = json!(OLD_VERSION);
        }
        if !talk.flags.prompts {
            let asking = ["AskUserQuestion", "EnterPlanMode", "ExitPlanMode"];
            let tools = init["tools"].as_array_mut().expect("a list");
            tools.retain(|tool| !asking.contains(&tool.as_str().unwrap_or_default()));
        }
        self.mark_list(&mut init);
        talk.say(init);
        if talk.flags.replay {
            for prompt in prompts {
                self.replay(talk, prompt);
            }
        }
    }

    fn replay(&self, talk: &mut Talk, prompt: &Prompt) {
        let mut line = json!({
            "type": "user",
            "message": prompt.message,
            "session_id": talk.transcript.session,
            "parent_tool_use_id": null,
            "uuid": prompt.uuid.clone().unwrap_or_else(uuid),
            "timestamp": shape::now(),
        });
        line["isReplay"] = json!(true);
        talk.out.line(&line);
    }

    /// Text and tool calls, the text spread evenly before, between and after the calls.
    fn go(&mut self, talk: &mut Talk, speech: &Speech) -> Result<(), Stop> {
        if self.plan.fail == Some(Fail::Auth) {
            return Ok(());
        }
        let calls = self.plan.calls();
        let share = |round: usize| speech.ends.len() * round / (calls + 1);
        for round in 0..calls {
            let call = Call::planned(&self.plan, round, &talk.flags.cwd);
            self.message(talk, speech, share(round)..share(round + 1), round == 0, Some(&call))?;
            tool::run(talk, self, call)?;
        }
        self.message(talk, speech, share(calls)..speech.ends.len(), calls == 0, None)
    }

    /// One message of the model: thinking, text, a tool call.
    fn message(
        &mut self,
        talk: &mut Talk,
        speech: &Speech,
        pieces: Range<usize>,
        first: bool,
        call: Option<&Call>,
    ) -> Result<(), Stop> {
        self.message = format!("msg_{}", hex());
        self.request = format!("req_{}", hex());
        self.requests += 1;
        self.last_output = pieces.len() as u64 + 1;
        self.output += self.last_output;
        self.text.clear();
        self.start(talk);
        let mut index = 0;
        if first && self.plan.thinking > 0 {
            self.think(talk, index)?;
            index += 1;
        }
        if !pieces.is_empty() {
            self.speak(talk, speech, pieces, index)?;
            index += 1;
        }
        if let Some(call) = call {
            self.call(talk, call, index);
        }
        let stop_reason = if call.is_some() { "tool_use" } else { "end_turn" };
        let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
        let usage = shape::usage(INPUT_TOKENS, self.last_output);
        self.event(talk, json!({"type": "message_delta", "delta": delta, "usage": usage}));
        self.event(talk, json!({"type": "message_stop"}));
        Ok(())
    }

    fn start(&mut self, talk: &mut Talk) {
        if !talk.flags.partial {
            return;
        }
        let mut status = json!({"type": "system", "subtype": "status", "status": "requesting"});
        self.mark_list(&mut status);
        talk.say(status);
        let message = json!({
            "id": self.message, "type": "message", "role": "assistant", "model": talk.model,
            "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": shape::usage(INPUT_TOKENS, 1),
        });
        let mut line = json!({
            "type": "stream_event",
            "event": {"type": "message_start", "message": message},
            "parent_tool_use_id": null,
            "ttft_ms": 1,
            "thinking_display": "updates",
            "api_message_id": self.message,
            "owed_rows": [],
        });
        self.mark(&mut line);
        talk.say(line);
    }

    fn think(&mut self, talk: &mut Talk, index: usize) -> Result<(), Stop> {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        let mut start = self.envelope(start);
        start["thinking_display"] = json!("updates");
        self.streamed(talk, start);
        let thought = scripted_api::words::words(self.plan.thinking, self.plan.utf8);
        let mut delta =
            Delta::new("thinking_delta", index, &talk.transcript.session, &self.message);
        for (at, piece) in scripted_api::words::pieces(&thought).into_iter().enumerate() {
            if talk.flags.partial {
                let mut tokens = json!({
                    "type": "system", "subtype": "thinking_tokens",
                    "estimated_tokens": 2 * (at + 1), "estimated_tokens_delta": 2,
                });
                self.mark_last(&mut tokens);
                talk.say(tokens);
                talk.out.raw(delta.line(piece));
            }
            if self.wait(talk) {
                return Err(Stop::Streaming);
            }
        }
        let signature = "c2NyaXB0ZWQ=";
        let signed = json!({"type": "signature_delta", "signature": signature});
        let signed = json!({"type": "content_block_delta", "index": index, "delta": signed});
        self.event(talk, signed);
        let block = json!({"type": "thinking", "thinking": thought, "signature": signature});
        self.assistant(
            talk,
            block,
            json!({"thinking_duration_ms": 1, "thinking_display": "updates"}),
        );
        self.event(talk, json!({"type": "content_block_stop", "index": index}));
        Ok(())
    }

    fn speak(
        &mut self,
        talk: &mut Talk,
        speech: &Speech,
        pieces: Range<usize>,
        index: usize,
    ) -> Result<(), Stop> {
        let block = json!({"type": "text", "text": ""});
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        self.event(talk, start);
        let mut delta = Delta::new("text_delta", index, &talk.transcript.session, &self.message);
        let half = speech.ends.len() / 2;
        for at in pieces {
            if at == half {
                fail::midway(talk, &self.plan, &self.message, index);
            }
            let pending = self.plan.delay_us > 0 || at.is_multiple_of(DELTAS_UNSEEN);
            if pending && self.wait(talk) {
                self.abandon(talk, index);
                return Err(Stop::Streaming);
            }
            let stamp = self.plan.stamp.then(nanos);
            let piece = stamp.as_deref().unwrap_or_else(|| speech.piece(at));
            if talk.flags.partial {
                talk.out.raw(delta.line(piece));
            }
            self.text.push_str(piece);
        }
        let text = self.text.clone();
        self.assistant(talk, json!({"type": "text", "text": text}), json!({}));
        self.event(talk, json!({"type": "content_block_stop", "index": index}));
        Ok(())
    }

    /// The pause between two deltas. True: the turn is interrupted.
    fn wait(&self, talk: &mut Talk) -> bool {
        match self.plan.delay_us {
            0 => talk.poll(),
            delay => talk.pause(Duration::from_micros(delay)),
        }
    }

    /// The lines after an interrupt in the text.
    fn abandon(&mut self, talk: &mut Talk, index: usize) {
        let text = self.text.clone();
        self.assistant(talk, json!({"type": "text", "text": text}), json!({"aborted": true}));
        self.person(talk, json!([{"type": "text", "text": "[Request interrupted by user]"}]));
        self.event(talk, json!({"type": "content_block_stop", "index": index}));
        let delta = json!({
            "container": null, "stop_details": null, "stop_reason": null, "stop_sequence": null,
        });
        let usage = shape::usage(INPUT_TOKENS, 1);
        let delta = json!({
            "type": "message_delta", "context_management": null, "delta": delta, "usage": usage,
        });
        self.event(talk, delta);
        let mut stop = self.envelope(json!({"type": "message_stop"}));
        stop["abandoned_blocks"] =
            json!({"api_message_id": self.message, "from_block_index": index + 1});
        self.streamed(talk, stop);
    }

    fn call(&mut self, talk: &mut Talk, call: &Call, index: usize) {
        let mut block = call.block();
        let whole = call.input.to_string();
        block["input"] = json!({});
        let start = json!({"type": "content_block_start", "index": index, "content_block": block});
        self.event(talk, start);
        let mut rest = whole.as_str();
        while !rest.is_empty() {
            let place = rest.char_indices().nth(TOOL_INPUT_PIECE_CHARS);
            let (piece, after) = rest.split_at(place.map_or(rest.len(), |(at, _)| at));
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
            self.event(talk, delta);
            rest = after;
        }
        self.assistant(talk, call.block(), json!({}));
        self.event(talk, json!({"type": "content_block_stop", "index": index}));
    }
}

/// The clock that another program on this machine reads too.
fn nanos() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    format!("{}{:09}", now.tv_sec, now.tv_nsec)
}
