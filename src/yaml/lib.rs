//! YAML of a stranger, read into a value of bounded size: aliases (`*a`) repeat what they stand
//! for, and a few lines of them are gigabytes. Recursion is bounded by the parser itself. Tags
//! (`!a`) are dropped: nobody here knows what they mean, and many cannot be written again.
//!
//! A crate of its own: a vault's notes and its settings are read by programs that share nothing
//! else. What a document means is not its business.

use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::{Deserializer, Mapping, Value};
use std::cell::Cell;
use std::fmt;

/// Values in a document and bytes of its texts, what aliases stand for counted each time.
const VALUES_MAX: usize = 20_000;
const TEXT_BYTES_MAX: usize = 4 << 20;
/// Brackets that are open at once. The parser looks through all of them at every sign, and would
/// read a hundred kilobytes of them for minutes, only to refuse them for their depth.
const OPEN_MAX: usize = 128;

/// What is wrong with a document.
#[derive(Debug)]
pub struct Bad {
    /// In which of its lines, counted from one.
    pub line: Option<usize>,
    /// What it is.
    pub said: String,
}

/// Reads one document.
///
/// # Errors
/// It is no YAML, too deep, or too much.
pub fn read(text: &str) -> Result<Value, Bad> {
    if let Some(line) = too_deep(text) {
        return Err(Bad { line: Some(line), said: "its brackets are nested too deep".into() });
    }
    let (values, bytes) = (Cell::new(VALUES_MAX), Cell::new(TEXT_BYTES_MAX));
    let room = Room { values, bytes, open: Cell::new(0) };
    Bounded(&room).deserialize(Deserializer::from_str(text)).map_err(|error| {
        let line = error.location().map(|location| location.line());
        Bad { line, said: error.to_string() }
    })
}

/// The line in which too many brackets are open, whether or not they are within quotes.
fn too_deep(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    text.lines()
        .zip(1..)
        .find_map(|(line, number)| opens_too_many(line, &mut open).then_some(number))
}

/// Whether more brackets are open somewhere in a text than may be, after so many before it.
fn opens_too_many(text: &str, open: &mut usize) -> bool {
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => *open += 1,
            b']' | b'}' => *open = open.saturating_sub(1),
            _ => {}
        }
        *open > OPEN_MAX
    })
}

struct Room {
    values: Cell<usize>,
    bytes: Cell<usize>,
    /// Brackets in its texts, as they will be counted when it was written again.
    open: Cell<usize>,
}

#[derive(Clone, Copy)]
struct Bounded<'r>(&'r Room);

impl Bounded<'_> {
    fn take<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = |room: &Cell<usize>, taken| {
            let left = room.get().checked_sub(taken);
            left.inspect(|left| room.set(*left)).ok_or_else(|| E::custom("there is too much in it"))
        };
        left(&self.0.values, 1)?;
        left(&self.0.bytes, bytes).map(drop)
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E: Error>(self, is_so: bool) -> Result<Value, E> {
        self.take(0).map(|()| Value::Bool(is_so))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.take(0).map(|()| Value::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.take(0).map(|()| Value::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.take(0).map(|()| Value::Number(number.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.take(text.len())?;
        let mut open = self.0.open.get();
        if opens_too_many(text, &mut open) {
            return Err(E::custom("its brackets are nested too deep"));
        }
        self.0.open.set(open);
        Ok(Value::String(text.to_owned()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.take(0).map(|()| Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.take(0)?;
        let mut map = Mapping::new();
        while let Some(key) = entries.next_key_seed(self)? {
            if map.contains_key(&key) {
                let name = key.as_str().unwrap_or("which is no text");
                return Err(A::Error::custom(format!("duplicate entry with key {name:?}")));
            }
            let value = entries.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Mapping(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        let (_, value) = tagged.variant::<String>()?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aliases_do_not_grow_without_bound() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let above = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", above.trim_end_matches(", ")));
        }
        assert!(read(&bomb).is_err());
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(60_000), "*a, ".repeat(1000));
        assert!(read(&long).is_err());
        assert!(read("a: &a [*a]\n").is_err());
        let known = read("a: &a [1, 2]\nb: *a\n").expect("two of it");
        assert_eq!(known["a"], known["b"]);
    }

    #[test]
    fn depth_is_bounded_and_the_line_is_told() {
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))).is_err());
        assert!(read(&"{a: ".repeat(100_000)).is_err());
        let lines = "k: [\n".repeat(OPEN_MAX + 1);
        assert_eq!(read(&lines).expect_err("too deep").line, Some(OPEN_MAX + 1));
        assert!(read(&"a: [1, {b: 2}]\n? c\n: d\n".replace("a", "e")).is_ok());
        assert!(read(&"- ".repeat(5000)).is_err());
        assert_eq!(read("a: 1\nb: c: d\n").expect_err("no YAML").line, Some(2));
        assert!(read("a: 1\na: 2\n").is_err());
    }

    #[test]
    fn what_is_read_can_be_read_again_once_it_was_written() {
        let brackets = "[".repeat(OPEN_MAX / 2);
        for text in [
            format!("e: &a \"{brackets}\"\nb: [*a, *a, *a]\n"),
            format!("a: \"{}\"\n", "\\x5b".repeat(OPEN_MAX + 1)),
        ] {
            assert!(read(&text).expect_err("too deep").said.contains("nested too deep"));
        }
        let known = read(&format!("e: &a \"{brackets}\"\nb: *a\n")).expect("as many as may be");
        let again = serde_yaml::to_string(&known).expect("written");
        assert_eq!(read(&again).expect("read again"), known);
    }

    fn untagged(value: Value) -> Value {
        match value {
            Value::Tagged(tagged) => untagged(tagged.value),
            Value::Sequence(list) => list.into_iter().map(untagged).collect(),
            Value::Mapping(map) => {
                let both = |(name, value)| (untagged(name), untagged(value));
                Value::Mapping(map.into_iter().map(both).collect())
            }
            plain => plain,
        }
    }

    proptest! {
        #[test]
        fn it_reads_as_without_bounds(text in "[a-z0-9:!&*|>'\"{}\\[\\],.~# \n-]{0,80}") {
            let plain = serde_yaml::from_str::<Value>(&text);
            let bounded = read(&text);
            // Without their tags two keys may be one.
            prop_assert!(plain.is_ok() || bounded.is_err(), "{:?} {:?}", plain, bounded);
            prop_assert!(bounded.is_ok() || plain.is_err() || text.contains('!'), "{:?}", plain);
            if let (Ok(plain), Ok(bounded)) = (plain, bounded) {
                prop_assert_eq!(untagged(plain), bounded);
            }
        }
    }
}
