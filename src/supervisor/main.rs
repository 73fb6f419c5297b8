//! The suite's own overseer, as a process.

fn main() -> std::process::ExitCode {
    parachute_supervisor::main()
}
