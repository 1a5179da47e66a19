//! What a delivery receipt changes: the message's state, the case's disposition, and the end of an
//! invitation whose number is dead.

use super::DispatchError;
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::receipts::{self, ReceiptEffect};
use crate::adapters::database::{WriteTx, invitations};
use crate::domain::disposition::Disposition;
use crate::domain::time::Timestamp;

/// Applies one receipt inside the caller's transaction. `dead_number`: the gateway's code says that
/// the number does not work.
pub async fn apply_receipt(
    tx: &mut WriteTx,
    receipt: &receipts::Receipt,
    dead_number: bool,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let ReceiptEffect::MessageUpdated(invitation) = receipts::apply(tx, receipt, now).await? else {
        return Ok(());
    };
    let unheard = [Disposition::NotAttempted, Disposition::NothingHeard];
    let replaceable = Disposition::NonContact.replaces();
    let (to, from) = match (receipt.delivered, dead_number) {
        (true, _) => (Disposition::NonContact, &replaceable[..]),
        (false, true) => (Disposition::NonWorkingNumber, &unheard[..]),
        (false, false) => (Disposition::NothingHeard, &unheard[..1]),
    };
    cases::set_disposition_of_invitations(
        tx,
        &[invitation],
        to,
        from,
        DispositionSource::Gateway,
        now,
    )
    .await?;
    if !receipt.delivered && dead_number {
        invitations::cancel_next_contacts(tx, &[invitation]).await?;
    }
    Ok(())
}
