//! Counts of a campaign by day and by step.

use sqlx::AnyConnection;

use super::Result;
use super::dialect::statement;
use super::messages::STEP;
use crate::domain::ids::{ApplicationId, CampaignId};
use crate::domain::time::Timestamp;

/// Returns the completion times of an application's cases.
pub async fn completed_at(
    connection: &mut AnyConnection,
    application: ApplicationId,
) -> Result<Vec<Timestamp>> {
    let sql = "SELECT s.completed_at FROM response s JOIN survey_case c ON c.id = s.case_id
               WHERE c.application_id = $1 AND s.completed_at IS NOT NULL ORDER BY s.completed_at";
    let rows: Vec<i64> = sqlx::query_scalar(sql).bind(application.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Timestamp).collect())
}

/// Counts messages by step and state.
pub async fn messages_by_step(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(u32, String, u64)>> {
    let sql = format!(
        "SELECT m.number, m.state, COUNT(*) FROM invitation i JOIN message m ON m.invitation_id = i.id
               WHERE i.campaign_id = $1 AND m.kind = {STEP} GROUP BY m.number, m.state \
               ORDER BY m.number, m.state"
    );
    let rows: Vec<(i64, String, i64)> =
        sqlx::query_as(statement(sql)).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(step, state, count)| {
            (u32::try_from(step).unwrap_or(0), state, u64::try_from(count).unwrap_or(0))
        })
        .collect())
}

/// Counts the invitations that wait for each step.
pub async fn pending_by_step(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(u32, u64)>> {
    let sql = format!(
        "SELECT next_number, COUNT(*) FROM next_contact WHERE campaign_id = $1 AND next_at IS NOT NULL \
            AND next_kind = {STEP} GROUP BY next_number ORDER BY next_number"
    );
    let rows: Vec<(i64, i64)> =
        sqlx::query_as(statement(sql)).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows
        .into_iter()
        .map(|(step, count)| (u32::try_from(step).unwrap_or(0), u64::try_from(count).unwrap_or(0)))
        .collect())
}

/// Counts, for each step, the invitations added to the call queue, those still waiting for a call,
/// and the calls made.
pub async fn calls_by_step(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(u32, u64, u64, u64)>> {
    let sql = "SELECT step, COUNT(*), COUNT(next_at), CAST(COALESCE(SUM(calls), 0) AS BIGINT) \
        FROM call_queue WHERE campaign_id = $1 GROUP BY step ORDER BY step";
    let rows: Vec<(i64, i64, i64, i64)> =
        sqlx::query_as(sql).bind(campaign.0).fetch_all(connection).await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    Ok(rows
        .into_iter()
        .map(|(step, all, queued, calls)| {
            (u32::try_from(step).unwrap_or(0), count(all), count(queued), count(calls))
        })
        .collect())
}
