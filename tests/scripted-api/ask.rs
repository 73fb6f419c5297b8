//! Reads a request: which prompt is the newest, which scenario it asks for, at which step of a
//! tool loop it stands, and whether the real API would take it. Answers nothing.

use serde_json::Value;

use crate::args::Args;
use crate::error::ApiError;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub scenario: String,
    pub args: Args,
    /// Tool rounds since the prompt.
    pub step: usize,
}

const OPENING: &str = "[[scripted:";

/// The last directive of a text. One that does not parse is passed over.
pub(crate) fn directive(text: &str) -> Option<(String, Args)> {
    let mut found = None;
    for (at, _) in text.match_indices(OPENING) {
        let rest = &text[at + OPENING.len()..];
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let rest = rest.trim_start();
        if name.is_empty() {
            continue;
        }
        if rest.starts_with("]]") {
            found = Some((name.to_owned(), Args::new()));
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Args>();
        if let Some(Ok(args)) = values.next() {
            found = Some((name.to_owned(), args));
        }
    }
    found
}

/// The newest text that a person could have typed, and where it stands. Messages with tool
/// results and texts that are only a `<system-reminder>` come from the client's own machinery.
pub(crate) fn newest_prompt(messages: &[Value]) -> Option<(usize, &str)> {
    for (index, message) in messages.iter().enumerate().rev() {
        if message["role"] != "user" || has_tool_result(message) {
            continue;
        }
        let typed = |text: &&str| {
            !text.trim().is_empty() && !text.trim_start().starts_with("<system-reminder>")
        };
        if let Some(text) = texts(message).into_iter().rev().find(typed) {
            return Some((index, text));
        }
    }
    None
}

/// Directive, else model name (`scripted-text-200`), else `default`.
pub(crate) fn choose(body: &Value, default: &str) -> Choice {
    let messages = messages(body);
    let newest = newest_prompt(messages);
    let after = newest.map_or(0, |(index, _)| index + 1);
    let step = messages[after..].iter().filter(|message| has_tool_result(message)).count();
    let (scenario, args) = newest
        .and_then(|(_, text)| directive(text))
        .or_else(|| by_model(body["model"].as_str()?))
        .unwrap_or_else(|| (default.to_owned(), Args::new()));
    Choice { scenario, args, step }
}

fn by_model(model: &str) -> Option<(String, Args)> {
    let rest = model.strip_prefix("scripted-")?;
    let (name, number) = rest.split_once('-').unwrap_or((rest, ""));
    let mut args = Args::new();
    if let Ok(number) = number.parse::<u64>() {
        let main = match name {
            "error" => "status",
            "disconnect" | "stall" => "after",
            _ => "tokens",
        };
        args.insert(main.to_owned(), number.into());
    }
    Some((name.to_owned(), args))
}

/// The checks of the real API that a client can run into.
pub(crate) fn check(body: &Value) -> Result<(), ApiError> {
    if body["model"].as_str().is_none_or(str::is_empty) {
        return Err(ApiError::new(400, "model: Field required"));
    }
    if body["max_tokens"].as_u64().is_none() {
        return Err(ApiError::new(400, "max_tokens: Field required"));
    }
    let messages = messages(body);
    if messages.is_empty() {
        return Err(ApiError::new(400, "messages: at least one message is required"));
    }
    for (index, message) in messages.iter().enumerate() {
        let asked = blocks(message, "tool_use").filter_map(|block| block["id"].as_str());
        let answers = messages.get(index + 1);
        let answered = |id: &str| {
            answers.is_some_and(|next| {
                blocks(next, "tool_result").any(|block| block["tool_use_id"] == *id)
            })
        };
        let open: Vec<&str> = asked.filter(|id| !answered(id)).collect();
        if message["role"] == "assistant" && !open.is_empty() {
            return Err(ApiError::new(
                400,
                format!(
                    "messages.{index}: `tool_use` ids were found without `tool_result` blocks \
                     immediately after: {}.",
                    open.join(", ")
                ),
            ));
        }
    }
    Ok(())
}

/// The messages, or none where the field is not a list.
pub(crate) fn messages(body: &Value) -> &[Value] {
    body["messages"].as_array().map_or(&[], Vec::as_slice)
}

fn blocks<'a>(message: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let content = message["content"].as_array().map_or(&[][..], Vec::as_slice);
    content.iter().filter(move |block| block["type"] == *kind)
}

fn has_tool_result(message: &Value) -> bool {
    blocks(message, "tool_result").next().is_some()
}

fn texts(message: &Value) -> Vec<&str> {
    match &message["content"] {
        Value::String(text) => vec![text],
        _ => blocks(message, "text").filter_map(|block| block["text"].as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn directives() {
        let args = |text| directive(text).map(|(name, args)| (name, Value::Object(args)));
        assert_eq!(args("nothing here"), None);
        assert_eq!(args("[[scripted:empty]]"), Some(("empty".into(), json!({}))));
        assert_eq!(
            args(r#"please [[scripted:say {"text":"a ]] b"}]] now"#),
            Some(("say".into(), json!({"text": "a ]] b"})))
        );
        assert_eq!(
            args(r#"[[scripted:text]] [[scripted:max_tokens {"tokens":3}]]"#),
            Some(("max_tokens".into(), json!({"tokens": 3}))),
            "the last one wins"
        );
        for broken in [r#"[[scripted:say {"text":]]"#, "[[scripted:say [1]]]", "[[scripted:]]"] {
            assert_eq!(args(broken), None, "{broken}");
        }
        assert_eq!(
            args(r#"[[scripted:echo]] [[scripted:say {"#),
            Some(("echo".into(), json!({}))),
            "a broken one is passed over"
        );
    }

    fn result(id: &str) -> Value {
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id}]})
    }

    #[test]
    fn the_newest_prompt_is_what_a_person_typed() {
        let messages = [
            json!({"role": "user", "content": "first"}),
            json!({"role": "assistant", "content": "x"}),
            json!({"role": "user", "content": [
                {"type": "text", "text": "second"},
                {"type": "text", "text": " <system-reminder>not this</system-reminder>"},
            ]}),
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t"}]}),
            result("t"),
        ];
        assert_eq!(newest_prompt(&messages), Some((2, "second")));
        assert_eq!(newest_prompt(&[result("t")]), None);
    }

    #[test]
    fn steps_are_tool_rounds_since_the_prompt() {
        let mut body = json!({"model": "m", "messages": [
            {"role": "user", "content": "[[scripted:tool]]"}]});
        for step in 0..3 {
            assert_eq!(choose(&body, "echo").step, step);
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({"role": "assistant", "content": [
                {"type": "tool_use", "id": step.to_string()}]}));
            messages.push(result(&step.to_string()));
        }
        assert_eq!(choose(&body, "echo").scenario, "tool");
        assert!(matches!(check(&body), Err(ApiError { status: 400, .. })), "max_tokens");
    }

    #[test]
    fn models_choose_where_no_directive_does() {
        let choice = |model: &str| {
            let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
            let choice = choose(&body, "echo");
            (choice.scenario, Value::Object(choice.args))
        };
        assert_eq!(choice("scripted-text-200"), ("text".into(), json!({"tokens": 200})));
        assert_eq!(choice("scripted-error-429"), ("error".into(), json!({"status": 429})));
        assert_eq!(choice("scripted-stall-2"), ("stall".into(), json!({"after": 2})));
        assert_eq!(choice("scripted-empty"), ("empty".into(), json!({})));
        assert_eq!(choice("claude-opus-5-5"), ("echo".into(), json!({})));
    }

    #[test]
    fn an_unanswered_tool_use_is_refused() {
        let body = |last: Value| {
            json!({"model": "m", "max_tokens": 1, "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a"}, {"type": "tool_use", "id": "b"}]},
                last,
            ]})
        };
        let both = json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a"},
            {"type": "tool_result", "tool_use_id": "b"}]});
        assert_eq!(check(&body(both)), Ok(()));
        let error = check(&body(result("a"))).unwrap_err();
        assert!(error.message.starts_with("messages.1:") && error.message.ends_with("b."));
    }
}
