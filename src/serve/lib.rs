//! HTTP for the suite, on plain hyper: one route table, typed handlers, one place where errors
//! become answers, server-sent events, and limits on everything.
//!
//! One trip, always in this direction:
//! `socket → listen → gate (Host, Origin) → table → admit → take → handler → give`.
//! No framework, no middleware stack, no business of any program: who may pass is asked of the
//! program's [`App`].

pub mod answer;
pub mod body;
mod busy;
pub mod call;
pub mod check;
pub mod client;
pub mod condition;
pub mod fault;
pub mod file;
mod flow;
pub mod gate;
pub mod limits;
pub mod listen;
pub mod live;
mod maybe;
pub mod openapi;
pub mod pass;
pub mod table;
mod taken;
mod upload;

pub use answer::{App, Caller, Peer};
pub use body::Body;
pub use busy::Busy;
pub use call::{
    Asset, Bytes, Call, Cx, Download, Events, Give, Json, Large, Query, RawJson, Take, With,
    WithQuery,
};
pub use condition::Condition;
pub use fault::Fault;
pub use file::{Sent, Tagged};
pub use flow::{FileFlow, Flow, JsonFlow};
pub use gate::Origins;
pub use limits::Limits;
pub use listen::{Door, Pulse, serve};
pub use live::{Feed, Live};
pub use maybe::MaybeBody;
pub use table::{Access, Route, Table};
pub use upload::Upload;

/// What every handler answers with in the end.
pub type Reply = http::Response<Body>;
