//! Who sent a reply. Gateways write numbers in every form: with a plus, with a country code and no
//! plus, as dialled at home. What we have written to tells which reading is right.

use phonenumber::country;

use crate::adapters::crypto::Hasher;
use crate::adapters::database::replies::{self, LatestContact};
use crate::adapters::database::{DatabaseError, WriteTx};
use crate::adapters::sms::NumberKind;
use crate::domain::personal::Personal;
use crate::domain::phone::{Phone, PhoneError, PhoneKind};

/// The sender of a reply.
pub struct Sender {
    /// Of the number, or of what stood in its place.
    pub phone_hash: String,
    /// The latest contact with the number.
    pub contacted: Option<LatestContact>,
    /// Whether it is no telephone number in any reading.
    pub is_unmatched: bool,
}

/// Finds the sender: the first reading of the number that we have written to, else the most likely.
pub async fn find_sender(
    tx: &mut WriteTx,
    hasher: &Hasher,
    from: &Personal,
    kind: NumberKind,
    region: country::Id,
) -> Result<Sender, DatabaseError> {
    let readings = readings(from.reveal(), kind, region);
    for phone in &readings {
        let phone_hash = hasher.phone_hash(phone);
        if let Some(contacted) = replies::latest_contact(tx, &phone_hash).await? {
            return Ok(Sender { phone_hash, contacted: Some(contacted), is_unmatched: false });
        }
    }
    let (phone_hash, is_unmatched) = match readings.first() {
        Some(phone) => (hasher.phone_hash(phone), false),
        None => (hasher.fingerprint(format!("sender\n{}", from.reveal()).as_bytes()), true),
    };
    Ok(Sender { phone_hash, contacted: None, is_unmatched })
}

/// Returns the numbers that a sender may be, the most likely first.
fn readings(raw: &str, kind: NumberKind, region: country::Id) -> Vec<Phone> {
    let bare = raw.trim().trim_start_matches(|c: char| c.is_whitespace());
    let international = format!("+{}", bare.trim_start_matches('+').trim_start_matches("00"));
    let is_mobile = |read: &Result<Phone, PhoneError>| {
        read.as_ref().is_ok_and(|phone| phone.kind() == PhoneKind::Mobile)
    };
    let (home, abroad) = (Phone::parse(bare, region), Phone::parse(&international, region));
    let ordered = match kind {
        _ if bare.starts_with('+') || bare.starts_with("00") => [abroad, home],
        NumberKind::International => [abroad, home],
        // No fixed line sends messages.
        NumberKind::Unknown if is_mobile(&abroad) && !is_mobile(&home) => [abroad, home],
        NumberKind::National | NumberKind::Unknown => [home, abroad],
        NumberKind::NotDialled => return Vec::new(),
    };
    let mut phones: Vec<Phone> = Vec::new();
    for phone in ordered.into_iter().flatten() {
        if !phones.contains(&phone) {
            phones.push(phone);
        }
    }
    phones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_form() {
        use NumberKind::{International, National, NotDialled, Unknown};
        for (raw, kind, expected) in [
            ("13800138000", Unknown, &["+8613800138000"][..]),
            ("13800138000", National, &["+8613800138000"]),
            ("8613800138000", Unknown, &["+8613800138000"]),
            ("8613800138000", International, &["+8613800138000"]),
            ("+8613800138000", National, &["+8613800138000"]),
            ("008613800138000", Unknown, &["+8613800138000"]),
            (" 86 138-0013-8000", Unknown, &["+8613800138000"]),
            // No area of the mainland begins with 852.
            ("85261234567", Unknown, &["+85261234567"]),
            ("4915112345678", Unknown, &["+4915112345678"]),
            ("12025550143", Unknown, &["+12025550143"]),
            // A mobile of China, and a number of New York.
            ("13475550143", Unknown, &["+8613475550143", "+13475550143"]),
            ("13475550143", International, &["+13475550143", "+8613475550143"]),
            ("10086", Unknown, &[]),
            ("13800138000", NotDialled, &[]),
            ("CMCC", Unknown, &[]),
            ("", Unknown, &[]),
        ] {
            let read: Vec<String> = readings(raw, kind, country::CN)
                .iter()
                .map(|phone| phone.e164().to_owned())
                .collect();
            assert_eq!(read, expected, "{raw} {kind:?}");
        }
    }
}
