//! The connection to the SMSC: opened on first use, kept alive by enquire_link, and reopened with
//! backoff when it drops.

use std::sync::Arc;
use std::time::Duration;

use rusmpp::pdus::{DataSmResp, DeliverSmResp};
use rusmpp::types::AnyOctetString;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::delivery::read_delivery;
use super::link::Link;
use super::{CONNECT_TIMEOUT, File};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
use crate::adapters::sms::InboundBatch;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;

/// Capacity of the queue of deliveries to be stored; the SMSC waits for their responses.
const DELIVERIES: usize = 32;
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// Interval of checking the connection while nothing arrives.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

pub enum BindError {
    /// The SMSC refused the bind: a person must check the account.
    Refused(String),
    NoConnection,
}

pub struct SmppSession {
    gateway: String,
    system_id: String,
    password: Personal,
    file: Arc<File>,
    enquire_link_every: Duration,
    response_timeout: Duration,
    clock: Arc<dyn Clock>,
    current: Mutex<SessionState>,
    deliver: mpsc::Sender<InboundBatch>,
    deliveries: Mutex<mpsc::Receiver<InboundBatch>>,
}

#[derive(Default)]
struct SessionState {
    link: Option<Link>,
    failures: u32,
    not_before: Option<Timestamp>,
    refused: Option<String>,
}

impl SmppSession {
    pub fn new(
        config: &GatewayConfig,
        file: Arc<File>,
        enquire_link_every: Duration,
        response_timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> SmppSession {
        let (deliver, deliveries) = mpsc::channel(DELIVERIES);
        SmppSession {
            gateway: config.name.clone(),
            system_id: config.user.clone(),
            password: config.secret.clone(),
            file,
            enquire_link_every,
            response_timeout,
            clock,
            current: Mutex::default(),
            deliver,
            deliveries: Mutex::new(deliveries),
        }
    }

    /// Returns the bound connection. Opens a new one if there is none, unless that has just failed.
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
        match self.bind().await {
            Ok(link) => {
                tracing::info!(gateway = self.gateway, "bound to the SMSC");
                *current = SessionState { link: Some(link.clone()), ..SessionState::default() };
                Ok(link)
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
                    "no connection to the SMSC; it is tried again"
                );
                Err(error)
            }
        }
    }

    async fn bind(&self) -> Result<Link, BindError> {
        // SMPP 3.4, 4.1.5, field by field: the library's type has no room for the longer names and
        // passwords of some carriers.
        let texts = [self.system_id.as_str(), self.password.reveal(), &self.file.system_type];
        let mut body: Vec<u8> = texts.iter().flat_map(|text| text.bytes().chain([0])).collect();
        // interface_version, addr_ton, addr_npi, and an empty address_range.
        body.extend([0x34, 0, 0, 0]);
        let bind = Pdu::Other {
            command_id: CommandId::BindTransceiver,
            body: AnyOctetString::from_vec(body),
        };
        let connected = timeout(CONNECT_TIMEOUT, self.connect()).await;
        let (link, incoming) =
            connected.map_err(|_| BindError::NoConnection)?.ok_or(BindError::NoConnection)?;
        let answer = link.request(bind).await.map_err(|_| BindError::NoConnection)?;
        match answer.status() {
            CommandStatus::EsmeRok => {
                self.listen(link.clone(), incoming);
                Ok(link)
            }
            // «Already bound»: the SMSC still holds a connection that we have lost, for some
            // minutes. That and the others pass by themselves.
            CommandStatus::EsmeRalybnd
            | CommandStatus::EsmeRsyserr
            | CommandStatus::EsmeRthrottled
            | CommandStatus::EsmeRmsgqful
            | CommandStatus::EsmeRinvbndsts => {
                tracing::warn!(
                    gateway = self.gateway,
                    status = ?answer.status(),
                    "the SMSC does not bind us now"
                );
                Err(BindError::NoConnection)
            }
            refused => Err(BindError::Refused(format!("{refused:?}"))),
        }
    }

    async fn connect(&self) -> Option<(Link, mpsc::Receiver<Command>)> {
        let stream = TcpStream::connect(&self.file.address).await.ok()?;
        // Send each PDU without delay.
        let _ = stream.set_nodelay(true);
        if !self.file.tls {
            return Some(Link::over(stream, self.enquire_link_every, self.response_timeout));
        }
        let host =
            self.file.address.rsplit_once(':').map_or(self.file.address.as_str(), |(host, _)| host);
        crate::adapters::http_client::install_ring_provider();
        let connector = TlsConnector::from(Arc::new(ClientConfig::with_platform_verifier().ok()?));
        match connector.connect(host.to_owned().try_into().ok()?, stream).await {
            Ok(stream) => Some(Link::over(stream, self.enquire_link_every, self.response_timeout)),
            Err(error) => {
                tracing::error!(gateway = self.gateway, %error, "TLS with the SMSC fails; check \
                    its certificate and the host in its address");
                None
            }
        }
    }

    /// Forwards the SMSC's deliveries as long as the connection is open.
    fn listen(&self, link: Link, mut incoming: mpsc::Receiver<Command>) {
        let (gateway, file, deliver) =
            (self.gateway.clone(), self.file.clone(), self.deliver.clone());
        tokio::spawn(async move {
            while let Some(command) = incoming.recv().await {
                forward(&link, &file, &deliver, &command).await;
            }
            tracing::warn!(gateway, "the connection to the SMSC is gone");
        });
    }

    pub async fn receive(&self) -> InboundBatch {
        let mut deliveries = self.deliveries.lock().await;
        loop {
            // Receipts and replies arrive only while we are bound, whether or not there is
            // something to send.
            let _ = self.link().await;
            if let Ok(Some(delivery)) = timeout(CHECK_INTERVAL, deliveries.recv()).await {
                return delivery;
            }
        }
    }

    pub async fn close(&self) {
        if let Some(link) = self.current.lock().await.link.take() {
            let _ = timeout(CONNECT_TIMEOUT, link.request(Pdu::Unbind)).await;
            link.leave();
        }
    }

    /// Leaves a connection on which the SMSC says that it is not bound; the next use binds again.
    pub async fn leave(&self, link: &Link) {
        link.leave();
        let mut current = self.current.lock().await;
        if current.link.as_ref().is_some_and(|bound| bound.is_same(link)) {
            current.link = None;
        }
    }
}

/// Forwards one command of the SMSC, and answers it.
async fn forward(
    link: &Link,
    file: &File,
    deliver: &mpsc::Sender<InboundBatch>,
    command: &Command,
) {
    let sequence = command.sequence_number();
    let (read, answer): (_, Pdu) = match command.pdu() {
        Some(Pdu::DeliverSm(pdu)) => {
            (read_delivery(pdu, file.receipt_id), DeliverSmResp::default().into())
        }
        Some(Pdu::DataSm(pdu)) => {
            (read_delivery(pdu, file.receipt_id), DataSmResp::default().into())
        }
        _ => return refuse(link, command).await,
    };
    let (mut receipts, replies) = read;
    for receipt in &mut receipts {
        receipt.dead_number = file.is_dead_number(receipt);
    }
    let link = link.clone();
    let (delivery, taken) = InboundBatch::new(receipts, replies);
    let sent = deliver.send(delivery).await;
    // Several deliveries may be stored concurrently; the SMSC's window limits them.
    tokio::spawn(async move {
        let status = match sent.is_ok() && taken.await == Ok(true) {
            true => CommandStatus::EsmeRok,
            // SMPP 3.4, 5.1.3: a temporary error of the receiver; it is delivered again.
            false => CommandStatus::EsmeRxTAppn,
        };
        link.respond(sequence, status, answer).await;
    });
}

/// Answers what cannot be read or is not for us (SMPP 3.4, 4.3).
async fn refuse(link: &Link, command: &Command) {
    let status = match command.id() {
        // These have no answer.
        CommandId::AlertNotification | CommandId::Outbind => return,
        CommandId::DeliverSm | CommandId::DataSm => CommandStatus::EsmeRinvcmdlen,
        _ => CommandStatus::EsmeRinvcmdid,
    };
    link.respond(command.sequence_number(), status, Pdu::GenericNack).await;
}
