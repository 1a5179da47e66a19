//! Drafts made on the console: lists before their import and campaigns before their launch.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Result;
use crate::domain::time::Timestamp;

/// A list that is not imported yet.
#[derive(Debug, Clone)]
pub struct ListDraft {
    pub id: i64,
    /// Comma-separated codes of its applications.
    pub applications: String,
    pub key_id: String,
    pub file: String,
    pub rows_sealed: Vec<u8>,
    /// Whether its file is kept as well.
    pub has_file: bool,
    /// Whether the applicant uploaded it on its own page.
    pub is_from_applicant: bool,
    /// Who declared what when it was handed in, and when that was; `None`: it is not handed in.
    pub declared_sealed: Option<Vec<u8>>,
    pub handed_in_at: Option<Timestamp>,
    /// What staff said when they sent it back.
    pub returned_sealed: Option<Vec<u8>>,
    pub created_by: String,
    pub changed_at: Timestamp,
}

const LIST: &str = "SELECT id, applications, key_id, file, rows_sealed, \
    CASE WHEN file_sealed IS NULL THEN 0 ELSE 1 END AS has_file, created_by, changed_at, \
    is_from_applicant, declared_sealed, handed_in_at, returned_sealed FROM list_draft";

fn read_list(row: &AnyRow) -> Result<ListDraft> {
    Ok(ListDraft {
        id: row.try_get("id")?,
        applications: row.try_get("applications")?,
        key_id: row.try_get("key_id")?,
        file: row.try_get("file")?,
        rows_sealed: row.try_get("rows_sealed")?,
        has_file: row.try_get::<i64, _>("has_file")? != 0,
        is_from_applicant: row.try_get::<i64, _>("is_from_applicant")? != 0,
        declared_sealed: row.try_get("declared_sealed")?,
        handed_in_at: row.try_get::<Option<i64>, _>("handed_in_at")?.map(Timestamp),
        returned_sealed: row.try_get("returned_sealed")?,
        created_by: row.try_get("created_by")?,
        changed_at: Timestamp(row.try_get("changed_at")?),
    })
}

/// Stores a list, with its file if that is kept, and returns its id.
pub async fn add_list(
    tx: &mut AnyConnection,
    draft: &ListDraft,
    file_sealed: Option<Vec<u8>>,
) -> Result<i64> {
    let sql = "INSERT INTO list_draft (applications, key_id, file, rows_sealed, created_by, \
        changed_at, file_sealed, is_from_applicant)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    let id = sqlx::query_scalar(sql)
        .bind(draft.applications.clone())
        .bind(draft.key_id.clone())
        .bind(draft.file.clone())
        .bind(draft.rows_sealed.clone())
        .bind(draft.created_by.clone())
        .bind(draft.changed_at.0)
        .bind(file_sealed)
        .bind(i64::from(draft.is_from_applicant))
        .fetch_one(tx)
        .await?;
    Ok(id)
}

/// Returns the file of a list, if it is kept.
pub async fn list_file(connection: &mut AnyConnection, id: i64) -> Result<Option<Vec<u8>>> {
    let file = sqlx::query_scalar("SELECT file_sealed FROM list_draft WHERE id = $1").bind(id);
    Ok(file.fetch_optional(connection).await?.flatten())
}

pub async fn list(connection: &mut AnyConnection, id: i64) -> Result<Option<ListDraft>> {
    let sql = super::dialect::statement(format!("{LIST} WHERE id = $1"));
    sqlx::query(sql).bind(id).fetch_optional(connection).await?.as_ref().map(read_list).transpose()
}

/// Lists all list drafts, the latest first.
pub async fn lists(connection: &mut AnyConnection) -> Result<Vec<ListDraft>> {
    let sql = super::dialect::statement(format!("{LIST} ORDER BY id DESC"));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read_list).collect()
}

/// Replaces the rows of a list. Returns false if it was changed in the meantime.
pub async fn set_rows(
    tx: &mut AnyConnection,
    id: i64,
    before: Timestamp,
    rows_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let sql =
        "UPDATE list_draft SET rows_sealed = $3, changed_at = $4 WHERE id = $1 AND changed_at = $2";
    let done = sqlx::query(sql)
        .bind(id)
        .bind(before.0)
        .bind(rows_sealed)
        .bind(now.0.max(before.0 + 1))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Hands a list in, unless it was changed or handed in meanwhile.
pub async fn hand_in(
    tx: &mut AnyConnection,
    id: i64,
    before: Timestamp,
    declared_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE list_draft SET declared_sealed = $3, handed_in_at = $4, changed_at = $4, \
        returned_sealed = NULL WHERE id = $1 AND changed_at = $2 AND handed_in_at IS NULL";
    let done = sqlx::query(sql)
        .bind(id)
        .bind(before.0)
        .bind(declared_sealed)
        .bind(now.0.max(before.0 + 1))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Sends a list back to its applicant. Returns false if it is not handed in.
pub async fn send_back(
    tx: &mut AnyConnection,
    id: i64,
    returned_sealed: Vec<u8>,
    now: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE list_draft SET declared_sealed = NULL, handed_in_at = NULL, \
        returned_sealed = $2, changed_at = $3 WHERE id = $1 AND handed_in_at IS NOT NULL";
    let done = sqlx::query(sql).bind(id).bind(returned_sealed).bind(now.0).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a list. Returns false if somebody else has, or has imported it.
pub async fn discard_list(tx: &mut AnyConnection, id: i64) -> Result<bool> {
    let done = sqlx::query("DELETE FROM list_draft WHERE id = $1").bind(id).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes lists that nobody has changed since; those of applicants since another time, as they wait
/// for somebody else.
pub async fn delete_stale_lists(
    tx: &mut AnyConnection,
    since: Timestamp,
    of_applicants_since: Timestamp,
) -> Result<u64> {
    let sql = "DELETE FROM list_draft WHERE changed_at < CASE WHEN is_from_applicant = 1 THEN $2 \
        ELSE $1 END";
    Ok(sqlx::query(sql)
        .bind(since.0)
        .bind(of_applicants_since.0)
        .execute(tx)
        .await?
        .rows_affected())
}

/// A campaign before its launch.
#[derive(Debug, Clone)]
pub struct CampaignDraft {
    pub code: String,
    /// Comma-separated codes of its applications.
    pub applications: String,
    /// A [`crate::domain::contact_plan::PlanFile`] as JSON.
    pub plan: String,
    pub gateway: String,
    pub budget_micros: Option<i64>,
    pub created_by: String,
    pub changed_at: Timestamp,
    /// The user who requested the launch, if somebody else has to approve it.
    pub launch_requested_by: Option<String>,
}

const CAMPAIGN: &str = "SELECT code, applications, plan, gateway, budget_micros, created_by, \
    changed_at, launch_requested_by FROM campaign_draft";

fn read_campaign(row: &AnyRow) -> Result<CampaignDraft> {
    Ok(CampaignDraft {
        code: row.try_get("code")?,
        applications: row.try_get("applications")?,
        plan: row.try_get("plan")?,
        gateway: row.try_get("gateway")?,
        budget_micros: row.try_get("budget_micros")?,
        created_by: row.try_get("created_by")?,
        changed_at: Timestamp(row.try_get("changed_at")?),
        launch_requested_by: row.try_get("launch_requested_by")?,
    })
}

pub async fn campaign(connection: &mut AnyConnection, code: &str) -> Result<Option<CampaignDraft>> {
    let sql = super::dialect::statement(format!("{CAMPAIGN} WHERE code = $1"));
    sqlx::query(sql)
        .bind(code.to_owned())
        .fetch_optional(connection)
        .await?
        .as_ref()
        .map(read_campaign)
        .transpose()
}

/// Lists all campaign drafts, the latest first.
pub async fn campaigns(connection: &mut AnyConnection) -> Result<Vec<CampaignDraft>> {
    let sql = super::dialect::statement(format!("{CAMPAIGN} ORDER BY changed_at DESC, code"));
    sqlx::query(sql).fetch_all(connection).await?.iter().map(read_campaign).collect()
}

/// Stores a draft, or replaces the draft with the same code. A change clears a launch request.
pub async fn put_campaign(tx: &mut AnyConnection, draft: &CampaignDraft) -> Result<()> {
    let sql = "INSERT INTO campaign_draft (code, applications, plan, gateway, budget_micros, \
        created_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (code) DO UPDATE SET applications = excluded.applications, plan = \
               excluded.plan, gateway = excluded.gateway,
                   budget_micros = excluded.budget_micros, changed_at = excluded.changed_at, \
                   launch_requested_by = NULL, plan_before = CASE WHEN campaign_draft.plan = \
                   excluded.plan THEN campaign_draft.plan_before ELSE campaign_draft.plan END";
    sqlx::query(sql)
        .bind(draft.code.clone())
        .bind(draft.applications.clone())
        .bind(draft.plan.clone())
        .bind(draft.gateway.clone())
        .bind(draft.budget_micros)
        .bind(draft.created_by.clone())
        .bind(draft.changed_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Returns the plan before the last change of a draft; `None`: there is none.
pub async fn plan_before(connection: &mut AnyConnection, code: &str) -> Result<Option<String>> {
    let sql = "SELECT plan_before FROM campaign_draft WHERE code = $1";
    let found: Option<Option<String>> =
        sqlx::query_scalar(sql).bind(code.to_owned()).fetch_optional(connection).await?;
    Ok(found.flatten())
}

/// Records who requests the launch of a draft in its current version. Returns false if it was
/// changed in the meantime.
pub async fn request_launch(
    tx: &mut AnyConnection,
    draft: &CampaignDraft,
    actor: &str,
) -> Result<bool> {
    let sql =
        "UPDATE campaign_draft SET launch_requested_by = $3 WHERE code = $1 AND changed_at = $2";
    Ok(sqlx::query(sql)
        .bind(draft.code.clone())
        .bind(draft.changed_at.0)
        .bind(actor.to_owned())
        .execute(tx)
        .await?
        .rows_affected()
        == 1)
}

pub async fn discard_campaign(tx: &mut AnyConnection, code: &str) -> Result<()> {
    sqlx::query("DELETE FROM campaign_draft WHERE code = $1")
        .bind(code.to_owned())
        .execute(tx)
        .await?;
    Ok(())
}
