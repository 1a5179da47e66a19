//! Keys that a certificate names as destroyed but that this key ring still holds: a copy of the ring
//! on another machine, or one that came back from a backup. Without this look they would live on and
//! nobody would notice.

use super::ErasureError;
use crate::adapters::database::erasure::{self, Certificate, CertificateKind};
use crate::services::context::AppContext;

/// Returns the signed certificates of purges whose key is still in the key ring.
pub async fn surviving_keys(context: &AppContext) -> Result<Vec<Certificate>, ErasureError> {
    let certificates = erasure::certificates(&mut *context.database.read().await?).await?;
    Ok(certificates
        .into_iter()
        .filter(|certificate| certificate.kind == CertificateKind::Purge)
        .filter(|certificate| certificate.signature.is_some())
        .filter(|certificate| context.keys.holds(&certificate.key_id))
        .collect())
}

/// Destroys them. Returns how many there were. One that cannot be destroyed holds up no other.
pub async fn destroy_surviving_keys(context: &AppContext) -> Result<usize, ErasureError> {
    let surviving = surviving_keys(context).await?;
    let mut results = Vec::with_capacity(surviving.len());
    for certificate in &surviving {
        let destroyed = context.keys.destroy(&certificate.key_id, &certificate.body);
        let is_destroyed = destroyed.is_ok();
        results.push(destroyed.map(drop));
        if !is_destroyed {
            continue;
        }
        tracing::warn!(
            key = certificate.key_id,
            certificate = certificate.id,
            applicant = certificate.applicant_code,
            "a key that a certificate says is destroyed was still in this key ring; it is \
                destroyed now"
        );
    }
    results.into_iter().collect::<Result<(), _>>()?;
    Ok(surviving.len())
}
