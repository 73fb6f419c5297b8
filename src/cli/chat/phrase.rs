//! Tool calls and their results in few words.

use crate::term::line;
use serde_json::{Map, Value};

/// What of a call says most, first found first.
const TELLING: [&str; 10] = [
    "command",
    "file_path",
    "notebook_path",
    "path",
    "pattern",
    "url",
    "query",
    "skill",
    "description",
    "prompt",
];

/// A call: the tool and what it is about.
pub(crate) fn call(name: &str, input: &Map<String, Value>) -> String {
    let about = TELLING.iter().find_map(|key| input.get(*key)?.as_str());
    let about = about.or_else(|| input.values().find_map(Value::as_str));
    match about {
        Some(about) => format!("{name} {about}"),
        None if input.is_empty() => name.to_owned(),
        None => format!("{name} {}", Value::from(input.clone())),
    }
}

/// A result: its first line, and how many there are.
pub(crate) fn result(content: &str, is_error: bool) -> String {
    let first = content.lines().map(line).find(|text| !text.is_empty()).unwrap_or_default();
    let lines = content.lines().count();
    let begin = if is_error { "failed: " } else { "" };
    match lines {
        0 if is_error => "failed".into(),
        0 => "nothing".into(),
        1 => format!("{begin}{first}"),
        _ => format!("{begin}({lines} lines) {first}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(name: &str, input: Value) -> String {
        call(name, input.as_object().unwrap())
    }

    #[test]
    fn a_call_says_what_it_is_about() {
        assert_eq!(said("Bash", json!({"description": "d", "command": "ls"})), "Bash ls");
        assert_eq!(said("mcp__x", json!({"n": 1, "other": "word"})), "mcp__x word");
        assert_eq!(said("TodoWrite", json!({"todos": [1]})), "TodoWrite {\"todos\":[1]}");
        assert_eq!(said("ExitPlanMode", json!({})), "ExitPlanMode");
    }

    #[test]
    fn a_result_says_how_it_begins_and_how_long_it_is() {
        assert_eq!(result("", false), "nothing");
        assert_eq!(result("one", false), "one");
        assert_eq!(result("\n a\nb\n", false), "(3 lines) a");
        assert_eq!(result("no such file", true), "failed: no such file");
        assert_eq!(result("", true), "failed");
    }
}
