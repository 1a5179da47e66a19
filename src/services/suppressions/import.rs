//! Numbers that must not be contacted: one by one, or as a file from somewhere else.

use chrono::NaiveDate;
use phonenumber::country;

use crate::adapters::database::cases::DispositionSource;
use crate::adapters::database::programmes;
use crate::domain::ids::ProgrammeId;
use crate::domain::phone::Phone;
use crate::domain::suppression::SuppressionReason;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::list_import::further_numbers::hash_missing;
use crate::services::list_import::table;
use crate::services::suppressions::{SuppressionRequest, suppress};

/// What holds for numbers that do not say otherwise.
#[derive(Debug, Clone)]
pub struct SuppressionDefaults<'a> {
    pub reason: SuppressionReason,
    /// `None`: everywhere.
    pub programme: Option<&'a str>,
    /// The first day on which they may be contacted again; `None`: never.
    pub until: Option<NaiveDate>,
}

/// One number as it stands in a file.
struct RequestedSuppression {
    phone: Phone,
    reason: SuppressionReason,
    programme: Option<String>,
    until: Option<NaiveDate>,
}

/// What can be wrong, with the row; nothing of the file is taken then.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "suppression.", serialize_all = "snake_case")]
pub enum SuppressionError {
    #[error(transparent)]
    #[strum(transparent)]
    Table(#[from] table::TableError),
    #[error("row {row}: {problem}")]
    Row { row: u32, problem: String },
    #[error("no programme has the code {0}")]
    UnknownProgramme(String),
    #[error("no number was given")]
    NoNumbers,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] crate::adapters::database::DatabaseError),
}

const NUMBER: [&str; 6] = ["number", "mobile", "phone", "手机", "手机号", "电话"];
const REASON: [&str; 2] = ["reason", "原因"];
const SCOPE: [&str; 3] = ["scope", "programme", "范围"];
const UNTIL: [&str; 4] = ["until", "expires", "expires_at", "到期"];

/// Suppresses the numbers of a file (CSV, TSV, XLSX, XLS, ODS): all of them, or none if a row
/// cannot be read. Columns are «number», and if the file has them «reason», «scope» (a programme's
/// code, or «all») and «until» (a day); a file of one column needs no header. Returns how many.
pub async fn import_suppressions(
    context: &AppContext,
    content: &[u8],
    defaults: &SuppressionDefaults<'_>,
) -> Result<u64, SuppressionError> {
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let rows = table::read_beside(content.to_vec()).await?;
    let column = |names: &[&str]| {
        rows.first().and_then(|row| {
            row.cells.iter().position(|cell| names.contains(&cell.trim().to_lowercase().as_str()))
        })
    };
    let (number, reason, scope, until) =
        (column(&NUMBER), column(&REASON), column(&SCOPE), column(&UNTIL));
    let mut requested = Vec::new();
    for row in &rows[usize::from(number.is_some())..] {
        let cell = |column: Option<usize>| {
            column
                .and_then(|column| row.cells.get(column))
                .map(|cell| cell.trim())
                .filter(|cell| !cell.is_empty())
        };
        let wrong = |problem: String| SuppressionError::Row { row: row.number, problem };
        requested.push(RequestedSuppression {
            phone: Phone::parse(cell(Some(number.unwrap_or(0))).unwrap_or_default(), region)
                .map_err(|error| wrong(error.to_string()))?,
            reason: match cell(reason) {
                None => defaults.reason,
                Some(raw) => SuppressionReason::parse(raw).ok_or_else(|| {
                    wrong("the reason must be opt_out, complaint or invalid".into())
                })?,
            },
            programme: match cell(scope) {
                None => defaults.programme.map(str::to_owned),
                Some("all" | "全部") => None,
                Some(code) => Some(code.to_owned()),
            },
            until: match cell(until) {
                None => defaults.until,
                Some(raw) => {
                    Some(raw.parse().map_err(|_| {
                        wrong(format!("«{raw}» is no day; write it like 2027-01-31"))
                    })?)
                }
            },
        });
    }
    save_suppressions(context, requested).await
}

async fn save_suppressions(
    context: &AppContext,
    requested: Vec<RequestedSuppression>,
) -> Result<u64, SuppressionError> {
    if requested.is_empty() {
        return Err(SuppressionError::NoNumbers);
    }
    let now = context.clock.now();
    hash_missing(context).await?;
    let mut tx = context.database.write().await?;
    for RequestedSuppression { phone, reason, programme, until } in &requested {
        let (programme, zone): (Option<ProgrammeId>, chrono_tz::Tz) = match programme {
            None => (None, chrono_tz::Asia::Shanghai),
            Some(code) => {
                let (id, programme) = programmes::find(&mut tx, code)
                    .await?
                    .ok_or_else(|| SuppressionError::UnknownProgramme(code.clone()))?;
                (Some(id), programme.time_zone)
            }
        };
        let phone_hash = context.keys.hasher().phone_hash(phone);
        let expires_at = until.map(|day| Timestamp::start_of_day(day, zone));
        let suppression =
            SuppressionRequest { reason: *reason, programme, expires_at, phone_hash: &phone_hash };
        suppress(&mut tx, &suppression, DispositionSource::Staff, now).await?;
    }
    tx.commit().await?;
    Ok(requested.len() as u64)
}
