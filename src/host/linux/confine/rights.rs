//! What is given up for good before the program starts: keys, capabilities, and by Landlock
//! every file access that the view does not name.

use super::step;
use crate::confine::{ConfineError, Shows, View};
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;

/// The newest Landlock of which we know what it can; an older kernel gives what it has.
const NEWEST: ABI = ABI::V6;
/// Folders that are made for each view, and are its own.
const OWN: [&str; 1] = ["/dev"];

/// Which Landlock the kernel has; an error where it has none.
pub(super) fn landlock_version() -> Result<c_int, ConfineError> {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag landlock_create_ruleset(2) looks at no memory and opens nothing.
    #[allow(unsafe_code, reason = "the library does not tell")]
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION)
    };
    match c_int::try_from(version) {
        Ok(version @ 1..) => Ok(version),
        _ => Err(ConfineError::NoLandlock(io::Error::last_os_error().to_string())),
    }
}

/// Leaves signals that ask the group to stop to those in it who can: the one who waits outside
/// has to end last. A handler, since what is ignored stays so in programs that are started.
pub(super) fn outlive_requests() -> io::Result<()> {
    extern "C" fn nothing(_: c_int) {}
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the structure is all zeros but for a handler that does nothing, which is
        // lawful at any moment.
        #[allow(unsafe_code, reason = "the call has no safe wrapper")]
        let done = unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

pub(super) fn give_up(view: &View) -> Result<(), ConfineError> {
    loopback_up().map_err(step("the loopback network"))?;
    leave_keys().map_err(step("the session's keys"))?;
    rustix::thread::set_no_new_privs(true).map_err(|e| step("no_new_privs")(e.into()))?;
    drop_capabilities().map_err(step("capabilities"))?;
    restrict(view)
}

/// The one network device in there is down at first.
fn loopback_up() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: the structure is plain numbers, for which zeros are lawful; the kernel reads it
    // during the call and writes nothing for this request.
    #[allow(unsafe_code, reason = "the request has no safe wrapper")]
    let done = unsafe {
        let mut request = MaybeUninit::<libc::ifreq>::zeroed().assume_init();
        for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        libc::ioctl(fd, libc::SIOCSIFFLAGS, &raw const request)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keys that the kernel keeps for the person's session would be readable.
fn leave_keys() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: c_int = 1;
    // SAFETY: with no name keyctl(2) makes a keyring without one; no memory is involved.
    #[allow(unsafe_code, reason = "the call has no safe wrapper")]
    let done = unsafe {
        libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>())
    };
    match io::Error::last_os_error() {
        _ if done >= 0 => Ok(()),
        // A kernel without keys.
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}

fn drop_capabilities() -> io::Result<()> {
    for capability in CapabilitySet::all().iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // One that this kernel does not know yet.
            Err(rustix::io::Errno::INVAL) => {}
            done => done?,
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

fn restrict(view: &View) -> Result<(), ConfineError> {
    let failed = |error: &dyn std::fmt::Display| ConfineError::NoLandlock(error.to_string());
    let rules = || -> Result<RulesetCreated, landlock::RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()
    };
    let mut rules = rules().map_err(|e| failed(&e))?;
    let looks = AccessFs::from_read(NEWEST);
    let all = AccessFs::from_all(NEWEST);
    let written = view.places.iter().filter(|place| {
        matches!(place.shows, Shows::Writable | Shows::From(_)) && place.at.exists()
    });
    let written = written.map(|place| (place.at.as_path(), all));
    let own = OWN.iter().map(|own| (Path::new(own), all));
    for (path, access) in written.chain(own).chain([(Path::new("/"), looks)]) {
        let of_file = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
        let opened = PathFd::new(path).map_err(|e| failed(&e))?;
        rules = rules.add_rule(PathBeneath::new(opened, of_file)).map_err(|e| failed(&e))?;
    }
    let status = rules.restrict_self().map_err(|e| failed(&e))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err(ConfineError::NoLandlock("it enforces nothing".into())),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}
