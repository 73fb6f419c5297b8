//! What `launchctl print` says of a job and of a domain. Apple calls the text no interface and
//! may change it, so only a few lines are looked for, and one that is missing is not an error.
//! Nothing outside the standard library, so that its tests run on Linux too.

/// The lines of a job that we look at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    /// `running`, `not running`, `spawn scheduled`, …
    pub(super) state: String,
    pub(super) pid: Option<u32>,
    /// How it ended last: by itself …
    pub(super) code: Option<i32>,
    /// … or by a signal.
    pub(super) signal: Option<i32>,
}

/// A job out of `launchctl print gui/<uid>/<label>`.
pub(super) fn job(text: &str) -> Job {
    let mut job = Job::default();
    // What is deeper than one tab belongs to something inside the job.
    let lines = text.lines().filter_map(|line| line.strip_prefix('\t'));
    for (key, value) in lines.filter_map(|line| line.split_once(" = ")) {
        match key {
            "state" => job.state = value.to_owned(),
            "pid" => job.pid = value.parse().ok(),
            // `0`, `78: EX_CONFIG`, `(never exited)`
            "last exit code" => job.code = value.split(':').next().and_then(|n| n.parse().ok()),
            // `Killed: 9`
            "last terminating signal" => {
                job.signal = value.rsplit(' ').next().and_then(|n| n.parse().ok());
            }
            _ => {}
        }
    }
    job
}

/// The labels and process ids out of the services of `launchctl print gui/<uid>`, whose lines
/// read `pid status label`, with 0 or `-` for no process.
pub(super) fn services(text: &str) -> Vec<(String, Option<u32>)> {
    let inside = text.lines().skip_while(|line| line.trim() != "services = {").skip(1);
    let lines = inside.take_while(|line| line.trim() != "}");
    let service = |line: &str| {
        let mut words = line.split_whitespace();
        let pid = words.next()?.parse().ok().filter(|pid| *pid != 0);
        Some((words.last()?.to_owned(), pid))
    };
    lines.filter_map(service).collect()
}

#[cfg(test)]
mod tests {
    use super::{Job, job, services};

    #[test]
    fn a_running_job_and_one_that_was_killed() {
        let text = "gui/501/io.openparachute.server = {\n\tactive count = 1\n\tstate = running\n\
                    \n\targuments = {\n\t\tstate = lies\n\t}\n\tpid = 4711\n\
                    \tlast exit code = (never exited)\n}\n";
        let running = Job { state: "running".into(), pid: Some(4711), ..Job::default() };
        assert_eq!(job(text), running);
        let text = "x = {\n\tstate = not running\n\tlast terminating signal = Killed: 9\n}\n";
        assert_eq!(job(text).signal, Some(9));
        assert_eq!(job("x = {\n\tlast exit code = 78: EX_CONFIG\n}\n").code, Some(78));
        assert_eq!(job("nonsense"), Job::default());
    }

    #[test]
    fn the_services_of_a_domain() {
        let text = "gui/501 = {\n\tservices = {\n\t\t    9682   (pe) \tcom.apple.a\n\
                    \t\t    0   - \tio.openparachute.server\n\t}\n\tx = {\n\t\t1 - y\n\t}\n}\n";
        let listed = services(text);
        assert_eq!(listed[0], ("com.apple.a".into(), Some(9682)));
        assert_eq!(listed[1], ("io.openparachute.server".into(), None));
        assert_eq!(listed.len(), 2);
    }
}
