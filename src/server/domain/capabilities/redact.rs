//! What is shown of an MCP server's configuration: everything but what could be a secret. A
//! reference to a variable (`${NAME}`) is none and is kept, because it says what is missing.

use serde_json::{Map, Value};

/// What stands in place of a secret.
pub(crate) const REDACTED: &str = "[REDACTED]";

/// Parts of names after which a secret comes.
const SECRET_NAMES: [&str; 8] =
    ["key", "token", "secret", "passw", "auth", "credential", "cookie", "bearer"];

/// A configuration fit to be shown.
pub(crate) fn shown(config: &Value) -> Value {
    let Value::Object(fields) = config else { return config.clone() };
    let field = |(name, value): (&String, &Value)| {
        let value = match name.as_str() {
            // Every value in there: what it is called says little of what it is worth.
            "env" | "headers" => all(value),
            "args" => arguments(value),
            "url" => address(value),
            name => by_name(name, value),
        };
        (name.clone(), value)
    };
    fields.iter().map(field).collect::<Map<String, Value>>().into()
}

fn all(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), all(value))).collect()
        }
        Value::Array(items) => items.iter().map(all).collect(),
        Value::String(text) if is_reference(text) => value.clone(),
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(_) | Value::Number(_) => REDACTED.into(),
    }
}

/// What a name like `apiKey` or `auth` stands before, at any depth.
fn by_name(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(_) => shown(value),
        Value::Array(items) => items.iter().map(|item| by_name(name, item)).collect(),
        // `auth: bearer` says which kind it is.
        Value::String(text) if is_secret_name(name) && !is_reference(text) && text.len() > 8 => {
            REDACTED.into()
        }
        _ => value.clone(),
    }
}

/// `--api-key=x`, and `--api-key x`.
fn arguments(value: &Value) -> Value {
    let Value::Array(items) = value else { return value.clone() };
    let mut follows = false;
    let item = |item: &Value| {
        let Some(text) = item.as_str() else { return item.clone() };
        let secret = std::mem::take(&mut follows) && !text.starts_with('-');
        if secret {
            return if is_reference(text) { item.clone() } else { REDACTED.into() };
        }
        let (name, given) = text.split_once('=').unwrap_or((text, ""));
        if !is_secret_name(name) {
            return if text.contains("://") { address(item) } else { item.clone() };
        }
        follows = given.is_empty() && name.starts_with('-');
        match given.is_empty() || is_reference(given) {
            true => item.clone(),
            false => format!("{name}={REDACTED}").into(),
        }
    };
    items.iter().map(item).collect()
}

/// An address without the names and words before its host, and without its query.
fn address(value: &Value) -> Value {
    let Some((kind, rest)) = value.as_str().and_then(|url| url.split_once("://")) else {
        return value.clone();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match host.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => host.to_owned(),
    };
    let path = match path.split_once('?') {
        Some((path, _)) => format!("{path}?{REDACTED}"),
        None => path.to_owned(),
    };
    format!("{kind}://{host}{path}").into()
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// `$NAME`, `${NAME}`, and the same after `Bearer `: nothing but the name of a variable.
fn is_reference(text: &str) -> bool {
    let text = text.trim();
    let text = text.strip_prefix("Bearer ").or(text.strip_prefix("Basic ")).unwrap_or(text);
    let name = text.strip_prefix('$').map(|name| {
        let braced = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        braced.unwrap_or(name)
    });
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.is_empty() || name.is_some_and(|name| !name.is_empty() && name.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn trap_t14_secrets_are_not_shown_and_references_are() {
        let config = json!({
            "command": "npx",
            "args": ["-y", "server", "--api-key=sk-1", "--token", "sk-2", "--token=${T}", "--port",
                "80", "https://u:sk-3@x.org/a?k=sk-4", "--auth-token", "-v"],
            "env": { "API_KEY": "sk-5", "OTHER": "sk-6", "REF": "${NAME}", "PORT": 80 },
            "url": "https://x.org/mcp?key=sk-7",
            "headers": { "Authorization": "Bearer sk-8", "X": "Bearer ${T}", "Y": "a${T}sk-9" },
            "auth": "bearer",
            "oauth": { "clientSecret": "sk-10-and-more", "clientId": "id" },
        });
        let is = json!({
            "command": "npx",
            "args": ["-y", "server", "--api-key=[REDACTED]", "--token", "[REDACTED]",
                "--token=${T}", "--port", "80", "https://[REDACTED]@x.org/a?[REDACTED]",
                "--auth-token", "-v"],
            "env": { "API_KEY": "[REDACTED]", "OTHER": "[REDACTED]", "REF": "${NAME}",
                "PORT": "[REDACTED]" },
            "url": "https://x.org/mcp?[REDACTED]",
            "headers": { "Authorization": "[REDACTED]", "X": "Bearer ${T}", "Y": "[REDACTED]" },
            "auth": "bearer",
            "oauth": { "clientSecret": "[REDACTED]", "clientId": "id" },
        });
        assert_eq!(shown(&config), is);
        assert_eq!(shown(&json!("text")), json!("text"));
    }

    proptest! {
        #[test]
        fn no_value_of_an_environment_is_shown(name in "\\PC{0,12}", secret in "[a-z]{12}") {
            let config = json!({
                "env": { name.clone(): secret.clone() }, "headers": { name: [secret.clone()] },
            });
            prop_assert!(!shown(&config).to_string().contains(&secret));
        }
    }
}
