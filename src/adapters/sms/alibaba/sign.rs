//! Signature V3, `ACS3-HMAC-SHA256`.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::super::http::escape_url;
use crate::adapters::crypto::sha256_hex;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// A call in RPC style: everything in the query and, for long lists, in a form body.
pub struct Call<'a> {
    pub action: &'a str,
    pub version: &'a str,
    pub host: &'a str,
    pub query: Vec<(&'static str, String)>,
    pub form: Vec<(&'static str, String)>,
    /// ISO 8601, UTC.
    pub date: String,
    pub nonce: String,
}

impl Call<'_> {
    /// Returns the signed headers, ordered by name.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let content_type = (!self.form.is_empty())
            .then(|| ("content-type", "application/x-www-form-urlencoded".to_owned()));
        let others = [
            ("host", self.host.to_owned()),
            ("x-acs-action", self.action.to_owned()),
            ("x-acs-content-sha256", sha256_hex(self.body().as_bytes())),
            ("x-acs-date", self.date.clone()),
            ("x-acs-signature-nonce", self.nonce.clone()),
            ("x-acs-version", self.version.to_owned()),
        ];
        content_type.into_iter().chain(others).collect()
    }

    /// Returns the form as it is hashed and sent.
    pub fn body(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.form).finish()
    }

    /// Returns the approved template that it uses.
    pub fn template(&self) -> &str {
        self.query
            .iter()
            .find(|(name, _)| *name == "TemplateCode")
            .map(|(_, code)| code.as_str())
            .unwrap_or_default()
    }

    /// Returns the query as signed and sent: sorted, escaped by RFC 3986.
    pub fn query_on_the_wire(&self) -> String {
        let mut sorted: Vec<&(&str, String)> = self.query.iter().collect();
        sorted.sort();
        sorted
            .iter()
            .map(|(name, value)| format!("{}={}", escape_url(name), escape_url(value)))
            .collect::<Vec<_>>()
            .join("&")
    }
}

/// Returns the `authorization` header of a call.
pub fn authorization(call: &Call<'_>, access_key: &str, secret: &str) -> String {
    authorization_over(&call.query_on_the_wire(), &call.headers(), access_key, secret)
}

/// Returns the header for any set of signed headers, sorted by name. The tests compare it with the
/// signature of the provider's SDK.
pub fn authorization_over(
    query: &str,
    headers: &[(&str, String)],
    access_key: &str,
    secret: &str,
) -> String {
    let canonical_headers: String =
        headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let signed = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let payload = headers
        .iter()
        .find(|(name, _)| *name == "x-acs-content-sha256")
        .map(|(_, hash)| hash.as_str())
        .unwrap_or_default();
    let canonical = format!("POST\n/\n{query}\n{canonical_headers}\n{signed}\n{payload}");
    let to_sign = format!("{ALGORITHM}\n{}", sha256_hex(canonical.as_bytes()));
    // HMAC accepts keys of any length; the error type belongs to other MACs of the same trait.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(to_sign.as_bytes());
    let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
    format!("{ALGORITHM} Credential={access_key},SignedHeaders={signed},Signature={signature}")
}
