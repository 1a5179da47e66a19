//! The configuration: one TOML file, in which every key can be overridden by
//! `FIELDWORKD_SECTION__KEY`. It is validated as a whole.
//!
//! [`load`] reads a file (or the built-in one) and the environment, and returns a [`Config`] or the
//! list of all errors. Secrets are never in the file: they come from files that it names, or from
//! the environment.

mod applicant_pages;
mod delivery;
mod gateways;
mod notify;
mod reader;
mod routes;
mod secrets;
mod sections;
mod telemetry;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use phonenumber::country;
use toml::{Table, Value};

pub use applicant_pages::ApplicantPagesConfig;
pub use delivery::{DeliveryConfig, S3Config};
pub use notify::{AlarmLevel, EmailConfig, NoticeChannel, NotifyConfig, SmsConfig, WebhookConfig};
pub use reader::Reader;
pub use routes::{Route, RouteDecision, RouteLeg};
pub use telemetry::{LogLevel, TracesConfig};

use crate::adapters::spreadsheets::OfficeProgram;
use crate::domain::origin::ClusterLimits;
use crate::domain::personal::Personal;
use crate::domain::recurrence::Recurrence;
use crate::domain::reply::ReplyWords;
use crate::domain::words::ParsedWords;

/// The shipped configuration file, which works unchanged.
pub const SHIPPED: &str = include_str!("../../../config/fieldworkd.toml");

#[derive(Debug, Clone)]
pub struct Config {
    pub database_url: String,
    pub key_ring: PathBuf,
    pub installation_key_file: Option<PathBuf>,
    pub listen: SocketAddr,
    /// Base address of respondents' links, without a trailing slash.
    pub public_url: String,
    /// Trusted proxies; requests from them name the client in X-Forwarded-For.
    pub proxies: Vec<IpNet>,
    /// Networks, beside the public internet, in which webhook endpoints may be.
    pub webhook_networks: Vec<IpNet>,
    pub log_level: LogLevel,
    pub log_json: bool,
    /// `None`: traces are not exported.
    pub traces: Option<TracesConfig>,
    pub datasets: PathBuf,
    pub questionnaires: Option<PathBuf>,
    pub open_answers: OpenAnswers,
    /// Whether the CSV files of a dataset begin with a byte order mark.
    pub csv_byte_order_mark: bool,
    /// List values with fewer cases than this are suppressed in a dataset.
    pub smallest_cell: u32,
    pub quality: QualityConfig,
    pub paper: PaperConfig,
    /// How long a reservation in a reserved cell lasts after each page.
    pub reservation_time: Duration,
    /// Completes per invited person, until a campaign has its own rate.
    pub expected_response_rate: f64,
    /// Interval between two forecasts of an application.
    pub forecast_every: Duration,
    /// Alarm levels, the worst first.
    pub alarms: Vec<AlarmLevel>,
    pub notify: NotifyConfig,
    /// `None`: applicants have no pages of their own.
    pub applicant_pages: Option<ApplicantPagesConfig>,
    pub delivery: DeliveryConfig,
    /// The telephone system that connects calls; without it, interviewers dial by hand.
    pub dial: Option<DialConfig>,
    pub caps: ContactCaps,
    pub opts_out_of_all: bool,
    pub replies: RepliesConfig,
    /// Fixed words in languages that the program does not have, or instead of its own.
    pub words: Vec<WordsFile>,
    pub default_region: String,
    /// Additional column headings of lists, by column name.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Which LibreOffice converts documents that cannot be read otherwise.
    pub office: OfficeProgram,
    pub console: ConsoleConfig,
    pub dispatch: DispatchConfig,
    pub gateways: BTreeMap<String, GatewayConfig>,
    /// Routes: several gateways under one name.
    pub routes: BTreeMap<String, Route>,
    pub housekeeping: HousekeepingConfig,
}

/// Flags of responses, and what is decided about them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QualityConfig {
    /// The share of the median time below which a complete response is speeding.
    pub speeding_below: f64,
    /// The time that a rating takes at least.
    pub time_per_rating: Duration,
    pub clusters: ClusterLimits,
    /// Whether a response is excluded only when a second person agrees.
    pub needs_second_person: bool,
}

/// Paper forms.
#[derive(Debug, Clone, PartialEq)]
pub struct PaperConfig {
    /// The share of keyed forms that a second person keys again.
    pub second_keying: f64,
    /// Where respondents ask questions and send forms back, as printed; empty: nothing is printed.
    pub contact: String,
}

/// Requirements for staff accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleConfig {
    /// Whether an account without one-time codes can do nothing but set them up.
    pub needs_second_factor: bool,
    /// Whether a launch must be approved by a user other than the one who requested it.
    pub four_eyes: bool,
    /// The fewest people that a figure of answers describes while a field is open.
    pub smallest_group: u32,
}

/// Treatment of open answers in a dataset, in which respondents may have named themselves or
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenAnswers {
    /// Numbers, addresses and names on the list are redacted.
    Redacted,
    Withheld,
    /// Redacted, and reviewed by a person before the dataset is delivered.
    Reviewed,
}

impl OpenAnswers {
    pub fn as_str(self) -> &'static str {
        match self {
            OpenAnswers::Redacted => "redacted",
            OpenAnswers::Withheld => "withheld",
            OpenAnswers::Reviewed => "reviewed",
        }
    }
}

/// Caps on messages to one number, counted across all campaigns; 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactCaps {
    pub per_hour: u32,
    pub per_day: u32,
    pub per_week: u32,
    /// Minimum gap after any contact.
    pub quiet: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct DispatchConfig {
    /// Number of invitations claimed in one transaction.
    pub batch: u32,
    /// Time after which a submit without a response becomes in_doubt.
    pub in_doubt_after: Duration,
    /// Interval between queries about a message in doubt, and the delay before the first one: the
    /// gateway may need time to know the result.
    pub query_after: Duration,
    pub tick_every: Duration,
    /// Age at which an unsettled message in doubt is escalated to a person.
    pub escalate_in_doubt_after: Duration,
}

/// Schedule of housekeeping, and retention periods.
#[derive(Debug, Clone)]
pub struct HousekeepingConfig {
    pub at: Recurrence,
    /// Retention of the gateway log.
    pub keep_gateway_log: Duration,
    /// Retention of receipts that match no message.
    pub keep_unmatched_receipts: Duration,
}

#[derive(Debug, Clone)]
pub struct GatewayConfig {
    pub name: String,
    /// Content of the gateway's own file.
    pub definition: String,
    pub rate_per_second: u32,
    /// `None`: parts, where each part is a submit of its own (SMPP, CMPP), else messages.
    pub rate_counts: Option<RateUnit>,
    pub in_flight: u32,
    pub price_per_part: f64,
    pub currency: String,
    pub user: String,
    pub secret: Personal,
    /// Networks from which its pushes come; empty for any.
    pub allowed_networks: Vec<IpNet>,
    /// The region of numbers that it writes as they are dialled at home; `None`: that of lists.
    pub default_region: Option<String>,
}

/// What a gateway's rate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateUnit {
    /// A message of three parts counts three times.
    Parts,
    Messages,
}

/// A file of fixed words.
#[derive(Debug, Clone)]
pub struct WordsFile {
    pub path: PathBuf,
    pub parsed: ParsedWords,
}

impl WordsFile {
    /// Returns what the file leaves to another language; `None`: nothing.
    pub fn gaps(&self) -> Option<String> {
        let ParsedWords { missing, instead, .. } = &self.parsed;
        (!missing.is_empty()).then(|| {
            let (file, count) = (self.path.display(), missing.len());
            format!(
                "{file}: {count} texts are missing and shown in {instead}: {}",
                missing.join(" ")
            )
        })
    }
}

/// How replies are read.
#[derive(Debug, Clone)]
pub struct RepliesConfig {
    /// Equal replies within this time are one, where the gateway gives neither an id nor a time.
    pub duplicate_window: Duration,
    /// How long the missing parts of a long reply are waited for.
    pub parts_timeout: Duration,
    /// How soon somebody is to read a reply that was not understood; after that there is a notice.
    pub read_within: Duration,
    /// How long replies of numbers that were never written to are kept.
    pub keep_strangers: Duration,
    pub words: ReplyWords,
}

impl Config {
    /// The region in which a gateway's numbers without a country code are read.
    pub fn region_of_gateway(&self, gateway: &str) -> country::Id {
        self.gateways
            .get(gateway)
            .and_then(|gateway| gateway.default_region.as_deref())
            .unwrap_or(&self.default_region)
            .parse()
            .unwrap_or(country::CN)
    }
}

/// How a telephone system is asked to connect a call.
#[derive(Debug, Clone)]
pub struct DialConfig {
    /// Content of its file.
    pub definition: String,
    pub user: String,
    pub secret: Personal,
}

impl GatewayConfig {
    /// Returns the cost of a number of parts, in millionths of the currency.
    pub fn cost_micros(&self, parts: u32) -> i64 {
        (self.price_per_part * f64::from(parts) * 1e6).round() as i64
    }
}

/// All errors of a configuration, each with its key.
#[derive(Debug)]
pub struct ConfigError {
    pub source: String,
    pub problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.problems.join(&format!("\n{}: ", self.source)))
    }
}

impl std::error::Error for ConfigError {}

impl From<&ConfigError> for &'static str {
    fn from(_: &ConfigError) -> &'static str {
        "configuration.invalid"
    }
}

impl Config {
    /// Returns the route of this name, or a route through the gateway of this name.
    pub fn route(&self, name: &str) -> Option<Route> {
        self.routes
            .get(name)
            .cloned()
            .or_else(|| self.gateways.contains_key(name).then(|| Route::through(name)))
    }

    /// Loads a file, or the shipped text if there is none, and applies the environment's overrides.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let source =
            file.map_or("the built-in configuration".to_owned(), |path| path.display().to_string());
        let text = match file {
            None => SHIPPED.to_owned(),
            Some(path) => std::fs::read_to_string(path).map_err(|error| ConfigError {
                source: source.clone(),
                problems: vec![format!("cannot be read: {error}; name another with --config")],
            })?,
        };
        let folder = file.and_then(Path::parent).map(Path::to_owned);
        Config::parse(&text, folder.as_deref(), environment)
            .map_err(|problems| ConfigError { source, problems })
    }

    /// Parses a configuration. Files that it names are relative to `folder`; without a folder, the
    /// built-in files are used.
    fn parse(
        text: &str,
        folder: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Config, Vec<String>> {
        let mut table: Table = text
            .parse()
            .map_err(|e: toml::de::Error| vec![e.to_string().trim().replace('\n', " ")])?;
        let mut problems = secrets::find_in_file(&table);
        for (key, value) in environment {
            if let Some(path) = key.strip_prefix("FIELDWORKD_").filter(|path| path.contains("__")) {
                overlay(&mut table, &path.to_lowercase(), value, &mut problems);
            }
        }
        let mut reader = Reader::new(&table, "", &mut problems);
        let config = read_config(&mut reader, folder);
        reader.reject_unknown_keys();
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }
}

/// Sets `section__key` to `value`.
fn overlay(table: &mut Table, path: &str, value: String, problems: &mut Vec<String>) {
    let keys: Vec<&str> = path.split("__").collect();
    let mut at = table;
    for key in &keys[..keys.len() - 1] {
        match at.entry((*key).to_owned()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => at = inner,
            _ => {
                return problems
                    .push(format!("FIELDWORKD_{}: {key} is not a section", path.to_uppercase()));
            }
        }
    }
    at.insert(keys[keys.len() - 1].to_owned(), Value::String(value));
}

fn read_config(r: &mut Reader<'_>, folder: Option<&Path>) -> Option<Config> {
    let database_url = sections::read_database(r);
    let (key_ring, installation_key_file) = sections::read_keys(r);
    let (listen, public_url, proxies) = sections::read_web(r);
    let webhook_networks = sections::read_webhooks(r);
    let console = sections::read_console(r);
    let (log_level, log_json) = telemetry::read_log(r);
    let traces = telemetry::read_traces(r);
    let (datasets, open_answers, smallest_cell, csv_byte_order_mark) = sections::read_dataset(r);
    let quality = sections::read_quality(r);
    let paper = sections::read_paper(r);
    let (reservation_time, expected_response_rate) = sections::read_quota(r);
    let forecast_every = r.section("forecast", |r| r.duration("every", "1h"));
    let questionnaires = r.section("questionnaires", |r| {
        r.text("folder").filter(|p| !p.is_empty()).map(PathBuf::from)
    });
    let (caps, opts_out_of_all) = sections::read_contact(r);
    let replies = sections::read_replies(r, folder);
    let words = sections::read_words(r, folder);
    let (default_region, headers) = sections::read_list_import(r);
    let office = sections::read_documents(r);
    let dispatch = sections::read_dispatch(r);
    let housekeeping = sections::read_housekeeping(r);
    let gateways = sections::read_gateways(r, folder);
    let gateway_names: Vec<String> = gateways.keys().cloned().collect();
    let alarms = notify::read_alarms(r);
    let notify = notify::read_notify(r, &gateway_names, &default_region, folder);
    let applicant_pages = applicant_pages::read_applicant_pages(r, &gateway_names);
    let delivery = delivery::read_delivery(r, folder);
    let dial = gateways::read_dial(r, folder);
    let routes = sections::read_routes(r, &gateway_names);
    Some(Config {
        database_url,
        key_ring,
        installation_key_file,
        listen: listen?,
        public_url,
        proxies,
        webhook_networks,
        log_level,
        log_json,
        traces,
        datasets,
        questionnaires,
        open_answers,
        csv_byte_order_mark,
        smallest_cell,
        quality,
        paper,
        reservation_time,
        expected_response_rate,
        forecast_every,
        alarms,
        notify,
        applicant_pages,
        delivery,
        dial,
        caps,
        opts_out_of_all,
        replies,
        words,
        default_region,
        headers,
        office,
        console,
        dispatch,
        gateways,
        routes,
        housekeeping: housekeeping?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_configuration_works_as_it_is() {
        let config = Config::load(None, std::iter::empty()).unwrap();
        assert_eq!(config.database_url, "sqlite:var/fieldworkd.db");
        assert!(config.gateways.contains_key("simulator"));
    }

    #[test]
    fn every_key_can_come_from_the_environment() {
        let env = [
            ("FIELDWORKD_DATABASE__URL", "postgres://x/y"),
            ("FIELDWORKD_GATEWAY__SIMULATOR__RATE_PER_SECOND", "7"),
            ("FIELDWORKD_LOG", "x"),
        ];
        let config =
            Config::load(None, env.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()))).unwrap();
        assert_eq!(
            (config.database_url.as_str(), config.gateways["simulator"].rate_per_second),
            ("postgres://x/y", 7)
        );
    }

    #[test]
    fn all_mistakes_are_listed_at_once_with_their_keys() {
        let text = "[database]\nurl = \"mysql://x\"\n[web]\nlisten = \"here\"\nlisten_on = \
            1\n[gateway.g]\nfile = \"gateways/simulator.toml\"\nrate_per_second = 0\n[typo]\n";
        let problems = Config::parse(text, None, std::iter::empty()).unwrap_err().join("\n");
        for key in [
            "database.url:",
            "web.listen:",
            "web.listen_on: no such key",
            "gateway.g.rate_per_second:",
            "typo: no such key",
        ] {
            assert!(problems.contains(key), "{key} in\n{problems}");
        }
    }

    #[test]
    fn a_key_that_was_renamed_is_refused_with_its_new_name() {
        let text = "[dispatch]\nask_after = \"2m\"\n[intake.headers]\nmobile = []\n[quota]\nkeep_place_for = \
            \"30m\"\n[console]\nlaunch = \"four_eyes\"\n";
        let env = [("FIELDWORKD_TELEPHONE__USER".to_owned(), "x".to_owned())];
        let problems = Config::parse(text, None, env.into_iter()).unwrap_err().join("\n");
        for said in [
            "dispatch.ask_after: was renamed to dispatch.query_after",
            "intake: was renamed to list_import",
            "quota.keep_place_for: was renamed to quota.reservation_time",
            "telephone.user: was renamed to telephone.dialer_user",
            "console.launch: was renamed to console.launch_approval, which is \"none\" or \"second_person\"",
        ] {
            assert!(problems.contains(said), "{said} in\n{problems}");
        }
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_repeated() {
        let text = "[gateway.g]\nfile = \"gateways/simulator.toml\"\nsecret = \"hush\"\n";
        let problems = Config::parse(text, None, std::iter::empty()).unwrap_err().join("\n");
        assert!(
            problems.contains("gateway.g.secret")
                && problems.contains("FIELDWORKD_GATEWAY__G__SECRET")
                && !problems.contains("hush")
        );
    }

    #[test]
    fn a_secret_is_never_printed() {
        let env = [("FIELDWORKD_GATEWAY__SIMULATOR__SECRET".to_owned(), "hush".to_owned())];
        let config = Config::load(None, env.into_iter()).unwrap();
        assert_eq!(config.gateways["simulator"].secret.reveal(), "hush");
        assert!(!format!("{config:?}").contains("hush"));
    }
}
