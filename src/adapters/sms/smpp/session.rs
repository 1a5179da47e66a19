//! The sessions with the SMSC: opened on first use, kept alive by enquire_link, and reopened with
//! backoff when they drop. [`super::binds`] decides which and when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use rusmpp::Pdu;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};
use tokio::time::timeout;

use super::account::Account;
use super::binds::{BindError, Binds, Lease, Role};
use super::link::Link;
use super::{CONNECT_TIMEOUT, File};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::adapters::sms::InboundBatch;

/// Capacity of the queue of deliveries to be stored; the SMSC waits for their responses.
const DELIVERIES: usize = 32;
/// Interval of checking the connections while nothing arrives.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub struct SmppSession {
    shared: Arc<Shared>,
    deliveries: AsyncMutex<mpsc::Receiver<InboundBatch>>,
}

struct Shared {
    account: Account,
    clock: Arc<dyn Clock>,
    binds: Mutex<Binds>,
    /// An attempt to bind has ended.
    changed: Notify,
}

impl SmppSession {
    pub fn new(
        config: &GatewayConfig,
        file: Arc<File>,
        enquire_link_every: Duration,
        response_timeout: Duration,
        settings: &BindSettings,
        clock: Arc<dyn Clock>,
    ) -> SmppSession {
        let (deliver, deliveries) = mpsc::channel(DELIVERIES);
        let account = Account {
            gateway: config.name.clone(),
            system_id: config.user.clone(),
            password: config.secret.clone(),
            file,
            interface_version: settings.interface_version,
            enquire_link_every,
            response_timeout,
            deliver,
        };
        let shared = Shared {
            account,
            clock,
            binds: Mutex::new(Binds::new(&settings.roles)),
            changed: Notify::new(),
        };
        SmppSession { shared: Arc::new(shared), deliveries: AsyncMutex::new(deliveries) }
    }

    /// Returns the bound connection with the fewest submits in flight. Waits for one that is being
    /// opened if there is none.
    pub async fn link(&self) -> Result<Lease, BindError> {
        let failed_before = self.shared.binds().failed_attempts();
        loop {
            let changed = self.shared.changed.notified();
            self.shared.bind_those_due();
            if let Some(outcome) = self.shared.binds().lease(failed_before) {
                return outcome;
            }
            changed.await;
        }
    }

    pub async fn receive(&self) -> InboundBatch {
        let mut deliveries = self.deliveries.lock().await;
        loop {
            // Receipts and replies arrive only while we are bound, whether or not there is
            // something to send.
            self.shared.bind_those_due();
            if let Ok(Some(delivery)) = timeout(CHECK_INTERVAL, deliveries.recv()).await {
                return delivery;
            }
        }
    }

    /// Unbinds all sessions, and opens none any more.
    pub async fn close(&self) {
        let links = self.shared.binds().close();
        join_all(links.iter().map(unbind)).await;
    }

    /// Leaves a connection on which the SMSC says that it is not bound; the next use binds again.
    pub async fn leave(&self, link: &Link) {
        self.shared.binds().leave(link, self.shared.clock.now());
    }
}

impl Drop for SmppSession {
    fn drop(&mut self) {
        for link in self.shared.binds().close() {
            link.leave();
        }
    }
}

impl Shared {
    fn binds(&self) -> MutexGuard<'_, Binds> {
        self.binds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_due(&self) -> Option<(usize, Role)> {
        self.binds().next_due(self.clock.now())
    }

    fn bind_those_due(self: &Arc<Shared>) {
        while let Some((number, role)) = self.next_due() {
            let shared = self.clone();
            tokio::spawn(async move {
                shared.bind(number, role).await;
                shared.changed.notify_waiters();
                // Those that waited for this one.
                shared.bind_those_due();
            });
        }
    }

    async fn bind(&self, number: usize, role: Role) {
        let gateway = &self.account.gateway;
        match self.account.bind(role).await {
            Ok(link) => {
                let is_wanted = self.binds().succeeded(number, link.clone(), self.clock.now());
                if is_wanted {
                    tracing::info!(gateway, number, ?role, "bound to the SMSC");
                } else {
                    unbind(&link).await;
                }
            }
            Err(error) => {
                let failure = self.binds().failed(number, &error, self.clock.now());
                let wait = failure.wait;
                let refused = match error {
                    BindError::Refused(code) => Some(code),
                    BindError::NoConnection => None,
                };
                if !failure.others_are_up {
                    tracing::warn!(
                        gateway,
                        ?role,
                        ?wait,
                        refused,
                        "no connection to the SMSC; it \
                        is tried again"
                    );
                } else if failure.is_first {
                    tracing::warn!(
                        gateway,
                        number,
                        ?role,
                        ?wait,
                        refused,
                        "one of the sessions \
                        with the SMSC cannot be opened, others are; it is tried again. If the \
                        carrier allows fewer, lower binds in the gateway's file"
                    );
                }
            }
        }
    }
}

async fn unbind(link: &Link) {
    let _ = timeout(CONNECT_TIMEOUT, link.request(Pdu::Unbind)).await;
    link.leave();
}

/// How the account is bound, by the gateway's file.
pub struct BindSettings {
    roles: Vec<Role>,
    interface_version: u8,
}

/// More sessions than any carrier has been seen to allow.
const MOST_BINDS: i64 = 10;

impl BindSettings {
    /// Reads `bind`, `binds` and `interface_version`. The error names the key and the remedy.
    pub fn read(file: &File) -> Result<BindSettings, String> {
        let roles: &[Role] = match file.bind.as_ref().map(|bind| bind.as_str().ok_or(bind)) {
            None | Some(Ok("transceiver")) => &[Role::Transceiver],
            Some(Ok("transmitter_receiver")) => &[Role::Transmitter, Role::Receiver],
            Some(other) => {
                return Err(format!(
                    "bind: «{}» is no way to bind; write \"transceiver\", or \
                     \"transmitter_receiver\" for a carrier without transceivers",
                    shown(other)
                ));
            }
        };
        let binds = match file.binds.as_ref().map(|binds| binds.as_integer().ok_or(binds)) {
            None => 1,
            Some(Ok(binds @ 1..=MOST_BINDS)) => binds,
            Some(other) => {
                return Err(format!(
                    "binds: «{}» is no number of sessions; write a whole number from 1 to \
                     {MOST_BINDS}, as many as the carrier allows",
                    shown(other)
                ));
            }
        };
        let version = file.interface_version.as_ref();
        // SMPP 3.4, 5.2.4
        let interface_version = match version.map(|version| version.as_str().ok_or(version)) {
            None | Some(Ok("3.4")) => 0x34,
            Some(Ok("3.3")) => 0x33,
            Some(Ok("5.0")) => 0x50,
            Some(other) => {
                return Err(format!(
                    "interface_version: «{}» is no version of SMPP; write \"3.4\", \"5.0\" or \
                     \"3.3\", with the quotes",
                    shown(other)
                ));
            }
        };
        let roles = (0..binds).flat_map(|_| roles).copied().collect();
        Ok(BindSettings { roles, interface_version })
    }
}

fn shown(given: Result<impl ToString, &toml::Value>) -> String {
    given.map_or_else(|value| value.to_string(), |known| known.to_string())
}
