//! Where finished datasets go, and how the scoring step fetches them.

use std::path::{Path, PathBuf};

use super::notify::read_webhook;
use super::secrets::read_secret;
use super::{Reader, WebhookConfig};
use crate::domain::personal::Personal;
use crate::domain::recurrence::Recurrence;

/// A token that can be guessed is none.
const SHORTEST_TOKEN: usize = 24;

#[derive(Debug, Clone, Default)]
pub struct DeliveryConfig {
    /// Each version is copied into this folder, whole or not at all.
    pub folder: Option<PathBuf>,
    /// Each version is announced here.
    pub webhook: Option<WebhookConfig>,
    /// Whoever has this token may fetch versions and acknowledge them.
    pub token: Option<Personal>,
    /// When interim versions of all that is in the field are frozen.
    pub interim: Option<Recurrence>,
}

pub(super) fn read_delivery(r: &mut Reader<'_>, folder: Option<&Path>) -> DeliveryConfig {
    r.section("delivery", |r| {
        let to = r.section("folder", |r| r.text("path").filter(|path| !path.is_empty()).map(PathBuf::from));
        let webhook = r.section("webhook", |r| read_webhook(r, folder));
        let token = r.section("pull", |r| {
            let token = read_secret(r, "token", folder);
            if !token.is_empty() && token.reveal().len() < SHORTEST_TOKEN {
                r.problem("token", format!("must have {SHORTEST_TOKEN} characters at least; make one with: openssl rand -base64 32"));
            }
            (!token.is_empty()).then_some(token)
        });
        let interim = r.section("interim", |r| {
            let (at, zone) = (r.text("at").unwrap_or_default(), r.text("time_zone").unwrap_or_else(|| "Asia/Shanghai".into()));
            if at.is_empty() {
                return None;
            }
            Recurrence::parse(&at, &zone).map_err(|problem| r.problem("at", problem)).ok()
        });
        DeliveryConfig { folder: to, webhook, token, interim }
    })
}
