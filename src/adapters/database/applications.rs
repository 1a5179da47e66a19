//! Applications: one declared subject in one category.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use super::{DatabaseError, Result, WriteTx, decode_enum};
use crate::domain::category::Category;
use crate::domain::deadline::{Deadline, DeadlineInputs, NotStarted};
use crate::domain::ids::{ApplicantId, ApplicationId, CampaignId, ProgrammeId};
use crate::domain::programme::Programme;
use crate::domain::quota::QuotaFile;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// A stored application with the required data of its applicant.
#[derive(Debug, Clone)]
pub struct Application {
    pub id: ApplicationId,
    pub programme_id: ProgrammeId,
    pub applicant_id: ApplicantId,
    pub applicant_code: String,
    pub applicant_name: String,
    pub key_id: String,
    pub code: String,
    pub category: Category,
    pub subject: Subject,
    pub quota: QuotaFile,
    /// The list fields that it keeps: names in conditions, mapped to the accepted column headings.
    pub list_fields: BTreeMap<String, Vec<String>>,
    pub list_received_at: Option<Timestamp>,
    pub fee_settled_at: Option<Timestamp>,
    /// Start of the current hold; nothing is sent for the application while it is on hold.
    pub held_since: Option<Timestamp>,
    /// Days added to its due days by extensions.
    pub extended_days: u32,
    pub field_closes_at: Option<Timestamp>,
    pub campaign_id: Option<CampaignId>,
    pub questionnaire_id: Option<i64>,
    pub state: ApplicationState,
    pub closed_by: Option<ClosedBy>,
    /// The title that the application form asks for; empty: it names none.
    pub requested_title: String,
    /// Whether the applicant agrees that the result is made public; `None`: it does not say.
    pub may_publish: Option<bool>,
}

impl Application {
    /// Returns its deadline by the programme's rules, or an error while its days do not run yet.
    pub fn deadline(&self, programme: &Programme) -> std::result::Result<Deadline, NotStarted> {
        let day = |at: Option<Timestamp>| at.map(|at| at.date(programme.time_zone));
        let inputs = DeadlineInputs {
            list_received: day(self.list_received_at),
            fee_settled: day(self.fee_settled_at),
            extended_days: self.extended_days,
        };
        Deadline::of(&inputs, programme)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplicationState {
    Registered,
    InField,
    Closed,
}

/// Why the field was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    Quota,
    DueDay,
    ByHand,
}

impl ClosedBy {
    pub fn as_str(self) -> &'static str {
        match self {
            ClosedBy::Quota => "quota",
            ClosedBy::DueDay => "due_day",
            ClosedBy::ByHand => "by_hand",
        }
    }

    fn parse(raw: &str) -> Option<ClosedBy> {
        [ClosedBy::Quota, ClosedBy::DueDay, ClosedBy::ByHand]
            .into_iter()
            .find(|c| c.as_str() == raw)
    }
}

const SELECT: &str =
    "SELECT a.id, p.programme_id, a.applicant_id, p.code AS applicant_code, p.name AS applicant_name, p.key_id, a.code, \
        a.category, a.subject, a.quota, a.list_fields,
                             a.list_received_at, a.fee_settled_at, a.held_since, \
                             a.extended_days, a.field_closes_at, a.campaign_id, \
                             a.questionnaire_id, a.state, a.closed_by, \
                             a.requested_title, a.may_publish
                      FROM application a JOIN applicant p ON p.id = a.applicant_id";

fn read(row: &AnyRow) -> Result<Application> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let category = decode_enum("a category", &text("category")?, Category::parse)?;
    let fields = serde_json::from_str(&text("subject")?)
        .map_err(|e| DatabaseError::Unreadable { what: "a subject", value: e.to_string() })?;
    let subject = Subject::parse(category, &fields)
        .map_err(|e| DatabaseError::Unreadable { what: "a subject", value: e.to_string() })?;
    let quota = serde_json::from_str(&text("quota")?)
        .map_err(|e| DatabaseError::Unreadable { what: "a quota", value: e.to_string() })?;
    let list_fields = serde_json::from_str(&text("list_fields")?)
        .map_err(|e| DatabaseError::Unreadable { what: "list fields", value: e.to_string() })?;
    let state = decode_enum("an application's state", &text("state")?, |s| match s {
        "registered" => Some(ApplicationState::Registered),
        "in_field" => Some(ApplicationState::InField),
        "closed" => Some(ApplicationState::Closed),
        _ => None,
    })?;
    let closed_by = row
        .try_get::<Option<String>, _>("closed_by")?
        .map(|s| decode_enum("a closing reason", &s, ClosedBy::parse))
        .transpose()?;
    Ok(Application {
        id: ApplicationId(row.try_get("id")?),
        programme_id: ProgrammeId(row.try_get("programme_id")?),
        applicant_id: ApplicantId(row.try_get("applicant_id")?),
        applicant_code: text("applicant_code")?,
        applicant_name: text("applicant_name")?,
        key_id: text("key_id")?,
        code: text("code")?,
        category,
        subject,
        quota,
        list_fields,
        list_received_at: row.try_get::<Option<i64>, _>("list_received_at")?.map(Timestamp),
        fee_settled_at: row.try_get::<Option<i64>, _>("fee_settled_at")?.map(Timestamp),
        held_since: row.try_get::<Option<i64>, _>("held_since")?.map(Timestamp),
        requested_title: text("requested_title")?,
        may_publish: row.try_get::<Option<i64>, _>("may_publish")?.map(|it| it != 0),
        extended_days: u32::try_from(row.try_get::<i64, _>("extended_days")?).unwrap_or(0),
        field_closes_at: row.try_get::<Option<i64>, _>("field_closes_at")?.map(Timestamp),
        campaign_id: row.try_get::<Option<i64>, _>("campaign_id")?.map(CampaignId),
        questionnaire_id: row.try_get("questionnaire_id")?,
        state,
        closed_by,
    })
}

/// The declaration in an application's file.
#[derive(Debug)]
pub struct Declaration<'a> {
    pub code: &'a str,
    pub subject: &'a Subject,
    pub quota: &'a QuotaFile,
    pub list_fields: &'a BTreeMap<String, Vec<String>>,
    pub list_received_at: Option<Timestamp>,
}

/// Registers an application, or replaces the declaration of one that is not in the field yet.
/// Returns false, without any change, if it is in the field.
pub async fn put(
    tx: &mut AnyConnection,
    applicant: ApplicantId,
    declaration: &Declaration<'_>,
) -> Result<bool> {
    let json = |what, result: serde_json::Result<String>| {
        result.map_err(|e| DatabaseError::Unreadable { what, value: e.to_string() })
    };
    let sql = "INSERT INTO application (applicant_id, code, category, subject, quota, \
        list_fields, list_received_at, state)
               VALUES ($1, $2, $3, $4, $5, $6, $7, 'registered')
               ON CONFLICT (code) DO UPDATE SET subject = excluded.subject, category = \
               excluded.category, quota = excluded.quota,
                   list_fields = excluded.list_fields, list_received_at = \
                   COALESCE(excluded.list_received_at, application.list_received_at)
               WHERE application.state = 'registered' AND application.applicant_id = \
               excluded.applicant_id";
    let done = sqlx::query(sql)
        .bind(applicant.0)
        .bind(declaration.code.to_owned())
        .bind(declaration.subject.category().as_str())
        .bind(json("a subject", serde_json::to_string(declaration.subject.fields()))?)
        .bind(json("a quota", serde_json::to_string(declaration.quota))?)
        .bind(json("list fields", serde_json::to_string(declaration.list_fields))?)
        .bind(declaration.list_received_at.map(|t| t.0))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn find(connection: &mut AnyConnection, code: &str) -> Result<Option<Application>> {
    let row = sqlx::query(statement(format!("{SELECT} WHERE a.code = $1")))
        .bind(code.to_owned())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(read).transpose()
}

pub async fn get(connection: &mut AnyConnection, id: ApplicationId) -> Result<Application> {
    read(
        &sqlx::query(statement(format!("{SELECT} WHERE a.id = $1")))
            .bind(id.0)
            .fetch_one(connection)
            .await?,
    )
}

pub async fn all(connection: &mut AnyConnection) -> Result<Vec<Application>> {
    sqlx::query(statement(format!("{SELECT} ORDER BY a.code")))
        .fetch_all(connection)
        .await?
        .iter()
        .map(read)
        .collect()
}

pub async fn of_campaign(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<Application>> {
    let rows = sqlx::query(statement(format!("{SELECT} WHERE a.campaign_id = $1 ORDER BY a.code")))
        .bind(campaign.0)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// Stores what the application form asks for beside the rating.
pub async fn set_requested(
    tx: &mut AnyConnection,
    code: &str,
    requested_title: &str,
    may_publish: Option<bool>,
) -> Result<()> {
    let sql = "UPDATE application SET requested_title = $2, may_publish = $3 \
        WHERE code = $1";
    sqlx::query(sql)
        .bind(code.to_owned())
        .bind(requested_title.to_owned())
        .bind(may_publish.map(i64::from))
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn set_list_received(
    tx: &mut AnyConnection,
    id: ApplicationId,
    at: Timestamp,
) -> Result<()> {
    let sql =
        "UPDATE application SET list_received_at = $2 WHERE id = $1 AND list_received_at IS NULL";
    sqlx::query(sql).bind(id.0).bind(at.0).execute(tx).await?;
    Ok(())
}

pub async fn set_fee_settled(
    tx: &mut AnyConnection,
    id: ApplicationId,
    at: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE application SET fee_settled_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Puts an application on hold, or releases it.
pub async fn set_held(
    tx: &mut AnyConnection,
    id: ApplicationId,
    since: Option<Timestamp>,
) -> Result<()> {
    sqlx::query("UPDATE application SET held_since = $2 WHERE id = $1")
        .bind(id.0)
        .bind(since.map(|at| at.0))
        .execute(tx)
        .await?;
    Ok(())
}

/// Adds days to the due days of an application.
pub async fn add_days(tx: &mut AnyConnection, id: ApplicationId, days: u32) -> Result<()> {
    sqlx::query("UPDATE application SET extended_days = extended_days + $2 WHERE id = $1")
        .bind(id.0)
        .bind(i64::from(days))
        .execute(tx)
        .await?;
    Ok(())
}

pub async fn set_field_closes(
    tx: &mut AnyConnection,
    id: ApplicationId,
    at: Timestamp,
) -> Result<()> {
    sqlx::query("UPDATE application SET field_closes_at = $2 WHERE id = $1")
        .bind(id.0)
        .bind(at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Puts an application into the field.
pub async fn launch(
    tx: &mut AnyConnection,
    id: ApplicationId,
    campaign: CampaignId,
    questionnaire: i64,
    field_closes_at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE application SET campaign_id = $2, questionnaire_id = $3, field_closes_at = \
        $4, state = 'in_field' WHERE id = $1";
    sqlx::query(sql)
        .bind(id.0)
        .bind(campaign.0)
        .bind(questionnaire)
        .bind(field_closes_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes an application out of the field. Returns false if it was already closed.
pub async fn close(
    tx: &mut AnyConnection,
    id: ApplicationId,
    by: ClosedBy,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE application SET state = 'closed', closed_by = $2, closed_at = $3 WHERE id \
        = $1 AND state = 'in_field'";
    Ok(sqlx::query(sql).bind(id.0).bind(by.as_str()).bind(now.0).execute(tx).await?.rows_affected()
        == 1)
}

/// Locks an application to the end of the transaction.
pub async fn lock(tx: &mut WriteTx, id: ApplicationId) -> Result<()> {
    let sql = format!("SELECT id FROM application WHERE id = $1{}", tx.engine().for_update());
    sqlx::query(statement(sql)).bind(id.0).fetch_all(&mut **tx).await?;
    Ok(())
}

/// Returns the applications in the field that are past their due day and not on hold.
pub async fn over_due_day(
    connection: &mut AnyConnection,
    now: Timestamp,
) -> Result<Vec<ApplicationId>> {
    let sql = "SELECT id FROM application WHERE state = 'in_field' AND field_closes_at <= $1 AND \
        held_since IS NULL ORDER BY id";
    let ids: Vec<i64> = sqlx::query_scalar(sql).bind(now.0).fetch_all(connection).await?;
    Ok(ids.into_iter().map(ApplicationId).collect())
}

/// Returns the earliest upcoming end of a due day.
pub async fn next_closing(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT MIN(field_closes_at) FROM application WHERE \
        state = 'in_field' AND held_since IS NULL",
    )
    .fetch_one(connection)
    .await?;
    Ok(at.map(Timestamp))
}

/// Returns the latest upcoming end of a due day.
pub async fn last_closing(connection: &mut AnyConnection) -> Result<Option<Timestamp>> {
    let at: Option<i64> =
        sqlx::query_scalar("SELECT MAX(field_closes_at) FROM application WHERE state = 'in_field'")
            .fetch_one(connection)
            .await?;
    Ok(at.map(Timestamp))
}

/// Returns the other applications that share respondents with `ids`; one invitation must cover them
/// together.
pub async fn sharing_a_list(
    connection: &mut AnyConnection,
    ids: &[ApplicationId],
) -> Result<Vec<String>> {
    let among = Engine::of_connection(connection).in_list(1, ColumnType::Number);
    let sql = format!(
        "SELECT DISTINCT a.code
         FROM survey_case mine
         JOIN survey_case theirs ON theirs.respondent_id = mine.respondent_id AND \
         theirs.application_id <> mine.application_id
         JOIN application a ON a.id = theirs.application_id AND a.state = 'registered'
         WHERE mine.application_id {among} AND NOT theirs.application_id {among}
         ORDER BY a.code"
    );
    Ok(sqlx::query_scalar(statement(sql))
        .bind(to_param(ids.iter().map(|id| id.0)))
        .fetch_all(connection)
        .await?)
}

/// Returns the mask of an application's cells that take no more answers.
pub async fn closed_cell_mask(connection: &mut AnyConnection, id: ApplicationId) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT closed_cell_mask FROM application WHERE id = $1")
        .bind(id.0)
        .fetch_one(connection)
        .await?)
}
