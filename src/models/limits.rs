//! Bounds of this crate, in one place.

use std::time::Duration;

/// For the whole list, all pages and the opening of the connection included (contract-core §7.4).
pub(crate) const LIST_TIME: Duration = Duration::from_secs(10);
/// Models asked for in one page; the most the vendor gives.
pub(crate) const PAGE_MODELS: &str = "1000";
/// A page's body.
pub(crate) const PAGE_BYTES_MAX: usize = 4 << 20;
/// Pages of a list. An endpoint with more of them does not keep to the paging.
pub(crate) const PAGES_MAX: usize = 20;
/// Models of a list.
pub(crate) const MODELS_MAX: usize = 5000;
/// An id of a model, or of a place in the list.
pub(crate) const ID_CHARS_MAX: usize = 200;
/// A model's name for people; the rest is cut off.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// Of what the vendor says about an error, so much is read, and so much shown.
pub(crate) const SAID_BYTES_MAX: usize = 64 * 1024;
pub(crate) const SAID_CHARS_MAX: usize = 200;
/// For it to arrive. The status alone says most.
pub(crate) const SAID_TIME: Duration = Duration::from_secs(2);
/// How long a list counts as it is (contract-core §7.4).
pub(crate) const FRESH_TIME: Duration = Duration::from_secs(3600);
/// After a failure, before the vendor is asked again by itself.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_secs(30);
/// Between two questions, however much a refresh is asked for.
pub(crate) const REFRESH_PAUSE: Duration = Duration::from_secs(2);
/// The kept list's file. Longest names and ids make it no longer than this.
pub(crate) const FILE_BYTES_MAX: u64 = 16 << 20;
