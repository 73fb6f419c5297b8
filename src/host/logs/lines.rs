//! Lines of log files: what our own programs write where there is no journal (the form of
//! tracing-subscriber: time, level, target, message), and anything else their children do.

use super::entry::text as printable;
use super::{AGENT_UNIT, Entry, MESSAGE_BYTES_MAX, Wanted};

/// Of a line without a level: that of what services write to standard error.
const USUAL_PRIORITY: u8 = 6;

/// Reads a line of a unit's log; its cursor is the caller's matter.
pub(super) fn read(unit: &str, bytes: &[u8]) -> Entry {
    let text = printable(bytes, MESSAGE_BYTES_MAX);
    let (time_us, rest) = match text.split_once(' ') {
        Some((first, rest)) => match micros(first) {
            Some(us) => (Some(us), rest.trim_start()),
            None => (None, text.as_str()),
        },
        None => (None, text.as_str()),
    };
    let (level, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let priority = time_us.and_then(|_| priority(level));
    let said = match (time_us, priority) {
        (_, Some(_)) => without_target(rest),
        (Some(_), None) => text.split_once(' ').map_or("", |(_, rest)| rest.trim_start()),
        (None, None) => &text,
    };
    let agents = || {
        let session = unit.strip_prefix(AGENT_UNIT)?.strip_suffix(".service")?;
        Some(session.to_owned())
    };
    Entry {
        time_us,
        unit: Some(unit.to_owned()),
        priority,
        program: unit.split(['.', '@']).next().map(str::to_owned),
        session: named(said, "session=").or_else(agents),
        turn: named(said, "turn="),
        message: said.to_owned(),
        ..Entry::default()
    }
}

/// What is said of a line that is too long to be kept.
pub(super) fn too_long(unit: &str) -> Entry {
    let kib = super::LINE_BYTES_MAX / 1024;
    let mut entry = read(unit, b"");
    entry.message = format!("(a line of more than {kib} KiB, which is not shown)");
    entry
}

/// Whether a line that was said at `order_us` is wanted.
pub(super) fn fits(wanted: &Wanted, entry: &Entry, order_us: u64) -> bool {
    let about = |id: &Option<String>, told: &Option<String>| match id {
        Some(id) => told.as_ref() == Some(id) || entry.message.contains(id.as_str()),
        None => true,
    };
    wanted.priority.is_none_or(|least| entry.priority.unwrap_or(USUAL_PRIORITY) <= least)
        && wanted.since_us.is_none_or(|since| wanted.after.is_some() || order_us >= since)
        && wanted.until_us.is_none_or(|until| order_us <= until)
        && about(&wanted.session, &entry.session)
        && about(&wanted.turn, &entry.turn)
}

/// By the names that tracing has, and those of Python's logging.
fn priority(level: &str) -> Option<u8> {
    Some(match level {
        "CRITICAL" => 2,
        "ERROR" => 3,
        "WARN" | "WARNING" => 4,
        "INFO" => 6,
        "DEBUG" | "TRACE" => 7,
        _ => return None,
    })
}

/// A message without the module that says it: `parachute_server::routes: message`.
fn without_target(text: &str) -> &str {
    let is_path = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:".contains(&b))
    };
    match text.split_once(": ") {
        Some((target, message)) if is_path(target) => message,
        _ => text,
    }
}

/// The id after the first `name` in a text.
fn named(text: &str, name: &str) -> Option<String> {
    let at = text
        .match_indices(name)
        .map(|(at, _)| at)
        .find(|at| !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))?;
    let rest = text[at + name.len()..].trim_start_matches('"');
    let lawful = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let id = &rest[..rest.find(|c| !lawful(c)).unwrap_or(rest.len())];
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

/// Microseconds since 1970 of `2026-11-20T06:21:09.123456Z` and its like; also with an offset,
/// as `+01:00`, behind.
pub(super) fn micros(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let shape = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() < 20 || !text.is_ascii() || shape.iter().any(|(at, b)| bytes[*at] != *b) {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = &text[from..to];
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 {
        return None;
    }
    let rest = &text[19..];
    let (part, zone) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?),
        None => ("", rest),
    };
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    let offset = match zone.as_bytes() {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digit = |b: &u8| b.is_ascii_digit().then(|| i64::from(b - b'0'));
            let hours = digit(h1)? * 10 + digit(h2)?;
            let minutes = hours * 60 + digit(m1)? * 10 + digit(m2)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + (minute - offset) * 60 + second;
    u64::try_from(seconds * 1_000_000 + part.parse::<i64>().ok()?).ok()
}

/// Days since 1970-01-01 of a date of the Gregorian calendar; years begin in March here.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_lines_have_time_level_and_message() {
        let line = b"2026-11-20T06:21:09.123456Z  WARN parachute_server::routes: late turn=t-1 x=2";
        let entry = read("parachute.service", line);
        assert_eq!(entry.time_us, Some(1_795_155_669_123_456));
        assert_eq!((entry.priority, entry.message.as_str()), (Some(4), "late turn=t-1 x=2"));
        assert_eq!((entry.turn.as_deref(), entry.session), (Some("t-1"), None));
        assert_eq!(entry.program.as_deref(), Some("parachute"));
    }

    #[test]
    fn what_others_write_stays_as_it_is() {
        for text in ["Traceback (most recent call last):", "2026 was a good year", "", "  at x"] {
            let entry = read("parachute-agent@s-1.service", text.as_bytes());
            assert_eq!((entry.time_us, entry.message.as_str()), (None, text));
            assert_eq!(entry.session.as_deref(), Some("s-1"));
        }
        let entry = read("x.service", b"2026-01-02T03:04:05Z [notice] listening: 1");
        assert_eq!((entry.priority, entry.message.as_str()), (None, "[notice] listening: 1"));
        let span = b"2026-01-02T03:04:05Z  INFO turn{session=s-2 turn=\"t\"}: parachute::x: begun";
        let entry = read("x.service", span);
        assert_eq!((entry.session.as_deref(), entry.turn.as_deref()), (Some("s-2"), Some("t")));
    }

    #[test]
    fn points_in_time() {
        for (text, us) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00.5Z", Some(951_825_600_500_000)),
            ("2026-01-01T01:00:00+01:00", Some(1_767_225_600_000_000)),
            ("2026-01-01T00:00:00.123456789Z", Some(1_767_225_600_123_456)),
            ("2026-13-01T00:00:00Z", None),
            ("2026-01-01T00:00:00", None),
            ("1969-12-31T23:59:59Z", None),
            ("not a time at all, no", None),
        ] {
            assert_eq!(micros(text), us, "{text}");
        }
    }
}
