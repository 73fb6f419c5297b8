//! A transient unit as the list of properties that StartTransientUnit takes. The names and
//! types are those of org.freedesktop.systemd1(5), the meanings those of systemd.service(5).

use super::manager::Property;
use crate::units::{Transient, UnitError};
use std::path::Path;
use zbus::Variant;

/// How long a unit may take to say that it is ready.
const START_SECONDS_MAX: u64 = 30;

pub(super) fn properties(unit: &Transient) -> Result<Vec<Property<'_>>, UnitError> {
    let program = text(unit, &unit.program)?;
    let name = program.rsplit('/').next().unwrap_or_default();
    // systemd expands `$` in arguments when it runs them; two are one. Not ExecStartEx, which can
    // say "do not": systemd 252 loses it at a daemon-reload, and the unit is broken then.
    let run = |args: &[String]| {
        let words = std::iter::once(program).chain(args.iter().map(String::as_str));
        let argv: Vec<String> = words.map(|word| word.replace('$', "$$")).collect();
        vec![(program, argv, false)]
    };
    let env: Vec<String> = unit.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let kind = if unit.notify { "notify" } else { "exec" };
    let mut list = vec![
        ("Description", Variant::from(unit.description.as_str())),
        ("Type", kind.into()),
        ("ExecStart", run(&unit.args).into()),
        ("Environment", env.into()),
        ("WorkingDirectory", text(unit, &unit.directory)?.into()),
        ("Slice", unit.slice.as_str().into()),
        ("UMask", 0o077_u32.into()),
        ("StandardInput", "null".into()),
        ("StandardOutput", "journal".into()),
        ("StandardError", "journal".into()),
        ("SyslogIdentifier", name.into()),
        // SIGTERM to the program, which ends its own children; SIGKILL to whatever stays.
        ("KillMode", "mixed".into()),
        ("TimeoutStartUSec", usec(START_SECONDS_MAX).into()),
        ("TimeoutStopUSec", usec(unit.stop_seconds).into()),
        // Once nobody keeps it, nothing of it stays, also after a failure. We keep it: how it
        // ended could not be asked for otherwise.
        ("CollectMode", "inactive-or-failed".into()),
        ("AddRef", true.into()),
        // A unit that lost one process to the kernel goes on half dead, and nobody could say in
        // which half. All of it ends at once, and its result is `oom-kill`, a sentence for the
        // user; told to stop, the program would end its work as if a person had asked for that.
        ("OOMPolicy", "kill".into()),
        ("CPUAccounting", true.into()),
        ("MemoryAccounting", true.into()),
        ("TasksAccounting", true.into()),
    ];
    if unit.notify {
        list.push(("NotifyAccess", "main".into()));
    }
    if !unit.afterwards.is_empty() {
        list.push(("ExecStopPost", run(&unit.afterwards).into()));
    }
    if let Some(whole) = &unit.part_of {
        list.push(("PartOf", vec![whole.as_str()].into()));
    }
    let limits = [
        ("MemoryHigh", unit.limits.memory_high_bytes),
        ("MemoryMax", unit.limits.memory_max_bytes),
        ("TasksMax", unit.limits.tasks_max),
        ("CPUWeight", unit.limits.cpu_weight),
    ];
    list.extend(limits.into_iter().filter_map(|(name, limit)| Some((name, limit?.into()))));
    Ok(list)
}

/// Strings on the bus are UTF-8.
fn text<'a>(unit: &Transient, path: &'a Path) -> Result<&'a str, UnitError> {
    path.to_str().ok_or_else(|| UnitError::Refused {
        unit: unit.name.clone(),
        said: format!("the path {path:?} is not UTF-8"),
    })
}

fn usec(seconds: u64) -> u64 {
    seconds.saturating_mul(1_000_000)
}
