//! Wrong numbers: pairs of a person on an applicant's list and a number that is somebody else's.

use sqlx::AnyConnection;

use super::Result;
use crate::domain::ids::{CampaignId, CaseId, InvitationId};
use crate::domain::time::Timestamp;

/// Notes that the number of an invitation's person is somebody else's.
pub async fn add(tx: &mut AnyConnection, invitation: InvitationId, now: Timestamp) -> Result<()> {
    let sql = "INSERT INTO wrong_number (applicant_code, phone_hash, name_hash, said_at)
               SELECT a.code, r.phone_hash, r.name_hash, $2 FROM invitation i
               JOIN respondent r ON r.id = i.respondent_id JOIN applicant a ON a.id = r.applicant_id
               WHERE i.id = $1
               ON CONFLICT (applicant_code, phone_hash, name_hash) DO NOTHING";
    sqlx::query(sql).bind(invitation.0).bind(now.0).execute(tx).await?;
    Ok(())
}

/// Returns the open cases of a campaign's people whose pair of person and number is known to be
/// wrong. A name that is not hashed yet (an empty hash) counts as the same person.
pub async fn of_campaign(
    connection: &mut AnyConnection,
    campaign: CampaignId,
) -> Result<Vec<(CaseId, InvitationId)>> {
    let sql = "SELECT c.id, i.id FROM invitation i
               JOIN respondent r ON r.id = i.respondent_id JOIN applicant a ON a.id = r.applicant_id
               JOIN survey_case c ON c.invitation_id = i.id
               WHERE i.campaign_id = $1 AND c.is_open = 1 AND EXISTS (
                   SELECT 1 FROM wrong_number w WHERE w.applicant_code = a.code
                     AND w.phone_hash = r.phone_hash
                     AND (w.name_hash = r.name_hash OR w.name_hash = '' OR r.name_hash = ''))
               ORDER BY c.id";
    let rows: Vec<(i64, i64)> = sqlx::query_as(sql).bind(campaign.0).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(case, id)| (CaseId(case), InvitationId(id))).collect())
}
