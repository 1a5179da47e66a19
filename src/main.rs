use std::process::ExitCode;

fn main() -> ExitCode {
    fieldworkd::interfaces::cli::main()
}
