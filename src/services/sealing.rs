//! Opens the sealed values of a person, and defines the context that each is sealed for.

use std::collections::BTreeMap;

use crate::adapters::crypto::{SealError, Sealer};
use crate::domain::person::Person;
use crate::domain::phone::Phone;

/// The context a value was sealed for (authenticated data): it opens only under the same context.
pub mod seal_context {
    pub const PHONE: &str = "respondent.phone";
    pub const APPLICANT_MOBILE: &str = "applicant_link.mobile";
    pub const LIST_DECLARATION: &str = "list_draft.declared";
    pub const LIST_RETURNED: &str = "list_draft.returned";
    pub const APPLICANT_CONTACT: &str = "applicant.contact";
    pub const PERSON: &str = "respondent.person";
    pub const LIST_FIELDS: &str = "case.fields";
    pub const OPEN_ANSWER: &str = "answer.value";
    pub const REPLY: &str = "reply.text";
    pub const REPLY_SENDER: &str = "reply.sender";
    pub const STAFF_ANSWER: &str = "staff_answer.text";
    pub const REPLY_PART: &str = "reply_part";
    pub const CALL_NOTE: &str = "phone_call.note";
    pub const PAPER_KEYING: &str = "paper_keying.fields";
    pub const SMS_QUESTION: &str = "sms_interview.text";
    pub const FROZEN: &str = "frozen.cells";
    pub const ONE_TIME: &str = "account.totp";
    pub const STAFF_NAME: &str = "account.full_name";
    pub const STAFF_PHONE: &str = "account.phone";
}

/// Opens the list fields of a case.
pub fn open_fields(
    sealer: &Sealer,
    sealed: Option<&[u8]>,
) -> Result<BTreeMap<String, String>, SealError> {
    let Some(sealed) = sealed else { return Ok(BTreeMap::new()) };
    serde_json::from_str(&sealer.open_text(seal_context::LIST_FIELDS, sealed)?)
        .map_err(|_| SealError::Broken)
}

/// Opens a respondent's sealed phone number.
pub fn open_phone(sealer: &Sealer, sealed: &[u8]) -> Result<Phone, SealError> {
    Phone::from_e164(&sealer.open_text(seal_context::PHONE, sealed)?).map_err(|_| SealError::Broken)
}

/// Opens a respondent's sealed person data.
pub fn open_person(sealer: &Sealer, sealed: &[u8]) -> Result<Person, SealError> {
    Person::from_sealable(&sealer.open_text(seal_context::PERSON, sealed)?).ok_or(SealError::Broken)
}
