//! Verifies a dataset folder: every byte against its hash, every row against its schema. It needs
//! no database and no configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use super::package::{MANIFEST, SIGNATURE, SUMS};
use crate::adapters::crypto::{PublicKey, sha256_hex};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "verify.", serialize_all = "snake_case")]
pub enum VerifyError {
    #[error("{0} is no dataset folder: {1}")]
    NoDataset(String, String),
    #[error("{file}: {problem}")]
    Broken { file: String, problem: String },
}

/// A summary of a verified dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDataset {
    pub files: usize,
    pub responses: usize,
    pub cases: usize,
    /// The id of the key that signed the manifest.
    pub signed_with: String,
    /// The SHA-256 of `SHA256SUMS`, which covers the whole folder.
    pub sha256: String,
}

fn broken<T>(file: &str, problem: impl Into<String>) -> Result<T, VerifyError> {
    Err(VerifyError::Broken { file: file.to_owned(), problem: problem.into() })
}

/// Verifies a folder. `key`: the key that must have signed the manifest; `None`: the key that the
/// manifest itself names.
pub fn verify(folder: &Path, key: Option<&PublicKey>) -> Result<VerifiedDataset, VerifyError> {
    let label = folder.display().to_string();
    let entries = std::fs::read_dir(folder)
        .map_err(|e| VerifyError::NoDataset(label.clone(), e.to_string()))?;
    let mut files = BTreeMap::new();
    if !folder.join(SUMS).is_file() {
        return Err(VerifyError::NoDataset(label, format!("it has no {SUMS}")));
    }
    for entry in entries {
        let entry = entry.map_err(|e| VerifyError::NoDataset(label.clone(), e.to_string()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let content = std::fs::read(entry.path())
            .map_err(|e| VerifyError::Broken { file: name.clone(), problem: e.to_string() })?;
        files.insert(name, content);
    }
    let sums = files.remove(SUMS).unwrap_or_default();
    check_sums(&String::from_utf8_lossy(&sums), &files)?;
    let signed_with = check_signature(&files, key)?;
    let descriptor = files.get("datapackage.json").map(Vec::as_slice).unwrap_or_default();
    let descriptor: Value = serde_json::from_slice(descriptor).map_err(|e| {
        VerifyError::Broken { file: "datapackage.json".into(), problem: e.to_string() }
    })?;
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in descriptor["resources"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let path = resource["path"].as_str().unwrap_or_default();
        let Some(content) = files.get(path) else {
            return broken(path, "datapackage.json names this file, and it is missing");
        };
        if resource["hash"].as_str() != Some(&format!("sha256:{}", sha256_hex(content)))
            || resource["bytes"].as_u64() != Some(content.len() as u64)
        {
            return broken(path, "its size or hash is not what datapackage.json says");
        }
        keys.insert(
            resource["name"].as_str().unwrap_or_default().to_owned(),
            check_rows(path, content, &resource["schema"])?,
        );
    }
    let (Some(responses), Some(cases)) = (keys.get("responses"), keys.get("cases")) else {
        return broken("datapackage.json", "it must describe the resources responses and cases");
    };
    for (resource, key_values) in &keys {
        if let Some(stray) = key_values.difference(cases).next() {
            return broken(
                &format!("{resource}.csv"),
                format!("case {stray} stands in no row of cases.csv"),
            );
        }
    }
    Ok(VerifiedDataset {
        files: files.len() + 1,
        responses: responses.len(),
        cases: cases.len(),
        signed_with,
        sha256: sha256_hex(&sums),
    })
}

/// Checks that the manifest is signed and names every file with its hash. Returns the id of the
/// key.
fn check_signature(
    files: &BTreeMap<String, Vec<u8>>,
    key: Option<&PublicKey>,
) -> Result<String, VerifyError> {
    let (Some(manifest), Some(signature)) = (files.get(MANIFEST), files.get(SIGNATURE)) else {
        return broken(MANIFEST, format!("it or {SIGNATURE} is missing"));
    };
    let manifest_json: Value = serde_json::from_slice(manifest)
        .map_err(|e| VerifyError::Broken { file: MANIFEST.into(), problem: e.to_string() })?;
    let Some(own) = manifest_json["signed_with"].as_str().and_then(PublicKey::of_pem) else {
        return broken(MANIFEST, "it names no key that signed it");
    };
    if key.is_some_and(|key| *key != own) {
        return broken(
            MANIFEST,
            format!("it is signed with the key {}, not with the one that was given", own.id()),
        );
    }
    if !own.has_signed(manifest, &String::from_utf8_lossy(signature)) {
        return broken(SIGNATURE, "the signature does not fit the manifest");
    }
    let listed = manifest_json["files"].as_object().cloned().unwrap_or_default();
    for (name, content) in files.iter().filter(|(name, _)| *name != MANIFEST && *name != SIGNATURE)
    {
        let listed_sum = &listed.get(name).unwrap_or(&Value::Null)["sha256"];
        if listed_sum.as_str() != Some(&sha256_hex(content)) {
            return broken(name, format!("its hash is not what {MANIFEST} says"));
        }
    }
    Ok(own.id())
}

fn check_sums(sums: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), VerifyError> {
    let mut listed = BTreeSet::new();
    for line in sums.lines() {
        let Some((sum, name)) = line.split_once("  ") else {
            return broken(SUMS, "a line is not «hash  file»");
        };
        match files.get(name) {
            None => return broken(name, format!("{SUMS} lists this file, and it is missing")),
            Some(content) if sha256_hex(content) != sum => {
                return broken(name, "its content has changed: the hash does not fit");
            }
            Some(_) => _ = listed.insert(name),
        }
    }
    match files.keys().find(|name| !listed.contains(name.as_str())) {
        Some(stray) => broken(stray, format!("it is not listed in {SUMS}")),
        // Hashes are in lower case, one per line: anything else is a changed byte.
        None if sums.lines().count() != files.len() || !sums.ends_with('\n') => {
            broken(SUMS, "it lists a file twice or ends in the middle")
        }
        None => Ok(()),
    }
}

/// Checks the header, keys and values of a table. Returns its cases, which are in the first column.
fn check_rows(file: &str, content: &[u8], schema: &Value) -> Result<BTreeSet<String>, VerifyError> {
    let fields = schema["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing: Vec<&str> = schema["missingValues"]
        .as_array()
        .map(|m| m.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let unreadable =
        |e: csv::Error| VerifyError::Broken { file: file.to_owned(), problem: e.to_string() };
    let mut reader = csv::Reader::from_reader(content);
    let header: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(str::to_owned).collect();
    if !header.iter().map(String::as_str).eq(fields.iter().filter_map(|f| f["name"].as_str())) {
        return broken(file, "its header is not what the schema says");
    }
    let primary = schema["primaryKey"].as_array().map(Vec::as_slice).unwrap_or_default();
    let key_columns: Vec<usize> = header
        .iter()
        .enumerate()
        .filter(|(_, name)| primary.iter().any(|key| key == name.as_str()))
        .map(|(at, _)| at)
        .collect();
    let (mut keys, mut cases) = (BTreeSet::new(), BTreeSet::new());
    for (record, row) in reader.records().zip(2..) {
        let record = record.map_err(unreadable)?;
        for (value, field) in record.iter().zip(fields) {
            if let Some(problem) = problem_of(value, field, missing.contains(&value)) {
                let name = field["name"].as_str().unwrap_or_default();
                return broken(file, format!("row {row}, {name}: {problem}"));
            }
        }
        let key: Vec<String> =
            key_columns.iter().filter_map(|at| record.get(*at)).map(str::to_owned).collect();
        if !keys.insert(key) {
            return broken(file, format!("row {row}: its key stands twice"));
        }
        cases.insert(record.get(0).unwrap_or_default().to_owned());
    }
    Ok(cases)
}

fn problem_of(value: &str, field: &Value, is_missing: bool) -> Option<&'static str> {
    let constraints = &field["constraints"];
    if is_missing {
        return (constraints["required"] == true).then_some("a required value is missing");
    }
    if let Some(allowed) = constraints["enum"].as_array() {
        return (!allowed
            .iter()
            .any(|a| a == value || a.as_i64().is_some_and(|a| value == a.to_string())))
        .then_some("the value is not one of those allowed");
    }
    match field["type"].as_str() {
        Some("integer") => match value.parse::<i64>() {
            Err(_) => Some("this is no whole number"),
            Ok(n) if constraints["minimum"].as_i64().is_some_and(|min| n < min) => {
                Some("the value is below the scale")
            }
            Ok(n) if constraints["maximum"].as_i64().is_some_and(|max| n > max) => {
                Some("the value is above the scale")
            }
            Ok(_) => None,
        },
        Some("number") => match value.parse::<f64>() {
            Err(_) => Some("this is no number"),
            Ok(n) if constraints["minimum"].as_f64().is_some_and(|min| n < min) => {
                Some("the value is below its limit")
            }
            Ok(n) if constraints["maximum"].as_f64().is_some_and(|max| n > max) => {
                Some("the value is above its limit")
            }
            Ok(_) => None,
        },
        Some("date") => value.parse::<chrono::NaiveDate>().is_err().then_some("this is no day"),
        Some("datetime") => {
            chrono::DateTime::parse_from_rfc3339(value).is_err().then_some("this is no time")
        }
        Some("boolean") => {
            (!["true", "false"].contains(&value)).then_some("this is neither true nor false")
        }
        _ => None,
    }
}
