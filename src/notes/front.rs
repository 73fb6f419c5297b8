//! Front matter: YAML between two lines `---` at the begin of a Markdown file, and the text
//! after it. Only whole lines divide; `---` inside of a value does not. What the fields mean is
//! their reader's business.

use serde_yaml::{Mapping, Value};

/// A file's fields and its text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Front {
    /// Empty where there is no front matter.
    pub fields: Mapping,
    /// What comes after, without blank lines around it.
    pub body: String,
}

impl Front {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with the YAML: it is none, no mapping, or its aliases make it too large.
    pub fn read(text: &str) -> Result<Front, String> {
        // A line of dashes at the top, and no second: a text.
        let Some((yaml, body)) = divide(text) else {
            return Ok(Front { fields: Mapping::new(), body: trimmed(text).to_owned() });
        };
        let fields = fields(yaml).map_err(|bad| format!("the front matter: {}", bad.said))?;
        Ok(Front { fields, body: trimmed(body).to_owned() })
    }

    /// The same for files of which people expect that they are always read: front matter that
    /// is no YAML, such as `description: Reviews: all`, is taken line by line.
    #[must_use]
    pub fn read_forgiving(text: &str) -> Front {
        Front::read(text).unwrap_or_else(|_| by_lines(text))
    }

    /// The file's text, which [`read`](Front::read) reads back.
    #[must_use]
    pub fn write(&self) -> String {
        if self.fields.is_empty() {
            // Else what a text begins with would be taken for its fields.
            let mark = if self.body.starts_with("---") { "---\n---\n\n" } else { "" };
            return format!("{mark}{}\n", self.body);
        }
        let fields = serde_yaml::to_string(&self.fields).expect("a mapping is always YAML");
        format!("---\n{fields}---\n\n{}\n", self.body)
    }

    /// A field, however it is spelt: `allowed-tools`, `allowed_tools`, `allowedTools`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        field(&self.fields, name)
    }

    /// A field that is one text; numbers and booleans as they are written.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        plain(self.field(name)?)
    }

    /// A field that is a list of texts, or one text with commas or spaces between.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        self.field(name).map(texts).unwrap_or_default()
    }
}

/// The front matter and what comes after it. None: there is none.
#[must_use]
pub fn divide(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = after_line(text, &["---"])?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if let Some(body) = after_line(&rest[at..], &["---", "..."]) {
            return Some((&rest[..at], body));
        }
        at += line.len();
    }
    None
}

/// The fields of front matter; the line of an error is one of `yaml`.
pub(crate) fn fields(yaml: &str) -> Result<Mapping, yaml::Bad> {
    let wrong = |said: &str| Err(yaml::Bad { line: Some(1), said: said.into() });
    match yaml::read(yaml)? {
        // Nobody looks for such a name, and not all of them can be written again.
        fields if has_odd_names(&fields) => wrong("a name is a list or has names itself"),
        Value::Mapping(fields) => Ok(fields),
        Value::Null => Ok(Mapping::new()),
        _ => wrong("it is no list of names and values"),
    }
}

/// Whether a name in it is no plain value: `? - a`, `{[a]: b}`.
fn has_odd_names(value: &Value) -> bool {
    match value {
        Value::Sequence(items) => items.iter().any(has_odd_names),
        Value::Mapping(fields) => fields
            .iter()
            .any(|(name, value)| name.is_sequence() || name.is_mapping() || has_odd_names(value)),
        _ => false,
    }
}

/// Any YAML of a stranger: of bounded size, whatever its aliases stand for.
///
/// # Errors
/// What is wrong with it.
pub fn value(yaml: &str) -> Result<Value, String> {
    yaml::read(yaml).map_err(|bad| bad.said)
}

/// As [`Front::field`], of any mapping.
#[must_use]
pub fn field<'m>(fields: &'m Mapping, name: &str) -> Option<&'m Value> {
    let bare = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let same = |key: &Value| key.as_str().is_some_and(|key| bare(key) == bare(name));
    fields.get(name).or_else(|| fields.iter().find(|(key, _)| same(key)).map(|(_, value)| value))
}

/// A text without blank lines around it, and without a byte order mark at its begin, which would
/// be taken for none of its own once it is written again.
fn trimmed(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').trim_end()
}

/// As [`Front::list`], of any value.
#[must_use]
pub fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Sequence(items) => items.iter().filter_map(plain).collect(),
        Value::String(text) => divided(text),
        _ => Vec::new(),
    }
}

/// What stands between commas and spaces, but for those in brackets: `Read, Bash(git log:*)`.
fn divided(text: &str) -> Vec<String> {
    let (mut items, mut deep) = (vec![String::new()], 0_usize);
    for c in text.chars() {
        match c {
            '(' => deep += 1,
            ')' => deep = deep.saturating_sub(1),
            _ => {}
        }
        if deep == 0 && (c == ',' || c.is_whitespace()) {
            items.push(String::new());
        } else if let Some(item) = items.last_mut() {
            item.push(c);
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// A header that is no YAML, as `name: value` on each line.
pub(crate) fn by_lines(text: &str) -> Front {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().skip(1);
    let mut fields = Mapping::new();
    for line in lines.by_ref().take_while(|line| !["---", "..."].contains(&line.trim_end())) {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        let list = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        let value = match list {
            Some(items) => {
                Value::Sequence(items.split(',').map(|item| bare(item).into()).collect())
            }
            None => bare(value).into(),
        };
        fields.insert(name.trim().into(), value);
    }
    Front { fields, body: trimmed(&lines.collect::<Vec<_>>().join("\n")).to_owned() }
}

/// A value that is one text; numbers and booleans as they are written.
#[must_use]
pub fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}

/// What comes after the first line, if that is one of these.
fn after_line<'t>(text: &'t str, lines: &[&str]) -> Option<&'t str> {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    lines.contains(&line.trim_end()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::{Front, trimmed};
    use proptest::prelude::*;

    #[test]
    fn trap_t74_whole_lines_divide_and_nothing_else() {
        let front =
            Front::read("---\nname: a --- b\ntools: [Read, Bash]\n---\n\nText\n---\nmore\n");
        let front = front.expect("front matter");
        assert_eq!(front.text("name").as_deref(), Some("a --- b"));
        assert_eq!(front.list("tools"), ["Read", "Bash"]);
        assert_eq!(front.body, "Text\n---\nmore");
        assert_eq!(Front::read("no front").expect("text").body, "no front");
        assert_eq!(Front::read("---\nno end").expect("text").body, "---\nno end");
        assert!(Front::read("---\n- a\n---\n").is_err());
        assert!(Front::read("---\na: b: c\n---\n").is_err());
        let front = Front::read("\u{feff}---\r\nversion: 1.0\r\nallowed: a, b  c\r\n---\r\nx");
        let front = front.expect("front matter");
        assert_eq!((front.text("version").as_deref(), front.body.as_str()), (Some("1.0"), "x"));
        assert_eq!(front.list("allowed"), ["a", "b", "c"]);
    }

    #[test]
    fn tags_are_dropped_so_that_what_was_read_can_be_written() {
        for odd in ["? !\n: b", "!: 6a :s:\n  - x", "a: !<b c> d", "!! : a", "!E p: x"] {
            let front = Front::read(&format!("---\n{odd}\n---\nx"));
            let again = front.as_ref().map(|front| Front::read(&front.write()));
            assert_eq!(again.unwrap_or_else(|_| front.clone()), front, "{odd}");
        }
        let front = Front::read("---\n! : a\nb: ! c\nd: !mine e\n---\nt [Et").expect("fields");
        assert_eq!(front.text("b").as_deref(), Some("c"));
        let again = Front::read(&front.write()).expect("fields");
        assert_eq!(again, front);
    }

    #[test]
    fn names_that_are_no_text_make_no_fields() {
        for odd in
            ["? - a\n: b", "{[a]: b}", "x:\n  ? {a: b}\n  : c", "x:\n? - ? x:\n? ---- y\nz:\n a: b"]
        {
            let said = Front::read(&format!("---\n{odd}\n---\nx")).expect_err("no fields");
            assert!(said.contains("a name is a list or has names itself"), "{odd}: {said}");
        }
        let front = Front::read("---\n1: a\ntrue: b\n~: c\n---\nx").expect("fields");
        assert_eq!(Front::read(&front.write()), Ok(front));
    }

    #[test]
    fn a_field_is_found_in_each_spelling_and_brackets_are_not_divided() {
        let front = Front::read("---\nallowed-tools: Read, Bash(git log:*, x) Grep\n---\n");
        let front = front.expect("front matter");
        for name in ["allowed-tools", "allowed_tools", "allowedTools"] {
            assert_eq!(front.list(name), ["Read", "Bash(git log:*, x)", "Grep"]);
        }
        assert_eq!(front.text("tools"), None);
    }

    #[test]
    fn what_is_no_yaml_is_read_by_lines() {
        let text = "---\nname: \"x\"\ndescription: Reviews: all\ntools: [a, 'b']\n---\n\nText\n";
        assert!(Front::read(text).is_err());
        let front = Front::read_forgiving(text);
        assert_eq!(front.text("description").as_deref(), Some("Reviews: all"));
        assert_eq!(front.list("tools"), ["a", "b"]);
        assert_eq!((front.text("name").as_deref(), front.body.as_str()), (Some("x"), "Text"));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(name in "\\PC{0,60}", body in "[a-z \n#]{0,60}") {
            let mut front = Front { body: body.trim().to_owned(), ..Front::default() };
            front.fields.insert("name".into(), name.clone().into());
            let read = Front::read(&front.write()).expect("its own");
            prop_assert_eq!(read, front);
        }

        #[test]
        fn a_text_stays_a_text(
            body in "[ \u{feff}]{0,3}(---\n)?[a-z: \n-]{0,60}(\n---\n)?[a-z]{0,9}",
        ) {
            let front = Front { body: trimmed(&body).to_owned(), ..Front::default() };
            prop_assert_eq!(Front::read(&front.write()).expect("its own"), front.clone());
            if let Ok(read) = Front::read(&body) {
                prop_assert_eq!(Front::read(&read.write()), Ok(read));
            }
        }

        #[test]
        fn no_text_is_too_much(text in "(---\n)?\\PC{0,80}(\n---\n)?\\PC{0,20}") {
            let _ = Front::read(&text);
            let _ = Front::read_forgiving(&text);
        }
    }
}
