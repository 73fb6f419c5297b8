//! `scripted-claude`: one call, one exit status.

fn main() -> std::process::ExitCode {
    scripted_claude::main()
}
