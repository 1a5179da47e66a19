//! Certificates of deletion: JSON with what was deleted, when, why and by whose order, but without
//! names of people. They are signed with the key that signs datasets.

use serde_json::{Map, Value, json};

use super::{ErasureError, ErasureOrder};
use crate::adapters::crypto::PublicKey;
use crate::adapters::database::erasure::{
    Applicant, Certificate, CertificateKind, DeliveredVersion, ErasedCounts,
};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// Returns the initial body of a certificate; [`complete_and_sign`] adds what is done afterwards.
pub(super) fn begin(
    kind: CertificateKind,
    applicant: &Applicant,
    applications: &[String],
    blanked: &ErasedCounts,
    order: ErasureOrder<'_>,
    now: Timestamp,
) -> Map<String, Value> {
    let body = json!({
        "format": "fieldworkd-deletion-certificate/1",
        "kind": kind.as_str(),
        "programme": applicant.programme_code,
        "applicant": applicant.code,
        "applications": applications,
        "reason": order.reason,
        "ordered_by": order.actor,
        "ordered_at": now.rfc3339(chrono_tz::UTC),
        "deleted": {
            "people": blanked.people,
            "list_fields_of_cases": blanked.cases_with_list_fields,
            "open_answers": blanked.open_answers,
            "words_of_replies": blanked.replies,
            "conversations_with_gateways": blanked.conversations,
            "further_numbers": blanked.further_numbers,
        },
        "kept": "cases, dispositions, coded answers and frozen tables under pseudonyms; keyed \
            hashes of numbers that must not be contacted",
    });
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

/// Lists the copies that others hold and decide about.
pub(super) fn handed_over(copies: Vec<DeliveredVersion>) -> Value {
    let copy_json = |copy: DeliveredVersion| json!({ "application": copy.application, "kind": copy.kind, "version": copy.version, "sha256": copy.sha256, "way": copy.channel });
    Value::Array(copies.into_iter().map(copy_json).collect())
}

/// Returns the certificate as signed, with its signature in base64.
pub(super) fn complete_and_sign(
    context: &AppContext,
    mut body: Map<String, Value>,
    now: Timestamp,
) -> Result<(String, String), ErasureError> {
    let signer = context.keys.signer()?;
    body.insert("completed_at".into(), now.rfc3339(chrono_tz::UTC).into());
    body.insert("signed_with".into(), signer.public().to_pem().into());
    let text = serde_json::to_string_pretty(&body)
        .map_err(|e| ErasureError::Certificate(e.to_string()))?
        + "\n";
    let signature = signer.sign(text.as_bytes());
    Ok((text, signature))
}

pub(super) fn read(body: &str) -> Result<Map<String, Value>, ErasureError> {
    serde_json::from_str(body).map_err(|e| ErasureError::Certificate(e.to_string()))
}

/// Returns the files of a certificate: names with contents.
pub fn certificate_files(certificate: &Certificate) -> [(String, String); 2] {
    let name = format!("certificate-{}.json", certificate.id);
    let signature = certificate.signature.clone().unwrap_or_default() + "\n";
    [(name.clone(), certificate.body.clone()), (format!("{name}.sig"), signature)]
}

/// Returns whether the certificate was signed with the key that it names.
pub fn is_genuine(certificate: &Certificate) -> bool {
    let key = read(&certificate.body)
        .ok()
        .and_then(|body| PublicKey::of_pem(body.get("signed_with")?.as_str()?));
    key.zip(certificate.signature.as_ref())
        .is_some_and(|(key, signature)| key.has_signed(certificate.body.as_bytes(), signature))
}
