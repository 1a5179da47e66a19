//! How the paper forms of a campaign stand, and what waits on the desks.

use std::collections::BTreeMap;

use super::PaperFormError;
use crate::adapters::database::accounts::Account;
use crate::adapters::database::campaigns;
use crate::adapters::database::paper_forms::{
    self, FormState, KeyingQuality, PrintRun, SecondKeying,
};
use crate::domain::form_number::FormNumber;
use crate::services::context::AppContext;

/// The paper forms of a campaign.
pub struct PaperStatus {
    pub campaign: String,
    /// People whom the plan has made due, and who are not printed yet.
    pub due: u64,
    pub forms: BTreeMap<FormState, u64>,
    pub runs: Vec<PrintRun>,
    pub quality: KeyingQuality,
}

pub async fn status(context: &AppContext, code: &str) -> Result<PaperStatus, PaperFormError> {
    let mut connection = context.database.read().await?;
    let campaign = campaigns::find(&mut connection, code)
        .await?
        .ok_or_else(|| PaperFormError::UnknownCampaign(code.to_owned()))?;
    Ok(PaperStatus {
        campaign: campaign.code,
        due: paper_forms::due_count(&mut connection, campaign.id).await?,
        forms: paper_forms::counts(&mut connection, campaign.id).await?.into_iter().collect(),
        runs: paper_forms::runs(&mut connection, campaign.id).await?,
        quality: paper_forms::quality_of_campaign(&mut connection, campaign.id).await?,
    })
}

/// What waits for somebody at the keying page.
pub struct KeyingDesk {
    /// Forms that this account may key a second time.
    pub second: Vec<FormNumber>,
    /// Forms whose two keyings differ.
    pub different: Vec<FormNumber>,
}

pub async fn desk(context: &AppContext, account: &Account) -> Result<KeyingDesk, PaperFormError> {
    let mut connection = context.database.read().await?;
    let wanted = paper_forms::by_second_keying(&mut connection, SecondKeying::Wanted).await?;
    let different = paper_forms::by_second_keying(&mut connection, SecondKeying::Different).await?;
    let others = wanted.into_iter().filter(|(_, keyer)| *keyer != account.id);
    Ok(KeyingDesk {
        second: others.map(|(number, _)| number).collect(),
        different: different.into_iter().map(|(number, _)| number).collect(),
    })
}
