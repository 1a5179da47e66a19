//! Suppressions: numbers that must not be contacted, entered one by one, read from a file, or opted
//! out. A permanent suppression ends what was planned.

mod import;
mod known_at_launch;

pub use import::{SuppressionDefaults, SuppressionError, import_suppressions};
pub use known_at_launch::dispose_known_at_launch;

use crate::adapters::database::cases::DispositionSource;
use crate::adapters::database::suppressions::{self, NewSuppression};
use crate::adapters::database::{
    DatabaseError, WriteTx, cases, further_numbers, invitations, programmes, refusals,
    wrong_numbers,
};
use crate::domain::disposition::Disposition;
use crate::domain::ids::{InvitationId, ProgrammeId};
use crate::domain::suppression::SuppressionReason;
use crate::domain::time::Timestamp;

/// Why a number is not contacted, and until when.
#[derive(Debug, Clone)]
pub struct SuppressionRequest<'a> {
    pub reason: SuppressionReason,
    /// `None`: everywhere.
    pub programme: Option<ProgrammeId>,
    /// `None`: for good.
    pub expires_at: Option<Timestamp>,
    pub phone_hash: &'a str,
}

/// Suppresses a number in a programme, or everywhere, and ends all that was planned for it; a
/// suppression for a time only holds it up. An opt-out or a complaint is the person's: it holds for
/// all numbers that are theirs alone on the lists.
pub async fn suppress(
    tx: &mut WriteTx,
    suppression: &SuppressionRequest<'_>,
    source: DispositionSource,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let &SuppressionRequest { reason, programme, expires_at, phone_hash } = suppression;
    let scope = match programme {
        Some(programme) => programmes::get(tx, programme).await?.code,
        None => suppressions::ALL.to_owned(),
    };
    // A person refuses, whichever number of theirs it is about; a number is invalid by itself.
    let numbers = match reason {
        SuppressionReason::OptOut | SuppressionReason::Complaint => {
            further_numbers::of_same_person(tx, phone_hash).await?
        }
        SuppressionReason::Invalid => [phone_hash.to_owned()].into(),
    };
    let mut invitation_ids = Vec::new();
    for phone_hash in &numbers {
        invitation_ids.extend(invitations::list_by_phone(tx, phone_hash, programme).await?);
    }
    // Locked in this order everywhere.
    invitation_ids.sort_unstable();
    // Before: whoever takes a refusal back at this moment is waited for, and this opt-out comes
    // after. Behind: so is whoever refuses at this moment.
    refusals::make_final(tx, &invitation_ids).await?;
    for phone_hash in &numbers {
        let new = NewSuppression {
            phone_hash,
            scope: &scope,
            reason: reason.as_str(),
            expires_at,
            source: source.as_str(),
        };
        suppressions::add(tx, &new, now).await?;
    }
    refusals::make_final(tx, &invitation_ids).await?;
    if expires_at.is_some() {
        return Ok(());
    }
    let open = cases::open_of_invitations(tx, &invitation_ids).await?;
    // What staff enter, or import, was said elsewhere and not to this campaign.
    let disposition = match source {
        DispositionSource::Staff => reason.disposition_told_elsewhere(),
        _ => reason.disposition(),
    };
    cases::set_disposition(tx, &open, disposition, &disposition.replaces(), source, now).await?;
    invitations::cancel_next_contacts(tx, &invitation_ids).await?;
    Ok(())
}

/// Whoever answers a number is not the person: no more contacts of that person by that number, in any
/// campaign of the applicant. Somebody else with the number, on another applicant's list, is
/// contacted: there it may be right.
pub async fn block_wrong_number(
    tx: &mut WriteTx,
    invitation: InvitationId,
    source: DispositionSource,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let same = invitations::of_same_person(tx, invitation).await?;
    let open = cases::open_of_invitations(tx, &same).await?;
    let disposition = Disposition::WrongNumber;
    cases::set_disposition(tx, &open, disposition, &disposition.replaces(), source, now).await?;
    invitations::cancel_next_contacts(tx, &same).await?;
    wrong_numbers::add(tx, invitation, now).await
}

/// A person does not want to be contacted any more.
pub async fn opt_out(
    tx: &mut WriteTx,
    phone_hash: &str,
    programme: Option<ProgrammeId>,
    source: DispositionSource,
    now: Timestamp,
) -> Result<(), DatabaseError> {
    let suppression = SuppressionRequest {
        reason: SuppressionReason::OptOut,
        programme,
        expires_at: None,
        phone_hash,
    };
    suppress(tx, &suppression, source, now).await
}

/// A person wants to be contacted again: their own opt-out from the programme, and from all, is
/// lifted. Cases that it ended stay as they are. Returns whether there was one.
pub async fn resubscribe(
    tx: &mut WriteTx,
    phone_hash: &str,
    programme: Option<ProgrammeId>,
) -> Result<bool, DatabaseError> {
    let mut scopes = vec![suppressions::ALL.to_owned()];
    if let Some(programme) = programme {
        scopes.push(programmes::get(tx, programme).await?.code);
    }
    let mut lifted = 0;
    for number in further_numbers::of_same_person(tx, phone_hash).await? {
        lifted += suppressions::lift_own_opt_outs(tx, &number, &scopes).await?;
    }
    Ok(lifted > 0)
}
