//! The Claude CLI: how to start it, how to read its lines, what to write to it. Facts are of
//! CLI 2.1.x as recorded; lenient, because its wire changes weekly: unknown types and fields
//! pass, every number may be a float. No policy and no events of ours here.

mod contained;
pub(crate) mod control;
mod env;
pub(crate) mod lines;
mod pump;
mod start;
mod walls;

pub(crate) use pump::Heard;
pub(crate) use start::{Begin, Claude, StartError, transcript_exists};
