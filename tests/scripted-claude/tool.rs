//! A tool call as the host sees it: hook, permission, a while of running, a result. Nothing is
//! ever run.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::out::hex;
use crate::plan::Plan;
use crate::talk::{Reply, Talk};
use crate::turn::{Stop, Turn};

const REJECTED: &str = "The user doesn't want to proceed with this tool use. The tool use was \
    rejected (eg. if it was a file edit, the new_string was NOT written to the file). STOP what \
    you are doing and wait for the user to tell you how to proceed.";
const STOPPED: &str = " Correction to the text above: this call was stopped while running, not \
    refused before it ran. It may have run in part or in full, and its changes may have been \
    written.";

/// A planned call.
pub(crate) struct Call {
    pub id: String,
    pub name: String,
    pub input: Value,
    /// Whether the real CLI would ask for it.
    asks: bool,
}

/// What was decided about a call.
enum Verdict {
    /// Run it; the source of the decision.
    Allow(&'static str),
    /// Do not: what the model is told, and the fields of `tool_result_meta`.
    Deny(String, Value),
}

impl Call {
    /// Call number `round` of the plan: first the free ones, then those with an input of their
    /// own, then the one that asks, then the question.
    pub(crate) fn planned(plan: &Plan, round: usize, cwd: &Path) -> Self {
        let id = format!("toolu_{}", hex());
        if round < plan.tools {
            let input = json!({"command": format!("echo {round}"), "description": "Say it"});
            return Self { id, name: "Bash".into(), input, asks: false };
        }
        let round = round - plan.tools;
        if let Some(planned) = plan.uses.get(round) {
            let (name, input) = (planned.name.clone(), planned.input.clone());
            return Self { id, name, input, asks: false };
        }
        if let Some(name) = plan.ask.as_ref().filter(|_| round == plan.uses.len()) {
            let input = match name.as_str() {
                "Bash" => json!({"command": "touch made.txt && ls", "description": "Make a file"}),
                "Write" => json!({"file_path": cwd.join("made.txt"), "content": "hello"}),
                _ => json!({}),
            };
            return Self { id, name: name.clone(), input, asks: true };
        }
        let option = |label: &str| json!({"label": label, "description": format!("{label}.")});
        let question = |text: &str, header: &str, options: [&str; 2], several: bool| {
            json!({
                "question": text, "header": header,
                "options": options.map(option), "multiSelect": several,
            })
        };
        let questions = [
            question("Which fruit do you want?", "Fruit", ["Plum", "Pear"], false),
            question("Which colours?", "Colours", ["Red", "Blue"], true),
        ];
        let input = json!({"questions": questions});
        Self { id, name: "AskUserQuestion".into(), input, asks: true }
    }

    /// The call as a content block.
    pub(crate) fn block(&self) -> Value {
        json!({"type": "tool_use", "id": self.id, "name": self.name, "input": self.input})
    }

    fn is_question(&self) -> bool {
        self.name == "AskUserQuestion"
    }
}

/// Carries the call through. `Err`: the turn ends here.
pub(crate) fn run(talk: &mut Talk, turn: &mut Turn, mut call: Call) -> Result<(), Stop> {
    let verdict = match by_hooks(talk, turn, &mut call)? {
        Some(verdict) => verdict,
        None => by_permission(talk, turn, &mut call)?,
    };
    let source = match verdict {
        Verdict::Allow(source) => source,
        Verdict::Deny(text, meta) => {
            deny(talk, turn, &call, &text, meta);
            return Ok(());
        }
    };
    if turn.plan.tool_ms > 0 && talk.pause(Duration::from_millis(turn.plan.tool_ms)) {
        let text = format!("{REJECTED}{STOPPED}");
        return Err(stop(talk, turn, &call, &text, json!("User rejected tool use")));
    }
    let (content, result) = outcome(&call);
    let mut block = json!({"tool_use_id": call.id, "type": "tool_result", "content": content});
    if call.name == "Bash" {
        block["is_error"] = json!(false);
    }
    let decision = json!({"decision": "accept", "source": source});
    let meta = json!({"permission_decision": decision});
    say(talk, turn, &call, block, result, meta);
    Ok(())
}

fn by_hooks(talk: &mut Talk, turn: &mut Turn, call: &mut Call) -> Result<Option<Verdict>, Stop> {
    let hooks = std::mem::take(&mut talk.hooks);
    let mut verdict = Ok(None);
    for hook in &hooks {
        if !matches(hook.matcher.as_deref(), &call.name) {
            continue;
        }
        let input = json!({
            "session_id": talk.transcript.session,
            "transcript_path": talk.transcript.path,
            "cwd": talk.flags.cwd,
            "permission_mode": talk.mode,
            "hook_event_name": "PreToolUse",
            "tool_name": call.name,
            "tool_input": call.input,
            "tool_use_id": call.id,
        });
        let request = json!({
            "subtype": "hook_callback", "callback_id": hook.callback,
            "input": input, "tool_use_id": call.id,
        });
        match talk.ask(request) {
            Reply::Answer(answer) => {
                if let Some(decided) = hook_verdict(&answer["hookSpecificOutput"], call) {
                    verdict = Ok(Some(decided));
                    break;
                }
            }
            Reply::Interrupted => {
                verdict = Err(reject(talk, turn, call));
                break;
            }
            // A hook that fails has no opinion.
            Reply::Failed(_) | Reply::Closed => {}
        }
    }
    talk.hooks = hooks;
    verdict
}

fn hook_verdict(said: &Value, call: &mut Call) -> Option<Verdict> {
    if let Some(input) = said.get("updatedInput").filter(|input| input.is_object()) {
        call.input = input.clone();
    }
    match said["permissionDecision"].as_str()? {
        // A question goes to the person whatever a hook says.
        "allow" if !call.is_question() => Some(Verdict::Allow("hook")),
        "deny" => {
            let reason = said["permissionDecisionReason"].as_str().unwrap_or_default();
            let text = format!("PreToolUse:{} hook error: {reason}", call.name);
            let decision = json!({"decision": "reject", "source": "hook", "reason_type": "hook"});
            let meta = json!({
                "non_execution_kind": "permission-rule", "permission_decision": decision,
            });
            Some(Verdict::Deny(text, meta))
        }
        "ask" => {
            call.asks = true;
            None
        }
        _ => None,
    }
}

/// A matcher is nothing, `*`, or names with `|` between them.
fn matches(matcher: Option<&str>, name: &str) -> bool {
    match matcher {
        None | Some("" | "*" | ".*") => true,
        Some(names) => names.split('|').any(|one| one == name),
    }
}

fn by_permission(talk: &mut Talk, turn: &mut Turn, call: &mut Call) -> Result<Verdict, Stop> {
    let waved = match talk.mode.as_str() {
        "bypassPermissions" => true,
        "acceptEdits" => call.name == "Write",
        _ => talk.allowed.contains(&call.name),
    };
    if !call.asks || (waved && !call.is_question()) {
        return Ok(Verdict::Allow("config"));
    }
    if !talk.flags.prompts || talk.mode == "dontAsk" {
        let text = format!("{} needs approval, and there is nobody to give it.", call.name);
        talk.say(json!({
            "type": "system", "subtype": "permission_denied", "tool_name": call.name,
            "tool_use_id": call.id, "message": text,
        }));
        let decision = json!({"decision": "reject", "source": "config"});
        let meta = json!({"non_execution_kind": "user-rejected", "permission_decision": decision});
        return Ok(Verdict::Deny(text, meta));
    }
    talk.state("requires_action");
    let reply = talk.ask(question(talk, call));
    if !matches!(reply, Reply::Interrupted) {
        talk.state("running");
    }
    let failed = match reply {
        Reply::Answer(answer) => return decided(talk, turn, call, &answer),
        Reply::Interrupted => return Err(reject(talk, turn, call)),
        Reply::Failed(error) => format!("Error: {error}"),
        Reply::Closed => {
            "AbortError: Tool permission stream closed before response received".to_owned()
        }
    };
    let decision = json!({"decision": "reject", "source": "config", "reason_type": "other"});
    let meta = json!({"non_execution_kind": "permission-rule", "permission_decision": decision});
    Ok(Verdict::Deny(format!("Tool permission request failed: {failed}"), meta))
}

/// The `can_use_tool` request.
fn question(talk: &Talk, call: &Call) -> Value {
    let mut request = json!({
        "subtype": "can_use_tool",
        "tool_name": call.name,
        "display_name": call.name,
        "input": call.input,
        "tool_use_id": call.id,
    });
    if call.is_question() {
        request["requires_user_interaction"] = json!(true);
        return request;
    }
    let rule = call.input["command"].as_str().unwrap_or("made.txt");
    let rules = json!([{"toolName": call.name, "ruleContent": rule}]);
    let description = call.input.get("description").or_else(|| call.input.get("file_path"));
    request["description"] = description.cloned().unwrap_or_else(|| json!(""));
    request["permission_suggestions"] = json!([
        {"type": "addRules", "rules": rules, "behavior": "allow", "destination": "localSettings"},
        {"type": "addDirectories", "directories": [talk.flags.cwd], "destination": "session"},
        {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    ]);
    request["blocked_path"] = json!(talk.flags.cwd.join("made.txt"));
    request
}

fn decided(
    talk: &mut Talk,
    turn: &mut Turn,
    call: &mut Call,
    answer: &Value,
) -> Result<Verdict, Stop> {
    if answer["behavior"] == "allow" {
        if let Some(input) = answer.get("updatedInput").filter(|input| input.is_object()) {
            call.input = input.clone();
        }
        let updates = answer["updatedPermissions"].as_array();
        for update in updates.map_or(&[][..], Vec::as_slice) {
            match update["type"].as_str() {
                Some("addRules") => drop(talk.allowed.insert(call.name.clone())),
                Some("setMode") => {
                    talk.mode = update["mode"].as_str().unwrap_or("default").to_owned();
                }
                _ => {}
            }
        }
        return Ok(Verdict::Allow("user_temporary"));
    }
    if answer["interrupt"] == true {
        return Err(reject(talk, turn, call));
    }
    let text = answer["message"].as_str().unwrap_or("denied").to_owned();
    let decision = json!({"decision": "reject", "source": "user_reject"});
    let meta = json!({"non_execution_kind": "permission-rule", "permission_decision": decision});
    Ok(Verdict::Deny(text, meta))
}

fn deny(talk: &mut Talk, turn: &mut Turn, call: &Call, text: &str, meta: Value) {
    turn.denials.push(denial(call));
    let result = json!(format!("Error: {text}"));
    say(talk, turn, call, error_block(call, text), result, meta);
}

/// The lines of a call that was refused by an interrupt.
fn reject(talk: &mut Talk, turn: &mut Turn, call: &Call) -> Stop {
    turn.denials.push(denial(call));
    stop(talk, turn, call, REJECTED, json!("User rejected tool use"))
}

fn stop(talk: &mut Talk, turn: &mut Turn, call: &Call, text: &str, result: Value) -> Stop {
    let meta = json!({"non_execution_kind": "user-rejected"});
    say(talk, turn, call, error_block(call, text), result, meta);
    let text = "[Request interrupted by user for tool use]";
    turn.person(talk, json!([{"type": "text", "text": text}]));
    Stop::Tools
}

fn denial(call: &Call) -> Value {
    json!({"tool_name": call.name, "tool_use_id": call.id, "tool_input": call.input})
}

fn error_block(call: &Call, text: &str) -> Value {
    json!({"type": "tool_result", "content": text, "is_error": true, "tool_use_id": call.id})
}

fn say(talk: &mut Talk, turn: &mut Turn, call: &Call, block: Value, result: Value, meta: Value) {
    let mut meta = meta;
    meta["id"] = json!(call.id);
    let message = json!({"role": "user", "content": [block]});
    let more = json!({"tool_use_result": result, "tool_result_meta": [meta]});
    let kept = json!({"toolUseResult": result});
    turn.user(talk, message, more, kept);
}

/// What the model is told, and the structured result.
fn outcome(call: &Call) -> (String, Value) {
    match call.name.as_str() {
        "Bash" => {
            let command = call.input["command"].as_str().unwrap_or_default();
            let said = command.strip_prefix("echo ").unwrap_or("made.txt").to_owned();
            let result = json!({
                "stdout": said, "stderr": "", "interrupted": false,
                "isImage": false, "noOutputExpected": false,
            });
            (said, result)
        }
        "Write" => {
            let path = call.input["file_path"].as_str().unwrap_or_default();
            let result = json!({
                "type": "create", "filePath": path, "content": call.input["content"],
                "structuredPatch": [], "originalFile": null, "userModified": false,
            });
            let text = format!(
                "File created successfully at: {path} (file state is current in your context — \
                 no need to Read it back)"
            );
            (text, result)
        }
        "AskUserQuestion" => {
            let pair = |(question, answer): (&String, &Value)| {
                format!("\"{question}\"=\"{}\"", answer.as_str().unwrap_or_default())
            };
            let answers = call.input["answers"].as_object();
            let text = match answers.filter(|answers| !answers.is_empty()) {
                Some(answers) => format!(
                    "Your questions have been answered: {}. You can now continue with these \
                     answers in mind.",
                    answers.iter().map(pair).collect::<Vec<_>>().join(", ")
                ),
                None => "The user did not answer the questions.".to_owned(),
            };
            (text, call.input.clone())
        }
        _ => ("done".to_owned(), json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers() {
        assert!(matches(None, "Bash") && matches(Some("*"), "Bash"));
        assert!(matches(Some("Write|Bash"), "Bash"));
        assert!(!matches(Some("Write|Bash"), "BashOutput"));
    }

    #[test]
    fn calls_come_in_their_order() {
        let plan = Plan { tools: 1, ask: Some("Write".into()), question: true, ..Plan::default() };
        let name = |round| Call::planned(&plan, round, Path::new("/x")).name;
        assert_eq!([name(0), name(1), name(2)], ["Bash", "Write", "AskUserQuestion"]);
    }
}
