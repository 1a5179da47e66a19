use std::process::ExitCode;

fn main() -> ExitCode {
    fieldworkd::cli::main()
}
