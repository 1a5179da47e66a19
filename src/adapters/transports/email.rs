//! Plain-text e-mail through an SMTP server.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use crate::adapters::config::EmailConfig;

const TIME_OUT: Duration = Duration::from_secs(30);

/// An error of sending, described without any address.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "email.", serialize_all = "snake_case")]
pub enum EmailError {
    #[error("the e-mail cannot be written: {0}")]
    Message(String),
    #[error("the mail server: {0}")]
    Server(String),
}

/// Sends one e-mail to all recipients. `id` becomes its Message-ID, so that a retry is
/// recognisable.
pub async fn send(
    config: &EmailConfig,
    id: &str,
    subject: &str,
    body: &str,
) -> Result<(), EmailError> {
    let written = |error: &dyn std::fmt::Display| EmailError::Message(error.to_string());
    let host = config.from.rsplit('@').next().unwrap_or("localhost");
    let mut message = Message::builder()
        .from(config.from.parse().map_err(|e| written(&e))?)
        .subject(subject)
        .message_id(Some(format!("<{id}@{host}>")))
        .header(ContentType::TEXT_PLAIN);
    for to in &config.to {
        message = message.to(to.parse().map_err(|e| written(&e))?);
    }
    let message = message.body(body.to_owned()).map_err(|e| written(&e))?;
    crate::adapters::http_client::install_ring_provider();
    let server = |error: lettre::transport::smtp::Error| EmailError::Server(error.to_string());
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.server)
        .map_err(server)?
        .timeout(Some(TIME_OUT));
    if let Some(user) = user_of(&config.server).filter(|_| !config.password.is_empty()) {
        transport =
            transport.credentials(lettre::transport::smtp::authentication::Credentials::new(
                user,
                config.password.reveal().to_owned(),
            ));
    }
    transport.build().send(message).await.map_err(server)?;
    Ok(())
}

/// Returns the user of `smtps://USER@HOST`.
fn user_of(server: &str) -> Option<String> {
    let (user, _) = server.split_once("://")?.1.rsplit_once('@')?;
    Some(user.replace("%40", "@"))
}
