//! `scripted-api`: one call, one exit status.

fn main() -> std::process::ExitCode {
    scripted_api::main()
}
