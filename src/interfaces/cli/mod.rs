//! The command line: parses, opens the installation, calls one use-case, prints.
//!
//! Exit status: 0 done, 1 refused or failed with the reason in one line on standard error, 2 wrong
//! usage. Listing commands take `--json`.

/// Prints a line, as `println!` does, but for a reader who has gone ([`output::print_text`]).
macro_rules! print_line {
    ($($argument:tt)*) => { $crate::interfaces::cli::output::print_text(&(format!($($argument)*) + "\n")) };
}

mod alarm;
mod audit;
mod backup;
mod campaign;
mod check;
mod command_audit;
mod dataset;
mod demo;
mod forecast;
mod gateways;
mod inbox;
mod lists;
mod message;
mod output;
mod questionnaire;
mod retention;
mod simulator;
mod suppress;
mod token;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser, Subcommand};

use crate::adapters::clock::SystemClock;
use crate::adapters::config::Config;
use crate::domain::audit::Action;
use crate::services::context::AppContext;

#[derive(Parser)]
#[command(name = "fieldworkd", version, about, max_term_width = 110)]
struct Arguments {
    /// The configuration file; without it, config/fieldworkd.toml if it is there, else the built-in
    /// one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Play a whole programme on loopback, in virtual time, from the lists in config/demo/
    Demo(demo::DemoArguments),
    /// Run the daemon
    Serve,
    /// Check the configuration, and name every mistake in it
    CheckConfig,
    /// Bring the database to this version
    Migrate,
    /// Is all well, and what is missing?
    Doctor,
    /// Programmes
    #[command(subcommand)]
    Programme(lists::ProgrammeCommand),
    /// Applications
    #[command(subcommand)]
    Application(lists::ApplicationCommand),
    /// Questionnaires
    #[command(subcommand)]
    Questionnaire(questionnaire::QuestionnaireCommand),
    /// Respondent lists
    #[command(subcommand)]
    List(lists::ListCommand),
    /// Campaigns
    #[command(subcommand)]
    Campaign(campaign::CampaignCommand),
    /// Play a campaign from its first day with people who are only drawn; nothing is sent
    Rehearse(forecast::RehearseArguments),
    /// Quotas in danger, and who has been told
    #[command(subcommand)]
    Alarm(alarm::AlarmCommand),
    /// Datasets
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// The key that datasets are signed with
    #[command(subcommand)]
    SigningKey(dataset::SigningKeyCommand),
    /// The staff: who may sign in, and as what
    #[command(subcommand)]
    User(user::UserCommand),
    /// Tokens of the API
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Write the manual's pages into a folder, one for each command
    Manual { folder: PathBuf },
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Who looked at what, and who did what
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Numbers that are not contacted
    #[command(subcommand)]
    Suppress(suppress::SuppressCommand),
    /// Forget the people of applicants whose time is over
    Purge(retention::PurgeArguments),
    /// Applicants of whose people nothing is deleted
    #[command(subcommand)]
    LegalHold(retention::LegalHoldCommand),
    /// The signed certificates of what was deleted
    #[command(subcommand)]
    Certificate(retention::CertificateCommand),
    /// What a person may ask for: to see what is held, to be deleted
    #[command(subcommand)]
    Person(retention::PersonCommand),
    /// Copy the whole database into a file, while it is in use
    Backup { file: PathBuf },
    /// Bring a backup into the database of the configuration, which must be empty or not there
    Restore { file: PathBuf },
    /// Messages: those in doubt, and the conversation about one
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// Replies that want somebody
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    /// The configured gateways, and the addresses that their receipts and replies are to come to
    Gateways(gateways::GatewaysArguments),
    /// Run the gateway simulator, with people behind it, on loopback
    Simulator(simulator::SimulatorArguments),
}

/// The program.
pub fn main() -> ExitCode {
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

fn report_failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("fieldworkd: {error:#}");
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
        Command::Questionnaire(command) => questionnaire::run(command),
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
        Command::Restore { file } => backup::restore(with_quiet_log(config()?)?, &file).await,
        command => {
            let context = open_context(config()?).await?;
            let Some((action, object, detail)) = command_audit::audit_spec(&command) else {
                return run_with_context(Arc::new(context), command).await;
            };
            let context = Arc::new(context);
            let entry =
                context.audit_before(&output::current_actor(), action, &object, &detail).await?;
            let outcome = run_with_context(context.clone(), command).await;
            if outcome.is_err() {
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

/// The commands that need an open installation.
async fn run_with_context(context: Arc<AppContext>, command: Command) -> Result<()> {
    match command {
        Command::Programme(command) => lists::programme(&context, command).await,
        Command::Application(command) => lists::application(&context, command).await,
        Command::List(command) => lists::list(&context, command).await,
        Command::Campaign(command) => campaign::run(&context, command).await,
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
        Command::Openapi => output::print_json(&crate::interfaces::http::openapi(context)),
        // The others are run without one.
        Command::Demo(_)
        | Command::Serve
        | Command::CheckConfig
        | Command::Migrate
        | Command::Doctor
        | Command::Questionnaire(_)
        | Command::Simulator(_)
        | Command::Restore { .. }
        | Command::Completions { .. }
        | Command::Manual { .. } => Ok(()),
    }
}

const DEFAULT_CONFIG: &str = "config/fieldworkd.toml";

fn load_config(file: Option<PathBuf>) -> Result<Config> {
    let default_file = PathBuf::from(DEFAULT_CONFIG);
    let file = file.or_else(|| default_file.exists().then_some(default_file));
    Ok(Config::load(file.as_deref(), std::env::vars())?)
}

/// Opens the installation for one command; its log goes to standard error, warnings and worse.
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

/// Reads a file, naming it when that fails.
fn read_file(path: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_text(path: &std::path::Path) -> Result<String> {
    String::from_utf8(read_file(path)?)
        .with_context(|| format!("{} is not UTF-8; save it as UTF-8", path.display()))
}
