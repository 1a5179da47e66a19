//! Keyed hashes, by which numbers, links and references are found without being readable.

use data_encoding::{Encoding, HEXLOWER, Specification};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::domain::contact_plan::MessageSlot;
use crate::domain::ids::AccountId;
use crate::domain::origin::{Origin, OriginFacts};
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::time::Timestamp;

/// Derives all keyed values of an installation. The same inputs give the same value, so a reminder
/// repeats the same link.
#[derive(Clone)]
pub struct Hasher {
    numbers: [u8; 32],
    links: [u8; 32],
    references: [u8; 32],
    pseudonyms: [u8; 32],
    panel: [u8; 32],
    audit: [u8; 32],
}

/// Derives a key for one purpose.
pub(super) fn derive_key(installation_key: &[u8; 32], purpose: &str) -> [u8; 32] {
    let mut key = [0u8; 32];
    // 32 bytes are far below HKDF-SHA-256's limit of 8,160; exceeding it is its only error.
    Hkdf::<Sha256>::new(None, installation_key)
        .expand(purpose.as_bytes(), &mut key)
        .expect("32 bytes fit HKDF");
    key
}

impl Hasher {
    pub(super) fn new(installation_key: &[u8; 32]) -> Hasher {
        let derive = |purpose: &str| derive_key(installation_key, purpose);
        Hasher {
            numbers: derive("numbers"),
            links: derive("links"),
            references: derive("references"),
            pseudonyms: derive("pseudonyms"),
            panel: derive("panel"),
            audit: derive("audit"),
        }
    }

    /// Returns the hash of a number, used in every table and across applicants.
    pub fn phone_hash(&self, phone: &Phone) -> String {
        HEXLOWER.encode(&mac(&self.numbers, &phone.stored())[..16])
    }

    /// Returns the hash of a name, regardless of its spacing and of full-width letters; `-` for an
    /// empty name.
    pub fn name_hash(&self, name: &Personal) -> String {
        let letters: String = name
            .reveal()
            .nfkc()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect();
        if letters.is_empty() {
            "-".to_owned()
        } else {
            HEXLOWER.encode(&mac(&self.numbers, &format!("name\n{letters}"))[..16])
        }
    }

    /// Returns the code of a personal link: 16 characters of Crockford's alphabet, 80 bits.
    pub fn link_code(
        &self,
        campaign_code: &str,
        applicant_key_id: &str,
        phone_hash: &str,
    ) -> String {
        crockford().encode(
            &mac(&self.links, &format!("{campaign_code}\n{applicant_key_id}\n{phone_hash}"))[..10],
        )
    }

    /// Returns the hash by which a link's code is looked up.
    pub fn link_hash(&self, code: &str) -> String {
        HEXLOWER.encode(&mac(&self.links, &format!("stored\n{}", code.to_lowercase()))[..16])
    }

    /// Returns our reference of a message, which the gateway repeats in receipts. It is the same
    /// for the same slot of the same invitation. It starts with the invitation's id, by which the
    /// message is found ([`invitation_of_reference`]), followed by 80 unguessable bits.
    pub fn message_reference(&self, invitation: i64, slot: MessageSlot) -> String {
        let number = invitation.to_be_bytes();
        crockford().encode(
            &[
                &number[3..],
                &mac(&self.references, &format!("{invitation}\n{}", slot.seed()))[..10],
            ]
            .concat(),
        )
    }

    /// Returns the secret part of a gateway's webhook address.
    pub fn webhook_secret(&self, gateway: &str) -> String {
        crockford().encode(&mac(&self.references, &format!("webhook\n{gateway}"))[..15])
    }

    /// Returns the secret with which an endpoint verifies event signatures (`whsec_` and base64, as
    /// defined by Standard Webhooks).
    pub fn event_secret(&self, endpoint: &str, made_at: Timestamp) -> Personal {
        let secret = mac(&self.references, &format!("event endpoint\n{endpoint}\n{}", made_at.0));
        Personal::new(format!("whsec_{}", data_encoding::BASE64.encode(&secret)))
    }

    /// Returns the pseudonym of a case in datasets; it differs for the same person in every
    /// application.
    pub fn pseudonym(&self, application_code: &str, phone_hash: &str) -> String {
        crockford()
            .encode(&mac(&self.pseudonyms, &format!("{application_code}\n{phone_hash}"))[..10])
    }

    /// Returns the pseudonym of a person in all programmes of an applicant. Its key serves nothing
    /// else.
    pub fn panel_pseudonym(&self, applicant_code: &str, phone_hash: &str) -> String {
        crockford().encode(&mac(&self.panel, &format!("{applicant_code}\n{phone_hash}"))[..10])
    }

    /// Returns the pseudonym of an interviewer in the datasets of a programme.
    pub fn interviewer_pseudonym(&self, programme_code: &str, account: AccountId) -> String {
        let of_one = format!("interviewer\n{programme_code}\n{}", account.0);
        crockford().encode(&mac(&self.pseudonyms, &of_one)[..5])
    }

    /// Returns the hashes of the place where a web interview was answered. They can be compared
    /// within one applicant only.
    pub fn origin(&self, applicant_key_id: &str, facts: &OriginFacts) -> Origin {
        let (browser, network) = (facts.browser.reveal(), facts.network.reveal());
        let hash = |what: &str| {
            let of_one = format!("origin\n{applicant_key_id}\n{network}\n{what}");
            HEXLOWER.encode(&mac(&self.pseudonyms, &of_one)[..16])
        };
        Origin { device: hash(&format!("browser\n{browser}")), network: hash("") }
    }

    /// Returns the hash of an audit entry. It cannot be computed from the database alone.
    pub fn audit_hash(&self, entry: &str) -> String {
        HEXLOWER.encode(&mac(&self.audit, entry))
    }

    /// Returns a fingerprint that detects duplicates and reveals nothing of the content.
    pub fn fingerprint(&self, content: &[u8]) -> String {
        let mut fingerprint = self.begin_fingerprint();
        fingerprint.add(content);
        fingerprint.end()
    }

    /// Begins a fingerprint of content that arrives in pieces.
    pub fn begin_fingerprint(&self) -> Fingerprint {
        Fingerprint(new_mac(&self.references))
    }
}

pub struct Fingerprint(Hmac<Sha256>);

impl Fingerprint {
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn end(self) -> String {
        HEXLOWER.encode(&self.0.finalize().into_bytes()[..16])
    }
}

fn new_mac(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC accepts keys of any length; the error type belongs to other MACs of the same trait.
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn mac(key: &[u8; 32], text: &str) -> [u8; 32] {
    mac_bytes(key, text.as_bytes())
}

fn mac_bytes(key: &[u8; 32], content: &[u8]) -> [u8; 32] {
    let mut mac = new_mac(key);
    mac.update(content);
    mac.finalize().into_bytes().into()
}

/// Returns SHA-256 as lower-case hexadecimal, for files.
pub fn sha256_hex(content: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(content))
}

pub fn sha256(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// SHA-256 of content that arrives in pieces.
#[derive(Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    pub fn add(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// Returns the hash as lower-case hexadecimal.
    pub fn end(self) -> String {
        HEXLOWER.encode(&self.0.finalize())
    }
}

/// Returns the invitation's id at the start of a message's reference; `None` if the reference is
/// not ours.
pub fn invitation_of_reference(reference: &str) -> Option<i64> {
    let number = crockford().decode(reference.get(..8)?.as_bytes()).ok()?;
    Some(number.into_iter().fold(0, |whole, byte| whole << 8 | i64::from(byte)))
}

/// Crockford's base 32 in lower case: without i, l, o and u, so that a link read aloud is typed
/// correctly.
fn crockford() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    // 32 distinct ASCII symbols are a valid specification.
    specification.encoding().expect("32 symbols make an encoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_stable_distinct_and_80_bits_long() {
        let hasher = Hasher::new(&[1; 32]);
        let code = hasher.link_code("c1", "k1", "h1");
        assert_eq!(code, hasher.link_code("c1", "k1", "h1"));
        assert_eq!(code.len(), 16);
        assert_ne!(code, hasher.link_code("c2", "k1", "h1"));
        assert_ne!(code, Hasher::new(&[2; 32]).link_code("c1", "k1", "h1"));
        assert_eq!(hasher.link_hash(&code), hasher.link_hash(&code.to_uppercase()));
    }

    #[test]
    fn a_reference_names_its_invitation() {
        let hasher = Hasher::new(&[1; 32]);
        for invitation in [1, 255, 256, 10_000_000, (1 << 40) - 1] {
            assert_eq!(
                invitation_of_reference(
                    &hasher.message_reference(invitation, MessageSlot::step(3))
                ),
                Some(invitation)
            );
        }
        assert_eq!(["", "0123", "0000000!fct", "甲乙丙"].map(invitation_of_reference), [None; 4]);
    }
}
