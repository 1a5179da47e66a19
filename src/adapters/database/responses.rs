//! Responses and answers: one row for each case and item; open text is always sealed.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use sqlx::AnyConnection;

use super::bulk_params::{ColumnType, HexBytes, to_param};
use super::dialect::{Engine, statement};
use super::{Result, decode_enum, events};
use crate::domain::event::EventKind;
use crate::domain::ids::{AccountId, ApplicationId, CaseId, ResponseId};
use crate::domain::language::Language;
use crate::domain::mode::Mode;
use crate::domain::quality::Quality;
use crate::domain::time::Timestamp;

/// An answer as stored.
#[derive(Clone)]
pub enum StoredValue {
    Plain(String),
    Sealed(Vec<u8>),
}

/// An answer to be stored.
pub struct NewAnswer {
    pub item: String,
    pub value: StoredValue,
    /// Codes of the options in displayed order, if it was randomized.
    pub option_order: Option<String>,
}

/// Begins the response of a case, or finds it and updates the language.
pub async fn begin(
    tx: &mut AnyConnection,
    case: CaseId,
    language: Language,
    mode: &'static str,
    now: Timestamp,
) -> Result<ResponseId> {
    let sql = "INSERT INTO response (case_id, language, mode, started_at, updated_at) VALUES \
        ($1, $2, $3, $4, $4)
               ON CONFLICT (case_id) DO UPDATE SET language = excluded.language RETURNING id";
    let id: i64 = sqlx::query_scalar(sql)
        .bind(case.0)
        .bind(language.tag())
        .bind(mode)
        .bind(now.0)
        .fetch_one(tx)
        .await?;
    Ok(ResponseId(id))
}

/// Who entered answers, and in which mode; respondents have no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerSource {
    pub mode: Mode,
    pub account: Option<AccountId>,
}

/// Stores the answers of a page, replacing earlier answers to the same items.
pub async fn save_answers(
    tx: &mut AnyConnection,
    response: ResponseId,
    answers: &[NewAnswer],
    by: AnswerSource,
    now: Timestamp,
) -> Result<()> {
    if !answers.is_empty() {
        let columns = [
            ("item", ColumnType::Text),
            ("value", ColumnType::Text),
            ("value_sealed", ColumnType::HexBytes),
            ("option_order", ColumnType::Text),
        ];
        let sql = format!(
            "INSERT INTO answer (response_id, item, value, value_sealed, option_order, mode, \
                account_id, answered_at)
             SELECT $1, v.item, v.value, v.value_sealed, v.option_order, $2, $3, $4 FROM ({}) AS \
             v WHERE true
             ON CONFLICT (response_id, item) DO UPDATE
                 SET value = excluded.value, value_sealed = excluded.value_sealed, option_order \
                 = excluded.option_order, mode = excluded.mode,
                     account_id = excluded.account_id, answered_at = excluded.answered_at",
            Engine::of_connection(tx).select_rows(5, &columns)
        );
        let given = to_param(answers.iter().map(|answer| match &answer.value {
            StoredValue::Plain(text) => (&answer.item, Some(text), None, &answer.option_order),
            StoredValue::Sealed(bytes) => {
                (&answer.item, None, Some(HexBytes(bytes)), &answer.option_order)
            }
        }));
        sqlx::query(statement(sql))
            .bind(response.0)
            .bind(by.mode.as_str())
            .bind(by.account.map(|account| account.0))
            .bind(now.0)
            .bind(given)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("UPDATE response SET updated_at = $2 WHERE id = $1")
        .bind(response.0)
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes the answers to items that were left empty this time.
pub async fn clear_answers(
    tx: &mut AnyConnection,
    response: ResponseId,
    items: &[String],
) -> Result<()> {
    for item in items {
        sqlx::query("DELETE FROM answer WHERE response_id = $1 AND item = $2")
            .bind(response.0)
            .bind(item.clone())
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Returns the source of each answer of a response, by item.
pub async fn answer_sources(
    connection: &mut AnyConnection,
    response: ResponseId,
) -> Result<Vec<(String, AnswerSource)>> {
    let sql = "SELECT item, mode, account_id FROM answer WHERE response_id = $1 ORDER BY item";
    let rows: Vec<(String, String, Option<i64>)> =
        sqlx::query_as(sql).bind(response.0).fetch_all(connection).await?;
    let by = |(item, mode, account): (String, String, Option<i64>)| {
        Ok((
            item,
            AnswerSource {
                mode: decode_enum("a mode", &mode, Mode::parse)?,
                account: account.map(AccountId),
            },
        ))
    };
    rows.into_iter().map(by).collect()
}

/// Returns whether this case has been answered in a mode since a moment.
pub async fn has_answers_since(
    connection: &mut AnyConnection,
    case: CaseId,
    mode: Mode,
    since: Timestamp,
) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM response r JOIN answer w ON w.response_id = r.id WHERE \
        r.case_id = $1 AND w.mode = $2 AND w.answered_at >= $3";
    let count: i64 = sqlx::query_scalar(sql)
        .bind(case.0)
        .bind(mode.as_str())
        .bind(since.0)
        .fetch_one(connection)
        .await?;
    Ok(count > 0)
}

pub async fn complete(tx: &mut AnyConnection, response: ResponseId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE response SET completed_at = $2 WHERE id = $1")
        .bind(response.0)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    if events::has_subscribers(tx, EventKind::InterviewCompleted).await? {
        let sql =
            "SELECT k.id, a.code, c.code, r.mode FROM response r JOIN survey_case k ON k.id = \
                r.case_id JOIN application a ON a.id = k.application_id
                   LEFT JOIN campaign c ON c.id = a.campaign_id WHERE r.id = $1";
        let (case, application, campaign, mode): (i64, String, Option<String>, String) =
            sqlx::query_as(sql).bind(response.0).fetch_one(&mut *tx).await?;
        let data =
            json!({ "application": application, "campaign": campaign, "case": case, "mode": mode });
        events::publish(tx, EventKind::InterviewCompleted, &data, now).await?;
    }
    Ok(())
}

/// Deletes the answers and paradata of these cases.
pub async fn delete_answers(tx: &mut AnyConnection, cases: &[CaseId]) -> Result<()> {
    let cases_sql = format!(
        "SELECT id FROM response WHERE case_id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    for table in ["answer", "page_visit"] {
        let sql = format!("DELETE FROM {table} WHERE response_id IN ({cases_sql})");
        sqlx::query(statement(sql))
            .bind(to_param(cases.iter().map(|case| case.0)))
            .execute(&mut *tx)
            .await?;
    }
    // What staff keyed of paper forms is a copy of the answers.
    let sql = format!(
        "UPDATE paper_keying SET fields_sealed = NULL WHERE case_id {}",
        Engine::of_connection(tx).in_list(1, ColumnType::Number)
    );
    sqlx::query(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Begins the response of a case anew in another mode, after its answers were deleted. Returns its
/// id.
pub async fn restart(
    tx: &mut AnyConnection,
    case: CaseId,
    language: Language,
    mode: &'static str,
    now: Timestamp,
) -> Result<ResponseId> {
    let id = begin(tx, case, language, mode, now).await?;
    let sql = "UPDATE response SET mode = $2, started_at = $3, device_hash = NULL, network_hash = \
        NULL WHERE id = $1";
    sqlx::query(sql).bind(id.0).bind(mode).bind(now.0).execute(tx).await?;
    Ok(id)
}

/// Returns the late responses: those of closed cases that have changed since a moment.
pub async fn late_since(
    connection: &mut AnyConnection,
    application: ApplicationId,
    since: Timestamp,
) -> Result<Vec<CaseId>> {
    let sql = "SELECT c.id FROM response r JOIN survey_case c ON c.id = r.case_id
               WHERE c.application_id = $1 AND c.is_open = 0 AND c.withdrawn_at IS NULL AND \
               r.updated_at > $2 AND c.disposition IN ('1.2', '2.12', '2.121')
               ORDER BY c.late_at, c.id";
    let ids: Vec<i64> =
        sqlx::query_scalar(sql).bind(application.0).bind(since.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(CaseId).collect())
}

/// Counts the answers to an item over all responses.
pub async fn answers_to(connection: &mut AnyConnection, item: &str) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM answer WHERE item = $1")
        .bind(item.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts the completes in a mode over all applications.
pub async fn completed_in(connection: &mut AnyConnection, mode: Mode) -> Result<u64> {
    let sql = "SELECT COUNT(*) FROM response WHERE mode = $1 AND completed_at IS NOT NULL";
    let count: i64 = sqlx::query_scalar(sql).bind(mode.as_str()).fetch_one(connection).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts the completes since a moment over all applications.
pub async fn completed_since(connection: &mut AnyConnection, since: Timestamp) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM response WHERE completed_at >= $1")
        .bind(since.0)
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// A response with its answers by item.
#[derive(Clone)]
pub struct Response {
    pub id: ResponseId,
    pub case: CaseId,
    pub language: Language,
    /// The mode in which it was begun.
    pub mode: String,
    /// The mode of the last answer, by which the questionnaire was routed to its end.
    pub last_mode: String,
    pub started_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    /// When it was finished, if that was after the field had closed.
    pub late_at: Option<Timestamp>,
    pub quality: Quality,
    pub answers: BTreeMap<String, StoredValue>,
}

/// When and how an answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerEntry {
    pub by: AnswerSource,
    pub at: Timestamp,
}

/// Returns the entries of these cases' responses, by item.
pub async fn entries(
    connection: &mut AnyConnection,
    cases: &[CaseId],
) -> Result<HashMap<ResponseId, BTreeMap<String, AnswerEntry>>> {
    let sql = format!(
        "SELECT w.response_id, w.item, w.mode, w.account_id, w.answered_at
         FROM answer w JOIN response r ON r.id = w.response_id WHERE r.case_id {}",
        Engine::of_connection(connection).in_list(1, ColumnType::Number)
    );
    let rows: Vec<(i64, String, String, Option<i64>, i64)> = sqlx::query_as(statement(sql))
        .bind(to_param(cases.iter().map(|case| case.0)))
        .fetch_all(connection)
        .await?;
    let mut entries: HashMap<ResponseId, BTreeMap<String, AnswerEntry>> = HashMap::new();
    for (response, item, mode, account, at) in rows {
        let mode = decode_enum("a mode", &mode, Mode::parse)?;
        let by = AnswerSource { mode, account: account.map(AccountId) };
        let entry = AnswerEntry { by, at: Timestamp(at) };
        entries.entry(ResponseId(response)).or_default().insert(item, entry);
    }
    Ok(entries)
}

pub async fn of_case(connection: &mut AnyConnection, case: CaseId) -> Result<Option<Response>> {
    Ok(of_cases(connection, &[case]).await?.into_iter().next())
}

pub async fn of_application(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<Response>> {
    select(
        connection,
        "c.application_id = CAST(CAST($1 AS TEXT) AS BIGINT)",
        application.0.to_string(),
    )
    .await
}

pub async fn of_cases(connection: &mut AnyConnection, cases: &[CaseId]) -> Result<Vec<Response>> {
    let condition =
        format!("c.id {}", Engine::of_connection(connection).in_list(1, ColumnType::Number));
    select(connection, &condition, to_param(cases.iter().map(|case| case.0))).await
}

/// `given` is the value of `$1` in the condition.
async fn select(
    connection: &mut AnyConnection,
    condition: &str,
    given: String,
) -> Result<Vec<Response>> {
    type ResponseRow = (
        i64,
        i64,
        String,
        String,
        i64,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        Option<f64>,
        Option<i64>,
        Option<i64>,
        String,
    );
    let sql = format!(
        "SELECT r.id, r.case_id, r.language, r.mode, r.started_at, r.completed_at, r.seconds, \
            r.is_speeding, r.is_straight_lined, r.item_nonresponse, r.is_duplicate, \
            c.late_at, COALESCE((SELECT w.mode FROM answer w WHERE w.response_id = r.id
                ORDER BY w.answered_at DESC, w.item DESC LIMIT 1), r.mode)
         FROM response r JOIN survey_case c ON c.id = r.case_id WHERE {condition} ORDER BY r.id"
    );
    let rows: Vec<ResponseRow> =
        sqlx::query_as(statement(sql)).bind(given.clone()).fetch_all(&mut *connection).await?;
    let mut responses = Vec::with_capacity(rows.len());
    for (
        id,
        case,
        language,
        mode,
        started_at,
        completed_at,
        seconds,
        is_speeding,
        is_straight_lined,
        item_nonresponse,
        is_duplicate,
        late_at,
        last_mode,
    ) in rows
    {
        let flag = |flag: Option<i64>| flag.map(|flag| flag == 1);
        responses.push(Response {
            id: ResponseId(id),
            case: CaseId(case),
            language: decode_enum("a language", &language, Language::parse)?,
            mode,
            last_mode,
            started_at: Timestamp(started_at),
            completed_at: completed_at.map(Timestamp),
            late_at: late_at.map(Timestamp),
            quality: Quality {
                seconds: seconds.and_then(|seconds| u32::try_from(seconds).ok()),
                speeding: flag(is_speeding),
                straight_lining: flag(is_straight_lined),
                duplicate: flag(is_duplicate),
                item_nonresponse,
            },
            answers: BTreeMap::new(),
        });
    }
    type AnswerRow = (i64, String, Option<String>, Option<Vec<u8>>);
    let sql = format!(
        "SELECT w.response_id, w.item, w.value, w.value_sealed
         FROM answer w JOIN response r ON r.id = w.response_id JOIN survey_case c ON c.id = \
         r.case_id
         WHERE {condition} ORDER BY w.response_id"
    );
    let answers: Vec<AnswerRow> =
        sqlx::query_as(statement(sql)).bind(given).fetch_all(connection).await?;
    for (response, item, plain, sealed) in answers {
        let value = match (plain, sealed) {
            (_, Some(sealed)) => StoredValue::Sealed(sealed),
            (plain, None) => StoredValue::Plain(plain.unwrap_or_default()),
        };
        if let Ok(at) = responses.binary_search_by_key(&response, |r| r.id.0) {
            responses[at].answers.insert(item, value);
        }
    }
    Ok(responses)
}
