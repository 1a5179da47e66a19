//! What is known of people before the first contact of a campaign, so that their outcomes say it:
//! who refused before, whose number reaches nobody or somebody else, and whom no mode of the plan
//! reaches. Left alone, all of them would end as «not attempted».

use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::{DatabaseError, WriteTx, invitations, suppressions, wrong_numbers};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{CampaignId, CaseId, InvitationId};
use crate::domain::suppression::SuppressionReason;
use crate::domain::time::Timestamp;

/// Disposes the cases of a campaign that is being launched.
pub async fn dispose_known_at_launch(
    tx: &mut WriteTx,
    campaign: CampaignId,
    programme_code: &str,
    covers_fixed_lines: bool,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let source = DispositionSource::Launch;
    let wrong = wrong_numbers::of_campaign(tx, campaign).await?;
    let wrong_cases: Vec<CaseId> = wrong.iter().map(|(case, _)| *case).collect();
    cases::set_disposition(tx, &wrong_cases, Disposition::WrongNumber, &[], source, now).await?;
    // Nobody calls or writes to find out once more.
    cases::close_keeping_disposition(tx, &wrong_cases).await?;
    let mut ended: Vec<InvitationId> = wrong.into_iter().map(|(_, id)| id).collect();
    let suppressed = suppressions::of_campaign(tx, campaign, programme_code).await?;
    for reason in SuppressionReason::ALL {
        let of_reason = suppressed.iter().filter(|found| found.2 == reason.as_str());
        let those: Vec<CaseId> = of_reason.clone().map(|found| found.0).collect();
        ended.extend(of_reason.map(|found| found.1));
        let disposition = reason.disposition_before_launch();
        let before = disposition.replaces();
        cases::set_disposition(tx, &those, disposition, &before, source, now).await?;
    }
    ended.sort_unstable();
    ended.dedup();
    invitations::cancel_next_contacts(tx, &ended).await?;
    if !covers_fixed_lines {
        let fixed = invitations::cases_on_fixed_lines(tx, campaign).await?;
        let before = [Disposition::NotAttempted];
        cases::set_disposition(tx, &fixed, Disposition::NotCovered, &before, source, now).await?;
    }
    Ok(())
}
