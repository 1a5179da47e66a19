//! Cases, found by what somebody knows of a person: a number, a name, a pseudonym, the case's own number. Numbers and names are looked for by their keyed
//! hashes; nothing is opened but what is shown, and that only masked.

use phonenumber::country;

use super::WatchError;
use crate::adapters::crypto::KeyRingError;
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::{Personal, masked};
use crate::domain::phone::Phone;
use crate::services::context::Installation;
use crate::services::sealing::{open_person, open_phone};
use crate::adapters::database::lists;
use crate::adapters::database::timeline::{self, By, CaseOf};

/// People whose names are reckoned at a time.
const AT_ONCE: u32 = 500;

/// A case in a list: its person only masked; `None`: forgotten.
pub struct Found {
    pub case: CaseOf,
    pub masked: Option<Masked>,
}

/// The shape of a name and of a number.
pub struct Masked {
    pub name: String,
    pub number: String,
}

/// Cases of whoever is meant. A text of digits is a number, or a case's own; other words are a name or a pseudonym.
pub async fn search(installation: &Installation, words: &Personal, limit: u32) -> Result<Vec<Found>, WatchError> {
    let text = words.reveal().trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    hash_names(installation).await?;
    let region = installation.config.default_region.parse().unwrap_or(country::CN);
    let hasher = installation.keys.hasher();
    let mut connection = installation.store.read().await?;
    let own_number = text.strip_prefix('#').unwrap_or(text).parse::<i64>().ok().filter(|_| text.len() < 7);
    let mut found: Vec<CaseOf> = match own_number {
        Some(number) => timeline::case(&mut connection, CaseId(number)).await?.into_iter().collect(),
        None => Vec::new(),
    };
    if let Ok(phone) = Phone::parse(text, region) {
        found.extend(timeline::cases(&mut connection, &By::NumberHash(&hasher.number(&phone)), None, limit).await?);
    }
    if found.is_empty() {
        found.extend(timeline::cases(&mut connection, &By::NameHash(&hasher.name(words)), None, limit).await?);
    }
    if found.is_empty() {
        found.extend(timeline::cases(&mut connection, &By::Pseudonym(&text.to_lowercase()), None, limit).await?);
    }
    drop(connection);
    found.into_iter().map(|case| mask(installation, case)).collect()
}

/// Cases of an application, the latest first.
pub async fn of_application(
    installation: &Installation,
    code: &str,
    at: Option<Disposition>,
    before: Option<CaseId>,
    limit: u32,
) -> Result<Vec<Found>, WatchError> {
    let found = timeline::cases(&mut *installation.store.read().await?, &By::Application(code, at), before, limit).await?;
    found.into_iter().map(|case| mask(installation, case)).collect()
}

pub(super) fn mask(installation: &Installation, case: CaseOf) -> Result<Found, WatchError> {
    let mask = |(name, number): (Personal, Phone)| Masked { name: masked(name.reveal()), number: masked(&number.national()) };
    let masked = opened(installation, &case)?.map(mask);
    Ok(Found { case, masked })
}

/// The name and the number of a case's person; `None`: they are forgotten.
pub(super) fn opened(installation: &Installation, case: &CaseOf) -> Result<Option<(Personal, Phone)>, WatchError> {
    if case.is_erased {
        return Ok(None);
    }
    let sealer = match installation.keys.sealer(&case.key_id) {
        Err(KeyRingError::Destroyed { .. }) => return Ok(None),
        sealer => sealer?,
    };
    Ok(Some((open_person(&sealer, &case.person_sealed)?.name, open_phone(&sealer, &case.phone_sealed)?)))
}

/// Reckons the hashes of names that came before names could be found.
async fn hash_names(installation: &Installation) -> Result<(), WatchError> {
    loop {
        let people = lists::without_name_hash(&mut *installation.store.read().await?, AT_ONCE).await?;
        if people.is_empty() {
            return Ok(());
        }
        let mut tx = installation.store.write().await?;
        for (person, key, sealed) in people {
            let opened = installation.keys.sealer(&key).ok().and_then(|sealer| open_person(&sealer, &sealed).ok());
            let hash = opened.map_or_else(|| "-".to_owned(), |person| installation.keys.hasher().name(&person.name));
            lists::set_name_hash(&mut tx, person, &hash).await?;
        }
        tx.commit().await?;
    }
}
