//! The Claude CLI: how to start it, how to read its lines, what to write to it. Facts are of
//! CLI 2.1.x as recorded; lenient, because its wire changes weekly: unknown types and fields
//! pass, every number may be a float. No policy and no events of ours here.

pub(crate) mod control;
pub(crate) mod lines;
mod start;

pub(crate) use start::{Begin, Claude, Heard, StartError, transcript_exists};
