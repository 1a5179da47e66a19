//! The hashes of people's further numbers, by which access, erasure, opt-outs and the search find
//! whoever has a number as a further one.

use crate::adapters::crypto::{Hasher, KeyRingError};
use crate::adapters::database::{DatabaseError, further_numbers};
use crate::domain::ids::RespondentId;
use crate::domain::person::Person;
use crate::domain::phone::Phone;
use crate::services::context::AppContext;
use crate::services::sealing::open_person;

/// The number of people whose numbers are hashed at a time.
const HASH_BATCH: u32 = 500;

/// The hashes of a person's further numbers.
pub(super) fn hashes_of(hasher: &Hasher, person: &Person) -> Vec<String> {
    let numbers = person.other_numbers.reveal().lines();
    numbers.filter_map(|n| Phone::from_e164(n).ok()).map(|n| hasher.phone_hash(&n)).collect()
}

/// Computes the hashes of people who were stored before further numbers were hashed. Nothing is to
/// be done from the second call on.
pub async fn hash_missing(context: &AppContext) -> Result<(), DatabaseError> {
    let mut last = RespondentId(0);
    loop {
        let mut connection = context.database.read().await?;
        let people = further_numbers::not_hashed(&mut connection, last, HASH_BATCH).await?;
        drop(connection);
        if people.is_empty() {
            return Ok(());
        }
        let hasher = context.keys.hasher();
        let (mut ids, mut numbers) = (Vec::new(), Vec::new());
        for (id, key, sealed) in people {
            last = id;
            match context.keys.sealer(&key) {
                Ok(sealer) => {
                    // What does not open under its own key never will.
                    let person = open_person(&sealer, &sealed).unwrap_or_default();
                    numbers.extend(hashes_of(hasher, &person).into_iter().map(|hash| (id, hash)));
                }
                Err(KeyRingError::Destroyed { .. }) => {}
                // The key may come back with the right key ring: it is tried again next time.
                Err(error) => {
                    tracing::warn!(%error, "the further numbers of a person cannot be read");
                    continue;
                }
            }
            ids.push(id);
        }
        let numbers: Vec<(RespondentId, &str)> =
            numbers.iter().map(|(id, hash)| (*id, hash.as_str())).collect();
        let mut tx = context.database.write().await?;
        further_numbers::add(&mut tx, &numbers).await?;
        further_numbers::set_hashed(&mut tx, &ids).await?;
        tx.commit().await?;
    }
}
