//! What the app reads of MCP servers (contract-extended §1.2), with what the contract promises
//! beside it.

use crate::dart::Dart::{Bool, Int, Is, List, Map, OneOf, Str, Strings};
use crate::dart::{Field, may, need, null};

const SERVER_FIELDS: &[Field] = &[
    need("name", Str),
    need("builtin", Bool),
    need("displayType", Str),
    need("displayCommand", Str),
    may("validationErrors", Strings),
];

pub(crate) const SERVER: &[Field] = SERVER_FIELDS;
pub(crate) const SERVERS: &[Field] = &[need("servers", List(SERVER_FIELDS))];
pub(crate) const SAVED: &[Field] = &[need("success", Bool), need("server", Map(SERVER_FIELDS))];
pub(crate) const REMOVED: &[Field] = &[need("success", Bool), need("removed", Str)];

pub(crate) const TESTED: &[Field] = &[
    need("name", Str),
    need("builtin", Bool),
    need("status", OneOf(&["ok", "error"])),
    may("message", Str),
    may("error", Str),
    may("hint", Str),
    may("httpStatus", Int),
    may("tools_count", Int),
    may("toolsCount", Int),
    may("protocolVersion", Str),
];

/// Of a test that went well.
pub(crate) const WELL: &[Field] =
    &[need("status", Is("ok")), need("message", Str), need("tools_count", Int)];

pub(crate) const TOOLS: &[Field] = &[
    need("name", Str),
    need("tools", List(&[need("name", Str), null("description", Str)])),
    may("error", Str),
    may("hint", Str),
    may("toolsCount", Int),
    may("protocolVersion", Str),
];
