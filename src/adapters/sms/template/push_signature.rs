//! Verifies the signature that a gateway's file demands of its pushes.

use std::borrow::Cow;

use super::super::http::{same, spellings};
use super::super::{Push, PushError};
use super::entries::PushEntry;
use super::evaluation::{Evaluation, Known};
use super::pattern::Slot;
use super::push_fields::SignatureFields;
use super::request::Account;
use crate::domain::time::Timestamp;

/// Checks every entry of a push. A push of which one entry is forged is refused whole.
pub(super) fn verify(
    signature: Option<&SignatureFields>,
    account: &Account,
    push: Push<'_>,
    entries: &[PushEntry],
) -> Result<(), PushError> {
    let Some(signature) = signature else { return Ok(()) };
    let is_signed = |entry: Option<&PushEntry>| {
        let given = match (&signature.header, &signature.field) {
            (Some(header), _) => {
                push.headers.get(header).and_then(|value| value.to_str().ok()).map(str::to_owned)
            }
            (None, Some(field)) => entry.and_then(|entry| entry.at(field)),
            (None, None) => None,
        };
        let given = given.unwrap_or_default();
        // An empty text is no signature, whatever the file computes.
        !given.is_empty()
            && addresses(push).iter().any(|url| {
                expected(signature, account, push, url, entry)
                    .is_some_and(|expected| same(&expected, &given))
            })
    };
    let all_signed = match (entries, &signature.header) {
        ([], _) => is_signed(None),
        // A header signs the push as a whole.
        ([first, ..], Some(_)) => is_signed(Some(first)),
        (entries, None) => entries.iter().all(|entry| is_signed(Some(entry))),
    };
    if all_signed { Ok(()) } else { Err(PushError::Forged) }
}

/// Returns our address as it was called, with and without its port.
fn addresses(push: Push<'_>) -> Vec<String> {
    match push.query {
        "" => spellings(push.url),
        query => spellings(&format!("{}?{query}", push.url)),
    }
}

fn expected(
    signature: &SignatureFields,
    account: &Account,
    push: Push<'_>,
    url: &str,
    entry: Option<&PushEntry>,
) -> Option<String> {
    let others = |slot: &Slot| -> Cow<'_, str> { account.value_of(slot).unwrap_or_default() };
    // The signature of a push is not computed of the time or of random digits of ours.
    let evaluation = Evaluation::new(&signature.values, Timestamp(0), |_| false, others).ok()?;
    *evaluation.known.borrow_mut() = Known {
        url: url.to_owned(),
        body: String::from_utf8_lossy(push.body).into_owned(),
        fields: entry.map(PushEntry::fields).unwrap_or_default(),
        ..Known::default()
    };
    Some(signature.equals.fill(|slot| evaluation.value_of(slot), str::to_owned))
}
