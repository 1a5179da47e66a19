//! Sends notices. Each is retried with growing backoff until it arrives, and given up after some
//! days.

use std::sync::Arc;

use super::super::deadlines::DeadlineError;
use crate::adapters::config::{NoticeChannel, SmsConfig};
use crate::adapters::database::notices::{self, Notice};
use crate::adapters::sms::{ALARM, OutgoingMessage};
use crate::adapters::transports::email;
use crate::adapters::transports::webhook::{self, WebhookError};
use crate::domain::personal::Personal;
use crate::domain::retry_delay::retry_delay;
use crate::domain::sms_text::measure_parts;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sms_sending::one_off::{OneOffResult, send_one_message};

/// The result of a delivery attempt.
enum DeliveryResult {
    Delivered,
    Retry(String),
    Abandoned(String),
}

/// Sends the notices that are due.
pub async fn send_due_notices(context: &Arc<AppContext>) -> Result<(), DeadlineError> {
    loop {
        let now = context.clock.now();
        if notices::next_due(&mut *context.database.read().await?)
            .await?
            .is_none_or(|next| next > now)
        {
            return Ok(());
        }
        let mut tx = context.database.write().await?;
        let Some(notice) =
            notices::take_due(&mut tx, now, now + retry_delay(1).unwrap_or_default()).await?
        else {
            return Ok(());
        };
        tx.commit().await?;
        let result = send(context, &notice, now).await;
        let mut tx = context.database.write().await?;
        let attempt_count = notice.attempt_count + 1;
        match result {
            DeliveryResult::Delivered => {
                notices::set_sent(&mut tx, notice.id, context.clock.now()).await?
            }
            DeliveryResult::Retry(problem) => {
                let next = retry_delay(attempt_count).map(|wait| now + wait);
                tracing::warn!(
                    channel = notice.channel.as_str(),
                    attempt_count,
                    error = problem,
                    "a notice did not arrive"
                );
                notices::set_failed(&mut tx, notice.id, next, &problem).await?;
            }
            DeliveryResult::Abandoned(problem) => {
                tracing::error!(
                    channel = notice.channel.as_str(),
                    attempt_count,
                    error = problem,
                    "notice delivery failed"
                );
                notices::set_failed(&mut tx, notice.id, None, &problem).await?;
            }
        }
        tx.commit().await?;
    }
}

async fn send(context: &Arc<AppContext>, notice: &Notice, now: Timestamp) -> DeliveryResult {
    let notify = &context.config.notify;
    let not_configured = || DeliveryResult::Abandoned("this way is not set up any more".to_owned());
    // The id is the same on every attempt, and unique to this installation.
    let id = format!("notice-{}-{}", notice.created_at.0, notice.id);
    match notice.channel {
        NoticeChannel::Webhook => match &notify.webhook {
            None => not_configured(),
            Some(webhook) => {
                match webhook::post(&webhook.url, &webhook.secret, &id, &notice.body, now).await {
                    Ok(()) => DeliveryResult::Delivered,
                    Err(error @ WebhookError::Gone) => DeliveryResult::Abandoned(error.to_string()),
                    Err(error) => DeliveryResult::Retry(error.to_string()),
                }
            }
        },
        NoticeChannel::Email => match &notify.email {
            None => not_configured(),
            Some(email) => match email::send(email, &id, &notice.subject, &notice.body).await {
                Ok(()) => DeliveryResult::Delivered,
                Err(error) => DeliveryResult::Retry(error.to_string()),
            },
        },
        NoticeChannel::Sms => match &notify.sms {
            None => not_configured(),
            Some(sms) => send_sms(context, sms, &id, &notice.body).await,
        },
    }
}

/// Sends a notice as an SMS, within the gateway's rate like every message (invariant I3). An SMS
/// that may have been sent is not retried.
async fn send_sms(
    context: &Arc<AppContext>,
    sms: &SmsConfig,
    id: &str,
    text: &str,
) -> DeliveryResult {
    let message = OutgoingMessage {
        reference: id.replace('-', ""),
        to: sms.to.clone(),
        text: Personal::new(text),
        parts: measure_parts(text).parts,
        step: ALARM.into(),
        fields: [(
            crate::domain::sms_text::Placeholder::Signature,
            Personal::new(sms.signature.clone()),
        )]
        .into(),
        must_be_alone: true,
        part: None,
    };
    match send_one_message(context, &sms.gateway, &message).await {
        OneOffResult::Accepted => DeliveryResult::Delivered,
        OneOffResult::DoNotRetry(problem) => DeliveryResult::Abandoned(problem.to_string()),
        OneOffResult::RetryLater(problem) => DeliveryResult::Retry(problem.to_string()),
    }
}
