//! `manifest.json` and its signature: the version, and the hash of every file.

use std::io;

use serde_json::{Map, json};

use super::pretty;
use crate::adapters::crypto::{Signer, sha256_hex};
use crate::adapters::transports::NewFolder;
use crate::services::datasets::metadata::DatasetMetadata;

pub const MANIFEST: &str = "manifest.json";
/// The Ed25519 signature of the manifest's bytes, in base64.
pub const SIGNATURE: &str = "manifest.json.sig";
/// The hashes in the format of `sha256sum --check`.
pub const SUMS: &str = "SHA256SUMS";

/// Writes and signs the manifest of the written files, and writes their hashes. Returns the hash of
/// `SHA256SUMS`.
pub fn sign(folder: &NewFolder, metadata: &DatasetMetadata, signer: &Signer) -> io::Result<String> {
    let files: Map<_, _> = folder
        .written()
        .into_iter()
        .map(|(name, facts)| (name, json!({ "bytes": facts.bytes, "sha256": facts.sha256 })))
        .collect();
    let mut manifest = json!({
        "format": "fieldworkd-dataset/1",
        "application": metadata.application,
        "category": metadata.category,
        "kind": metadata.kind,
        "version": metadata.version,
        "reason": metadata.reason,
        "frozen_at": metadata.frozen_at,
        "questionnaire": metadata.questionnaire,
        "questionnaire_version": metadata.questionnaire_version,
        "responses": metadata.responses,
        "cases": metadata.cases,
        "open_answers": metadata.open_answers,
        "rules_version": metadata.rules_version,
        "files": files,
        "signed_with": signer.public().to_pem(),
    });
    if let Some(eligibility) = &metadata.eligibility {
        manifest["eligibility"] = json!(eligibility);
    }
    if let Some(weights) = &metadata.weights {
        manifest["weights"] = json!(weights);
    }
    if let Some(precision) = &metadata.precision {
        manifest["precision"] = json!(precision);
    }
    if metadata.fieldwork.is_some() {
        manifest["rates"] = json!(metadata.rates);
    }
    if metadata.has_panel {
        manifest["panel_overlap"] = json!(metadata.panel_overlap);
    }
    let manifest = pretty(&manifest);
    folder.write(MANIFEST, &manifest)?;
    folder.write(SIGNATURE, format!("{}\n", signer.sign(&manifest)).as_bytes())?;
    let sums: String = folder
        .written()
        .into_iter()
        .map(|(name, facts)| format!("{}  {name}\n", facts.sha256))
        .collect();
    folder.write(SUMS, sums.as_bytes())?;
    Ok(sha256_hex(sums.as_bytes()))
}
