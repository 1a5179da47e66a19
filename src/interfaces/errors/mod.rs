//! Error codes: dotted words such as `launch.no_list`, which stay the same when a text changes.
//!
//! An error type names its area (`#[strum(prefix = "launch.")]`) and its variants name the rest; a
//! variant that only wraps another error is `#[strum(transparent)]` and has that error's code. The
//! catalogue (`catalogue.toml`) has a cause and a remedy for each code in both languages. The
//! command line prints the code, an API problem's `type` is the code's page, and `fieldworkd
//! explain` and docs/errors.md show the catalogue; [`chinese`](self::LocalizedError) has the
//! Chinese texts.

mod chinese;
pub mod xlsform;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::LazyLock;

use serde::Deserialize;

pub use chinese::{LocalizedError, subject_field_zh};

/// A refusal of the command line itself.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "command.", serialize_all = "snake_case")]
pub enum CommandError {
    #[error("{0}")]
    InvalidOption(String),
    #[error("{0}")]
    UnknownItem(String),
    #[error("{0}")]
    NothingToDo(String),
    #[error("{0}")]
    QuestionnaireMistakes(String),
    #[error("{0}")]
    AuditBroken(String),
    #[error("{0}")]
    NotIssued(String),
    #[error("{0}")]
    LegalHold(String),
    #[error("{0}")]
    NotConfigured(String),
    #[error("{0}")]
    NotDelivered(String),
    #[error("{0}")]
    NotWritten(String),
    #[error("{0}")]
    Unhealthy(String),
}

/// The code of what has none of its own, such as a file that cannot be written.
const UNCODED: &str = "command.failed";

macro_rules! coded_errors {
    ($($error:path),* $(,)?) => {
        /// Returns the code of an error.
        pub fn code_of(error: &(dyn Error + 'static)) -> Option<&'static str> {
            $(if let Some(error) = error.downcast_ref::<$error>() {
                return Some(error.into());
            })*
            None
        }
    };
}

coded_errors![
    CommandError,
    crate::adapters::config::ConfigError,
    crate::adapters::crypto::KeyRingError,
    crate::adapters::crypto::password::NoRandom,
    crate::adapters::crypto::SealError,
    crate::adapters::database::DatabaseError,
    crate::adapters::database::backup::BackupError,
    crate::adapters::http_client::ClientError,
    crate::adapters::sms::GatewayError,
    crate::adapters::sms::PushError,
    crate::adapters::transports::BucketError,
    crate::adapters::transports::email::EmailError,
    crate::adapters::transports::webhook::WebhookError,
    crate::domain::contact_plan::ContactPlanError,
    crate::domain::contact_window::ContactHoursError,
    crate::domain::holidays::HolidaysError,
    crate::domain::logo::LogoError,
    crate::domain::phone::PhoneError,
    crate::domain::programme::ProgrammeError,
    crate::domain::questionnaire::QuestionnaireError,
    crate::domain::quota::QuotaError,
    crate::domain::sms_text::TemplateError,
    crate::domain::subject::SubjectError,
    crate::services::accounts::AccountError,
    crate::services::call_center::CallCenterError,
    crate::services::campaigns::CampaignError,
    crate::services::campaigns::notes::CampaignNoteError,
    crate::services::campaigns::LaunchError,
    crate::services::context::ContextError,
    crate::services::datasets::DatasetError,
    crate::services::datasets::VerifyError,
    crate::services::deadlines::DeadlineError,
    crate::services::deadlines::changes::ChangeError,
    crate::services::drafts::campaigns::CampaignDraftError,
    crate::services::drafts::library::LibraryError,
    crate::services::drafts::lists::ListDraftError,
    crate::services::erasure::ErasureError,
    crate::services::forecasting::ForecastError,
    crate::services::interviews::InterviewError,
    crate::services::interviews::sms_conversation::SmsInterviewError,
    crate::services::application_forms::ApplicationFormError,
    crate::services::applicant_pages::ApplicantPageError,
    crate::services::list_import::ListImportError,
    crate::services::list_import::ListOptionError,
    crate::services::list_import::ListNote,
    crate::services::list_import::RowReason,
    crate::services::list_import::TableError,
    crate::services::monitoring::MonitoringError,
    crate::services::paper_forms::PaperFormError,
    crate::services::programmes::RegistrationError,
    crate::domain::questionnaire::EditError,
    crate::services::questionnaires::editor::EditorError,
    crate::services::questionnaires::QuestionnaireSourceError,
    crate::services::questionnaires::XlsFormError,
    crate::services::quotas::replicates::ReplicateError,
    crate::services::sms_sending::DispatchError,
    crate::services::sms_sending::in_doubt::DoubtResolutionError,
    crate::services::response_quality::ResponseQualityError,
    crate::services::restore::RestoreError,
    crate::services::suppressions::SuppressionError,
    crate::services::versions::VersionConflict,
    crate::services::webhooks::EndpointError,
];

/// Returns the code of a command's failure: that of the outermost error that has one.
pub fn code_of_any(error: &anyhow::Error) -> &'static str {
    error.chain().find_map(code_of).unwrap_or(UNCODED)
}

/// A text in both languages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    pub en: String,
    pub zh: String,
}

/// What the catalogue says of a code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub cause: Bilingual,
    pub remedy: Bilingual,
    /// The command that mends it, as a clause for the end of the message on the command line.
    pub command: Option<String>,
}

type Catalogue = BTreeMap<String, BTreeMap<String, Entry>>;

/// The catalogue; a test reads it, so that it can always be read.
static CATALOGUE: LazyLock<Catalogue> =
    LazyLock::new(|| toml::from_str(include_str!("catalogue.toml")).unwrap_or_default());

/// Returns the entry of a code.
pub fn entry(code: &str) -> Option<&'static Entry> {
    let (area, name) = code.split_once('.')?;
    CATALOGUE.get(area)?.get(name)
}

/// Returns all codes with their entries, in alphabetical order.
pub fn entries() -> impl Iterator<Item = (String, &'static Entry)> {
    CATALOGUE.iter().flat_map(|(area, names)| {
        names.iter().map(move |(name, entry)| (format!("{area}.{name}"), entry))
    })
}

/// Returns the catalogue as a page in Markdown: docs/errors.md.
pub fn markdown() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Every refusal has a code that stays the same when its text changes. The command line \
         prints it at the end of the line, `fieldworkd explain CODE` shows its cause and remedy, \
         and the `type` of an API problem is the address of its page, `/problems/CODE`. This page \
         is made from the catalogue by `fieldworkd explain --markdown`.\n",
    );
    let mut area = "";
    for (code, entry) in entries() {
        let cells = [&entry.cause.en, &entry.remedy.en, &entry.cause.zh, &entry.remedy.zh]
            .map(|text| Cow::from(text.replace('|', "\\|")));
        let (own_area, _) = code.split_once('.').unwrap_or((&code, ""));
        if own_area != area {
            page.push_str(&format!(
                "\n## {own_area}\n\n| code | cause | remedy | 原因 | 处理办法 |\n| --- | --- | --- | --- | \
                 --- |\n"
            ));
        }
        page.push_str(&format!("| `{code}` | {} |\n", cells.join(" | ")));
        area = CATALOGUE.get_key_value(own_area).map_or("", |(area, _)| area);
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::services::campaigns::LaunchError;

    #[test]
    fn an_error_that_wraps_another_has_the_inner_code() {
        let error = LaunchError::Database(crate::adapters::database::DatabaseError::Locked);
        assert_eq!(code_of(&error), Some("database.locked"));
        let error = anyhow::Error::from(LaunchError::NoList("A".into())).context("launch");
        assert_eq!(code_of_any(&error), "launch.no_list");
        assert_eq!(code_of_any(&anyhow::anyhow!("no code")), "command.failed");
    }

    /// Codes that belong to no variant of an error type: structs, and refusals of the API.
    const OTHERS: [&str; 19] = [
        "api.bad_request",
        "api.conflict",
        "api.forbidden",
        "api.idempotency_key_reused",
        "api.internal",
        "api.invalid",
        "api.method_not_allowed",
        "api.not_found",
        "api.payload_too_large",
        "api.precondition_required",
        "api.too_many_requests",
        "api.unauthorized",
        "api.unavailable",
        "api.unsupported_media_type",
        "command.failed",
        "configuration.invalid",
        "gateway.definition",
        "system.no_https",
        "system.no_random",
    ];

    /// Reads the codes out of the source: of every enum with a `strum` prefix, the variants that
    /// are not transparent.
    fn codes_in(folder: &Path, codes: &mut BTreeSet<String>) {
        for item in std::fs::read_dir(folder).expect("a folder") {
            let path = item.expect("an item").path();
            if path.is_dir() {
                codes_in(&path, codes);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source file");
            let mut area: Option<&str> = None;
            let mut is_transparent = false;
            for line in source.lines() {
                if let Some(rest) = line.strip_prefix("#[strum(prefix = \"") {
                    area = rest.split_once(".\"").map(|(area, _)| area);
                } else if line == "}" {
                    area = None;
                }
                let Some(area) = area else { continue };
                let Some(text) = line.strip_prefix("    ") else { continue };
                is_transparent |= text == "#[strum(transparent)]";
                if text.starts_with(|c: char| c.is_ascii_uppercase()) {
                    let name: String =
                        text.chars().take_while(char::is_ascii_alphanumeric).collect();
                    let mut snake = String::new();
                    for letter in name.chars() {
                        if letter.is_ascii_uppercase() && !snake.is_empty() {
                            snake.push('_');
                        }
                        snake.push(letter.to_ascii_lowercase());
                    }
                    if !is_transparent {
                        codes.insert(format!("{area}.{snake}"));
                    }
                    is_transparent = false;
                }
            }
        }
    }

    #[test]
    fn the_catalogue_holds_every_code_and_no_other() {
        let mut codes: BTreeSet<String> = OTHERS.into_iter().map(str::to_owned).collect();
        codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut codes);
        let catalogue: Catalogue =
            toml::from_str(include_str!("catalogue.toml")).expect("the catalogue can be read");
        let known: BTreeSet<String> = entries().map(|(code, _)| code).collect();
        assert_eq!(catalogue.values().map(BTreeMap::len).sum::<usize>(), known.len());
        assert_eq!(codes.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "missing");
        assert_eq!(known.difference(&codes).collect::<Vec<_>>(), Vec::<&String>::new(), "unknown");
    }

    #[test]
    fn docs_hold_the_catalogue() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            page == markdown(),
            "docs/errors.md is not the catalogue; write it anew: fieldworkd explain --markdown > \
             docs/errors.md"
        );
    }
}
