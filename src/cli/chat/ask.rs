//! What an agent asks a person in the middle of a turn: a permission, or questions of the model.
//! Words and answers only: no terminal, no network. Until a person has answered with something
//! that is clearly an answer, nothing is allowed.

use crate::term::{Ink, clip, line, plain};
use serde_json::{Map, Value, json};
use wire::chat::PermissionRequest;

/// As much of what a tool is called with as is shown beside a command or a path.
const INPUT_CHARS_MAX: usize = 2000;
/// The word that the contract has for the shell.
const SHELL: &str = "Bash";

/// Something that waits for a person.
#[derive(Debug)]
pub(crate) enum Ask {
    /// May this tool be called?
    Permission(PermissionRequest),
    /// Questions, and the answers so far.
    Questions {
        /// Their id.
        request_id: String,
        /// Not answered yet, in order.
        open: Vec<Question>,
        /// Question → answer.
        answers: Map<String, Value>,
    },
}

/// One question of the model.
#[derive(Debug)]
pub(crate) struct Question {
    text: String,
    many: bool,
    options: Vec<(String, String)>,
}

/// What a line that a person typed comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// It is no answer; this is what would be one.
    Again(&'static str),
    /// There is another question.
    Next,
    /// All is said: `POST /api/chat/{session}/{path}` with this body.
    Tell {
        /// The end of the path.
        path: &'static str,
        /// The body.
        body: Value,
    },
}

impl Ask {
    /// The model's questions as the wire has them. None: nothing in there can be asked.
    pub(crate) fn questions(request_id: &str, questions: &[Value]) -> Option<Ask> {
        let open: Vec<Question> = questions.iter().filter_map(Question::read).collect();
        (!open.is_empty()).then(|| Ask::Questions {
            request_id: request_id.to_owned(),
            open,
            answers: Map::new(),
        })
    }

    /// Whether it is this request, or the one of this tool call.
    pub(crate) fn is(&self, id: &str) -> bool {
        match self {
            Ask::Permission(request) => {
                request.request_id == id || request.tool_use_id.as_deref() == Some(id)
            }
            // `{session}-q-{tool_use id}` by the contract.
            Ask::Questions { request_id, .. } => {
                request_id == id
                    || request_id.rsplit_once("-q-").is_some_and(|(_, call)| call == id)
            }
        }
    }

    /// In one line, for where nobody can be asked.
    pub(crate) fn line(&self) -> String {
        match self {
            Ask::Permission(request) => format!(
                "{} asks for permission: {}; without an answer it is denied after {} s",
                request.tool_name,
                clip(&line(&what(request)), 60),
                request.timeout_seconds,
            ),
            Ask::Questions { open, .. } => {
                let first = open.first().map(|question| line(&question.text)).unwrap_or_default();
                format!("the model asks: {first}; without an answer it goes on after a while")
            }
        }
    }

    /// What a person is shown before the answer.
    pub(crate) fn prompt(&self, ink: Ink) -> String {
        match self {
            Ask::Permission(request) => permission(request, ink),
            Ask::Questions { open, .. } => {
                open.first().map(|question| question.prompt(ink)).unwrap_or_default()
            }
        }
    }

    /// Takes what a person typed.
    pub(crate) fn take(&mut self, typed: &str) -> Step {
        match self {
            Ask::Permission(request) => decide(request, typed),
            Ask::Questions { request_id, open, answers } => {
                let Some(question) = open.first() else {
                    return Step::Next;
                };
                let answer = match question.read_answer(typed) {
                    Ok(answer) => answer,
                    Err(hint) => return Step::Again(hint),
                };
                answers.insert(question.text.clone(), answer);
                open.remove(0);
                if !open.is_empty() {
                    return Step::Next;
                }
                let body = json!({ "request_id": request_id, "answers": answers });
                Step::Tell { path: "answer", body }
            }
        }
    }
}

fn permission(request: &PermissionRequest, ink: Ink) -> String {
    let mut text = format!("\n{} asks for permission:\n", ink.bold(&line(&request.tool_name)));
    for row in plain(&what(request)).lines() {
        text += &format!("    {row}\n");
    }
    if let Some(why) = &request.description {
        text += &format!("  {}\n", ink.dim(&line(why)));
    }
    let always = match pattern(request) {
        Some(pattern) => format!(", [a]lways {pattern}"),
        None => String::new(),
    };
    text + &format!("  allow? [y]es, [n]o{always}: ")
}

/// What the tool would do: the whole command, or the file and what else it is called with.
fn what(request: &PermissionRequest) -> String {
    if let Some(command) = request.input.get("command").and_then(Value::as_str) {
        return command.to_owned();
    }
    let input = clip(&Value::from(request.input.clone()).to_string(), INPUT_CHARS_MAX);
    match &request.file_path {
        Some(path) => format!("{path}\n{input}"),
        None => input,
    }
}

fn decide(request: &PermissionRequest, typed: &str) -> Step {
    let granted = |pattern: Option<String>| Step::Tell {
        path: "permissions/grant",
        body: json!({ "requestId": request.request_id, "pattern": pattern }),
    };
    match typed.trim().to_lowercase().as_str() {
        "y" | "yes" => granted(None),
        "n" | "no" => Step::Tell {
            path: "permissions/deny",
            body: json!({ "requestId": request.request_id }),
        },
        "a" | "always" => match pattern(request) {
            Some(pattern) => granted(Some(pattern)),
            None => Step::Again("such a call cannot be granted for always; y or n"),
        },
        _ => Step::Again("y, n or a"),
    }
}

/// What `always` grants: any call of a tool, but of the shell only commands that begin with the
/// same word; and none where the command is more than one, for then a word says too little.
fn pattern(request: &PermissionRequest) -> Option<String> {
    let simple = |text: &str, more: &str| {
        let lawful = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && text.chars().all(lawful)
    };
    let tool = Some(&request.tool_name).filter(|name| simple(name, "_-"))?;
    if tool != SHELL {
        return Some(tool.clone());
    }
    let command = request.input.get("command")?.as_str()?;
    let word = command.split_whitespace().next().filter(|word| simple(word, "_-./"))?;
    let several = command.contains([';', '&', '|', '<', '>', '`', '$', '(', '\n']);
    (!several).then(|| format!("{SHELL}({word} *)"))
}

impl Question {
    fn read(value: &Value) -> Option<Question> {
        let text = value["question"].as_str().filter(|text| !text.is_empty())?;
        let word = |option: &Value, key: &str| option[key].as_str().unwrap_or_default().to_owned();
        let options = value["options"].as_array().into_iter().flatten();
        let options = options.map(|option| (word(option, "label"), word(option, "description")));
        Some(Question {
            text: text.to_owned(),
            many: value["multiSelect"] == true,
            options: options.filter(|(label, _)| !label.is_empty()).collect(),
        })
    }

    fn prompt(&self, ink: Ink) -> String {
        let mut text = format!("\n{}\n", ink.bold(&line(&self.text)));
        for (at, (label, description)) in self.options.iter().enumerate() {
            let more = match line(description) {
                none if none.is_empty() => none,
                more => format!(" – {more}"),
            };
            text += &format!("  {}. {}{}\n", at + 1, line(label), ink.dim(&more));
        }
        let how = match (self.options.is_empty(), self.many) {
            (true, _) => "your answer",
            (false, false) => "a number, or your own words",
            (false, true) => "numbers such as 1,3, or your own words",
        };
        text + &format!("  {how}: ")
    }

    fn read_answer(&self, typed: &str) -> Result<Value, &'static str> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err("an answer is a number or some words");
        }
        let parts = typed.split([',', ' ']).filter(|part| !part.is_empty());
        let Ok(numbers) = parts.map(str::parse::<usize>).collect::<Result<Vec<_>, _>>() else {
            return Ok(typed.into());
        };
        if self.options.is_empty() {
            return Ok(typed.into());
        }
        let label = |number: &usize| self.options.get(number.checked_sub(1)?).map(|o| o.0.clone());
        let labels: Option<Vec<String>> = numbers.iter().map(label).collect();
        match labels {
            None => Err("there is no option of that number"),
            Some(labels) if self.many => Ok(labels.into()),
            Some(mut labels) if labels.len() == 1 => Ok(labels.remove(0).into()),
            Some(_) => Err("only one of them"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(tool: &str, input: Value) -> PermissionRequest {
        PermissionRequest {
            request_id: "s-1".into(),
            session_id: "s".into(),
            tool_name: tool.into(),
            input: input.as_object().unwrap().clone(),
            description: Some("because".into()),
            file_path: None,
            tool_use_id: Some("toolu_1".into()),
            timeout_seconds: 120,
        }
    }

    fn shell(command: &str) -> PermissionRequest {
        request("Bash", json!({ "command": command }))
    }

    #[test]
    fn always_is_as_narrow_as_can_be_said() {
        let of = |command| pattern(&shell(command));
        assert_eq!(of("git status"), Some("Bash(git *)".into()));
        for several in
            ["git a; rm -rf /", "a && b", "a | b", "a > b", "$(x) y", "`x`", "a\nb", "", "*"]
        {
            assert_eq!(of(several), None, "{several}");
        }
        assert_eq!(pattern(&request("Write", json!({}))), Some("Write".into()));
        assert_eq!(pattern(&request("W(*)", json!({}))), None);
    }

    #[test]
    fn only_clear_words_decide() {
        let mut ask = Ask::Permission(shell("git push"));
        let tell = |path, body| Step::Tell { path, body };
        for (typed, step) in [
            ("", Step::Again("y, n or a")),
            ("yep", Step::Again("y, n or a")),
            (" Y ", tell("permissions/grant", json!({"requestId": "s-1", "pattern": null}))),
            ("no", tell("permissions/deny", json!({"requestId": "s-1"}))),
            (
                "always",
                tell("permissions/grant", json!({"requestId": "s-1", "pattern": "Bash(git *)"})),
            ),
        ] {
            assert_eq!(ask.take(typed), step, "{typed:?}");
        }
        let again = Ask::Permission(shell("a; b")).take("a");
        assert!(matches!(again, Step::Again(_)));
    }

    #[test]
    fn a_person_sees_the_whole_command_and_nothing_hidden_in_it() {
        let prompt = Ask::Permission(shell("ls\n\u{1b}[2Arm -rf /")).prompt(Ink::NONE);
        assert!(prompt.contains("    ls\n    [2Arm -rf /\n"), "{prompt}");
        assert!(prompt.ends_with("allow? [y]es, [n]o: "), "{prompt}");
    }

    #[test]
    fn questions_are_answered_by_numbers_or_words_one_after_the_other() {
        let wire = [
            json!({"question": "Which?", "header": "h", "options": [
                {"label": "A", "description": "first"}, {"label": "B"}]}),
            json!({"question": "Several?", "multiSelect": true, "options": [
                {"label": "X"}, {"label": "Y"}, {"label": "Z"}]}),
            json!({"question": "Free?"}),
            json!({"nothing": 1}),
        ];
        let mut ask = Ask::questions("s-q-toolu_9", &wire).unwrap();
        assert!(ask.is("toolu_9") && ask.is("s-q-toolu_9") && !ask.is("9"));
        assert!(ask.prompt(Ink::NONE).contains("  1. A – first\n  2. B\n"));
        for wrong in ["", "3", "0", "1,2"] {
            assert!(matches!(ask.take(wrong), Step::Again(_)), "{wrong}");
        }
        assert_eq!(ask.take("2"), Step::Next);
        assert_eq!(ask.take("1, 3"), Step::Next);
        let answers = json!({"Which?": "B", "Several?": ["X", "Z"], "Free?": "42"});
        let body = json!({"request_id": "s-q-toolu_9", "answers": answers});
        assert_eq!(ask.take("42"), Step::Tell { path: "answer", body });
        assert!(Ask::questions("x", &[json!({})]).is_none());
    }
}
