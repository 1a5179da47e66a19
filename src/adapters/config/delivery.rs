//! Configuration of dataset deliveries and of the scoring step's access.

use std::path::{Path, PathBuf};

use super::notify::read_webhook;
use super::secrets::read_secret;
use super::{Reader, WebhookConfig};
use crate::domain::personal::Personal;
use crate::domain::recurrence::Recurrence;

/// Minimum length of a token, so that it cannot be guessed.
const SHORTEST_TOKEN: usize = 24;

/// A bucket of an S3-compatible storage.
#[derive(Debug, Clone)]
pub struct S3Config {
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    /// Prefix of all object names; may be empty.
    pub prefix: String,
    pub access_key_id: String,
    pub secret_access_key: Personal,
}

#[derive(Debug, Clone, Default)]
pub struct DeliveryConfig {
    /// Folder into which each version is copied atomically.
    pub folder: Option<PathBuf>,
    /// Bucket into which each version is uploaded.
    pub s3: Option<S3Config>,
    /// Webhook to which each version is announced.
    pub webhook: Option<WebhookConfig>,
    /// Token that permits fetching and acknowledging versions.
    pub token: Option<Personal>,
    /// Schedule of interim versions of all applications in the field.
    pub interim: Option<Recurrence>,
}

pub(super) fn read_delivery(r: &mut Reader<'_>, folder: Option<&Path>) -> DeliveryConfig {
    r.section("delivery", |r| {
        let to = r.section("folder", |r| {
            r.text("path").filter(|path| !path.is_empty()).map(PathBuf::from)
        });
        let s3 = r.section("s3", |r| read_s3(r, folder));
        let webhook = r.section("webhook", |r| read_webhook(r, folder));
        let token = r.section("pull", |r| {
            let token = read_secret(r, "token", folder);
            if !token.is_empty() && token.reveal().len() < SHORTEST_TOKEN {
                r.problem(
                    "token",
                    format!(
                        "must have {SHORTEST_TOKEN} characters at least; make \
                    one with: openssl rand -base64 32"
                    ),
                );
            }
            (!token.is_empty()).then_some(token)
        });
        let interim = r.section("interim", |r| {
            let (at, zone) = (
                r.text("at").unwrap_or_default(),
                r.text("time_zone").unwrap_or_else(|| "Asia/Shanghai".into()),
            );
            if at.is_empty() {
                return None;
            }
            Recurrence::parse(&at, &zone).map_err(|problem| r.problem("at", problem)).ok()
        });
        DeliveryConfig { folder: to, s3, webhook, token, interim }
    })
}

fn read_s3(r: &mut Reader<'_>, folder: Option<&Path>) -> Option<S3Config> {
    let mut text = |key: &str| r.text(key).unwrap_or_default();
    let (endpoint, region, bucket, prefix) =
        (text("endpoint"), text("region"), text("bucket"), text("prefix"));
    let access_key_id = text("access_key_id");
    let secret_access_key = read_secret(r, "secret_access_key", folder);
    if endpoint.is_empty() {
        return None;
    }
    if !(endpoint.starts_with("https://") || endpoint.starts_with("http://")) {
        r.problem(
            "endpoint",
            "must begin with https:// (or http:// on a host of one's own)".into(),
        );
    }
    if bucket.is_empty() {
        r.problem("bucket", "is missing".into());
    }
    if access_key_id.is_empty() {
        r.problem("access_key_id", "is missing".into());
    }
    if secret_access_key.is_empty() {
        r.problem(
            "secret_access_key",
            "is missing; name a file with secret_access_key_file, or set it in the environment"
                .into(),
        );
    }
    let region = if region.is_empty() { "us-east-1".to_owned() } else { region };
    Some(S3Config {
        endpoint,
        region,
        bucket,
        prefix: prefix.trim_matches('/').to_owned(),
        access_key_id,
        secret_access_key,
    })
}
