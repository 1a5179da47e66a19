//! Replies from respondents: sealed text, linked to the latest invitation of the number.

use serde_json::json;
use sqlx::AnyConnection;

use super::dialect::{Engine, statement};
use super::{Result, events};
use crate::domain::event::EventKind;
use crate::domain::ids::{CampaignId, InvitationId, ProgrammeId};
use crate::domain::time::Timestamp;

/// The latest invitation sent to a number, with its programme and the key that seals its data.
#[derive(Debug, Clone)]
pub struct LatestContact {
    pub invitation: InvitationId,
    pub campaign: CampaignId,
    pub programme: ProgrammeId,
    pub key_id: String,
}

pub async fn latest_contact(
    connection: &mut AnyConnection,
    phone_hash: &str,
) -> Result<Option<LatestContact>> {
    let sql = "SELECT i.id, c.id, c.programme_id, a.key_id
               FROM respondent r
               JOIN invitation i ON i.respondent_id = r.id
               JOIN message m ON m.invitation_id = i.id
               JOIN campaign c ON c.id = i.campaign_id
               JOIN applicant a ON a.id = r.applicant_id
               WHERE r.phone_hash = $1 ORDER BY m.claimed_at DESC, i.id DESC, m.number DESC LIMIT 1";
    let row: Option<(i64, i64, i64, String)> =
        sqlx::query_as(sql).bind(phone_hash.to_owned()).fetch_optional(connection).await?;
    Ok(row.map(|(invitation, campaign, programme, key_id)| LatestContact {
        invitation: InvitationId(invitation),
        campaign: CampaignId(campaign),
        programme: ProgrammeId(programme),
        key_id,
    }))
}

#[derive(Debug, Clone)]
pub struct NewReply {
    pub gateway: String,
    pub dedup_hash: String,
    pub phone_hash: String,
    pub invitation: Option<InvitationId>,
    pub meaning: &'static str,
    pub text_sealed: Option<Vec<u8>>,
}

/// Stores a reply. Returns false if the gateway has pushed it before.
pub async fn add(tx: &mut AnyConnection, reply: &NewReply, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO reply (gateway, dedup_hash, phone_hash, invitation_id, meaning, \
        text_sealed, received_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (dedup_hash) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(reply.gateway.clone())
        .bind(reply.dedup_hash.clone())
        .bind(reply.phone_hash.clone())
        .bind(reply.invitation.map(|i| i.0))
        .bind(reply.meaning)
        .bind(reply.text_sealed.clone())
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    if events::has_subscribers(tx, EventKind::ReplyReceived).await? {
        let sql = "SELECT r.id, c.code FROM reply r LEFT JOIN invitation i ON i.id = \
            r.invitation_id LEFT JOIN campaign c ON c.id = i.campaign_id
                   WHERE r.dedup_hash = $1";
        let (id, campaign): (i64, Option<String>) =
            sqlx::query_as(sql).bind(reply.dedup_hash.clone()).fetch_one(&mut *tx).await?;
        let data = json!({ "reply": id, "meaning": reply.meaning, "campaign": campaign });
        events::publish(tx, EventKind::ReplyReceived, &data, now).await?;
    }
    Ok(true)
}

/// Returns whether an interview has consumed this reply; `None` if there is no such reply.
pub async fn is_consumed(connection: &mut AnyConnection, dedup_hash: &str) -> Result<Option<bool>> {
    let sql =
        "SELECT CASE WHEN consumed_at IS NULL THEN 0 ELSE 1 END FROM reply WHERE dedup_hash = $1";
    let taken: Option<i64> =
        sqlx::query_scalar(sql).bind(dedup_hash.to_owned()).fetch_optional(connection).await?;
    Ok(taken.map(|taken| taken == 1))
}

/// Records that an interview has consumed a reply; it leaves the staff's inbox.
pub async fn mark_consumed(tx: &mut AnyConnection, dedup_hash: &str, now: Timestamp) -> Result<()> {
    let sql = "UPDATE reply SET consumed_at = $2, handled_at = $2 WHERE dedup_hash = $1";
    sqlx::query(sql).bind(dedup_hash.to_owned()).bind(now.0).execute(tx).await?;
    Ok(())
}

/// A reply in the staff's inbox; its sealed text is read separately.
#[derive(Debug, Clone)]
pub struct InboxEntry {
    pub id: i64,
    pub meaning: String,
    pub received_at: Timestamp,
    pub handled_at: Option<Timestamp>,
    pub campaign: Option<String>,
    /// The person's cases as `APPLICATION/PSEUDONYM`.
    pub cases: String,
}

/// Lists the replies that need attention: those of one meaning, or all but opt-outs; the oldest
/// first.
pub async fn inbox(
    connection: &mut AnyConnection,
    meaning: Option<&str>,
    with_handled: bool,
) -> Result<Vec<InboxEntry>> {
    type Row = (i64, String, i64, Option<i64>, Option<String>, Option<String>);
    let sql = format!(
        "SELECT r.id, r.meaning, r.received_at, r.handled_at, k.code,
                (SELECT {} FROM survey_case c JOIN application a ON a.id = c.application_id \
                WHERE c.invitation_id = i.id)
         FROM reply r LEFT JOIN invitation i ON i.id = r.invitation_id LEFT JOIN campaign k ON \
         k.id = i.campaign_id
         WHERE (r.meaning = $1 OR ($1 = '' AND r.meaning <> 'opt_out')) AND (r.handled_at IS \
         NULL OR $2 = 1)
         ORDER BY r.received_at, r.id",
        Engine::of_connection(connection).concatenated("a.code || '/' || c.pseudonym")
    );
    let rows: Vec<Row> = sqlx::query_as(statement(sql))
        .bind(meaning.unwrap_or_default().to_owned())
        .bind(i64::from(with_handled))
        .fetch_all(connection)
        .await?;
    let entry = |(id, meaning, at, handled, campaign, cases): Row| InboxEntry {
        id,
        meaning,
        received_at: Timestamp(at),
        handled_at: handled.map(Timestamp),
        campaign,
        cases: cases.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Returns a reply's sealed text and the key that opens it. The inner `None` means that there was
/// no contact before the reply, so only its meaning was stored.
pub async fn sealed_text(
    connection: &mut AnyConnection,
    id: i64,
) -> Result<Option<Option<(Vec<u8>, String)>>> {
    let sql = "SELECT r.text_sealed, a.key_id
               FROM reply r
               LEFT JOIN invitation i ON i.id = r.invitation_id
               LEFT JOIN respondent p ON p.id = i.respondent_id
               LEFT JOIN applicant a ON a.id = p.applicant_id
               WHERE r.id = $1";
    let row: Option<(Option<Vec<u8>>, Option<String>)> =
        sqlx::query_as(sql).bind(id).fetch_optional(connection).await?;
    Ok(row.map(|(text, key)| text.zip(key)))
}

/// Marks a reply as handled. Returns false if there is none or if it is already handled.
pub async fn mark_handled(tx: &mut AnyConnection, id: i64, now: Timestamp) -> Result<bool> {
    let sql = "UPDATE reply SET handled_at = $2 WHERE id = $1 AND handled_at IS NULL";
    Ok(sqlx::query(sql).bind(id).bind(now.0).execute(tx).await?.rows_affected() == 1)
}

/// Counts replies by meaning.
pub async fn count_by_meaning(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as("SELECT meaning, COUNT(*) FROM reply GROUP BY meaning ORDER BY meaning")
        .fetch_all(connection)
        .await?)
}

/// Counts the replies that arrived through one gateway, or on the page.
pub async fn from_gateway(connection: &mut AnyConnection, gateway: &str) -> Result<u64> {
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM reply WHERE gateway = $1")
        .bind(gateway.to_owned())
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}
