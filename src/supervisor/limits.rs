//! Bounds of the supervisor, in one place. HTTP's own are `serve::Limits`, those of logs stand
//! with the logs.

use std::time::Duration;

/// For the server to say how it is (contract-core §7.2).
pub(crate) const HEALTH_LIMIT: Duration = Duration::from_secs(2);
/// What the server said of itself counts for so long.
pub(crate) const HEALTH_KEPT: Duration = Duration::from_millis(500);
/// For an agent to say how it is.
pub(crate) const AGENT_LIMIT: Duration = Duration::from_secs(1);
/// Agents asked at most; more are not alive at once.
pub(crate) const AGENTS_MAX: usize = 128;
/// For the manager to tell of the units after we began.
pub(crate) const TOLD_LIMIT: Duration = Duration::from_secs(2);
/// For what the manager signals to catch up with what it answers.
pub(crate) const SETTLE_LIMIT: Duration = Duration::from_millis(500);
/// Between two looks at what units use.
pub(crate) const MEASURE_PAUSE: Duration = Duration::from_secs(1);
/// Before a manager that went away is looked for again.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// Between a change and the event that tells of it, for what changes together.
pub(crate) const EVENT_PAUSE: Duration = Duration::from_millis(30);
/// Between events while nothing changes but what units use.
pub(crate) const EVENT_ROUND: Duration = Duration::from_secs(5);
/// An order is waited for so long before the answer says that it is under way.
pub(crate) const ORDER_WAIT: Duration = Duration::from_secs(20);
/// Orders under way at once, and those that are remembered.
pub(crate) const ORDERS_MAX: usize = 16;
pub(crate) const ORDERS_KEPT_MAX: usize = 64;
/// Orders shown in the status.
pub(crate) const ORDERS_SHOWN_MAX: usize = 8;
/// Lines of the unit's log in the answer to an order that failed.
pub(crate) const ORDER_LOG_LINES: u32 = 12;
/// A request's body: a configuration is small.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Connections at once: a person's pages and tools.
pub(crate) const CONNECTIONS_MAX: usize = 128;
