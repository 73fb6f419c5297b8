//! What goes wrong on demand ([`Fail`]). Some of it comes back, some of it ends the process.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::{Fail, Plan};
use crate::result::End;
use crate::shape;
use crate::talk::Talk;
use crate::turn::{Stop, Turn};

const HUGE_LINE_BYTES: usize = 65 << 20;
const NOISE_BYTES: usize = 4 << 20;
const PARENT_CHECK: Duration = Duration::from_millis(100);

/// A failure before anything is read.
pub(crate) fn at_start(fail: Fail) -> ExitCode {
    match fail {
        Fail::OldVersion => eprintln!("error: unknown option '--permission-prompt-tool'"),
        Fail::StderrOnly => stderr_only(),
        Fail::Crash => kill_self(),
        Fail::Silent => hang(),
        Fail::Exit1
        | Fail::ErrorResult
        | Fail::Auth
        | Fail::HugeLine
        | Fail::Garbage
        | Fail::Noise
        | Fail::Lost => {}
    }
    ExitCode::FAILURE
}

/// Two lines that say why, and nothing else.
pub(crate) fn stderr_only() -> ! {
    eprintln!("scripted-claude: something is badly wrong");
    eprintln!("Error: the scripted failure 'stderr_only'");
    std::process::exit(1)
}

/// Says nothing any more.
pub(crate) fn silent(talk: &mut Talk) -> ! {
    talk.out.flush();
    hang()
}

/// What happens in the middle of the text. `block` is its index.
pub(crate) fn midway(talk: &mut Talk, plan: &Plan, message: &str, block: usize) {
    match plan.fail {
        Some(Fail::Exit1) => {
            talk.out.flush();
            std::process::exit(1);
        }
        Some(Fail::Crash) => {
            talk.out.flush();
            kill_self();
        }
        Some(Fail::Garbage) => garbage(talk),
        Some(Fail::Noise) => {
            talk.out.flush();
            let line = format!("{}\n", "noise ".repeat(20));
            let lines = plan.bytes.unwrap_or(NOISE_BYTES).div_ceil(line.len());
            (0..lines).for_each(|_| eprint!("{line}"));
        }
        Some(Fail::HugeLine) => {
            let text = "x".repeat(plan.bytes.unwrap_or(HUGE_LINE_BYTES));
            let delta = json!({"type": "text_delta", "text": text});
            let event = json!({"type": "content_block_delta", "index": block, "delta": delta});
            talk.say(json!({
                "type": "stream_event", "event": event,
                "parent_tool_use_id": null, "api_message_id": message,
            }));
        }
        _ => {}
    }
}

fn garbage(talk: &mut Talk) {
    // Cut short, not JSON, not UTF-8, nothing, JSON of the wrong kind, of no known type, of
    // known types with wrong fields.
    talk.out.raw(b"{\"type\":\"assistant\",\"message\":{\"content\":[{\"ty\n");
    talk.out.raw(b"Warning: this is not JSON\n");
    talk.out.raw(b"{\"type\":\"\xff\xfe\"}\n");
    talk.out.raw(b"\0\0\0\n\n   \n\r\n");
    talk.out.raw(b"[1,2,3]\n\"text\"\nnull\n12\n");
    talk.out.raw(b"{\"type\":\"from_the_future\",\"subtype\":7}\n");
    talk.out.raw(b"{\"type\":7}\n{\"no\":\"type\"}\n{\"type\":\"assistant\"}\n");
    talk.out.raw(b"{\"type\":\"stream_event\",\"event\":\"no object\"}\n");
    talk.out.raw(b"{\"type\":\"control_request\",\"request_id\":5,\"request\":null}\n");
    talk.out.flush();
}

/// The retries of a refused credential, and the end if nobody interrupts.
pub(crate) fn auth(talk: &mut Talk, turn: &mut Turn) -> End {
    for attempt in 1..=talk.flags.retries {
        let delay = 500_u64.saturating_mul(1 << (attempt - 1).min(6)).min(38_000);
        talk.say(json!({
            "type": "system", "subtype": "api_retry", "attempt": attempt,
            "max_retries": talk.flags.retries, "retry_delay_ms": delay, "error_status": 401,
            "error": "authentication_failed",
        }));
        if talk.pause(Duration::from_millis(delay)) {
            let text = "[Request interrupted by user]";
            turn.person(talk, json!([{"type": "text", "text": text}]));
            return End::Interrupted(Stop::Streaming);
        }
    }
    let text = "Invalid API key · Fix external API key";
    broken(talk, text, 401, ("authentication_failed", "authentication_error"))
}

/// The API's error 500, after all retries.
pub(crate) fn api_error(talk: &mut Talk) -> End {
    let text = "API Error: 500 Internal server error. This is a server-side issue, usually \
                temporary — try again in a moment.";
    broken(talk, text, 500, ("server_error", "api_error"))
}

/// The synthetic line of an API error. `kinds`: the CLI's name for it, and the API's.
fn broken(talk: &mut Talk, text: &str, status: u16, kinds: (&str, &'static str)) -> End {
    let mut line = shape::api_error();
    line["message"]["id"] = json!(crate::out::uuid());
    line["message"]["content"] = json!([{"type": "text", "text": text}]);
    line["error"] = json!(kinds.0);
    line["api_error_status"] = json!(status);
    line["api_error_type"] = json!(kinds.1);
    line["timestamp"] = json!(shape::now());
    talk.say(line.clone());
    let more = json!({"isApiErrorMessage": true, "error": kinds.0, "apiErrorStatus": status});
    let id = crate::out::uuid();
    let message: &Value = &line["message"];
    talk.transcript.say("assistant", &id, &talk.flags.cwd, message, more);
    End::ApiError { text: text.to_owned(), status, kind: kinds.1 }
}

fn kill_self() -> ! {
    // The process's own id: this cannot fail, and leaves no core file as an abort would.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

/// Hangs, deaf to everything but signals; a test that died must not leave it behind.
fn hang() -> ! {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        std::thread::sleep(PARENT_CHECK);
    }
    std::process::exit(1)
}
