//! The command line. Each command parses its arguments, opens the [`AppContext`] if it needs one,
//! calls one service and prints the result.
//!
//! Exit status: 0 success, 1 refusal or failure with the reason in one line on standard error, 2
//! wrong usage. Listing commands take `--json`.

/// Prints a line like `println!`, but without a panic if the reader closes the pipe
/// ([`output::print_text`]).
macro_rules! print_line {
    ($($argument:tt)*) => { $crate::interfaces::cli::output::print_text(&(format!($($argument)*) + "\n")) };
}

mod alarm;
mod applications;
mod audit;
mod backup;
mod campaign;
mod check;
mod command_audit;
mod dataset;
mod demo;
mod explain;
mod forecast;
mod gateways;
mod inbox;
mod lists;
mod message;
mod output;
mod paper;
mod questionnaire;
mod retention;
mod simulator;
mod suppress;
mod token;
mod user;
mod webhook;
mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};

use crate::adapters::clock::SystemClock;
use crate::adapters::config::Config;
use crate::adapters::spreadsheets;
use crate::domain::audit::Action;
use crate::interfaces::errors::{self, CommandError};
use crate::services::context::AppContext;

#[derive(Parser)]
#[command(name = "fieldworkd", version, about, max_term_width = 110)]
struct Arguments {
    /// The configuration file; if omitted, config/fieldworkd.toml if present, else the built-in
    /// defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a whole programme on loopback in virtual time, with the lists in config/demo/
    Demo(demo::DemoArguments),
    /// Run the daemon
    Serve,
    /// Check the configuration and report every mistake
    CheckConfig,
    /// Migrate the database to this version
    Migrate,
    /// Check configuration, database, key ring and retention
    Doctor,
    /// Try everything again now that has failed and waits
    Retry,
    /// Programmes
    #[command(subcommand)]
    Programme(applications::ProgrammeCommand),
    /// Applications
    #[command(subcommand)]
    Application(applications::ApplicationCommand),
    /// Questionnaires
    #[command(subcommand)]
    Questionnaire(questionnaire::QuestionnaireCommand),
    /// The fixed words of respondents' pages and SMS interviews
    #[command(subcommand)]
    Words(words::WordsCommand),
    /// Respondent lists
    #[command(subcommand)]
    List(lists::ListCommand),
    /// Campaigns
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// Paper forms
    #[command(subcommand)]
    Paper(paper::PaperCommand),
    /// Simulate a campaign from its first day with random people; sends nothing
    Rehearse(forecast::RehearseArguments),
    /// Quotas at risk and their notifications
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    /// Datasets
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// The signing key of datasets
    #[command(subcommand)]
    SigningKey(dataset::SigningKeyCommand),
    /// Users and their roles
    #[command(subcommand)]
    User(user::UserCommand),
    /// API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Webhooks, which receive events
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// Show the cause and remedy of an error code
    Explain(explain::ExplainArguments),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write manual pages into a folder, one for each command
    Manual { folder: PathBuf },
    /// Print the API description (OpenAPI 3.1)
    Openapi,
    /// The audit log
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Suppression list
    #[command(subcommand)]
    Suppress(suppress::SuppressCommand),
    /// Delete personal data whose retention period has ended
    Purge(retention::PurgeArguments),
    /// Legal holds: applicants whose data must not be deleted
    #[command(subcommand)]
    LegalHold(retention::LegalHoldCommand),
    /// Signed certificates of deletion
    #[command(subcommand)]
    Certificate(retention::CertificateCommand),
    /// Data subject requests: access and erasure
    #[command(subcommand)]
    Person(retention::PersonCommand),
    /// Back up the whole database into a file, while it is in use
    Backup { file: PathBuf },
    /// Restore a backup into the configured database, which must be empty or absent
    Restore {
        file: PathBuf,
        /// Restore although the key ring does not open what the backup holds; names, numbers and
        /// open answers stay unreadable
        #[arg(long)]
        keys_are_lost: bool,
    },
    /// Messages in doubt, and the gateway log of a message
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// Replies that need a person
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    /// List the configured gateways and the URLs for their receipts and replies
    Gateways(gateways::GatewaysArguments),
    /// Run the gateway simulator on loopback, with simulated respondents
    Simulator(simulator::SimulatorArguments),
}

/// The first argument of the child process that reads a spreadsheet; people do not use it.
const READ_SPREADSHEET: &str = "read-spreadsheet";

/// The first argument of the child process that keeps LibreOffice for a conversion.
const CONVERT_DOCUMENT: &str = "convert-document";

/// Serves as a child of this program, if this process is one.
fn serve_as_child() -> Option<std::io::Result<()>> {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next()?;
    let rest: Vec<std::ffi::OsString> = arguments.collect();
    if first == READ_SPREADSHEET {
        let which = rest.first().and_then(|which| which.to_str()).unwrap_or_default();
        return Some(spreadsheets::serve_parent(which));
    }
    (first == CONVERT_DOCUMENT).then(|| spreadsheets::serve_conversion(&rest))
}

/// Runs the program and returns its exit status.
pub fn main() -> ExitCode {
    if let Some(served) = serve_as_child() {
        return served.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    // Also the right program when its file has been replaced meanwhile.
    spreadsheets::in_child_process("/proc/self/exe".into(), READ_SPREADSHEET);
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report_failure(&error.into()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report_failure(&error),
    }
}

/// Prints a failure with the command that mends it, if there is one, and the error's code.
fn report_failure(error: &anyhow::Error) -> ExitCode {
    let code = errors::code_of_any(error);
    let hint = errors::entry(code).and_then(|entry| entry.command.as_deref());
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    eprintln!("fieldworkd: {error:#}{hint} [{code}]");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<()> {
    let config = || load_config(arguments.config.clone());
    match arguments.command {
        Command::Demo(demo) => demo::run(demo).await,
        Command::Serve => crate::daemon::run(config()?).await,
        Command::CheckConfig => check::check_config(&config()?),
        Command::Migrate => check::migrate(config()?).await,
        Command::Doctor => check::doctor(config()?).await,
        Command::Retry => check::retry(config()?).await,
        Command::Questionnaire(command) => questionnaire::run(command),
        Command::Words(command) => words::run(&command),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "fieldworkd", &mut text);
            output::print_text(&String::from_utf8_lossy(&text));
            Ok(())
        }
        Command::Manual { folder } => {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("{} cannot be made", folder.display()))?;
            clap_mangen::generate_to(Arguments::command(), &folder)
                .with_context(|| format!("{} cannot be written", folder.display()))
        }
        Command::Simulator(simulator) => simulator::run(simulator).await,
        Command::Dataset(dataset::DatasetCommand::Verify { folder, public_key }) => {
            dataset::verify_folder(&folder, public_key.as_deref())
        }
        Command::Restore { file, keys_are_lost } => {
            backup::restore(with_quiet_log(config()?)?, &file, keys_are_lost).await
        }
        command => {
            let context = open_context(config()?).await?;
            let Some((action, object, detail)) = command_audit::audit_spec(&command) else {
                return run_with_context(Arc::new(context), command).await;
            };
            let context = Arc::new(context);
            let entry =
                context.audit_before(&output::current_actor(), action, &object, &detail).await?;
            let outcome = run_with_context(context.clone(), command).await;
            if outcome.as_ref().is_err_and(is_refusal) {
                context
                    .audit_before(
                        &output::current_actor(),
                        Action::Refused,
                        &format!("entry:{entry}"),
                        "",
                    )
                    .await?;
            }
            outcome
        }
    }
}

/// Whether a command that failed has done nothing; files that are still to be written are no part of
/// what was asked and done.
fn is_refusal(error: &anyhow::Error) -> bool {
    !matches!(error.downcast_ref(), Some(CommandError::NotWritten(_)))
}

/// Runs the commands that need an open [`AppContext`].
async fn run_with_context(context: Arc<AppContext>, command: Command) -> Result<()> {
    match command {
        Command::Programme(command) => applications::programme(&context, command).await,
        Command::Application(command) => applications::application(&context, command).await,
        Command::List(command) => lists::run(&context, command).await,
        Command::Campaign(command) => campaign::run(&context, command).await,
        Command::Paper(command) => paper::run(context, command).await,
        Command::Alarm(command) => alarm::run(context, command).await,
        Command::Rehearse(arguments) => forecast::rehearse(&context, arguments).await,
        Command::SigningKey(command) => dataset::signing_key(&context, &command),
        Command::Dataset(command) => dataset::run(&context, command).await,
        Command::Purge(arguments) => retention::purge(&context, arguments).await,
        Command::LegalHold(command) => retention::legal_hold(&context, command).await,
        Command::Certificate(command) => retention::certificate(&context, command).await,
        Command::Person(command) => retention::person(&context, command).await,
        Command::Backup { file } => backup::backup(&context, &file).await,
        Command::Gateways(arguments) => gateways::run(&context, arguments).await,
        Command::Message(command) => message::run(&context, command).await,
        Command::Inbox(command) => inbox::run(&context, command).await,
        Command::User(command) => user::run(&context, command).await,
        Command::Suppress(command) => suppress::run(&context, command).await,
        Command::Audit(command) => audit::run(&context, command).await,
        Command::Token(command) => token::run(&context, command).await,
        Command::Webhook(command) => webhook::run(&context, command).await,
        Command::Openapi => output::print_json(&crate::interfaces::http::openapi(context)),
        // These commands run without a context.
        Command::Demo(_)
        | Command::Serve
        | Command::CheckConfig
        | Command::Migrate
        | Command::Doctor
        | Command::Retry
        | Command::Questionnaire(_)
        | Command::Words(_)
        | Command::Simulator(_)
        | Command::Restore { .. }
        | Command::Explain(_)
        | Command::Completions { .. }
        | Command::Manual { .. } => Ok(()),
    }
}

const DEFAULT_CONFIG: &str = "config/fieldworkd.toml";

fn load_config(file: Option<PathBuf>) -> Result<Config> {
    let default_file = PathBuf::from(DEFAULT_CONFIG);
    let file = file.or_else(|| default_file.exists().then_some(default_file));
    let config = Config::load(file.as_deref(), std::env::vars())?;
    spreadsheets::convert_with("/proc/self/exe".into(), CONVERT_DOCUMENT, &config.office);
    Ok(config)
}

/// Opens the context for one command. Logs warnings and errors to standard error.
async fn open_context(config: Config) -> Result<AppContext> {
    Ok(AppContext::open(with_quiet_log(config)?, Arc::new(SystemClock)).await?)
}

fn with_quiet_log(config: Config) -> Result<Config> {
    let with_quiet_log = Config {
        log_level: crate::adapters::config::LogLevel::Warn,
        log_json: false,
        traces: None,
        ..config
    };
    let _ = crate::adapters::telemetry::start(&with_quiet_log, None)?;
    Ok(with_quiet_log)
}

/// Reads a file; an error names the file.
fn read_file(path: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_text(path: &std::path::Path) -> Result<String> {
    String::from_utf8(read_file(path)?)
        .with_context(|| format!("{} is not UTF-8; save it as UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_version_0_1_are_still_accepted_but_not_shown() {
        for old in [
            "token make reader --scope watch",
            "message doubts",
            "message settle r --as sent",
            "inbox done 1",
            "audit list --who wu",
            "questionnaire check q.toml --picture q.svg",
            "dataset release A1 --strike 1,2",
            "dataset deliveries --dead",
        ] {
            let words = std::iter::once("fieldworkd").chain(old.split(' '));
            assert!(Arguments::try_parse_from(words).is_ok(), "{old}");
            let mut command = Arguments::command();
            for word in old.split(' ').take(2) {
                let Some(subcommand) = command.find_subcommand(word) else { break };
                command = subcommand.clone();
            }
            let help = command.render_long_help().to_string();
            let option = old
                .split(' ')
                .find(|word| word.starts_with("--") && !["--scope", "--as"].contains(word));
            assert!(option.is_none_or(|option| !help.contains(option)), "{help}");
            assert!(!help.contains("make") && !help.contains("doubts"), "{help}");
        }
    }
}
