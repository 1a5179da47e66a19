//! One installation, open: its configuration, database, key ring, clock and gateways. Every use-case is handed one.

use std::sync::Arc;

use crate::adapters::clock::Clock;
use crate::adapters::config::Config;
use crate::adapters::crypto::{KeyRing, KeyRingError};
use crate::domain::audit::{Action, Actor};
use crate::adapters::sms::{self, Dialer, GatewayError, Gateways};
use crate::adapters::database::{Store, StoreError, WriteTx, audit};

pub struct Installation {
    pub config: Config,
    pub store: Store,
    pub keys: KeyRing,
    pub clock: Arc<dyn Clock>,
    pub gateways: Gateways,
    pub dialer: Option<Dialer>,
}

#[derive(Debug, thiserror::Error)]
pub enum InstallationError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    #[error("{0}")]
    Dial(String),
}

impl Installation {
    /// Opens the key ring and the gateways, then the database, which is brought to this version.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Installation, InstallationError> {
        let keys = KeyRing::open(&config.key_ring, config.installation_key_file.as_deref())?;
        let hooks = |name: &str| hooks_url(&config, &keys, name);
        let gateways = sms::open_all(&config.gateways, &clock, hooks)?;
        let dialer = config.dial.as_ref().map(Dialer::open).transpose().map_err(InstallationError::Dial)?;
        let store = Store::open(&config.database_url).await?;
        let installation = Installation { config, store, keys, clock, gateways, dialer };
        installation.adopt_disclosures().await?;
        Ok(installation)
    }

    async fn adopt_disclosures(&self) -> Result<(), StoreError> {
        while audit::has_disclosures(&mut *self.store.read().await?).await? {
            let mut tx = self.store.write().await?;
            audit::adopt_disclosures(&mut tx, self.keys.hasher()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Writes into the audit log, in a transaction that does what is written down; it comes last in it. Returns the entry's number.
    pub async fn note(&self, tx: &mut WriteTx, who: &Actor, action: Action, object: &str) -> Result<i64, StoreError> {
        self.note_more(tx, who, action, (object, "")).await
    }

    /// The same, with what more is to be said of it.
    pub async fn note_more(&self, tx: &mut WriteTx, who: &Actor, action: Action, what: (&str, &str)) -> Result<i64, StoreError> {
        audit::append(tx, self.keys.hasher(), who, action, what, self.clock.now()).await
    }

    /// Writes into the audit log what somebody is about to do or to see: whatever happens then, it stands there.
    pub async fn note_ahead(&self, who: &Actor, action: Action, object: &str, detail: &str) -> Result<i64, StoreError> {
        let mut tx = self.store.write().await?;
        let number = audit::append(&mut tx, self.keys.hasher(), who, action, (object, detail), self.clock.now()).await?;
        tx.commit().await?;
        Ok(number)
    }

    /// What the addresses of a gateway's pushes begin with; `…/receipts` and `…/replies` follow.
    pub fn hooks_url(&self, gateway: &str) -> String {
        hooks_url(&self.config, &self.keys, gateway)
    }
}

fn hooks_url(config: &Config, keys: &KeyRing, gateway: &str) -> String {
    format!("{}/hooks/{gateway}/{}", config.public_url, keys.hasher().webhook_secret(gateway))
}
