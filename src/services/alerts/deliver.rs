//! Sends notices: each tried until it arrives, ever more seldom, and given up after some days.

use std::sync::Arc;

use super::super::deadlines::DeadlineError;
use crate::adapters::config::{Channel, SmsConfig};
use crate::services::sms_sending::one_off::{Sent, send_one};
use crate::domain::personal::Personal;
use crate::domain::retries::wait_after;
use crate::domain::sms_text::segment;
use crate::domain::time::Timestamp;
use crate::adapters::sms::OutgoingMessage;
use crate::services::context::Installation;
use crate::adapters::transports::email;
use crate::adapters::transports::webhook::{self, WebhookError};
use crate::adapters::database::notices::{self, Notice};

/// What a try came to.
enum Tried {
    Arrived,
    Again(String),
    GivenUp(String),
}

/// Sends what is due.
pub async fn due(installation: &Arc<Installation>) -> Result<(), DeadlineError> {
    loop {
        let now = installation.clock.now();
        if notices::next_due(&mut *installation.store.read().await?).await?.is_none_or(|next| next > now) {
            return Ok(());
        }
        let mut tx = installation.store.write().await?;
        let Some(notice) = notices::take_due(&mut tx, now, now + wait_after(1).unwrap_or_default()).await? else { return Ok(()) };
        tx.commit().await?;
        let tried = send(installation, &notice, now).await;
        let mut tx = installation.store.write().await?;
        let tries = notice.tries + 1;
        match tried {
            Tried::Arrived => notices::set_sent(&mut tx, notice.id, installation.clock.now()).await?,
            Tried::Again(problem) => {
                let next = wait_after(tries).map(|wait| now + wait);
                tracing::warn!(channel = notice.channel.as_str(), tries, problem, "a notice did not arrive");
                notices::set_failed(&mut tx, notice.id, next, &problem).await?;
            }
            Tried::GivenUp(problem) => {
                tracing::error!(channel = notice.channel.as_str(), tries, problem, "a notice is given up");
                notices::set_failed(&mut tx, notice.id, None, &problem).await?;
            }
        }
        tx.commit().await?;
    }
}

async fn send(installation: &Arc<Installation>, notice: &Notice, now: Timestamp) -> Tried {
    let notify = &installation.config.notify;
    let unset = || Tried::GivenUp("this way is not set up any more".to_owned());
    // The same for every try, of this installation alone.
    let id = format!("notice-{}-{}", notice.created_at.0, notice.id);
    match notice.channel {
        Channel::Webhook => match &notify.webhook {
            None => unset(),
            Some(webhook) => match webhook::post(&webhook.url, &webhook.secret, &id, &notice.body, now).await {
                Ok(()) => Tried::Arrived,
                Err(error @ WebhookError::Gone) => Tried::GivenUp(error.to_string()),
                Err(error) => Tried::Again(error.to_string()),
            },
        },
        Channel::Email => match &notify.email {
            None => unset(),
            Some(email) => match email::send(email, &id, &notice.subject, &notice.body).await {
                Ok(()) => Tried::Arrived,
                Err(error) => Tried::Again(error.to_string()),
            },
        },
        Channel::Sms => match &notify.sms {
            None => unset(),
            Some(sms) => send_sms(installation, sms, &id, &notice.body).await,
        },
    }
}

/// Within the gateway's rate like every message (invariant I3). What may have gone out is not tried again.
async fn send_sms(installation: &Arc<Installation>, sms: &SmsConfig, id: &str, text: &str) -> Tried {
    let message = OutgoingMessage {
        reference: id.replace('-', ""),
        to: sms.to.clone(),
        text: Personal::new(text),
        parts: segment(text).parts,
        step: "alarm".into(),
        fields: [(crate::domain::sms_text::Placeholder::Signature, Personal::new(sms.signature.clone()))].into(),
        alone: true,
    };
    match send_one(installation, &sms.gateway, &message).await {
        Sent::Accepted => Tried::Arrived,
        Sent::Never(problem) => Tried::GivenUp(problem),
        Sent::NotNow(problem) => Tried::Again(problem),
    }
}
