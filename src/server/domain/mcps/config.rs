//! What a server's configuration means: of which kind it is, how it is shown, what is wrong with
//! it (contract-extended §4.9). Judges what variables stand for, and shows their names.

use crate::domain::capabilities::redact::shown;
use crate::vault::mcps::Config;
use http::{HeaderName, HeaderValue, Uri};
use serde_json::{Map, Value};
use wire::Trust;
use wire::mcp::McpServer;

/// Fields of an answer that are ours to say, whatever a configuration has under these names.
const ANSWERS: [&str; 5] = ["name", "builtin", "displayType", "displayCommand", "validationErrors"];

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It is a program.
    Stdio,
    /// It is called over HTTP.
    Http,
    /// The same in the older way, with events.
    Sse,
    /// Nobody knows; its own word for it, if it has one.
    Other(Option<String>),
}

impl Kind {
    /// By its own word, else by what it has.
    pub(crate) fn of(config: &Config) -> Kind {
        let word = config.get("type").and_then(Value::as_str);
        match word {
            Some("stdio" | "command") => Kind::Stdio,
            Some("http" | "https" | "streamable-http") => Kind::Http,
            Some("sse") => Kind::Sse,
            _ if config.contains_key("command") => Kind::Stdio,
            _ if config.contains_key("url") => Kind::Http,
            word => Kind::Other(word.map(str::to_owned)),
        }
    }

    /// The word for it that the CLI knows.
    pub(crate) fn word(&self) -> &str {
        match self {
            Kind::Stdio => "stdio",
            Kind::Http => "http",
            Kind::Sse => "sse",
            Kind::Other(word) => word.as_deref().unwrap_or("unknown"),
        }
    }

    /// The word for it in an answer.
    fn displayed(&self) -> &str {
        if *self == Kind::Sse { "http" } else { self.word() }
    }
}

/// Whether an answer shows what stands there under this name.
pub(crate) fn is_shown(name: &str) -> bool {
    !name.starts_with('_') && !ANSWERS.contains(&name)
}

/// Whether only an answer has a field of this name.
pub(crate) fn is_of_answers(name: &str) -> bool {
    ANSWERS.contains(&name)
}

/// A server as it is told. `expanded` is its configuration with variables in their places.
pub(crate) fn told(name: &str, config: &Config, expanded: &Config) -> McpServer {
    let mut fields = match shown(&Value::Object(config.clone())) {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    fields.retain(|name, _| is_shown(name));
    McpServer {
        name: name.to_owned(),
        builtin: false,
        display_type: Kind::of(config).displayed().to_owned(),
        display_command: command_line(&fields),
        validation_errors: problems(expanded),
        config: fields,
    }
}

fn command_line(config: &Config) -> String {
    let text =
        |name: &str| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(command) = text("command") else { return text("url").unwrap_or("N/A").to_owned() };
    let args = config.get("args").and_then(Value::as_array).into_iter().flatten();
    let args = args.filter_map(|arg| match arg {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(arg.to_string()),
        _ => None,
    });
    [command.to_owned()].into_iter().chain(args).collect::<Vec<_>>().join(" ")
}

/// To which agents a server is given: those of this level and of freer ones. Without a word to
/// those alone that run as the person. None: nobody knows its word.
pub(crate) fn level(config: &Config) -> Option<Trust> {
    match config.get("trust_level") {
        None | Some(Value::Null) => Some(Trust::Full),
        Some(word) => word.as_str().and_then(Trust::parse),
    }
}

/// What is wrong with a configuration; without a word of its values.
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let mut out = Vec::new();
    match Kind::of(config) {
        Kind::Stdio => program(config, &mut out),
        Kind::Http | Kind::Sse => place(config, &mut out),
        Kind::Other(None) => out.push("it has neither a `command` nor a `url`".to_owned()),
        Kind::Other(Some(_)) => out.push("its `type` is not known here".to_owned()),
    }
    out
}

fn program(config: &Config, out: &mut Vec<String>) {
    let mut wrong = |said: &str| out.push(said.to_owned());
    match config.get("command").map(Value::as_str) {
        Some(Some(text)) if !text.trim().is_empty() && fits(text) => {}
        Some(Some(_)) => wrong("its `command` is empty or cannot be passed on"),
        _ => wrong("its `command` is not a text"),
    }
    match config.get("args") {
        None => {}
        Some(Value::Array(args))
            if args.iter().all(|arg| scalar(arg).is_some_and(|a| fits(&a))) => {}
        Some(_) => wrong("its `args` are not a list of texts"),
    }
    let named = |name: &str| !name.is_empty() && !name.contains('=') && fits(name);
    match config.get("env") {
        None => {}
        Some(Value::Object(env)) => {
            if !env.keys().all(|name| named(name)) {
                wrong("a name in its `env` is no name of a variable");
            }
            if !env.values().all(|value| scalar(value).is_some_and(|value| fits(&value))) {
                wrong("a value in its `env` is not a text");
            }
        }
        Some(_) => wrong("its `env` is not an object"),
    }
}

fn place(config: &Config, out: &mut Vec<String>) {
    let mut wrong = |said: &str| out.push(said.to_owned());
    let url = config.get("url").and_then(Value::as_str);
    let url = url.and_then(|url| url.trim().parse::<Uri>().ok());
    let is_web = |url: &Uri| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|h| !h.is_empty())
    };
    if !url.as_ref().is_some_and(is_web) {
        wrong("its `url` is no http:// or https:// URL");
    }
    let mut authorises = false;
    match config.get("headers") {
        None => {}
        Some(Value::Object(headers)) => {
            for (name, value) in headers {
                authorises |= name.eq_ignore_ascii_case("authorization");
                let value = scalar(value).and_then(|value| HeaderValue::try_from(value).ok());
                if HeaderName::try_from(name).is_err() || value.is_none() {
                    wrong("one of its `headers` cannot be sent");
                }
            }
        }
        Some(_) => wrong("its `headers` are not an object"),
    }
    match config.get("auth").map(|auth| auth.as_str()) {
        None | Some(Some("none")) => {}
        Some(Some("bearer")) if authorises => {}
        Some(Some("bearer")) => wrong("its `auth` is `bearer` without `headers.Authorization`"),
        Some(_) => wrong("its `auth` is neither `none` nor `bearer`"),
    }
}

/// A value as the text that a program or a header gets.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// No program can be told a NUL.
fn fits(text: &str) -> bool {
    !text.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(value: Value) -> Config {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn kinds() {
        for (value, word, displayed) in [
            (json!({ "command": "x" }), "stdio", "stdio"),
            (json!({ "type": "command" }), "stdio", "stdio"),
            (json!({ "url": "x" }), "http", "http"),
            (json!({ "type": "https" }), "http", "http"),
            (json!({ "type": "streamable-http" }), "http", "http"),
            (json!({ "type": "sse", "url": "x" }), "sse", "http"),
            (json!({ "type": "ws", "url": "x" }), "http", "http"),
            (json!({ "type": "ws" }), "ws", "ws"),
            (json!({ "type": 1 }), "unknown", "unknown"),
            (json!({}), "unknown", "unknown"),
        ] {
            let kind = Kind::of(&config(value.clone()));
            assert_eq!((kind.word(), kind.displayed()), (word, displayed), "{value}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for good in [
            json!({ "command": "npx", "args": ["-y", 1, true], "env": { "A": "b", "N": 1 } }),
            json!({ "url": "https://x.test/mcp?a=b", "headers": { "X-A": "b" } }),
            json!({ "url": " http://[::1]:80 ", "auth": "none", "trust_level": "untrusted" }),
            json!({ "url": "http://x", "auth": "bearer", "headers": { "authorization": "B x" } }),
        ] {
            assert_eq!(problems(&config(good.clone())), Vec::<String>::new(), "{good}");
        }
        for (bad, said) in [
            (json!({}), "neither"),
            (json!({ "type": "ws" }), "`type`"),
            (json!({ "command": "" }), "`command`"),
            (json!({ "command": 1 }), "`command`"),
            (json!({ "type": "stdio", "url": "http://x" }), "`command`"),
            (json!({ "command": "a\0" }), "`command`"),
            (json!({ "command": "a", "args": "b" }), "`args`"),
            (json!({ "command": "a", "args": [[]] }), "`args`"),
            (json!({ "command": "a", "args": ["\0"] }), "`args`"),
            (json!({ "command": "a", "env": [] }), "`env`"),
            (json!({ "command": "a", "env": { "A=B": "" } }), "`env`"),
            (json!({ "command": "a", "env": { "": "" } }), "`env`"),
            (json!({ "command": "a", "env": { "A": null } }), "`env`"),
            (json!({ "url": "x" }), "`url`"),
            (json!({ "url": "ftp://x" }), "`url`"),
            (json!({ "url": "http://" }), "`url`"),
            (json!({ "url": 1 }), "`url`"),
            (json!({ "type": "http", "command": "x" }), "`url`"),
            (json!({ "url": "http://x", "headers": [] }), "`headers`"),
            (json!({ "url": "http://x", "headers": { "a b": "c" } }), "`headers`"),
            (json!({ "url": "http://x", "headers": { "a": "b\r\nc: d" } }), "`headers`"),
            (json!({ "url": "http://x", "auth": "bearer" }), "Authorization"),
            (json!({ "url": "http://x", "auth": "basic" }), "`auth`"),
        ] {
            let said_of = problems(&config(bad.clone()));
            assert!(said_of.len() == 1 && said_of[0].contains(said), "{bad}: {said_of:?}");
        }
    }

    #[test]
    fn trap_t70_a_configuration_does_not_answer_for_itself() {
        let value = json!({
            "name": "other", "builtin": true, "displayType": "x", "displayCommand": "x",
            "validationErrors": ["x"], "_own": 1, "command": "run", "args": ["a", "--token", "t0p"],
            "more": { "kept": 1 },
        });
        let told = told("mine", &config(value.clone()), &config(value));
        let json = serde_json::to_value(&told).expect("JSON");
        let is = json!({
            "name": "mine", "builtin": false, "command": "run",
            "args": ["a", "--token", "[REDACTED]"], "more": { "kept": 1 },
            "displayType": "stdio", "displayCommand": "run a --token [REDACTED]",
        });
        assert_eq!(json, is);
    }

    #[test]
    fn a_level_is_of_freer_agents_too() {
        for (word, is) in [
            (json!(null), Some(Trust::Full)),
            (json!("trusted"), Some(Trust::Full)),
            (json!("vault"), Some(Trust::Vault)),
            (json!("untrusted"), Some(Trust::Sandboxed)),
            (json!("Sandboxed"), Some(Trust::Sandboxed)),
            (json!("who knows"), None),
            (json!(1), None),
        ] {
            assert_eq!(level(&config(json!({ "trust_level": word.clone() }))), is, "{word}");
        }
        assert_eq!(level(&Config::new()), Some(Trust::Full));
    }
}
