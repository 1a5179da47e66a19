//! The connection to the carrier's gateway (ISMG): opened on first use, in 3.0 or 2.0, and reopened
//! with backoff when it drops.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_util::codec::Framed;

use super::delivery::read_delivery;
use super::file::{File, VersionChoice};
use super::handshake::{self, Account, Handshake};
use super::link::{Link, PduCodec};
use super::pdu::{Answer, Command, DELIVER, Pdu, Version};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::adapters::sms::InboundBatch;
use crate::domain::time::Timestamp;

/// Capacity of the queue of deliveries to be stored; the gateway waits for their answers.
const DELIVERIES: usize = 32;
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// Interval of checking the connection while nothing arrives.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Timeout of connecting and the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// 7.4.1.2
const VERSION_TOO_HIGH: u32 = 4;
/// 7.4.3.2: the message's structure is wrong.
const WRONG_STRUCTURE: u32 = 1;

pub enum BindError {
    /// The gateway refused the account: a person must check it.
    Refused(String),
    NoConnection,
}

pub struct CmppSession {
    gateway: String,
    account: Account,
    file: Arc<File>,
    clock: Arc<dyn Clock>,
    current: Mutex<SessionState>,
    deliver: mpsc::Sender<InboundBatch>,
    deliveries: Mutex<mpsc::Receiver<InboundBatch>>,
}

#[derive(Default)]
struct SessionState {
    link: Option<Link>,
    /// What the gateway was found to speak.
    version: Option<Version>,
    failures: u32,
    not_before: Option<Timestamp>,
    refused: Option<String>,
}

impl CmppSession {
    pub fn new(config: &GatewayConfig, file: Arc<File>, clock: Arc<dyn Clock>) -> CmppSession {
        let (deliver, deliveries) = mpsc::channel(DELIVERIES);
        CmppSession {
            gateway: config.name.clone(),
            account: Account { user: config.user.clone(), secret: config.secret.clone() },
            file,
            clock,
            current: Mutex::default(),
            deliver,
            deliveries: Mutex::new(deliveries),
        }
    }

    /// Returns the open connection. Opens a new one if there is none, unless that has just failed.
    pub async fn link(&self) -> Result<Link, BindError> {
        let mut current = self.current.lock().await;
        if let Some(link) = current.link.as_ref().filter(|link| !link.is_closed()) {
            return Ok(link.clone());
        }
        current.link = None;
        if current.not_before.is_some_and(|at| at > self.clock.now()) {
            return Err(current
                .refused
                .clone()
                .map_or(BindError::NoConnection, BindError::Refused));
        }
        let chosen = match self.file.version {
            VersionChoice::V20 => Version::V20,
            VersionChoice::V30 => Version::V30,
            VersionChoice::Auto => current.version.unwrap_or(Version::V30),
        };
        match self.bind(chosen).await {
            Ok((link, version)) => {
                tracing::info!(gateway = self.gateway, ?version, "connected to the CMPP gateway");
                let (link, version) = (Some(link), Some(version));
                let is_open = link.clone();
                *current = SessionState { link, version, ..SessionState::default() };
                is_open.ok_or(BindError::NoConnection)
            }
            Err(error) => {
                current.failures += 1;
                let wait =
                    (FIRST_BACK_OFF * 2u32.pow(current.failures.min(6) - 1)).min(LONGEST_BACK_OFF);
                current.not_before = Some(self.clock.now() + wait);
                current.refused =
                    if let BindError::Refused(code) = &error { Some(code.clone()) } else { None };
                tracing::warn!(
                    gateway = self.gateway,
                    ?wait,
                    refused = current.refused,
                    "no connection to the CMPP gateway; it is tried again"
                );
                Err(error)
            }
        }
    }

    /// Connects in a version, or in 2.0 where the gateway knows no other.
    async fn bind(&self, version: Version) -> Result<(Link, Version), BindError> {
        match self.connect(version).await {
            Err(VERSION_TOO_HIGH)
                if version == Version::V30 && self.file.version.may_fall_back() =>
            {
                self.connect(Version::V20).await
            }
            other => other,
        }
        .map_err(|status| match status {
            1 => BindError::Refused("connect_1_structure".into()),
            2 => BindError::Refused("connect_2_source_address".into()),
            3 => BindError::Refused("connect_3_authentication".into()),
            VERSION_TOO_HIGH => BindError::Refused("connect_4_version".into()),
            0 => BindError::NoConnection,
            // «Other errors»: too many connections, for instance, while the gateway still holds one
            // that we have lost. They pass by themselves.
            other => {
                tracing::warn!(
                    gateway = self.gateway,
                    status = other,
                    "the CMPP gateway does not connect us now"
                );
                BindError::NoConnection
            }
        })
    }

    /// Connects once. The error is the status of the refusal, or 0 if there was no answer.
    async fn connect(&self, version: Version) -> Result<(Link, Version), u32> {
        let shaking = async {
            let stream = TcpStream::connect(&self.file.address).await.ok()?;
            // Send each message without delay.
            let _ = stream.set_nodelay(true);
            let mut framed = Framed::new(stream, PduCodec { version });
            let now = self.clock.now();
            let end = handshake::connect(&mut framed, &self.account, version, now).await;
            Some((framed, end))
        };
        let (framed, end) = timeout(CONNECT_TIMEOUT, shaking).await.ok().flatten().ok_or(0u32)?;
        let accepted = match end {
            Handshake::Accepted(accepted) => accepted,
            Handshake::Refused(status) => return Err(status),
            Handshake::Lost => return Err(0),
        };
        let (every, wait) = (self.file.active_test_every, self.file.response_timeout);
        let (link, incoming) = Link::over(framed, every, wait);
        self.listen(link.clone(), incoming);
        Ok((link, accepted))
    }

    /// Forwards the gateway's deliveries as long as the connection is open.
    fn listen(&self, link: Link, mut incoming: mpsc::Receiver<Command>) {
        let (gateway, file, deliver) =
            (self.gateway.clone(), self.file.clone(), self.deliver.clone());
        tokio::spawn(async move {
            while let Some(command) = incoming.recv().await {
                forward(&link, &file, &deliver, &command).await;
            }
            tracing::warn!(gateway, "the connection to the CMPP gateway is gone");
        });
    }

    pub async fn receive(&self) -> InboundBatch {
        let mut deliveries = self.deliveries.lock().await;
        loop {
            // Receipts and replies arrive only while we are connected, whether or not there is
            // something to send.
            let _ = self.link().await;
            if let Ok(Some(delivery)) = timeout(CHECK_INTERVAL, deliveries.recv()).await {
                return delivery;
            }
        }
    }

    pub async fn close(&self) {
        if let Some(link) = self.current.lock().await.link.take() {
            let _ = timeout(CONNECT_TIMEOUT, link.request(Pdu::Terminate)).await;
            link.leave();
        }
    }
}

/// Forwards one message of the gateway, and answers it as soon as it is stored.
async fn forward(
    link: &Link,
    file: &File,
    deliver: &mpsc::Sender<InboundBatch>,
    command: &Command,
) {
    let sequence = command.sequence;
    let delivered = match &command.pdu {
        Pdu::Deliver(delivered) => delivered,
        // One that cannot be read would come again for ever.
        Pdu::Other { command: DELIVER, body } => {
            tracing::error!("a delivery of the CMPP gateway cannot be read; check version");
            let id = body.octets().first_chunk().map_or(0, |id| u64::from_be_bytes(*id));
            let answer = Answer { msg_id: id, result: WRONG_STRUCTURE };
            return link.respond(sequence, Pdu::DeliverResp(answer)).await;
        }
        // There is no answer to what is not known.
        _ => return,
    };
    let (receipts, replies) = read_delivery(delivered, file);
    let answer = Pdu::DeliverResp(Answer { msg_id: delivered.msg_id, result: 0 });
    let link = link.clone();
    let (delivery, taken) = InboundBatch::new(receipts, replies);
    let sent = deliver.send(delivery).await;
    // Several deliveries may be stored concurrently; the gateway's window limits them.
    tokio::spawn(async move {
        // What is not stored is not answered; the gateway sends it again (6.1).
        if sent.is_ok() && taken.await == Ok(true) {
            link.respond(sequence, answer).await;
        }
    });
}
