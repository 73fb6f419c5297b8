//! The daily module (contract-core §6.6, contract-extended §4): entries of a person's days, and
//! agents that read a day and write about it. Entries are files and nothing else; an agent's run
//! is a turn of a session of its own. When agents run by themselves is decided elsewhere.

mod agents;
mod entries;
mod hear;
mod note;
mod prompt;
mod run;
mod runs;
mod told;
mod tools;
mod transcript;

pub(crate) use runs::Runs;
pub(super) use tools::{servers, tools_of};

use super::DomainError;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use wire::Timestamp;

/// The day that an agent reads, and the one for which it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days {
    read: Date,
    written: Date,
}

impl Days {
    /// Those of a day that was named; else of yesterday, by this machine's clock.
    fn of(named: Option<&str>) -> Result<Days, DomainError> {
        let beyond = || DomainError::Bad("that day is beyond the calendar".into());
        let read = match named {
            Some(text) => day(text)?,
            None => today().yesterday().map_err(|_| beyond())?,
        };
        Ok(Days { read, written: read.tomorrow().map_err(|_| beyond())? })
    }
}

fn today() -> Date {
    Zoned::now().date()
}

/// A day as `YYYY-MM-DD`, and in no other form: it becomes part of a file's name.
fn day(text: &str) -> Result<Date, DomainError> {
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| DomainError::Bad("date is a day such as 2026-01-31".into()))
}

/// When a day begins and ends by this machine's clock.
fn bounds(date: Date) -> Option<(Timestamp, Timestamp)> {
    let at = |date: Date| {
        let begin = date.to_zoned(TimeZone::system()).ok()?;
        Some(Timestamp::from_micros(begin.timestamp().as_microsecond()))
    };
    Some((at(date)?, at(date.tomorrow().ok()?)?))
}

/// The days before one, latest first.
fn before(date: Date, days: i64) -> impl Iterator<Item = Date> {
    (1..=days).filter_map(move |back| date.checked_sub(back.days()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_for_the_day_after() {
        let days = Days::of(Some("2024-02-28")).expect("a day");
        assert_eq!(days.written.to_string(), "2024-02-29");
        let usual = Days::of(None).expect("a day");
        assert_eq!(usual.read.tomorrow().ok(), Some(usual.written));
        for bad in
            ["", "2024-2-28", "2024-02-30", "20240228", "2024-02-28T10:00", "../x", "9999-12-31"]
        {
            assert!(Days::of(Some(bad)).is_err(), "{bad:?}");
        }
        let latest: Vec<String> = before(days.read, 2).map(|day| day.to_string()).collect();
        assert_eq!(latest, ["2024-02-27", "2024-02-26"]);
    }

    proptest! {
        #[test]
        fn a_day_is_part_of_a_file_name_and_no_more(text in "\\PC{0,12}|[0-9./-]{0,12}") {
            if day(&text).is_ok() {
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'));
                prop_assert_eq!(text.len(), 10);
            }
        }
    }
}
