//! Questions as they come in an address, and what is made of them.

use super::*;
use serde::de::DeserializeOwned;
use std::path::Path;

fn journal() -> Source {
    Source::Journal(host::logs::Journal::new(Path::new("/nowhere")))
}

/// A query as `serve` takes it: by its schema, and then by its type.
fn taken<T: DeserializeOwned + JsonSchema>(text: &str) -> Result<T, Vec<String>> {
    let mut schemas = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let schema = schemas.subschema_for::<T>().to_value();
    let known = schemas.take_definitions(true);
    let judged = serve::check::query(text, &schema, &known);
    let value = judged.map_err(|faults| {
        let told = faults.iter().map(|f| format!("{} {}", f.place[1].as_str().unwrap(), f.kind));
        told.collect::<Vec<_>>()
    })?;
    Ok(serde_json::from_value(value).expect("what the schema lets through is of the type"))
}

fn asked(text: &str) -> Result<Asked, u16> {
    let query: LogsQuery = taken(text).expect("lawful");
    let knows = |unit: &str| unit.starts_with("parachute");
    query.resolve(&journal(), None, knows).map_err(|fault| fault.status.as_u16())
}

#[test]
fn nothing_asked_is_the_last_fifty_and_what_comes() {
    let all = asked("").expect("lawful");
    assert_eq!((all.last, all.wanted.follow, all.wanted.agents), (Some(50), true, true));
    assert!(all.wanted.units.len() > 1, "{:?}", all.wanted);
    let some = asked("lines=0&follow=false").expect("lawful");
    assert_eq!((some.last, some.wanted.follow), (Some(0), false));
    let since = asked("since=1h").expect("lawful");
    assert_eq!((since.last, since.wanted.follow), (None, true));
    let past = asked("until=@5&follow=1").expect("lawful");
    assert_eq!((past.last, past.wanted.follow), (Some(50), false));
    let export: ExportQuery = taken("format=json&unit=parachute").expect("lawful");
    let (export, format) = export.resolve(&journal(), |_| true).expect("lawful");
    assert_eq!((export.last, export.wanted.follow), (None, false));
    assert!(format == Format::Json && export.wanted.units == ["parachute.service"]);
}

#[test]
fn what_is_out_of_range_is_told_in_the_contracts_form() {
    for (text, fault) in [
        ("lines=x", "lines int_parsing"),
        ("lines=-1", "lines greater_than_equal"),
        ("lines=5001", "lines less_than_equal"),
        ("follow=perhaps", "follow bool_parsing"),
        ("priority=8", "priority string_pattern_mismatch"),
        ("session=a%20b", "session string_pattern_mismatch"),
        ("turn=", "turn string_pattern_mismatch"),
        ("unit=", "unit string_too_short"),
        ("unit=a%00b", "unit string_nul"),
        ("boot=0%0A", ""),
    ] {
        let told = taken::<LogsQuery>(text).err().unwrap_or_default().join(",");
        assert_eq!(told, fault, "{text}");
    }
    let long = format!("grep={}", "x".repeat(201));
    assert_eq!(taken::<LogsQuery>(&long).unwrap_err(), ["grep string_too_long"]);
    assert_eq!(taken::<ExportQuery>("format=xml").unwrap_err(), ["format literal_error"]);
}

#[test]
fn units_are_those_of_the_suite() {
    let unit = |text: &str| asked(&format!("unit={text}")).map(|asked| asked.wanted.units);
    assert_eq!(unit("parachute"), Ok(vec!["parachute.service".to_owned()]));
    assert_eq!(unit("parachute.socket"), Ok(vec!["parachute.socket".to_owned()]));
    let agent = Ok(vec!["parachute-agent@s-1.service".to_owned()]);
    assert_eq!(unit("parachute-agent@s-1"), agent);
    for other in ["ssh.service", "../x", "ssh"] {
        assert_eq!(unit(other), Err(404), "{other}");
    }
    assert_eq!(unit("parachute%20x"), Err(400));
    assert!(!asked("unit=parachute").expect("lawful").wanted.agents);
}

#[test]
fn a_place_to_go_on_from_counts_more_than_how_many() {
    let resolve = |after: Option<&str>| {
        let query: LogsQuery = taken("lines=7").expect("lawful");
        query.resolve(&journal(), after, |_| true).map_err(|fault| fault.status.as_u16())
    };
    let asked = resolve(Some(" t=1f ")).expect("lawful");
    assert_eq!((asked.last, asked.wanted.after.as_deref()), (None, Some("t=1f")));
    let asked = resolve(Some("")).expect("lawful");
    assert_eq!((asked.last, asked.wanted.after), (Some(7), None));
    for bad in ["x", "--user", "t=1\n", "12"] {
        assert_eq!(resolve(Some(bad)).err(), (bad != "t=1\n").then_some(400), "{bad}");
    }
}

#[test]
fn times_in_every_way_a_person_writes_them() {
    let now = Timestamp::parse("2026-11-20T06:21:09.5Z").unwrap();
    let at = |text: &str| {
        let us = micros(text, now)?;
        Some(Timestamp::from_micros(us.try_into().unwrap()).to_string())
    };
    for (text, expected) in [
        ("2026-11-20T06:21:09Z", "2026-11-20T06:21:09Z"),
        ("2026-11-20T07:21:09+01:00", "2026-11-20T06:21:09Z"),
        ("2026-11-20T07:21:09 01:00", "2026-11-20T06:21:09Z"),
        ("2026-11-20 06:21:09", "2026-11-20T06:21:09Z"),
        ("@1795155669.25", "2026-11-20T06:21:09.250000Z"),
        ("@0", "1970-01-01T00:00:00Z"),
        ("90s", "2026-11-20T06:19:39.500000Z"),
        ("15m", "2026-11-20T06:06:09.500000Z"),
        ("-15m", "2026-11-20T06:06:09.500000Z"),
        ("1h30m", "2026-11-20T04:51:09.500000Z"),
        ("2d", "2026-11-18T06:21:09.500000Z"),
        ("1w", "2026-11-13T06:21:09.500000Z"),
    ] {
        assert_eq!(at(text).as_deref(), Some(expected), "{text}");
    }
    for bad in
        ["", "yesterday", "5", "5x", "m", "--5m", "-", "@", "@x", "@1.x", "@-1", "5 m", "1e3s"]
    {
        assert_eq!(at(bad), None, "{bad:?}");
    }
    assert_eq!(at("99999999999999999999s"), None);
    assert_eq!(at("@99999999999999999"), None);
    assert_eq!(asked("since=soon").err(), Some(400));
    assert_eq!(asked("until=soon").err(), Some(400));
    assert_eq!(asked("boot=last").err(), Some(400));
}

#[test]
fn an_expression_has_smart_case_and_bounds() {
    let finds = |grep: &str, line: &str| Grep::new(grep).expect("lawful").finds(line);
    assert!(finds("error", "an ERROR"));
    assert!(!finds("Error", "an ERROR"));
    assert!(finds("turn=t-1", "x TURN=T-1"));
    assert!(finds("a.c", "xABC"));
    assert!(finds("\\Serror", "anERROR"));
    assert!(finds("é+", "éé"));
    assert!(finds("a (b)", "a b") && !finds("a \\(b\\)", "a b"));
    assert_eq!(asked("grep=(").err(), Some(400));
    // Linear, whatever it is.
    assert!(!finds("(a*)*(a*)*b$", &"a".repeat(5000)));
    assert!(Grep::new("((((a{100}){100}){100}){100})").is_err());
}
