//! Reapplies erasures after an older backup is restored. The key ring records the destroyed keys,
//! so the people erased since the backup are erased again.

use super::{ErasureError, ErasureOrder, person, purge};
use crate::adapters::database::erasure::{self, Applicant};
use crate::adapters::database::further_numbers;
use crate::services::context::AppContext;
use crate::services::list_import::further_numbers::hash_missing;

/// The original actor is not known any more.
const REAPPLIED: ErasureOrder<'static> = ErasureOrder {
    actor: "fieldworkd",
    reason: "forgotten before this database was restored from an older backup",
};

/// Erases again the people that the key ring records as erased. Returns the number of applicants
/// and of single persons.
///
/// # Errors
/// If some could not be erased; all others are.
pub async fn reapply_erasures(context: &AppContext) -> Result<(u64, u64), ErasureError> {
    hash_missing(context).await?;
    let mut applicants = Vec::new();
    for applicant in erasure::applicants(&mut *context.database.read().await?).await? {
        applicants.push(reapply_purge(context, &applicant).await);
    }
    let mut persons = Vec::new();
    for (key_id, phone_hash) in context.keys.erasures()? {
        persons.push(reapply_erasure(context, &key_id, &phone_hash).await);
    }
    purge::finish_purges(context).await?;
    let applicants = applicants.into_iter().sum::<Result<u64, ErasureError>>()?;
    let persons = persons.into_iter().sum::<Result<u64, ErasureError>>()?;
    Ok((applicants, persons))
}

/// Returns 1 if the applicant's people were erased again.
async fn reapply_purge(context: &AppContext, applicant: &Applicant) -> Result<u64, ErasureError> {
    if applicant.purged_at.is_some()
        || context.keys.destruction_reason(&applicant.key_id)?.is_none()
    {
        return Ok(0);
    }
    let mut tx = context.database.write().await?;
    let applicant = erasure::lock(&mut tx, applicant.id).await?;
    if applicant.purged_at.is_some() {
        return Ok(0);
    }
    erasure::close_restored_fields(&mut tx, applicant.id, context.clock.now()).await?;
    purge::blank_people(context, &mut tx, &applicant, REAPPLIED).await?;
    tx.commit().await?;
    Ok(1)
}

/// Returns how many people of this number were erased again.
async fn reapply_erasure(
    context: &AppContext,
    key_id: &str,
    phone_hash: &str,
) -> Result<u64, ErasureError> {
    let mut connection = context.database.read().await?;
    let found = erasure::find_by_key_and_phone(&mut connection, key_id, phone_hash).await?;
    let owners = further_numbers::owners(&mut connection, phone_hash, Some(key_id)).await?;
    drop(connection);
    if found.is_none() && owners.is_empty() {
        return Ok(0);
    }
    let found: Vec<_> = found.into_iter().collect();
    Ok(person::erase_rows(context, phone_hash, (&found, owners), REAPPLIED).await?.people)
}
