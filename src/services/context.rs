//! The context of an installation: configuration, database, key ring, clock and gateways. Every
//! service takes an [`AppContext`].

use std::sync::Arc;

use crate::adapters::clock::Clock;
use crate::adapters::clock_watch::ClockWatch;
use crate::adapters::config::{Config, RateUnit};
use crate::adapters::crypto::{KeyRing, KeyRingError};
use crate::adapters::database::{Database, DatabaseError, WriteTx, audit};
use crate::adapters::sms::{self, Dialer, GatewayError, Gateways};
use crate::domain::audit::{Action, Actor};
use crate::domain::words::Words;

pub struct AppContext {
    pub config: Config,
    pub database: Database,
    pub keys: KeyRing,
    pub clock: Arc<dyn Clock>,
    pub clock_watch: ClockWatch,
    pub gateways: Gateways,
    pub dialer: Option<Dialer>,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "start.", serialize_all = "snake_case")]
pub enum ContextError {
    #[error(transparent)]
    #[strum(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Gateway(#[from] GatewayError),
    #[error("{0}")]
    Dial(String),
}

impl AppContext {
    /// Opens the key ring and the gateways, then the database, and migrates it to this version.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<AppContext, ContextError> {
        AppContext::assemble(config, clock, false).await
    }

    /// Opens a database that a restore has staged and nobody uses yet.
    pub async fn open_staged(
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<AppContext, ContextError> {
        AppContext::assemble(config, clock, true).await
    }

    async fn assemble(
        config: Config,
        clock: Arc<dyn Clock>,
        is_staged: bool,
    ) -> Result<AppContext, ContextError> {
        for file in &config.words {
            Words::add(file.parsed.words.clone());
        }
        let keys = KeyRing::open(&config.key_ring, config.installation_key_file.as_deref())?;
        let base_url = |name: &str| webhook_base_url(&config, &keys, name);
        let gateways = sms::open_all(&config.gateways, &clock, base_url)?;
        let dialer = config.dial.as_ref().map(|dial| Dialer::open(dial, &clock)).transpose();
        let dialer = dialer.map_err(ContextError::Dial)?;
        let database = if is_staged {
            Database::open_staged(&config.database_url).await?
        } else {
            Database::open(&config.database_url).await?
        };
        let clock_watch = ClockWatch::new(&*clock);
        let context = AppContext { config, database, keys, clock, clock_watch, gateways, dialer };
        Ok(context)
    }

    /// Whether the clock was set a short while ago: then nothing is done that cannot be taken back.
    pub fn is_clock_settling(&self) -> bool {
        self.clock_watch.recent_step(&*self.clock).is_some()
    }

    /// Whether a gateway takes and confirms each part of a long message by itself.
    pub fn submits_parts(&self, gateway: &str) -> bool {
        self.gateways.get(gateway).is_some_and(|gateway| gateway.capabilities().submits_parts)
    }

    /// Whether a gateway's rate counts the parts of messages.
    pub fn counts_parts(&self, gateway: &str) -> bool {
        let configured = self.config.gateways.get(gateway).and_then(|config| config.rate_counts);
        configured.map_or_else(|| self.submits_parts(gateway), |unit| unit == RateUnit::Parts)
    }

    /// Writes an audit entry in the transaction that makes the audited change. It must be the last
    /// statement of the transaction. Returns the entry's number.
    pub async fn audit(
        &self,
        tx: &mut WriteTx,
        actor: &Actor,
        action: Action,
        object: &str,
    ) -> Result<i64, DatabaseError> {
        self.audit_with_detail(tx, actor, action, (object, "")).await
    }

    /// Writes an audit entry with additional detail, like [`AppContext::audit`].
    pub async fn audit_with_detail(
        &self,
        tx: &mut WriteTx,
        actor: &Actor,
        action: Action,
        what: (&str, &str),
    ) -> Result<i64, DatabaseError> {
        audit::append(tx, self.keys.hasher(), actor, action, what, self.clock.now()).await
    }

    /// Writes an audit entry in its own transaction before an action or a disclosure, so that it is
    /// recorded whatever happens then.
    pub async fn audit_before(
        &self,
        actor: &Actor,
        action: Action,
        object: &str,
        detail: &str,
    ) -> Result<i64, DatabaseError> {
        let mut tx = self.database.write().await?;
        let number = audit::append(
            &mut tx,
            self.keys.hasher(),
            actor,
            action,
            (object, detail),
            self.clock.now(),
        )
        .await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Returns the URL of the personal link with this code.
    pub fn personal_link(&self, code: &str) -> String {
        format!("{}/i/{code}", self.config.public_url)
    }

    /// Returns the base URL of a gateway's webhooks; `…/receipts` and `…/replies` follow.
    pub fn webhook_base_url(&self, gateway: &str) -> String {
        webhook_base_url(&self.config, &self.keys, gateway)
    }
}

fn webhook_base_url(config: &Config, keys: &KeyRing, gateway: &str) -> String {
    format!("{}/hooks/{gateway}/{}", config.public_url, keys.hasher().webhook_secret(gateway))
}
