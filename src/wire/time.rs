//! Points in time as the wire shows them: RFC 3339 in UTC with a `Z`. Every form that the
//! predecessor wrote (offset, `Z`, no suffix meaning UTC) is read.

use jiff::{SignedDuration, civil};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A point in time, microseconds kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Now, by the machine's clock.
    pub fn now() -> Timestamp {
        Timestamp(jiff::Timestamp::now())
    }

    /// From milliseconds since 1970; what lies outside the calendar becomes 1970.
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp(jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }

    /// From microseconds since 1970; what lies outside the calendar becomes 1970.
    pub fn from_micros(micros: i64) -> Timestamp {
        Timestamp(jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0.as_microsecond()
    }

    /// Reads any form the suite or its predecessor ever wrote; without an offset it is UTC.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let text = text.trim();
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(Timestamp(at));
        }
        let naive: civil::DateTime = text.parse().ok()?;
        let at = naive.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Timestamp(at.timestamp()))
    }

    /// The form in the database: `2026-01-01T10:00:00.123456+00:00`, whose order as text is its
    /// order in time.
    pub fn to_stored(self) -> String {
        format!("{}+00:00", Civil(self.0))
    }

    /// This point moved by so many seconds.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        let by = SignedDuration::from_secs(seconds);
        Timestamp(self.0.saturating_add(by).unwrap_or(self.0))
    }
}

/// Date and time of day, as both forms begin. By hand: a list holds hundreds of them, and
/// strftime takes its time.
struct Civil(jiff::Timestamp);

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_microsecond();
        let whole = jiff::Timestamp::from_microsecond(micros).unwrap_or(self.0);
        let at = jiff::tz::Offset::UTC.to_datetime(whole);
        let sign = if at.year() < 0 { "-" } else { "" };
        let (year, month, day) = (at.year().unsigned_abs(), at.month(), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        write!(f, "{sign}{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match at.subsec_nanosecond() / 1000 {
            0 => Ok(()),
            micros => write!(f, ".{micros:06}"),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", Civil(self.0))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("not a point in time"))
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn reads_every_form_and_writes_one() {
        for text in [
            "2026-01-01T10:00:00.123456+00:00",
            "2026-01-01T10:00:00.123456Z",
            "2026-01-01T10:00:00.123456",
            "2026-01-01 10:00:00.123456",
            "2026-01-01T11:00:00.123456+01:00",
        ] {
            let at = Timestamp::parse(text).expect(text);
            assert_eq!(at.to_string(), "2026-01-01T10:00:00.123456Z");
            assert_eq!(at.to_stored(), "2026-01-01T10:00:00.123456+00:00");
        }
        let whole = Timestamp::parse("2026-01-01T10:00:00Z").expect("whole seconds");
        assert_eq!(whole.to_string(), "2026-01-01T10:00:00Z");
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    proptest::proptest! {
        #[test]
        fn is_written_as_the_calendar_library_would(
            micros in -62_000_000_000_000_000i64..253_000_000_000_000_000
        ) {
            let at = jiff::Timestamp::from_microsecond(micros).expect("within the calendar");
            let part = if micros % 1_000_000 == 0 { "" } else { ".%6f" };
            let form = format!("%Y-%m-%dT%H:%M:%S{part}Z");
            let written = Timestamp(at).to_string();
            proptest::prop_assert_eq!(&written, &at.strftime(&form).to_string());
            proptest::prop_assert_eq!(Timestamp::parse(&written), Some(Timestamp(at)));
        }
    }
}
