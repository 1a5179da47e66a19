//! Outgoing messages: one row for each step of an invitation (invariant I1).

use std::collections::HashSet;

use sqlx::AnyConnection;

use super::Result;
use super::dialect::{CHUNK, parameters, statement, values};
use crate::domain::ids::InvitationId;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone)]
pub struct NewMessage {
    pub invitation: InvitationId,
    pub step: u32,
    pub gateway: String,
    pub reference: String,
    pub phone_hash: String,
    pub parts: u32,
}

/// Marks messages as being submitted and returns the references that were free to be: a step that has a message already is left alone, unless
/// the gateway has said that it did not take it (`deferred`).
pub async fn begin_submit(tx: &mut AnyConnection, messages: &[NewMessage], now: Timestamp) -> Result<HashSet<String>> {
    let mut begun = HashSet::with_capacity(messages.len());
    for chunk in messages.chunks(CHUNK) {
        let sql = format!(
            "INSERT INTO message (invitation_id, step, gateway, reference, phone_hash, parts, tries, state, claimed_at) VALUES {}
             ON CONFLICT (invitation_id, step) DO UPDATE
                 SET state = 'submitting', tries = message.tries + 1, claimed_at = excluded.claimed_at, gateway = excluded.gateway
                 WHERE message.state = 'deferred'
             RETURNING reference",
            values(chunk.len(), &[""; 9])
        );
        let mut query = sqlx::query_scalar::<_, String>(statement(sql));
        for message in chunk {
            query = query
                .bind(message.invitation.0)
                .bind(i64::from(message.step))
                .bind(message.gateway.clone())
                .bind(message.reference.clone())
                .bind(message.phone_hash.clone())
                .bind(i64::from(message.parts))
                .bind(1i64)
                .bind("submitting")
                .bind(now.0);
        }
        begun.extend(query.fetch_all(&mut *tx).await?);
    }
    Ok(begun)
}

/// How a submit ended.
#[derive(Debug, Clone)]
pub struct Settlement {
    pub reference: String,
    pub state: &'static str,
    pub gateway_message_id: Option<String>,
    pub code: Option<String>,
    pub submitted_at: Timestamp,
}

/// Writes the gateway's answers. A receipt may have come first: then only the gateway's id and the times are filled in.
pub async fn settle(tx: &mut AnyConnection, settlements: &[Settlement], now: Timestamp) -> Result<()> {
    for chunk in settlements.chunks(CHUNK) {
        let sql = format!(
            "WITH v (reference, state, gateway_message_id, code, submitted_at, settled_at) AS (VALUES {})
             UPDATE message SET
                 state = CASE WHEN message.state IN ('submitting', 'in_doubt') THEN v.state ELSE message.state END,
                 gateway_message_id = COALESCE(message.gateway_message_id, v.gateway_message_id),
                 code = COALESCE(message.code, v.code),
                 submitted_at = v.submitted_at,
                 settled_at = v.settled_at
             FROM v WHERE message.reference = v.reference",
            values(chunk.len(), &["TEXT", "TEXT", "TEXT", "TEXT", "BIGINT", "BIGINT"])
        );
        let mut query = sqlx::query(statement(sql));
        for settlement in chunk {
            query = query
                .bind(settlement.reference.clone())
                .bind(settlement.state)
                .bind(settlement.gateway_message_id.clone())
                .bind(settlement.code.clone())
                .bind(settlement.submitted_at.0)
                .bind(now.0);
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// Takes back messages that were marked and not submitted after all: no gateway heard of them, and no try is counted.
pub async fn withdraw(tx: &mut AnyConnection, references: &[String]) -> Result<()> {
    for chunk in references.chunks(CHUNK) {
        let sql = format!(
            "UPDATE message SET state = 'deferred', tries = tries - 1, code = 'withdrawn' WHERE state = 'submitting' AND reference IN ({})",
            parameters(0, chunk.len())
        );
        let mut query = sqlx::query(statement(sql));
        for reference in chunk {
            query = query.bind(reference.clone());
        }
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// Settles a message in doubt by what the gateway knows of it; the time of its submit stays.
pub async fn settle_doubt(tx: &mut AnyConnection, settlement: &Settlement) -> Result<()> {
    let sql = "UPDATE message SET state = $2, gateway_message_id = COALESCE(gateway_message_id, $3), code = $4, settled_at = $5
               WHERE reference = $1 AND state = 'in_doubt'";
    sqlx::query(sql)
        .bind(settlement.reference.clone())
        .bind(settlement.state)
        .bind(settlement.gateway_message_id.clone())
        .bind(settlement.code.clone())
        .bind(settlement.submitted_at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// When the longest waiting submit was claimed, and the longest doubt on these gateways last looked at.
pub async fn oldest_unsettled(connection: &mut AnyConnection, gateways: &[&str]) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let claimed: Option<i64> =
        sqlx::query_scalar("SELECT MIN(claimed_at) FROM message WHERE state = 'submitting'").fetch_one(&mut *connection).await?;
    if gateways.is_empty() {
        return Ok((claimed.map(Timestamp), None));
    }
    let sql = format!("SELECT MIN(settled_at) FROM message WHERE state = 'in_doubt' AND gateway IN ({})", parameters(0, gateways.len()));
    let mut query = sqlx::query_scalar::<_, Option<i64>>(statement(sql));
    for gateway in gateways {
        query = query.bind((*gateway).to_owned());
    }
    Ok((claimed.map(Timestamp), query.fetch_one(connection).await?.map(Timestamp)))
}

/// How often these messages have been tried.
pub async fn tries(connection: &mut AnyConnection, references: &[String]) -> Result<std::collections::HashMap<String, u32>> {
    let mut tries = std::collections::HashMap::new();
    for chunk in references.chunks(CHUNK) {
        let sql = format!("SELECT reference, tries FROM message WHERE reference IN ({})", parameters(0, chunk.len()));
        let mut query = sqlx::query_as::<_, (String, i64)>(statement(sql));
        for reference in chunk {
            query = query.bind(reference.clone());
        }
        tries.extend(query.fetch_all(&mut *connection).await?.into_iter().map(|(r, n)| (r, u32::try_from(n).unwrap_or(u32::MAX))));
    }
    Ok(tries)
}

/// Puts into doubt what was being submitted and has had no answer since `claimed_before`: the daemon that asked is gone.
pub async fn doubt_stale(tx: &mut AnyConnection, claimed_before: Timestamp, now: Timestamp) -> Result<u64> {
    let sql = "UPDATE message SET state = 'in_doubt', settled_at = $2, submitted_at = COALESCE(submitted_at, claimed_at), code = 'no_answer'
               WHERE state = 'submitting' AND claimed_at <= $1";
    Ok(sqlx::query(sql).bind(claimed_before.0).bind(now.0).execute(tx).await?.rows_affected())
}

/// A message in doubt, with the sealed number it went to.
#[derive(Debug, Clone)]
pub struct MessageInDoubt {
    pub reference: String,
    pub gateway_message_id: Option<String>,
    pub submitted_at: Timestamp,
    pub phone_sealed: Vec<u8>,
    pub key_id: String,
}

/// Messages in doubt since before `settled_before`, oldest first.
pub async fn in_doubt(connection: &mut AnyConnection, gateway: &str, settled_before: Timestamp, limit: u32) -> Result<Vec<MessageInDoubt>> {
    type Row = (String, Option<String>, i64, Vec<u8>, String);
    let sql = "SELECT m.reference, m.gateway_message_id, COALESCE(m.submitted_at, m.claimed_at), r.phone_sealed, a.key_id
               FROM message m
               JOIN invitation i ON i.id = m.invitation_id
               JOIN respondent r ON r.id = i.respondent_id
               JOIN applicant a ON a.id = r.applicant_id
               WHERE m.state = 'in_doubt' AND m.gateway = $1 AND m.settled_at <= $2 ORDER BY m.settled_at, m.id LIMIT $3";
    let rows: Vec<Row> = sqlx::query_as(sql).bind(gateway.to_owned()).bind(settled_before.0).bind(i64::from(limit)).fetch_all(connection).await?;
    let read = |(reference, gateway_message_id, at, phone_sealed, key_id)| MessageInDoubt {
        reference,
        gateway_message_id,
        submitted_at: Timestamp(at),
        phone_sealed,
        key_id,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Notes that a message in doubt was asked after once more, so that others get their turn.
pub async fn note_query(tx: &mut AnyConnection, references: &[String], now: Timestamp) -> Result<()> {
    if references.is_empty() {
        return Ok(());
    }
    let sql = format!("UPDATE message SET settled_at = $1 WHERE state = 'in_doubt' AND reference IN ({})", parameters(1, references.len()));
    let mut query = sqlx::query(statement(sql)).bind(now.0);
    for reference in references {
        query = query.bind(reference.clone());
    }
    query.execute(tx).await?;
    Ok(())
}

/// The times of contacts with these numbers since `since`, across all campaigns.
pub async fn recent_contacts(connection: &mut AnyConnection, phone_hashes: &[String], since: Timestamp) -> Result<Vec<(String, Timestamp)>> {
    let mut contacts = Vec::new();
    for chunk in phone_hashes.chunks(CHUNK) {
        let sql = format!(
            "SELECT phone_hash, COALESCE(submitted_at, claimed_at) FROM message
             WHERE state IN ('submitting', 'in_doubt', 'accepted', 'delivered', 'undelivered') AND claimed_at >= $1 AND phone_hash IN ({})",
            parameters(1, chunk.len())
        );
        let mut query = sqlx::query_as::<_, (String, i64)>(statement(sql)).bind(since.0);
        for hash in chunk {
            query = query.bind(hash.clone());
        }
        contacts.extend(query.fetch_all(&mut *connection).await?.into_iter().map(|(hash, at)| (hash, Timestamp(at))));
    }
    Ok(contacts)
}

/// The invitations of these messages.
pub async fn invitations_of(connection: &mut AnyConnection, references: &[String]) -> Result<Vec<InvitationId>> {
    let mut invitations = Vec::new();
    for chunk in references.chunks(CHUNK) {
        let sql = format!("SELECT DISTINCT invitation_id FROM message WHERE reference IN ({}) ORDER BY invitation_id", parameters(0, chunk.len()));
        let mut query = sqlx::query_scalar::<_, i64>(statement(sql));
        for reference in chunk {
            query = query.bind(reference.clone());
        }
        invitations.extend(query.fetch_all(&mut *connection).await?.into_iter().map(InvitationId));
    }
    Ok(invitations)
}

/// Messages by state.
pub async fn count_by_state(connection: &mut AnyConnection) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as("SELECT state, COUNT(*) FROM message GROUP BY state ORDER BY state").fetch_all(connection).await?)
}

/// Parts that gateways have taken for a campaign; what is in doubt counts as taken.
pub async fn parts_of_campaign(connection: &mut AnyConnection, campaign: crate::domain::ids::CampaignId) -> Result<i64> {
    let sql = "SELECT CAST(COALESCE(SUM(m.parts), 0) AS BIGINT) FROM message m JOIN invitation i ON i.id = m.invitation_id
               WHERE i.campaign_id = $1 AND m.state IN ('accepted', 'delivered', 'undelivered', 'in_doubt')";
    Ok(sqlx::query_scalar(sql).bind(campaign.0).fetch_one(connection).await?)
}
