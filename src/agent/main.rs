//! One session's turns, in a process of its own.

fn main() -> std::process::ExitCode {
    parachute_agent::main()
}
