//! Announces a version with a signed post (Standard Webhooks) that contains its location and its
//! hash, but no rows.

use serde_json::json;

use super::DeliveryFailure;
use crate::adapters::config::WebhookConfig;
use crate::adapters::database::datasets::Dataset;
use crate::adapters::transports::webhook::{self, WebhookError};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

pub(super) async fn announce(
    context: &AppContext,
    config: &WebhookConfig,
    dataset: &Dataset,
    now: Timestamp,
) -> Result<(), DeliveryFailure> {
    let version = dataset.version_name();
    // The id is the same on every attempt, and unique to this version.
    let id = format!("dataset-{}-{version}", dataset.application_code);
    let body = json!({
        "type": "dataset.ready",
        "timestamp": dataset.frozen_at.rfc3339(chrono_tz::UTC),
        "data": {
            "application": dataset.application_code, "kind": dataset.kind.as_str(), "version": dataset.version, "reason": dataset.reason.as_str(),
            "sha256": dataset.sha256, "url": format!("{}/api/v1/datasets/{}/{version}", context.config.public_url, dataset.application_code),
        },
    });
    match webhook::post(&config.url, &config.secret, &id, &body.to_string(), now).await {
        Ok(()) => Ok(()),
        Err(error @ WebhookError::Gone) => Err(DeliveryFailure::Abandoned(error.to_string())),
        Err(error) => Err(DeliveryFailure::Retry(error.to_string())),
    }
}
