//! What a delivery receipt changes: the message's state, the case's disposition, and the end of an
//! invitation whose number is dead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::DispatchError;
use crate::adapters::database::cases::{self, DispositionSource};
use crate::adapters::database::receipts::{self, ReceiptEffect};
use crate::adapters::database::{WriteTx, invitations};
use crate::domain::disposition::Disposition;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::stuck_work::{Isolation, WorkKind};

/// Applies one receipt inside the caller's transaction.
pub async fn apply_receipt(
    tx: &mut WriteTx,
    receipt: &receipts::Receipt,
    now: Timestamp,
) -> Result<(), DispatchError> {
    let ReceiptEffect::MessageUpdated { invitation, delivered } =
        receipts::apply(tx, receipt, now).await?
    else {
        return Ok(());
    };
    let unheard = [Disposition::NotAttempted, Disposition::NothingHeard];
    let replaceable = Disposition::NonContact.replaces();
    let (to, from) = match (delivered, receipt.dead_number) {
        (true, _) => (Disposition::NonContact, &replaceable[..]),
        (false, true) => (Disposition::Undeliverable, &unheard[..]),
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
    if !delivered && receipt.dead_number {
        invitations::cancel_next_contacts(tx, &[invitation]).await?;
    }
    Ok(())
}

/// Applies the receipts that have waited for a gateway's answer to these ids.
pub async fn apply_early_receipts(
    context: &AppContext,
    tx: &mut WriteTx,
    gateway: &str,
    ids: &[String],
    now: Timestamp,
) -> Result<u64, DispatchError> {
    let spelled = context.gateways.get(gateway).and_then(|gateway| gateway.receipt_ids());
    let confirms_part = context.submits_parts(gateway);
    let mut applied = 0;
    for id in ids {
        let spellings = spelled.map_or_else(|| vec![id.clone()], |ids| ids.spellings(id));
        for receipt in receipts::take_unmatched(tx, gateway, id, &spellings, confirms_part).await? {
            apply_receipt(tx, &receipt, now).await?;
            applied += 1;
        }
    }
    Ok(applied)
}

/// So long ago, whoever wrote a receipt or an answer has committed it.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Receipts are looked at again for so long.
const LOOK_BACK: Duration = Duration::from_secs(900);
const MAX_LATE_RECEIPTS: u32 = 10_000;

/// Applies the receipts of the last minutes whose message is known by now: on PostgreSQL a receipt
/// and the answer to its submit may be written at the same time, each without seeing the other.
/// Returns how many were applied.
pub async fn apply_late_receipts(context: &AppContext) -> Result<u64, DispatchError> {
    let now = context.clock.now();
    let recent = (now - LOOK_BACK, now - SETTLED_AFTER);
    let mut connection = context.database.read().await?;
    let waiting = receipts::unmatched_between(&mut connection, recent, MAX_LATE_RECEIPTS).await?;
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let gateways: BTreeSet<&String> = waiting.iter().map(|(gateway, _)| gateway).collect();
    for gateway in gateways {
        let spelled = context.gateways.get(gateway).and_then(|gateway| gateway.receipt_ids());
        let ids = waiting.iter().filter(|(of, _)| of == gateway).map(|(_, id)| id);
        let spellings: Vec<String> = match spelled {
            Some(spelled) => ids.flat_map(|id| spelled.spellings(id)).collect(),
            None => ids.cloned().collect(),
        };
        let found = receipts::known_ids(&mut connection, gateway, &spellings).await?;
        if !found.is_empty() {
            known.insert(gateway.clone(), found);
        }
    }
    drop(connection);
    let mut applied = 0;
    if known.is_empty() {
        return Ok(applied);
    }
    let mut isolation = Isolation::load(context, WorkKind::Receipt).await?;
    let mut known_receipts = Vec::new();
    for (gateway, ids) in known {
        known_receipts.extend(ids.into_iter().map(|id| (gateway.clone(), id)));
    }
    for (gateway, id) in known_receipts {
        let item = format!("{gateway} {id}");
        if !isolation.holds_back(&item) {
            let result = apply_late_receipt(context, &gateway, &id, now).await;
            applied += isolation.record(&item, result).await?.unwrap_or(0);
        }
    }
    Ok(applied)
}

async fn apply_late_receipt(
    context: &AppContext,
    gateway: &str,
    id: &String,
    now: Timestamp,
) -> Result<u64, DispatchError> {
    let mut tx = context.database.write().await?;
    let applied =
        apply_early_receipts(context, &mut tx, gateway, std::slice::from_ref(id), now).await?;
    tx.commit().await?;
    Ok(applied)
}
