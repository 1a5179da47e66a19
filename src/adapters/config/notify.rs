//! Configuration of alarm levels and of the notification channels.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::Reader;
use super::secrets::read_secret;
use crate::domain::personal::Personal;
use crate::domain::phone::Phone;
use crate::domain::recurrence::Recurrence;

/// A notification channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeChannel {
    Email,
    Webhook,
    /// To the duty officer's telephone.
    Sms,
}

impl NoticeChannel {
    pub const ALL: [NoticeChannel; 3] =
        [NoticeChannel::Email, NoticeChannel::Webhook, NoticeChannel::Sms];

    pub fn as_str(self) -> &'static str {
        match self {
            NoticeChannel::Email => "email",
            NoticeChannel::Webhook => "webhook",
            NoticeChannel::Sms => "sms",
        }
    }

    pub fn parse(raw: &str) -> Option<NoticeChannel> {
        NoticeChannel::ALL.into_iter().find(|channel| channel.as_str() == raw)
    }
}

/// An alarm level; an alarm has the worst level that applies.
#[derive(Debug, Clone)]
pub struct AlarmLevel {
    pub name: String,
    /// Applies while the chance of the target is below this value
    pub chance_below: f64,
    /// and at most this many days of the field are left.
    pub days_left: u32,
    pub channels: BTreeSet<NoticeChannel>,
    /// Interval of repeated notifications until the alarm is acknowledged.
    pub repeat_every: Duration,
}

#[derive(Debug, Clone)]
pub struct NotifyConfig {
    /// Minimum interval between alarm notices; alarms in between are combined into one notice.
    pub min_interval: Duration,
    pub webhook: Option<WebhookConfig>,
    pub email: Option<EmailConfig>,
    pub sms: Option<SmsConfig>,
    /// Schedule of the daily digest by e-mail and webhook.
    pub digest: Option<Recurrence>,
}

impl NotifyConfig {
    pub fn has(&self, channel: NoticeChannel) -> bool {
        match channel {
            NoticeChannel::Email => self.email.is_some(),
            NoticeChannel::Webhook => self.webhook.is_some(),
            NoticeChannel::Sms => self.sms.is_some(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct WebhookConfig {
    pub url: String,
    /// `whsec_…`, as defined by Standard Webhooks.
    pub secret: Personal,
}

#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// `smtps://USER@HOST` (TLS from the start), `smtp://HOST?tls=required` (STARTTLS),
    /// `smtp://HOST` (unencrypted, for a host of one's own).
    pub server: String,
    pub password: Personal,
    pub from: String,
    pub to: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct SmsConfig {
    pub gateway: String,
    pub to: Phone,
    pub signature: String,
}

pub(super) fn read_alarms(r: &mut Reader<'_>) -> Vec<AlarmLevel> {
    let names = r.keys_of("alarm");
    let read = |r: &mut Reader<'_>, name: &str| {
        r.section(name, |r| {
            let channels = r.texts("to").into_iter().filter_map(|word| {
                let channel = NoticeChannel::parse(&word);
                if channel.is_none() {
                    r.problem("to", format!("«{word}» is none of email, webhook, sms"));
                }
                channel
            });
            AlarmLevel {
                channels: channels.collect(),
                name: name.to_owned(),
                chance_below: r.decimal("chance_below", 0.5).min(1.0),
                days_left: u32::try_from(r.number("days_left", 365, 0..=1000)).unwrap_or(365),
                repeat_every: r.duration("repeat_every", "1d"),
            }
        })
    };
    let mut levels: Vec<AlarmLevel> =
        r.section("alarm", |r| names.iter().map(|name| read(r, name)).collect());
    // The worst first.
    levels.sort_by(|a, b| {
        a.chance_below.total_cmp(&b.chance_below).then(a.days_left.cmp(&b.days_left))
    });
    levels
}

pub(super) fn read_notify(
    r: &mut Reader<'_>,
    gateways: &[String],
    region: &str,
    folder: Option<&Path>,
) -> NotifyConfig {
    r.section("notify", |r| {
        let min_interval = r.duration("min_interval", "15m");
        let webhook = r.section("webhook", |r| read_webhook(r, folder));
        let email = r.section("email", |r| {
            let (server, password) =
                (r.text("server").unwrap_or_default(), read_secret(r, "password", folder));
            let (from, to) = (r.text("from").unwrap_or_default(), r.texts("to"));
            if server.is_empty() {
                return None;
            }
            if !["smtp://", "smtps://"].iter().any(|scheme| server.starts_with(scheme)) {
                r.problem("server", "must begin with smtps:// or smtp://".into());
            }
            for (key, address) in
                std::iter::once(("from", &from)).chain(to.iter().map(|to| ("to", to)))
            {
                if address.parse::<lettre::Address>().is_err() {
                    r.problem(key, format!("«{address}» is no e-mail address"));
                }
            }
            if to.is_empty() {
                r.problem("to", "name at least one address".into());
            }
            Some(EmailConfig { server, password, from, to })
        });
        let sms = r.section("sms", |r| {
            let (gateway, signature) =
                (r.text("gateway").unwrap_or_default(), r.text("signature").unwrap_or_default());
            let to = read_secret(r, "to", folder);
            if gateway.is_empty() {
                return None;
            }
            if !gateways.contains(&gateway) {
                r.problem("gateway", format!("no gateway is called {gateway}"));
            }
            if to.is_empty() {
                r.problem(
                    "to",
                    "the duty officer's number is missing; name a file with to_file, \
                    or set it in the environment"
                        .into(),
                );
                return None;
            }
            match Phone::parse(to.reveal(), region.parse().unwrap_or(phonenumber::country::CN)) {
                Ok(to) => Some(SmsConfig { gateway, to, signature }),
                Err(_) => {
                    r.problem("to", "this is no telephone number; write it like +86 138…".into());
                    None
                }
            }
        });
        let digest = r.section("digest", |r| {
            let (at, zone) = (
                r.text("at").unwrap_or_default(),
                r.text("time_zone").unwrap_or_else(|| "Asia/Shanghai".into()),
            );
            if at.is_empty() {
                return None;
            }
            Recurrence::parse(&at, &zone).map_err(|problem| r.problem("at", problem)).ok()
        });
        NotifyConfig { min_interval, webhook, email, sms, digest }
    })
}

/// Reads an address with its secret; returns `None` without an address.
pub(super) fn read_webhook(r: &mut Reader<'_>, folder: Option<&Path>) -> Option<WebhookConfig> {
    let (url, secret) = (r.text("url").unwrap_or_default(), read_secret(r, "secret", folder));
    if url.is_empty() {
        return None;
    }
    if !(url.starts_with("https://") || url.starts_with("http://")) {
        r.problem("url", "must begin with https:// (or http:// on a host of one's own)".into());
    }
    if !crate::adapters::transports::webhook::are_valid(&secret) {
        r.problem(
            "secret",
            "must be whsec_ and base64, as Standard Webhooks writes it (two with a space between \
                them while one is being replaced); name a file with secret_file, or set it in the \
                environment"
                .into(),
        );
    }
    Some(WebhookConfig { url, secret })
}
