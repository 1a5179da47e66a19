//! A database that comes back from an older backup has people in it that were forgotten since. The key ring knows: what it says is done again.

use super::{Order, RetentionError, person, purge};
use crate::services::context::Installation;
use crate::adapters::database::erasure;

/// Whoever asks for it is not known any more.
const AGAIN: Order<'static> = Order { who: "fieldworkd", reason: "forgotten before this database was restored from an older backup" };

/// Forgets again what the key ring knows to be forgotten; returns applicants and single persons.
pub async fn forget_again(installation: &Installation) -> Result<(u64, u64), RetentionError> {
    let (mut applicants, mut persons) = (0, 0);
    for applicant in erasure::applicants(&mut *installation.store.read().await?).await? {
        if applicant.purged_at.is_some() || installation.keys.destroyed(&applicant.key_id)?.is_none() {
            continue;
        }
        let mut tx = installation.store.write().await?;
        let applicant = erasure::lock(&mut tx, applicant.id).await?;
        if applicant.purged_at.is_none() {
            erasure::end_fields(&mut tx, applicant.id, installation.clock.now()).await?;
            purge::blank(installation, &mut tx, &applicant, AGAIN).await?;
            tx.commit().await?;
            applicants += 1;
        }
    }
    for (key_id, phone_hash) in installation.keys.erasures()? {
        let found = erasure::by_key_and_number(&mut *installation.store.read().await?, &key_id, &phone_hash).await?;
        if let Some((respondent, applicant)) = found {
            persons += person::erase_rows(installation, &phone_hash, &[(respondent, applicant)], AGAIN).await?.people;
        }
    }
    purge::finish(installation).await?;
    Ok((applicants, persons))
}
