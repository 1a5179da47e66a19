//! Finds cases by number, name, pseudonym or case number. Numbers and names are found by their
//! keyed hashes; only what is shown is unsealed, and it is shown masked.

use phonenumber::country;

use super::MonitoringError;
use crate::adapters::crypto::KeyRingError;
use crate::adapters::database::lists;
use crate::adapters::database::timeline::{self, CaseDetails, CaseFilter};
use crate::domain::disposition::Disposition;
use crate::domain::ids::CaseId;
use crate::domain::personal::{Personal, masked};
use crate::domain::phone::Phone;
use crate::services::context::AppContext;
use crate::services::list_import::further_numbers::hash_missing;
use crate::services::sealing::{open_person, open_phone};

/// The number of people whose name hashes are computed at a time.
const HASH_BATCH: u32 = 500;

/// A case in a list, with its person masked; `None`: the person is erased.
pub struct CaseMatch {
    pub case: CaseDetails,
    pub masked: Option<MaskedPerson>,
}

/// A masked name and number.
pub struct MaskedPerson {
    pub name: String,
    pub number: String,
}

/// Searches cases. Digits are a phone number or a case number; other text is a name or a pseudonym.
pub async fn search(
    context: &AppContext,
    words: &Personal,
    limit: u32,
) -> Result<Vec<CaseMatch>, MonitoringError> {
    let text = words.reveal().trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    hash_names(context).await?;
    hash_missing(context).await?;
    let region = context.config.default_region.parse().unwrap_or(country::CN);
    let hasher = context.keys.hasher();
    let mut connection = context.database.read().await?;
    let own_number =
        text.strip_prefix('#').unwrap_or(text).parse::<i64>().ok().filter(|_| text.len() < 7);
    let mut found: Vec<CaseDetails> = match own_number {
        Some(number) => {
            timeline::case(&mut connection, CaseId(number)).await?.into_iter().collect()
        }
        None => Vec::new(),
    };
    if let Ok(phone) = Phone::parse(text, region) {
        found.extend(
            timeline::cases(
                &mut connection,
                &CaseFilter::PhoneHash(&hasher.phone_hash(&phone)),
                None,
                limit,
            )
            .await?,
        );
    }
    if found.is_empty() {
        found.extend(
            timeline::cases(
                &mut connection,
                &CaseFilter::NameHash(&hasher.name_hash(words)),
                None,
                limit,
            )
            .await?,
        );
    }
    if found.is_empty() {
        found.extend(
            timeline::cases(
                &mut connection,
                &CaseFilter::Pseudonym(&text.to_lowercase()),
                None,
                limit,
            )
            .await?,
        );
    }
    drop(connection);
    found.into_iter().map(|case| mask(context, case)).collect()
}

/// Returns the cases of an application, latest first.
pub async fn cases_of_application(
    context: &AppContext,
    code: &str,
    at: Option<Disposition>,
    before: Option<CaseId>,
    limit: u32,
) -> Result<Vec<CaseMatch>, MonitoringError> {
    let found = timeline::cases(
        &mut *context.database.read().await?,
        &CaseFilter::Application(code, at),
        before,
        limit,
    )
    .await?;
    found.into_iter().map(|case| mask(context, case)).collect()
}

pub(super) fn mask(context: &AppContext, case: CaseDetails) -> Result<CaseMatch, MonitoringError> {
    let mask = |(name, number): (Personal, Phone)| MaskedPerson {
        name: masked(name.reveal()),
        number: masked(&number.national()),
    };
    let masked = open_case_person(context, &case)?.map(mask);
    Ok(CaseMatch { case, masked })
}

/// Returns the name and number of a case's person; `None`: the person is erased.
pub(super) fn open_case_person(
    context: &AppContext,
    case: &CaseDetails,
) -> Result<Option<(Personal, Phone)>, MonitoringError> {
    if case.is_erased {
        return Ok(None);
    }
    let sealer = match context.keys.sealer(&case.key_id) {
        Err(KeyRingError::Destroyed { .. }) => return Ok(None),
        sealer => sealer?,
    };
    Ok(Some((
        open_person(&sealer, &case.person_sealed)?.name,
        open_phone(&sealer, &case.phone_sealed)?,
    )))
}

/// Computes the missing hashes of names stored before names could be searched.
async fn hash_names(context: &AppContext) -> Result<(), MonitoringError> {
    loop {
        let people =
            lists::without_name_hash(&mut *context.database.read().await?, HASH_BATCH).await?;
        if people.is_empty() {
            return Ok(());
        }
        let mut tx = context.database.write().await?;
        for (person, key, sealed) in people {
            let decrypted = context
                .keys
                .sealer(&key)
                .ok()
                .and_then(|sealer| open_person(&sealer, &sealed).ok());
            let hash = decrypted.map_or_else(
                || "-".to_owned(),
                |person| context.keys.hasher().name_hash(&person.name),
            );
            lists::set_name_hash(&mut tx, person, &hash).await?;
        }
        tx.commit().await?;
    }
}
