//! `scripted-mcp`: one call, one exit status.

fn main() -> std::process::ExitCode {
    scripted_mcp::main()
}
