//! The file system of a view: a new root, put together of what is shown, and the old one gone.

use super::step;
use crate::confine::{ConfineError, Place, Shows, View};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

/// Devices that every program may count on.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Of what is kept in memory only, in bytes: the root's folders, shared memory.
const ROOT_OPTIONS: &str = "mode=0755,size=16m,nr_inodes=16k";
const SHARED_OPTIONS: &str = "mode=1777,size=256m";

/// Puts the view together and makes it the root.
pub(super) fn build(view: &View) -> Result<(), ConfineError> {
    let private = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    rustix::mount::mount_change("/", private)
        .map_err(|e| step("making mounts private")(e.into()))?;
    let stage = &view.stage;
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    tmpfs(stage, plain, ROOT_OPTIONS)?;
    let mut places: Vec<&Place> = view.places.iter().collect();
    // What is inside comes after what it is in.
    places.sort_by_key(|place| place.at.components().count());
    for place in &places {
        put(stage, place).map_err(step(format!("{}", place.at.display())))?;
    }
    // Only now, since what is in them has been put there.
    for place in places.iter().filter(|place| place.shows == Shows::Nothing) {
        let fixed = fix(staged(stage, &place.at), Reach::Itself, false);
        fixed.map_err(step(format!("{}", place.at.display())))?;
    }
    devices(stage)?;
    let proc = folder(stage, Path::new("/proc")).map_err(step("/proc"))?;
    let quiet = plain | MountFlags::NOEXEC;
    rustix::mount::mount("proc", &proc, "proc", quiet, None)
        .map_err(|e| step("mounting /proc")(e.into()))?;
    exchange(stage).map_err(step("changing the root"))?;
    fix("/", Reach::Itself, false).map_err(step("fixing the root"))?;
    rustix::process::chdir(&view.directory)
        .map_err(|e| step(format!("{}", view.directory.display()))(e.into()))
}

fn tmpfs(at: &Path, flags: MountFlags, options: &str) -> Result<(), ConfineError> {
    let options = CString::new(options).expect("no NUL in it");
    rustix::mount::mount("tmpfs", at, "tmpfs", flags, options.as_c_str())
        .map_err(|e| step(format!("tmpfs at {}", at.display()))(e.into()))
}

/// A path of the view, where it stands while the view is put together.
fn staged(stage: &Path, at: &Path) -> PathBuf {
    stage.join(at.strip_prefix("/").unwrap_or(at))
}

/// The folder at `at`, made with those above it where it is not there.
fn folder(stage: &Path, at: &Path) -> io::Result<PathBuf> {
    let path = staged(stage, at);
    DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
    Ok(path)
}

/// The file at `at`, made empty where it is not there.
fn file(stage: &Path, at: &Path) -> io::Result<PathBuf> {
    folder(stage, at.parent().unwrap_or(Path::new("/")))?;
    let path = staged(stage, at);
    if fs::symlink_metadata(&path).is_err() {
        fs::write(&path, "")?;
    }
    Ok(path)
}

fn put(stage: &Path, place: &Place) -> io::Result<()> {
    let at = &place.at;
    match &place.shows {
        Shows::Readable | Shows::Writable => match fs::symlink_metadata(at) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            // Such as /bin, where it has moved to /usr.
            Ok(found) if found.is_symlink() => {
                folder(stage, at.parent().unwrap_or(Path::new("/")))?;
                symlink(fs::read_link(at)?, staged(stage, at))
            }
            Ok(_) => bind(stage, at, at, place.shows == Shows::Writable),
        },
        Shows::From(from) => bind(stage, from, at, true),
        Shows::Nothing => nothing(stage, at),
    }
}

fn bind(stage: &Path, from: &Path, at: &Path, writable: bool) -> io::Result<()> {
    let target = match fs::metadata(from)?.is_dir() {
        true => folder(stage, at)?,
        false => file(stage, at)?,
    };
    rustix::mount::mount_bind_recursive(from, &target)?;
    fix(&target, Reach::All, writable)
}

/// How far a change of a mount goes.
#[derive(Clone, Copy)]
enum Reach {
    Itself,
    /// The mounts in it, too.
    All,
}

/// Takes from a mount what nobody in there needs.
fn fix(at: impl AsRef<Path>, reach: Reach, writable: bool) -> io::Result<()> {
    let at = CString::new(at.as_ref().as_os_str().as_bytes())?;
    let mut set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    if !writable {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    let attributes = libc::mount_attr { attr_set: set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let depth = if matches!(reach, Reach::All) { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: mount_setattr(2) reads the path and the structure, which live until it returns,
    // and writes no memory.
    #[allow(unsafe_code, reason = "the call has no safe wrapper")]
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            at.as_ptr(),
            depth,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Covers what is there with nothing.
fn nothing(stage: &Path, at: &Path) -> io::Result<()> {
    let outside = fs::symlink_metadata(at);
    let target = match outside.is_ok_and(|found| !found.is_dir()) {
        true => file(stage, at)?,
        false => folder(stage, at)?,
    };
    if !target.is_dir() {
        let empty = file(stage, Path::new("/.nothing"))?;
        return Ok(rustix::mount::mount_bind(&empty, &target)?);
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = CString::new("mode=0555,size=64k,nr_inodes=4k").expect("no NUL in it");
    rustix::mount::mount("tmpfs", &target, "tmpfs", flags, options.as_c_str())?;
    Ok(())
}

fn devices(stage: &Path) -> Result<(), ConfineError> {
    let failed = |e: rustix::io::Errno| step("/dev")(e.into());
    let dev = folder(stage, Path::new("/dev")).map_err(step("/dev"))?;
    for name in DEVICES {
        let target = dev.join(name);
        fs::write(&target, "").map_err(step("/dev"))?;
        rustix::mount::mount_bind(Path::new("/dev").join(name), &target).map_err(failed)?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(to, dev.join(name)).map_err(step("/dev"))?;
    }
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    for (name, kind, options) in
        [("pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"), ("shm", "tmpfs", SHARED_OPTIONS)]
    {
        let target = folder(stage, &Path::new("/dev").join(name)).map_err(step("/dev"))?;
        let options = CString::new(options).expect("no NUL in it");
        rustix::mount::mount(kind, &target, kind, quiet, options.as_c_str()).map_err(failed)?;
    }
    Ok(())
}

/// Makes the stage the root, and lets go of the old one.
fn exchange(stage: &Path) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let new = rustix::fs::openat(CWD, stage, flags, Mode::empty())?;
    rustix::process::fchdir(&new)?;
    // By pivot_root(2) the old root then lies over the new one, at the same place.
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}
