//! Signature `TC3-HMAC-SHA256` for a JSON POST.

use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::adapters::crypto::sha256_hex;

const ALGORITHM: &str = "TC3-HMAC-SHA256";
pub(super) const CONTENT_TYPE: &str = "application/json";
const SIGNED_HEADERS: &str = "content-type;host";
const SERVICE: &str = "sms";

/// Returns the `authorization` header for a body sent at `seconds` since 1970.
pub fn authorization(
    host: &str,
    body: &str,
    seconds: i64,
    secret_id: &str,
    secret_key: &str,
) -> String {
    let day = DateTime::<Utc>::from_timestamp(seconds, 0)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
        .format("%Y-%m-%d")
        .to_string();
    let canonical = format!(
        "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\n\n{SIGNED_HEADERS}\n{}",
        sha256_hex(body.as_bytes())
    );
    let scope = format!("{day}/{SERVICE}/tc3_request");
    let to_sign = format!("{ALGORITHM}\n{seconds}\n{scope}\n{}", sha256_hex(canonical.as_bytes()));
    let by_day = mac(format!("TC3{secret_key}").as_bytes(), &day);
    let key = mac(&mac(&by_day, SERVICE), "tc3_request");
    let signature = HEXLOWER.encode(&mac(&key, &to_sign));
    format!(
        "{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={SIGNED_HEADERS}, \
            Signature={signature}"
    )
}

fn mac(key: &[u8], text: &str) -> [u8; 32] {
    // HMAC accepts keys of any length; the error type belongs to other MACs of the same trait.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}
