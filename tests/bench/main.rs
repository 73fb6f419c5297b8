//! `parachute-bench`: one call, one exit status.

fn main() -> std::process::ExitCode {
    parachute_bench::main()
}
