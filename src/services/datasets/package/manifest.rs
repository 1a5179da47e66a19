//! `manifest.json` and its signature: which version this is, and the hash of every file.

use std::io;

use serde_json::{Map, json};

use super::pretty;
use crate::adapters::crypto::{Signer, sha256_hex};
use crate::services::datasets::metadata::About;
use crate::adapters::transports::NewFolder;

pub const MANIFEST: &str = "manifest.json";
/// The signature of the manifest's bytes (Ed25519), in base 64.
pub const SIGNATURE: &str = "manifest.json.sig";
/// As `sha256sum --check` reads it.
pub const SUMS: &str = "SHA256SUMS";

/// Signs what has been written, and writes the sums of it all; returns the sums' hash.
pub fn sign(folder: &NewFolder, about: &About, signer: &Signer) -> io::Result<String> {
    let files: Map<_, _> =
        folder.written().into_iter().map(|(name, facts)| (name, json!({ "bytes": facts.bytes, "sha256": facts.sha256 }))).collect();
    let manifest = json!({
        "format": "fieldworkd-dataset/1",
        "application": about.application,
        "category": about.category,
        "kind": about.kind,
        "version": about.version,
        "reason": about.reason,
        "frozen_at": about.frozen_at,
        "questionnaire": about.questionnaire,
        "questionnaire_version": about.questionnaire_version,
        "responses": about.responses,
        "cases": about.cases,
        "open_answers": about.open_answers,
        "files": files,
        "signed_with": signer.public().to_pem(),
    });
    let manifest = pretty(&manifest);
    folder.write(MANIFEST, &manifest)?;
    folder.write(SIGNATURE, format!("{}\n", signer.sign(&manifest)).as_bytes())?;
    let sums: String = folder.written().into_iter().map(|(name, facts)| format!("{}  {name}\n", facts.sha256)).collect();
    folder.write(SUMS, sums.as_bytes())?;
    Ok(sha256_hex(sums.as_bytes()))
}
