//! Replies from respondents: sealed text, tied to the latest invitation of the number.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::{InvitationId, ProgrammeId};
use crate::domain::time::Timestamp;

/// The latest invitation that a number was sent, with its programme and the key that seals for it.
#[derive(Debug, Clone)]
pub struct Contacted {
    pub invitation: InvitationId,
    pub programme: ProgrammeId,
    pub key_id: String,
}

pub async fn latest_contact(connection: &mut AnyConnection, phone_hash: &str) -> Result<Option<Contacted>> {
    let sql = "SELECT i.id, c.programme_id, a.key_id
               FROM message m
               JOIN invitation i ON i.id = m.invitation_id
               JOIN campaign c ON c.id = i.campaign_id
               JOIN respondent r ON r.id = i.respondent_id
               JOIN applicant a ON a.id = r.applicant_id
               WHERE m.phone_hash = $1 ORDER BY m.claimed_at DESC, m.id DESC LIMIT 1";
    let row: Option<(i64, i64, String)> = sqlx::query_as(sql).bind(phone_hash.to_owned()).fetch_optional(connection).await?;
    Ok(row.map(|(invitation, programme, key_id)| Contacted { invitation: InvitationId(invitation), programme: ProgrammeId(programme), key_id }))
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

/// Stores a reply; false when the gateway has pushed it before.
pub async fn add(tx: &mut AnyConnection, reply: &NewReply, now: Timestamp) -> Result<bool> {
    let sql = "INSERT INTO reply (gateway, dedup_hash, phone_hash, invitation_id, meaning, text_sealed, received_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (dedup_hash) DO NOTHING";
    let done = sqlx::query(sql)
        .bind(reply.gateway.clone())
        .bind(reply.dedup_hash.clone())
        .bind(reply.phone_hash.clone())
        .bind(reply.invitation.map(|i| i.0))
        .bind(reply.meaning)
        .bind(reply.text_sealed.clone())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Replies by meaning.
pub async fn count_by_meaning(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as("SELECT meaning, COUNT(*) FROM reply GROUP BY meaning ORDER BY meaning").fetch_all(connection).await?)
}
