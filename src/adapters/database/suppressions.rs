//! Suppressed numbers.

use std::collections::HashMap;

use sqlx::AnyConnection;

use super::Result;
use super::bulk_params::{ColumnType, to_param};
use super::dialect::{Engine, statement};
use crate::domain::ids::{CampaignId, CaseId, InvitationId};
use crate::domain::time::Timestamp;

/// The scope that covers every programme.
pub const ALL: &str = "all";

/// A new suppression: scope, reason and duration.
#[derive(Debug, Clone)]
pub struct NewSuppression<'a> {
    pub phone_hash: &'a str,
    /// [`ALL`], or a programme's code.
    pub scope: &'a str,
    pub reason: &'a str,
    /// `None`: permanent.
    pub expires_at: Option<Timestamp>,
    /// Who said so, as [`super::cases::DispositionSource`] has it.
    pub source: &'a str,
}

/// Lifts the opt-outs that the person themselves has made in these scopes: by reply, on the page or
/// through the gateway. Those that staff have entered stay. Returns how many were lifted.
pub async fn lift_own_opt_outs(
    tx: &mut AnyConnection,
    phone_hash: &str,
    scopes: &[String],
) -> Result<u64> {
    let sql = format!(
        "DELETE FROM suppression WHERE phone_hash = $1 AND reason = 'opt_out' AND source IN \
         ('reply', 'web', 'gateway') AND scope {}",
        Engine::of_connection(tx).in_list(2, ColumnType::Text)
    );
    Ok(sqlx::query(statement(sql))
        .bind(phone_hash.to_owned())
        .bind(to_param(scopes))
        .execute(tx)
        .await?
        .rows_affected())
}

/// Suppresses a number. An active suppression keeps its reason and the later end; an expired one is
/// renewed. Returns false if nothing changed.
pub async fn add(tx: &mut AnyConnection, new: &NewSuppression<'_>, now: Timestamp) -> Result<bool> {
    let sql =
        "INSERT INTO suppression (phone_hash, scope, reason, created_at, expires_at, source) \
        VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (phone_hash, scope) DO UPDATE
                   SET expires_at = excluded.expires_at, source = excluded.source,
                       reason = CASE WHEN suppression.expires_at > $4 THEN suppression.reason \
                       ELSE excluded.reason END
                   WHERE suppression.expires_at IS NOT NULL AND (excluded.expires_at IS NULL OR \
                   excluded.expires_at > suppression.expires_at)";
    let done = sqlx::query(sql)
        .bind(new.phone_hash.to_owned())
        .bind(new.scope.to_owned())
        .bind(new.reason.to_owned())
        .bind(now.0)
        .bind(new.expires_at.map(|t| t.0))
        .bind(new.source.to_owned())
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Returns which of these numbers are suppressed now in a programme, and until when (`None`:
/// permanently).
pub async fn among(
    connection: &mut AnyConnection,
    phone_hashes: &[String],
    programme: &str,
    now: Timestamp,
) -> Result<HashMap<String, Option<Timestamp>>> {
    let sql = format!(
        "SELECT phone_hash, CASE WHEN COUNT(expires_at) = COUNT(*) THEN MAX(expires_at) END FROM \
            suppression
         WHERE scope IN ('{ALL}', $1) AND (expires_at IS NULL OR expires_at > $2) AND phone_hash {}
         GROUP BY phone_hash",
        Engine::of_connection(connection).in_list(3, ColumnType::Text)
    );
    let rows: Vec<(String, Option<i64>)> = sqlx::query_as(statement(sql))
        .bind(programme.to_owned())
        .bind(now.0)
        .bind(to_param(phone_hashes))
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(hash, until)| (hash, until.map(Timestamp))).collect())
}

/// Returns the open cases of a campaign's people whose numbers are suppressed for good, with the
/// reason. Of several, an opt-out or a complaint comes before an invalid number.
pub async fn of_campaign(
    connection: &mut AnyConnection,
    campaign: CampaignId,
    programme: &str,
) -> Result<Vec<(CaseId, InvitationId, String)>> {
    // What the person said comes before what is known of the number.
    let sql = format!(
        "SELECT c.id, i.id, MIN(CASE WHEN s.reason = 'invalid' THEN 'z' ELSE s.reason END)
         FROM invitation i JOIN respondent r ON r.id = i.respondent_id
         JOIN suppression s ON s.phone_hash = r.phone_hash
         JOIN survey_case c ON c.invitation_id = i.id
         WHERE i.campaign_id = $1 AND c.is_open = 1 AND s.scope IN ('{ALL}', $2)
           AND s.expires_at IS NULL
         GROUP BY c.id, i.id ORDER BY c.id"
    );
    let rows: Vec<(i64, i64, String)> = sqlx::query_as(statement(sql))
        .bind(campaign.0)
        .bind(programme.to_owned())
        .fetch_all(connection)
        .await?;
    let row = |(case, invitation, reason): (i64, i64, String)| {
        let reason = if reason == "z" { "invalid".to_owned() } else { reason };
        (CaseId(case), InvitationId(invitation), reason)
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Returns whether any number is suppressed.
pub async fn any_active(connection: &mut AnyConnection, now: Timestamp) -> Result<bool> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM suppression WHERE expires_at IS NULL OR \
        expires_at > $1 LIMIT 1) AS one";
    let count: i64 = sqlx::query_scalar(sql).bind(now.0).fetch_one(connection).await?;
    Ok(count > 0)
}

/// A suppression as staff see it: without the number.
#[derive(Debug, Clone)]
pub struct Suppression {
    pub scope: String,
    pub reason: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

type Row = (String, String, i64, Option<i64>);

fn read((scope, reason, at, until): Row) -> Suppression {
    Suppression { scope, reason, created_at: Timestamp(at), expires_at: until.map(Timestamp) }
}

/// Returns a page of suppressions with their hashed numbers, after the given one.
pub async fn page_after(
    connection: &mut AnyConnection,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, Suppression)>> {
    type Numbered = (i64, String, String, i64, Option<i64>);
    let sql = "SELECT id, scope, reason, created_at, expires_at FROM suppression WHERE id > $1 \
        ORDER BY id LIMIT $2";
    let rows: Vec<Numbered> =
        sqlx::query_as(sql).bind(after).bind(i64::from(limit)).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(id, scope, reason, at, until)| (id, read((scope, reason, at, until))))
        .collect())
}

pub async fn list(connection: &mut AnyConnection) -> Result<Vec<Suppression>> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT scope, reason, created_at, expires_at FROM suppression ORDER BY created_at, id",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Returns the suppressions of one number.
pub async fn of_number(
    connection: &mut AnyConnection,
    phone_hash: &str,
) -> Result<Vec<Suppression>> {
    let sql = "SELECT scope, reason, created_at, expires_at FROM suppression WHERE phone_hash = \
        $1 ORDER BY created_at, id";
    let rows: Vec<Row> =
        sqlx::query_as(sql).bind(phone_hash.to_owned()).fetch_all(connection).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Deletes expired suppressions.
pub async fn delete_expired(tx: &mut AnyConnection, now: Timestamp) -> Result<u64> {
    Ok(sqlx::query("DELETE FROM suppression WHERE expires_at <= $1")
        .bind(now.0)
        .execute(tx)
        .await?
        .rows_affected())
}
