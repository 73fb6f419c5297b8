//! What a child does between fork and exec that only Linux can do. System calls and nothing
//! else: here another thread of the parent may have held the allocator's lock.

use crate::child::shed_one_by_one;
use rustix::process::{Pid, Signal};
use std::ffi::c_int;
use std::io;

/// Marks every descriptor from 3 on close-on-exec: all at once since Linux 5.11, else one by
/// one below `limit`.
pub(super) fn shed(limit: c_int) {
    // SAFETY: close_range(2) with this flag changes flags of descriptors and touches no memory.
    #[allow(unsafe_code, reason = "the call has no safe wrapper")]
    let done = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if done != 0 {
        shed_one_by_one(limit);
    }
}

/// Has the kernel kill this child when the thread that forked it ends.
pub(super) fn bind(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the line above.
    let now = Pid::as_raw(rustix::process::getppid());
    if u32::try_from(now) == Ok(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}
