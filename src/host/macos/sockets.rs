//! The sockets launchd holds for us, by launch_activate_socket(3). It names nothing outside the
//! standard library and libc, so that a test on Linux can run it against a stand-in.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::null_mut;

#[allow(unsafe_code, reason = "libSystem's declaration, from <launch.h>")]
unsafe extern "C" {
    /// Fills in an array that the caller frees. 0, or an errno: ESRCH for a process that
    /// launchd did not start, ENOENT for a name that the plist does not hold, EALREADY for one
    /// that was asked for before.
    fn launch_activate_socket(
        name: *const c_char,
        fds: *mut *mut c_int,
        count: *mut usize,
    ) -> c_int;
}

/// The sockets of each of `names`, in that order. One name may stand for several (IPv4 and
/// IPv6), and for none. Trap: launchd hands out each name once in a process's life.
pub(super) fn take(names: &[&str]) -> io::Result<Vec<(String, OwnedFd)>> {
    let mut held = Vec::new();
    for name in names {
        match activate(name) {
            Ok(fds) => held.extend(fds.into_iter().map(|fd| ((*name).to_owned(), fd))),
            Err(error) => match error.raw_os_error() {
                Some(libc::ESRCH) => return Ok(Vec::new()),
                Some(libc::ENOENT) => {}
                Some(libc::EALREADY) => {
                    let said = format!("the inherited socket {name:?} was taken before");
                    return Err(io::Error::other(said));
                }
                _ => {
                    let said = format!("launchd does not hand over the socket {name:?}: {error}");
                    return Err(io::Error::new(error.kind(), said));
                }
            },
        }
    }
    Ok(held)
}

fn activate(name: &str) -> io::Result<Vec<OwnedFd>> {
    let name = CString::new(name)?;
    let (mut fds, mut count) = (null_mut::<c_int>(), 0_usize);
    // SAFETY: all three pointers are valid for the call, and `name` ends with a zero byte.
    #[allow(unsafe_code, reason = "a C function")]
    let errno = unsafe { launch_activate_socket(name.as_ptr(), &raw mut fds, &raw mut count) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    if fds.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: on success `fds` points to `count` descriptors, which the caller owns from then
    // on, in memory from malloc, which the caller frees. It is not used after that.
    #[allow(unsafe_code, reason = "an array from C")]
    unsafe {
        let listed = std::slice::from_raw_parts(fds, count);
        let owned = listed.iter().map(|fd| OwnedFd::from_raw_fd(*fd)).collect();
        libc::free(fds.cast::<c_void>());
        Ok(owned)
    }
}
