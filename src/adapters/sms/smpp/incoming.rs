//! What an SMSC sends on a connection: deliveries are forwarded, and answered once they are stored.

use std::sync::Arc;

use rusmpp::pdus::{DataSmResp, DeliverSmResp};
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use tokio::sync::mpsc;

use super::File;
use super::delivery::read_delivery;
use super::link::Link;
use crate::adapters::sms::InboundBatch;

/// Forwards the SMSC's deliveries as long as the connection is open, whatever it is bound as: some
/// SMSCs deliver to transmitters too.
pub async fn listen(
    link: Link,
    mut incoming: mpsc::Receiver<Command>,
    file: Arc<File>,
    deliver: mpsc::Sender<InboundBatch>,
) {
    while let Some(command) = incoming.recv().await {
        forward(&link, &file, &deliver, &command).await;
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
