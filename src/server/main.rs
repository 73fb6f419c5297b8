//! The HTTP and SSE API of the suite.

fn main() -> std::process::ExitCode {
    parachute_server::main()
}
