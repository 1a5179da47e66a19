//! What staff note about a campaign for each other: plain text, with time and account. Nobody
//! changes a note; whoever wrote it can delete it.

use crate::adapters::database::campaign_notes::{self, CampaignNote};
use crate::adapters::database::{DatabaseError, campaigns};
use crate::domain::mentioned_number::mentions_mobile;
use crate::services::context::AppContext;

const MAX_NOTE_CHARS: usize = 1_000;
/// Notes of a campaign: more than a page can show is a chat.
const MAX_NOTES: i64 = 500;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "campaign_note.", serialize_all = "snake_case")]
pub enum CampaignNoteError {
    #[error("a note has 1 to {MAX_NOTE_CHARS} characters")]
    Length,
    #[error("the note has something that looks like a mobile number; name the case instead")]
    HasNumber,
    #[error("a campaign has {MAX_NOTES} notes at most")]
    TooMany,
    #[error("there is no such campaign, or no such note of yours")]
    NotFound,
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
}

/// Returns the notes of a campaign, the latest first.
pub async fn list(
    context: &AppContext,
    campaign: &str,
) -> Result<Vec<CampaignNote>, CampaignNoteError> {
    let mut connection = context.database.read().await?;
    let campaign = campaigns::find(&mut connection, campaign).await?;
    let campaign = campaign.ok_or(CampaignNoteError::NotFound)?;
    Ok(campaign_notes::of_campaign(&mut connection, campaign.id).await?)
}

pub async fn add(
    context: &AppContext,
    campaign: &str,
    account: &str,
    text: &str,
) -> Result<(), CampaignNoteError> {
    let text = text.trim().replace("\r\n", "\n");
    if text.is_empty() || text.chars().count() > MAX_NOTE_CHARS {
        return Err(CampaignNoteError::Length);
    }
    if mentions_mobile(&text) {
        return Err(CampaignNoteError::HasNumber);
    }
    let mut tx = context.database.write().await?;
    let campaign = campaigns::find(&mut tx, campaign).await?;
    let campaign = campaign.ok_or(CampaignNoteError::NotFound)?;
    if campaign_notes::count(&mut tx, campaign.id).await? >= MAX_NOTES {
        return Err(CampaignNoteError::TooMany);
    }
    campaign_notes::add(&mut tx, campaign.id, &text, account, context.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Deletes a note of the account.
pub async fn delete(
    context: &AppContext,
    campaign: &str,
    account: &str,
    note: i64,
) -> Result<(), CampaignNoteError> {
    let mut tx = context.database.write().await?;
    let campaign = campaigns::find(&mut tx, campaign).await?;
    let campaign = campaign.ok_or(CampaignNoteError::NotFound)?;
    if !campaign_notes::delete_own(&mut tx, campaign.id, note, account).await? {
        return Err(CampaignNoteError::NotFound);
    }
    tx.commit().await?;
    Ok(())
}
