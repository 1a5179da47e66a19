//! Secrets: from the environment or from files that the configuration names, never from the
//! configuration file itself.

use std::path::Path;

use toml::{Table, Value};

use super::Reader;
use crate::domain::personal::Personal;

/// Finds secrets in the configuration file, where they would end up in backups and repositories.
pub(super) fn find_in_file(table: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    let secrets = [
        ("notify", "webhook", "secret"),
        ("notify", "email", "password"),
        ("notify", "sms", "to"),
        ("delivery", "webhook", "secret"),
        ("delivery", "pull", "token"),
        ("delivery", "s3", "secret_access_key"),
    ];
    for (part, section, key) in secrets {
        let stands = table
            .get(part)
            .and_then(|part| part.get(section))
            .and_then(|section| section.get(key))
            .is_some();
        if stands {
            let variable = format!(
                "FIELDWORKD_{}__{}__{}",
                part.to_uppercase(),
                section.to_uppercase(),
                key.to_uppercase()
            );
            problems.push(format!(
                "{part}.{section}.{key}: does not stand in this file; name a \
                file with {key}_file, or set {variable}"
            ));
        }
    }
    let gateways = table.get("gateway").and_then(Value::as_table).into_iter().flatten();
    let with_secret = gateways
        .filter(|(_, gateway)| gateway.as_table().is_some_and(|g| g.contains_key("secret")));
    let problem = |name: &String| {
        let variable = format!("FIELDWORKD_GATEWAY__{}__SECRET", name.to_uppercase());
        format!(
            "gateway.{name}.secret: a secret does not stand in this file; name a file with \
                secret_file, or set {variable}"
        )
    };
    problems.extend(with_secret.map(|(name, _)| problem(name)));
    problems
}

/// Reads a secret from the environment, or from the file that `KEY_file` names.
pub(super) fn read_secret(r: &mut Reader<'_>, key: &str, folder: Option<&Path>) -> Personal {
    let file_key = format!("{key}_file");
    let file = r.text(&file_key).filter(|path| !path.is_empty());
    match (r.text(key), file) {
        (Some(_), Some(_)) => r.problem(
            key,
            format!("set either {key} (from the environment) or {file_key}, not both"),
        ),
        (Some(secret), None) => return Personal::new(secret),
        (None, Some(path)) => match std::fs::read_to_string(
            folder.map_or(path.clone().into(), |folder| folder.join(&path)),
        ) {
            Ok(text) => return Personal::new(text.trim()),
            Err(error) => r.problem(&file_key, format!("{path}: {error}")),
        },
        (None, None) => {}
    }
    Personal::default()
}
