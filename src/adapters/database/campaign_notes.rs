//! What staff note about campaigns.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::{ApplicantId, CampaignId};
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignNote {
    pub id: i64,
    pub text: String,
    /// The account.
    pub written_by: String,
    pub written_at: Timestamp,
}

/// Returns the notes of a campaign, the latest first.
pub async fn of_campaign(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<CampaignNote>> {
    let sql = "SELECT id, text, written_by, written_at FROM campaign_note WHERE campaign_id = $1 \
        ORDER BY id DESC";
    let rows: Vec<(i64, String, String, i64)> =
        sqlx::query_as(sql).bind(campaign.0).fetch_all(connection).await?;
    let note = |(id, text, written_by, at): (i64, String, String, i64)| CampaignNote {
        id,
        text,
        written_by,
        written_at: Timestamp(at),
    };
    Ok(rows.into_iter().map(note).collect())
}

pub async fn count(connection: &mut AnyConnection, campaign: CampaignId) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM campaign_note WHERE campaign_id = $1";
    Ok(sqlx::query_scalar(sql).bind(campaign.0).fetch_one(connection).await?)
}

pub async fn add(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    text: &str,
    account: &str,
    now: Timestamp,
) -> Result<()> {
    let sql = "INSERT INTO campaign_note (campaign_id, text, written_by, written_at) VALUES ($1, \
        $2, $3, $4)";
    sqlx::query(sql)
        .bind(campaign.0)
        .bind(text.to_owned())
        .bind(account.to_owned())
        .bind(now.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes a note of an account. Returns false if it is another's, or gone.
pub async fn delete_own(
    tx: &mut AnyConnection,
    campaign: CampaignId,
    note: i64,
    account: &str,
) -> Result<bool> {
    let sql = "DELETE FROM campaign_note WHERE id = $1 AND campaign_id = $2 AND written_by = $3";
    let done =
        sqlx::query(sql).bind(note).bind(campaign.0).bind(account.to_owned()).execute(tx).await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes the notes of all campaigns in which an applicant takes part.
pub async fn delete_of_applicant(tx: &mut AnyConnection, applicant: ApplicantId) -> Result<()> {
    let sql = "DELETE FROM campaign_note WHERE campaign_id IN (SELECT campaign_id FROM application \
        WHERE applicant_id = $1 AND campaign_id IS NOT NULL)";
    sqlx::query(sql).bind(applicant.0).execute(tx).await?;
    Ok(())
}
