//! The connection to the SMSC: made when it is first needed, kept by enquire_link, made again with back-off when it drops.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rusmpp::pdus::{BindTransceiver, DeliverSmResp};
use rusmpp::types::COctetString;
use rusmpp::values::InterfaceVersion;
use rusmpp::{Command, CommandStatus, Pdu};
use rusmppc::error::Error;
use rusmppc::{Client, ConnectionBuilder, Event};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::delivery::read_delivery;
use super::{CONNECT_TIMEOUT, File};
use crate::clock::Clock;
use crate::config::GatewayConfig;
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::gateway::Delivery;

/// Deliveries that wait to be written down; the SMSC waits for their answers.
const DELIVERIES: usize = 32;
const FIRST_BACK_OFF: Duration = Duration::from_secs(1);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// While nothing comes, it is looked so often whether the connection still stands.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub enum NotBound {
    /// The SMSC does not let us in.
    Refused(String),
    NoConnection,
}

pub struct Sessions {
    gateway: String,
    system_id: String,
    password: Personal,
    file: Arc<File>,
    enquire_link_every: Duration,
    response_timeout: Duration,
    clock: Arc<dyn Clock>,
    current: Mutex<Current>,
    deliver: mpsc::Sender<Delivery>,
    deliveries: Mutex<mpsc::Receiver<Delivery>>,
}

#[derive(Default)]
struct Current {
    client: Option<Client>,
    failures: u32,
    not_before: Option<Timestamp>,
    refused: Option<String>,
}

impl Sessions {
    pub fn new(config: &GatewayConfig, file: Arc<File>, enquire_link_every: Duration, response_timeout: Duration, clock: Arc<dyn Clock>) -> Sessions {
        let (deliver, deliveries) = mpsc::channel(DELIVERIES);
        Sessions {
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

    /// The bound connection; made anew if there is none, unless that has just failed.
    pub async fn client(&self) -> Result<Client, NotBound> {
        let mut current = self.current.lock().await;
        if let Some(client) = current.client.as_ref().filter(|client| !client.is_closed()) {
            return Ok(client.clone());
        }
        current.client = None;
        if current.not_before.is_some_and(|at| at > self.clock.now()) {
            return Err(current.refused.clone().map_or(NotBound::NoConnection, NotBound::Refused));
        }
        match self.bind().await {
            Ok(client) => {
                tracing::info!(gateway = self.gateway, "bound to the SMSC");
                *current = Current { client: Some(client.clone()), ..Current::default() };
                Ok(client)
            }
            Err(error) => {
                current.failures += 1;
                let wait = (FIRST_BACK_OFF * 2u32.pow(current.failures.min(6) - 1)).min(LONGEST_BACK_OFF);
                current.not_before = Some(self.clock.now() + wait);
                current.refused = if let NotBound::Refused(code) = &error { Some(code.clone()) } else { None };
                tracing::warn!(gateway = self.gateway, ?wait, refused = current.refused, "no connection to the SMSC; it is tried again");
                Err(error)
            }
        }
    }

    async fn bind(&self) -> Result<Client, NotBound> {
        let builder = ConnectionBuilder::new()
            .enquire_link_interval(self.enquire_link_every)
            .enquire_link_response_timeout(self.response_timeout)
            .response_timeout(self.response_timeout)
            .disable_interface_version_check();
        let connected = timeout(CONNECT_TIMEOUT, async {
            if self.file.tls {
                let (client, events) = builder.connect(format!("smpps://{}", self.file.address)).await.map_err(|_| NotBound::NoConnection)?;
                self.listen(client.clone(), events);
                return Ok(client);
            }
            let stream = TcpStream::connect(&self.file.address).await.map_err(|_| NotBound::NoConnection)?;
            // Each PDU goes at once.
            let _ = stream.set_nodelay(true);
            let (client, events) = builder.connected(stream);
            self.listen(client.clone(), events);
            Ok(client)
        });
        let client = connected.await.map_err(|_| NotBound::NoConnection)??;
        let long = |key: &str| NotBound::Refused(format!("{key}_too_long"));
        let bind = BindTransceiver::builder()
            .interface_version(InterfaceVersion::Smpp3_4)
            .system_id(self.system_id.parse::<COctetString<1, 16>>().map_err(|_| long("user"))?)
            .password(self.password.reveal().parse::<COctetString<1, 9>>().map_err(|_| long("secret"))?)
            .system_type(self.file.system_type.parse::<COctetString<1, 13>>().map_err(|_| long("system_type"))?)
            .build();
        match client.bind_transceiver(bind).await {
            Ok(_) => Ok(client),
            Err(error) => {
                let _ = client.close().await;
                match error {
                    Error::UnexpectedResponse { response } if response.status() != CommandStatus::EsmeRsyserr => {
                        Err(NotBound::Refused(format!("{:?}", response.status())))
                    }
                    _ => Err(NotBound::NoConnection),
                }
            }
        }
    }

    /// Hands on what the SMSC delivers, for as long as the connection stands.
    fn listen(&self, client: Client, mut events: impl Stream<Item = Event> + Send + Unpin + 'static) {
        let (gateway, file, deliver) = (self.gateway.clone(), self.file.clone(), self.deliver.clone());
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::Incoming(command) => hand_on(&client, &file, &deliver, &command).await,
                    // The crate's own words may hold what was read.
                    Event::Error(_) => tracing::warn!(gateway, "the connection to the SMSC is in trouble"),
                }
            }
            tracing::warn!(gateway, "the connection to the SMSC is gone");
        });
    }

    pub async fn receive(&self) -> Delivery {
        let mut deliveries = self.deliveries.lock().await;
        loop {
            // Receipts and replies come only while we are bound, whether or not there is something to send.
            let _ = self.client().await;
            if let Ok(Some(delivery)) = timeout(LOOK_EVERY, deliveries.recv()).await {
                return delivery;
            }
        }
    }

    pub async fn close(&self) {
        if let Some(client) = self.current.lock().await.client.take() {
            let _ = timeout(CONNECT_TIMEOUT, client.unbind()).await;
            let _ = client.close().await;
        }
    }
}

async fn hand_on(client: &Client, file: &File, deliver: &mpsc::Sender<Delivery>, command: &Command) {
    let sequence = command.sequence_number();
    match command.pdu() {
        Some(Pdu::DeliverSm(pdu)) => {
            let client = client.clone();
            let (receipts, replies) = read_delivery(pdu, file.receipt_id);
            let (delivery, taken) = Delivery::new(receipts, replies);
            let sent = deliver.send(delivery).await;
            // Several may be on their way to the disk; the SMSC's window holds them together.
            tokio::spawn(async move {
                let status = match sent.is_ok() && taken.await == Ok(true) {
                    true => CommandStatus::EsmeRok,
                    // SMPP 3.4, 5.1.3: a temporary error of the receiving side; it is delivered again.
                    false => CommandStatus::EsmeRxTAppn,
                };
                let _ = client.status(status).deliver_sm_resp(sequence, DeliverSmResp::default()).await;
            });
        }
        Some(Pdu::Unbind) => {
            let _ = client.unbind_resp(sequence).await;
            let _ = client.close().await;
        }
        _ => {}
    }
}
