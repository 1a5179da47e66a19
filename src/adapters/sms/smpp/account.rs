//! An account at an SMSC: how a connection is opened and bound.

use std::sync::Arc;
use std::time::Duration;

use rusmpp::types::AnyOctetString;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;

use super::binds::{BindError, Role};
use super::incoming::listen;
use super::link::Link;
use super::{CONNECT_TIMEOUT, File};
use crate::adapters::sms::InboundBatch;
use crate::domain::personal::Personal;

pub struct Account {
    pub gateway: String,
    pub system_id: String,
    pub password: Personal,
    pub file: Arc<File>,
    /// SMPP 3.4, 5.2.4: 0x34 for 3.4.
    pub interface_version: u8,
    pub enquire_link_every: Duration,
    pub response_timeout: Duration,
    pub deliver: mpsc::Sender<InboundBatch>,
}

impl Account {
    /// Opens a connection and binds it. What the SMSC sends on it is forwarded from then on.
    pub async fn bind(&self, role: Role) -> Result<Link, BindError> {
        let connected = timeout(CONNECT_TIMEOUT, self.connect()).await;
        let (link, incoming) =
            connected.map_err(|_| BindError::NoConnection)?.ok_or(BindError::NoConnection)?;
        let answer =
            link.request(self.bind_pdu(role)).await.map_err(|_| BindError::NoConnection)?;
        self.judge(&answer)?;
        let (file, deliver) = (self.file.clone(), self.deliver.clone());
        let (gateway, listening) = (self.gateway.clone(), link.clone());
        tokio::spawn(async move {
            listen(listening, incoming, file, deliver).await;
            tracing::warn!(gateway, ?role, "the connection to the SMSC is gone");
        });
        Ok(link)
    }

    /// SMPP 3.4, 4.1, field by field: the library's type has no room for the longer names and
    /// passwords of some carriers.
    fn bind_pdu(&self, role: Role) -> Pdu {
        let texts = [self.system_id.as_str(), self.password.reveal(), &self.file.system_type];
        let mut body: Vec<u8> = texts.iter().flat_map(|text| text.bytes().chain([0])).collect();
        // interface_version, addr_ton, addr_npi, and an empty address_range.
        body.extend([self.interface_version, 0, 0, 0]);
        let command_id = match role {
            Role::Transceiver => CommandId::BindTransceiver,
            Role::Transmitter => CommandId::BindTransmitter,
            Role::Receiver => CommandId::BindReceiver,
        };
        Pdu::Other { command_id, body: AnyOctetString::from_vec(body) }
    }

    fn judge(&self, answer: &Command) -> Result<(), BindError> {
        match answer.status() {
            CommandStatus::EsmeRok if answer.id() != CommandId::GenericNack => Ok(()),
            // «Already bound»: the SMSC still holds a connection that we have lost, for some
            // minutes. That and the others pass by themselves.
            CommandStatus::EsmeRok
            | CommandStatus::EsmeRalybnd
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
}
