//! The macOS socket code against a stand-in for launchd: the same C symbol, with the contract of
//! launch_activate_socket(3), in a test on Linux. It shows that our side of the call is right,
//! not that launchd is as its manual says. And the parser of what launchctl prints.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(unsafe_code, reason = "the stand-in is a C function")]

#[path = "../macos/printed.rs"]
mod printed;
#[path = "../macos/sockets.rs"]
mod sockets;

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::Mutex;

/// What the plist holds; `None`: launchd did not start us. An empty list: it was asked before.
static HELD: Mutex<Option<BTreeMap<String, Vec<c_int>>>> = Mutex::new(None);

/// One test at a time: launchd is one per process.
static LAUNCHD: Mutex<()> = Mutex::new(());

#[unsafe(no_mangle)]
unsafe extern "C" fn launch_activate_socket(
    name: *const c_char,
    fds: *mut *mut c_int,
    count: *mut usize,
) -> c_int {
    // SAFETY: the caller gives a string that ends with a zero byte.
    let name = unsafe { CStr::from_ptr(name) }.to_str().unwrap();
    let mut held = HELD.lock().unwrap();
    let Some(held) = held.as_mut() else {
        return libc::ESRCH;
    };
    let Some(list) = held.get_mut(name) else {
        return libc::ENOENT;
    };
    if list.is_empty() {
        return libc::EALREADY;
    }
    let bytes = size_of::<c_int>() * list.len();
    // SAFETY: the memory is large enough for the list, and the caller's pointers are valid.
    unsafe {
        let array = libc::malloc(bytes).cast::<c_int>();
        assert!(!array.is_null());
        array.copy_from_nonoverlapping(list.as_ptr(), list.len());
        *fds = array;
        *count = list.len();
    }
    list.clear();
    0
}

fn given(plist: Option<Vec<(&str, Vec<&TcpListener>)>>) {
    let copies = |list: Vec<&TcpListener>| -> Vec<c_int> {
        list.iter().map(|socket| socket.try_clone().unwrap().into_raw_fd()).collect()
    };
    let named = |(name, list): (&str, Vec<&TcpListener>)| (name.to_owned(), copies(list));
    *HELD.lock().unwrap() = plist.map(|plist| plist.into_iter().map(named).collect());
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn not_started_by_launchd_is_nothing_held() {
    let _one = LAUNCHD.lock();
    given(None);
    assert!(sockets::take(&["api", "other"]).unwrap().is_empty());
}

#[test]
fn several_sockets_of_one_name_and_none_of_another() {
    let _one = LAUNCHD.lock();
    let (four, six, own) = (listener(), listener(), listener());
    given(Some(vec![("api", vec![&four, &six]), ("console", vec![&own])]));
    let held = sockets::take(&["api", "missing", "console"]).unwrap();
    let named: Vec<&str> = held.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(named, ["api", "api", "console"]);
    for ((_, fd), socket) in held.into_iter().zip([four, six, own]) {
        assert_ne!(fd.as_raw_fd(), socket.as_raw_fd());
        let taken = TcpListener::from(fd);
        assert_eq!(taken.local_addr().unwrap(), socket.local_addr().unwrap());
    }
}

#[test]
fn a_second_taking_is_an_error_that_says_so() {
    let _one = LAUNCHD.lock();
    let socket = listener();
    given(Some(vec![("api", vec![&socket])]));
    let first: Vec<(String, OwnedFd)> = sockets::take(&["api"]).unwrap();
    assert_eq!(first.len(), 1);
    let said = sockets::take(&["api"]).unwrap_err().to_string();
    assert!(said.contains("\"api\"") && said.contains("before"), "{said}");
}

#[test]
fn a_name_with_a_zero_byte_is_refused() {
    let _one = LAUNCHD.lock();
    given(None);
    assert!(sockets::take(&["a\0b"]).is_err());
}
