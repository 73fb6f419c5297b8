//! Values of any type where one is expected: what is no text, no time, no object counts as
//! nothing and is passed over without being held.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;
use wire::Timestamp;

/// A text, or a number as one.
#[derive(Default)]
pub(crate) struct Text(pub(crate) Option<String>);

/// True, or not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flag(pub(crate) bool);

/// A point in time: RFC 3339 with any offset, or seconds since 1970.
#[derive(Clone, Copy, Default)]
pub(crate) struct Time(pub(crate) Option<Timestamp>);

/// An object as a `T`.
pub(crate) struct Object<T>(pub(crate) Option<T>);

/// What is said in a text, or in a list of texts and of blocks of the type `text`, which are
/// joined by line feeds.
#[derive(Default)]
pub(crate) struct Words(pub(crate) String);

/// A list of at most so many; what `T` makes of an item and is None is not kept.
pub(crate) trait Kept: Sized {
    /// What an item is read as.
    type Item<'de>: Deserialize<'de>;
    /// What is kept of it.
    fn kept(item: Self::Item<'_>) -> Option<Self>;
}

pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Text::deserialize(from).map(|text| text.0)
}

pub(crate) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    Flag::deserialize(from).map(|flag| flag.0)
}

/// The begin of a text, and an ellipsis if there is more.
pub(crate) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars.saturating_sub(3)).collect::<String>() + "...",
    }
}

impl<T> Default for Object<T> {
    fn default() -> Object<T> {
        Object(None)
    }
}

/// The calls of a visitor that make nothing of what is there.
macro_rules! nothing {
    ($made:expr; $($call:ident)*) => {$( nothing!(@ $made, $call); )*};
    (@ $made:expr, bool) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok($made) }
    };
    (@ $made:expr, number) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok($made) }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok($made) }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok($made) }
    };
    (@ $made:expr, null) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok($made) }
    };
    (@ $made:expr, text) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok($made) }
    };
    (@ $made:expr, list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($made)
        }
    };
    (@ $made:expr, object) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($made)
        }
    };
}
pub(crate) use nothing;

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Text;
            nothing!(Text(None); bool null list object);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(Some(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Text, E> {
                Ok(Text(Some(text)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Text, E> {
                Ok(Text(Some(number.to_string())))
            }
        }
        from.deserialize_any(Seen)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Flag, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Flag;
            nothing!(Flag(false); number null text list object);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, is_so: bool) -> Result<Flag, E> {
                Ok(Flag(is_so))
            }
        }
        from.deserialize_any(Seen)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Time;
            nothing!(Time(None); bool null list object);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Time, E> {
                Ok(Time(Timestamp::parse(text)))
            }
            fn visit_i64<E>(self, seconds: i64) -> Result<Time, E> {
                Ok(Time(since_1970(seconds as f64)))
            }
            fn visit_u64<E>(self, seconds: u64) -> Result<Time, E> {
                Ok(Time(since_1970(seconds as f64)))
            }
            fn visit_f64<E>(self, seconds: f64) -> Result<Time, E> {
                Ok(Time(since_1970(seconds)))
            }
        }
        from.deserialize_any(Seen)
    }
}

/// Seconds since 1970, within the years that clocks of ours can have had.
fn since_1970(seconds: f64) -> Option<Timestamp> {
    let last = 253_402_300_800.0;
    (0.0..last).contains(&seconds).then(|| Timestamp::from_micros((seconds * 1e6).round() as i64))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Object<T>, D::Error> {
        struct Seen<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Seen<T> {
            type Value = Object<T>;
            nothing!(Object(None); bool number null text list);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|value| Object(Some(value)))
            }
        }
        from.deserialize_any(Seen(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Words, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Words;
            nothing!(Words::default(); bool number null object);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Words, E> {
                Ok(Words(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Words, E> {
                Ok(Words(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Words::default();
                while let Some(block) = list.next_element::<Block>()? {
                    let Some(text) = block.0.filter(|text| !text.is_empty()) else { continue };
                    if !words.0.is_empty() {
                        words.0.push('\n');
                    }
                    words.0.push_str(&text);
                }
                Ok(words)
            }
        }
        from.deserialize_any(Seen)
    }
}

/// The text of one block.
struct Block(Option<String>);

impl<'de> Deserialize<'de> for Block {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Block, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Block;
            nothing!(Block(None); bool number null list);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Block, E> {
                Ok(Block(Some(text.to_owned())))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Block, A::Error> {
                #[derive(Default, serde::Deserialize)]
                #[serde(default)]
                struct Fields {
                    r#type: Text,
                    text: Text,
                }
                let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
                let is_text = fields.r#type.0.as_deref() == Some("text");
                Ok(Block(fields.text.0.filter(|_| is_text)))
            }
        }
        from.deserialize_any(Seen)
    }
}

/// A list of which only what counts is kept, and no more than `max` of it.
pub(crate) fn list<'de, T: Kept, D: Deserializer<'de>>(
    from: D,
    max: usize,
) -> Result<Vec<T>, D::Error> {
    struct Seen<T>(usize, PhantomData<T>);
    impl<'de, T: Kept> Visitor<'de> for Seen<T> {
        type Value = Vec<T>;
        nothing!(Vec::new(); bool number null text object);
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = list.next_element::<T::Item<'de>>()? {
                if all.len() >= self.0 {
                    let said = format!("there are more than {} messages in it", self.0);
                    return Err(serde::de::Error::custom(said));
                }
                all.extend(T::kept(item));
            }
            Ok(all)
        }
    }
    from.deserialize_any(Seen(max, PhantomData))
}
