//! Reapplies erasures after an older backup is restored. The key ring records the destroyed keys,
//! so the people erased since the backup are erased again.

use super::{ErasureError, ErasureOrder, person, purge};
use crate::adapters::database::erasure;
use crate::services::context::AppContext;

/// The original actor is not known any more.
const REAPPLIED: ErasureOrder<'static> = ErasureOrder {
    actor: "fieldworkd",
    reason: "forgotten before this database was restored from an older backup",
};

/// Erases again the people that the key ring records as erased. Returns the number of applicants
/// and of single persons.
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
