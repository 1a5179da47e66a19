//! A database that comes back from an older backup has people in it that were forgotten since. The
//! key ring knows: what it says is done again.

use super::{ErasureError, ErasureOrder, person, purge};
use crate::adapters::database::erasure;
use crate::services::context::AppContext;

/// Whoever asks for it is not known any more.
const REAPPLIED: ErasureOrder<'static> = ErasureOrder {
    actor: "fieldworkd",
    reason: "forgotten before this database was restored from an older backup",
};

/// Forgets again what the key ring knows to be forgotten; returns applicants and single persons.
pub async fn reapply_erasures(context: &AppContext) -> Result<(u64, u64), ErasureError> {
    let (mut applicants, mut persons) = (0, 0);
    for applicant in erasure::applicants(&mut *context.database.read().await?).await? {
        if applicant.purged_at.is_some()
            || context.keys.destruction_reason(&applicant.key_id)?.is_none()
        {
            continue;
        }
        let mut tx = context.database.write().await?;
        let applicant = erasure::lock(&mut tx, applicant.id).await?;
        if applicant.purged_at.is_none() {
            erasure::close_restored_fields(&mut tx, applicant.id, context.clock.now()).await?;
            purge::blank_people(context, &mut tx, &applicant, REAPPLIED).await?;
            tx.commit().await?;
            applicants += 1;
        }
    }
    for (key_id, phone_hash) in context.keys.erasures()? {
        let found = erasure::find_by_key_and_phone(
            &mut *context.database.read().await?,
            &key_id,
            &phone_hash,
        )
        .await?;
        if let Some((respondent, applicant)) = found {
            persons +=
                person::erase_rows(context, &phone_hash, &[(respondent, applicant)], REAPPLIED)
                    .await?
                    .people;
        }
    }
    purge::finish_purges(context).await?;
    Ok((applicants, persons))
}
