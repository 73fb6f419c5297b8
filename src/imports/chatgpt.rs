//! Messages as ChatGPT exports them: a tree of which one branch is the conversation as it was
//! seen last. The tree may be anything: parents that are missing, or their own children.

use crate::lenient::{Object, Text, Time, Words, nothing};
use crate::limits::MESSAGES_MAX;
use crate::{Message, Role};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;
use std::fmt;

/// The nodes, in the order in which they stand in the export.
#[derive(Default)]
pub(crate) struct Tree(Vec<(String, Node)>);

struct Node {
    parent: Option<String>,
    message: Option<Message>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawNode {
    parent: Text,
    message: Object<Said>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    author: Object<Author>,
    content: Object<Content>,
    create_time: Time,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Author {
    role: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Words,
}

impl Said {
    fn message(self) -> Option<Message> {
        let role = match self.author.0?.role.0?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            _ => return None,
        };
        let text = self.content.0?.parts.0;
        let says = !text.trim().is_empty();
        says.then_some(Message { role, text, at: self.create_time.0 })
    }
}

impl Tree {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The branch that ends in the current node; all that is there, if that is none.
    pub(crate) fn messages(mut self, current: Option<&str>) -> Vec<Message> {
        let places: HashMap<&str, usize> =
            self.0.iter().enumerate().map(|(at, (id, _))| (id.as_str(), at)).collect();
        let mut branch = Vec::new();
        let mut seen = vec![false; self.0.len()];
        let mut next = current.and_then(|id| places.get(id));
        while let Some(at) = next.copied() {
            if std::mem::replace(&mut seen[at], true) {
                break;
            }
            branch.push(at);
            next = self.0[at].1.parent.as_deref().and_then(|id| places.get(id));
        }
        branch.reverse();
        if branch.is_empty() {
            branch = (0..self.0.len()).collect();
        }
        branch.into_iter().filter_map(|at| self.0[at].1.message.take()).collect()
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tree, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Tree;
            nothing!(Tree::default(); bool number null text list);
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut nodes = Vec::new();
                while let Some(id) = map.next_key::<String>()? {
                    if nodes.len() >= MESSAGES_MAX {
                        let said = format!("there are more than {MESSAGES_MAX} messages in it");
                        return Err(A::Error::custom(said));
                    }
                    let raw = map.next_value::<Object<RawNode>>()?.0.unwrap_or_default();
                    let message = raw.message.0.and_then(Said::message);
                    nodes.push((id, Node { parent: raw.parent.0, message }));
                }
                Ok(Tree(nodes))
            }
        }
        from.deserialize_any(Seen)
    }
}
