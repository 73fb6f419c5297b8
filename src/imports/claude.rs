//! Messages as claude.ai exports them. The app's own reader takes `user` beside `human`, so that
//! is taken too (trap T-88).

use crate::lenient::{self, Kept, Object, Text, Time, Words};
use crate::limits::MESSAGES_MAX;
use crate::{Message, Role};
use serde::{Deserialize, Deserializer};

/// The messages of a record that say something.
#[derive(Default)]
pub(crate) struct Messages(pub(crate) Vec<Message>);

#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    sender: Text,
    role: Text,
    text: Words,
    content: Words,
    created_at: Time,
}

impl Kept for Message {
    type Item<'de> = Object<Said>;

    fn kept(item: Object<Said>) -> Option<Message> {
        let said = item.0?;
        let role = match said.sender.0.or(said.role.0)?.as_str() {
            "human" | "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return None,
        };
        let texts = [said.text.0, said.content.0].into_iter();
        let text = texts.into_iter().find(|text| !text.trim().is_empty())?;
        Some(Message { role, text, at: said.created_at.0 })
    }
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Messages, D::Error> {
        lenient::list(from, MESSAGES_MAX).map(Messages)
    }
}
