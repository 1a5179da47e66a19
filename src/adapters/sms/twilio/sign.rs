//! `X-Twilio-Signature`: base64 of an HMAC over the full address and the sorted form.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Returns the algorithm named in `X-Twilio-Webhooks-Signature-Settings`
    /// (`key=…,algorithm=HMAC_SHA256`); SHA-1 if none is named.
    pub fn named_in(settings: &str) -> Algorithm {
        let named = settings
            .split(',')
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim() == "algorithm");
        if named.is_some_and(|(_, value)| value.trim().eq_ignore_ascii_case("HMAC_SHA256")) {
            Algorithm::Sha256
        } else {
            Algorithm::Sha1
        }
    }
}

/// Returns the signature of a push to `url` with these form fields. A value that is repeated under
/// one name counts once.
pub fn signature(
    url: &str,
    fields: &[(String, String)],
    token: &str,
    algorithm: Algorithm,
) -> String {
    let mut sorted: Vec<&(String, String)> = fields.iter().collect();
    sorted.sort();
    sorted.dedup();
    let signed: String = std::iter::once(url.to_owned())
        .chain(sorted.iter().map(|(name, value)| format!("{name}{value}")))
        .collect();
    match algorithm {
        Algorithm::Sha1 => mac::<Hmac<Sha1>>(token, &signed),
        Algorithm::Sha256 => mac::<Hmac<Sha256>>(token, &signed),
    }
}

fn mac<M: Mac + KeyInit>(key: &str, text: &str) -> String {
    // HMAC accepts keys of any length; the error type belongs to other MACs of the same trait.
    let mut mac =
        <M as KeyInit>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_algorithm_is_named_in_a_header() {
        assert_eq!(Algorithm::named_in("key=k,algorithm=HMAC_SHA256"), Algorithm::Sha256);
        assert_eq!(Algorithm::named_in(""), Algorithm::Sha1);
    }
}
