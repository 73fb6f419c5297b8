//! What may be asked of the logs, and what it means: units by their names, times in every way a
//! person writes them, an expression to look for. What has no meaning is refused here, before
//! anything is started.

use aho_corasick::AhoCorasick;
use host::logs::{Source, Wanted};
use regex_lite::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serve::Fault;
use wire::Timestamp;

/// Lines told first where nothing else was asked for (contract-core §7.2).
const LINES: u32 = 50;
/// Memory that an expression may take when it is made ready, in bytes.
const GREP_BYTES_MAX: usize = 1 << 20;
/// Endings of units' names.
const KINDS: [&str; 5] = [".service", ".socket", ".target", ".slice", ".timer"];

/// Which lines.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Filter {
    /// A unit of the suite by its name, also without `.service`; all of them otherwise.
    #[schemars(length(min = 1, max = 200))]
    unit: Option<String>,
    /// What is about this session, and all that its agent says.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    session: Option<String>,
    /// What is about this turn.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    turn: Option<String>,
    /// As important as this, or more: 0 to 7, or the word for it.
    #[schemars(regex(
        pattern = "^([0-7]|emerg|alert|crit|err|error|warn|warning|notice|info|debug)$"
    ))]
    priority: Option<String>,
    /// Of one boot of the machine: 0 this one, -1 the one before, or its id.
    #[schemars(length(min = 1, max = 40))]
    boot: Option<String>,
    /// Not before: a time (RFC 3339), `@` and seconds since 1970, or how long ago (`15m`, which
    /// may be written `-15m`, too).
    #[schemars(length(min = 1, max = 64))]
    since: Option<String>,
    /// Not after; written as `since` is. Lines of times to come are not waited for.
    #[schemars(length(min = 1, max = 64))]
    until: Option<String>,
    /// Only lines in which this regular expression is found. Without capitals in it, those from
    /// A to Z make no difference. It looks at lines as they are shown.
    #[schemars(length(min = 1, max = 200))]
    grep: Option<String>,
    /// The last so many lines: 50 if nothing is said, and all where `since` is given.
    #[schemars(range(min = 0, max = 5000))]
    lines: Option<u32>,
}

/// Query of `GET /supervisor/logs`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct LogsQuery {
    #[serde(flatten)]
    filter: Filter,
    /// Go on with what is said from now on: unless told otherwise, and unless `until` is given.
    follow: Option<bool>,
}

/// Query of `GET /supervisor/logs/export`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct ExportQuery {
    #[serde(flatten)]
    filter: Filter,
    /// As lines to read, or as one JSON object on each.
    format: Option<Format>,
}

/// How lines are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// Lines to read.
    #[default]
    Text,
    /// One JSON object on each.
    Json,
}

/// A query that has a meaning.
pub(crate) struct Asked {
    pub(crate) wanted: Wanted,
    /// The last so many; none: from the beginning.
    pub(crate) last: Option<usize>,
    pub(crate) grep: Option<Grep>,
}

impl LogsQuery {
    pub(crate) fn resolve(
        self,
        source: &Source,
        after: Option<&str>,
        knows: impl Fn(&str) -> bool,
    ) -> Result<Asked, Fault> {
        let mut asked = self.filter.resolve(source, LINES.into(), knows)?;
        let after = after.map(str::trim).filter(|cursor| !cursor.is_empty());
        asked.wanted.follow = self.follow.unwrap_or(true) && asked.wanted.until_us.is_none();
        if after.is_some() {
            asked.last = None;
            asked.wanted.after = after.map(str::to_owned);
        }
        asked.check(source)
    }
}

impl ExportQuery {
    pub(crate) fn resolve(
        self,
        source: &Source,
        knows: impl Fn(&str) -> bool,
    ) -> Result<(Asked, Format), Fault> {
        let asked = self.filter.resolve(source, None, knows)?;
        Ok((asked.check(source)?, self.format.unwrap_or_default()))
    }
}

impl Asked {
    fn check(self, source: &Source) -> Result<Asked, Fault> {
        source.check(&self.wanted).map_err(|error| Fault::bad(error.to_string()))?;
        Ok(self)
    }
}

impl Filter {
    /// `lines` is how many are meant where nothing is said.
    fn resolve(
        self,
        source: &Source,
        lines: Option<u32>,
        knows: impl Fn(&str) -> bool,
    ) -> Result<Asked, Fault> {
        let mut wanted = super::of_all(source);
        if let Some(unit) = self.unit {
            let whole = match KINDS.iter().any(|kind| unit.ends_with(kind)) {
                true => unit.clone(),
                false => format!("{unit}.service"),
            };
            if !knows(&whole) {
                return Err(Fault::missing(format!("{unit:?} is no unit of the suite")));
            }
            wanted = Wanted { units: vec![whole], ..Wanted::default() };
        }
        let now = Timestamp::now();
        let point = |name: &str, text: Option<String>| {
            text.map(|text| micros(&text, now).ok_or_else(|| unreadable(name))).transpose()
        };
        wanted.since_us = point("since", self.since)?;
        wanted.until_us = point("until", self.until)?;
        wanted.session = self.session;
        wanted.turn = self.turn;
        wanted.priority = self.priority.as_deref().map(priority);
        wanted.boot = self.boot;
        let grep = self.grep.as_deref().map(Grep::new).transpose()?;
        let lines = self.lines.or(lines.filter(|_| wanted.since_us.is_none()));
        Ok(Asked { wanted, last: lines.map(|lines| lines as usize), grep })
    }
}

fn unreadable(name: &str) -> Fault {
    Fault::bad(format!(
        "{name}: give a time (2026-11-20T06:21:09Z), @ and seconds since 1970, or how long ago \
         (90s, 15m, 2h, 1d)"
    ))
}

/// By the word that the schema lets through, or the number.
fn priority(word: &str) -> u8 {
    match word {
        "emerg" => 0,
        "alert" => 1,
        "crit" => 2,
        "err" | "error" => 3,
        "warn" | "warning" => 4,
        "notice" => 5,
        "info" => 6,
        _ => word.parse().unwrap_or(7),
    }
}

/// Microseconds since 1970 of a point in time.
fn micros(text: &str, now: Timestamp) -> Option<u64> {
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return None;
        }
        let part: String = part.chars().chain("000000".chars()).take(6).collect();
        return whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part.parse().ok()?);
    }
    if let Some(ago) = span(text.strip_prefix('-').unwrap_or(text)) {
        return u64::try_from(now.as_micros()).ok()?.checked_sub(ago);
    }
    // In a query a `+` that was not written as %2B is a space.
    let at = Timestamp::parse(text).or_else(|| {
        let (time, offset) = text.rsplit_once(' ')?;
        Timestamp::parse(&format!("{time}+{offset}"))
    });
    u64::try_from(at?.as_micros()).ok()
}

/// Microseconds of `90s`, `1h30m` and their like.
fn span(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut sum = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let seconds: u64 = match unit {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        sum = sum.checked_add(number.checked_mul(seconds)?.checked_mul(1_000_000)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// What to look for in lines.
pub(crate) enum Grep {
    /// A text without signs of its own, which is found much faster.
    Text(AhoCorasick),
    Expression(Regex),
}

impl Grep {
    fn new(text: &str) -> Result<Grep, Fault> {
        let any_case = !has_capital(text);
        let plain = |c: char| c.is_ascii_alphanumeric() || " _-/:;,=@%\"'<>!~#&".contains(c);
        if text.chars().all(plain)
            && let Ok(finder) =
                AhoCorasick::builder().ascii_case_insensitive(any_case).build([text])
        {
            return Ok(Grep::Text(finder));
        }
        let mut expression = RegexBuilder::new(text);
        expression.case_insensitive(any_case).size_limit(GREP_BYTES_MAX);
        let built = expression.build();
        let built = built.map_err(|error| Fault::bad(format!("grep: {error}")))?;
        Ok(Grep::Expression(built))
    }

    pub(crate) fn finds(&self, line: &str) -> bool {
        match self {
            Grep::Text(finder) => finder.is_match(line),
            Grep::Expression(expression) => expression.is_match(line),
        }
    }
}

/// Whether an expression asks for a capital; `\S` and its like do not.
fn has_capital(text: &str) -> bool {
    let mut escaped = false;
    text.chars().any(|c| {
        let counts = !escaped && c.is_uppercase();
        escaped = c == '\\' && !escaped;
        counts
    })
}

#[cfg(test)]
mod tests;
