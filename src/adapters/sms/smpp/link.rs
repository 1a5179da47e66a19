//! One connection to an SMSC. It writes PDUs, returns responses to their requests, and forwards
//! everything else. The PDUs are those of the `rusmpp` crate.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rusmpp::pdus::{DataSmResp, DeliverSmResp, SubmitSmResp};
use rusmpp::tokio_codec::{CommandCodec, EncodeError};
use rusmpp::types::AnyOctetString;
use rusmpp::{Command, CommandId, CommandStatus, Pdu};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder, Framed};

/// SMPP 3.4, section 4: none of our PDUs comes close to this size.
const MAX_PDU: usize = 64 * 1024;
/// SMPP 3.4, 3.2: length, id, status and sequence number.
const HEADER: usize = 16;
/// Capacity of the queue of PDUs to be written.
const OUTGOING: usize = 64;
/// How long a connection that is being left waits for the answers to what was sent on it.
const LEAVING: Duration = Duration::from_secs(2);

/// The reason for which a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The connection was closed or left before the request was written.
    NotSent,
    /// The connection was closed after the request may have been written.
    Lost,
    TimedOut,
}

type Pending = Arc<Mutex<HashMap<u32, Request>>>;

/// A request that waits for its answer.
struct Request {
    id: CommandId,
    reply_to: oneshot::Sender<Result<Command, NoAnswer>>,
}

impl Request {
    /// Whether this answers it. Some SMSCs send answers that nobody has asked for, under any number.
    fn is_answered_by(&self, response: &Command) -> bool {
        [CommandId::GenericNack, self.id.matching_response()].contains(&response.id())
    }
}

/// The local end of a connection.
#[derive(Clone)]
pub struct Link {
    outgoing: mpsc::Sender<Command>,
    pending: Pending,
    next: Arc<AtomicU32>,
    leave: Arc<Notify>,
    response_timeout: Duration,
}

impl Link {
    /// Starts SMPP over a stream. The receiver yields everything that is not a response to our
    /// requests, and ends with the connection.
    pub fn over<S>(
        stream: S,
        enquire_link_every: Duration,
        response_timeout: Duration,
    ) -> (Link, mpsc::Receiver<Command>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (outgoing, to_write) = mpsc::channel(OUTGOING);
        let (deliver, incoming) = mpsc::channel(OUTGOING);
        let link = Link {
            outgoing,
            pending: Pending::default(),
            next: Arc::new(AtomicU32::new(1)),
            leave: Arc::default(),
            response_timeout,
        };
        let connection = Connection {
            framed: Framed::new(stream, PduCodec),
            to_write,
            deliver,
            pending: link.pending.clone(),
            next: link.next.clone(),
            leave: link.leave.clone(),
            is_bound: false,
            enquire_link_every: enquire_link_every.max(Duration::from_secs(1)),
            response_timeout,
        };
        tokio::spawn(connection.run());
        (link, incoming)
    }

    /// Closes the connection as soon as what was sent on it is answered, and sends nothing more.
    pub fn leave(&self) {
        self.leave.notify_one();
    }

    pub fn is_same(&self, other: &Link) -> bool {
        Arc::ptr_eq(&self.pending, &other.pending)
    }

    pub fn is_closed(&self) -> bool {
        self.outgoing.is_closed()
    }

    /// Sends a request and waits for its response.
    pub async fn request(&self, pdu: impl Into<Pdu>) -> Result<Command, NoAnswer> {
        let sequence = sequence_after(&self.next);
        let (reply_to, answered) = oneshot::channel();
        let command = pdu_of(CommandStatus::EsmeRok, sequence, pdu);
        let request = Request { id: command.id(), reply_to };
        self.pending.lock().await.insert(sequence, request);
        if self.outgoing.send(command).await.is_err() {
            self.pending.lock().await.remove(&sequence);
            return Err(NoAnswer::NotSent);
        }
        match timeout(self.response_timeout, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(NoAnswer::Lost),
            Err(_) => {
                self.pending.lock().await.remove(&sequence);
                Err(NoAnswer::TimedOut)
            }
        }
    }

    /// Responds to a request of the peer.
    pub async fn respond(&self, sequence: u32, status: CommandStatus, pdu: impl Into<Pdu>) {
        // If the connection is closed, nobody waits for the response.
        let _ = self.outgoing.send(pdu_of(status, sequence, pdu)).await;
    }
}

/// SMPP 3.4, 2.6.2: from 1 to 0x7fffffff.
const LAST_SEQUENCE: u32 = 0x7fff_ffff;

/// Returns the next sequence number.
fn sequence_after(next: &AtomicU32) -> u32 {
    let after = |number| Some(if number >= LAST_SEQUENCE { 1 } else { number + 1 });
    next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).unwrap_or_else(|number| number)
}

fn is_response(command: &Command) -> bool {
    u32::from(command.id()) & 0x8000_0000 != 0
}

fn pdu_of(status: CommandStatus, sequence: u32, pdu: impl Into<Pdu>) -> Command {
    Command::builder().status(status).sequence_number(sequence).pdu(pdu)
}

/// Cuts the stream into PDUs. One whose body cannot be read becomes [`Pdu::Other`], because a
/// connection that closes on it would get it again after each bind.
struct PduCodec;

impl Decoder for PduCodec {
    type Item = Command;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Command>> {
        let Some(&[a, b, c, d]) = source.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(HEADER..=MAX_PDU).contains(&length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no length of a PDU"));
        }
        if source.len() < length {
            source.reserve(length - source.len());
            return Ok(None);
        }
        let frame = source.split_to(length);
        let read = CommandCodec::new().without_max_length().decode(&mut frame.clone());
        // The library reads an answer to a submit without a body as nothing.
        let is_whole = |command: &Command| {
            command.id() != CommandId::SubmitSmResp || command.pdu().is_some_and(is_submit_answer)
        };
        if let Some(command) = read.ok().flatten().filter(is_whole) {
            return Ok(Some(command));
        }
        let word = |nth: usize| {
            let octets = frame.iter().skip(4 * nth).take(4);
            octets.fold(0, |word, octet| word << 8 | u32::from(*octet))
        };
        let (command_id, status) = (CommandId::from(word(1)), CommandStatus::from(word(2)));
        let body = &frame[HEADER..];
        let pdu = match command_id {
            CommandId::SubmitSmResp => submit_answer(body).into(),
            _ => Pdu::Other { command_id, body: AnyOctetString::from_slice(body) },
        };
        Ok(Some(pdu_of(status, word(3), pdu)))
    }
}

fn is_submit_answer(pdu: &Pdu) -> bool {
    matches!(pdu, Pdu::SubmitSmResp(_))
}

/// Reads what can be read of an answer to a submit: its status counts with any body, and the id up
/// to its NUL, or to the end where that is left out, whatever follows.
fn submit_answer(body: &[u8]) -> SubmitSmResp {
    let id = body.split(|octet| *octet == 0).next().unwrap_or_default();
    let id = str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    SubmitSmResp::builder().message_id(id.unwrap_or_default()).build()
}

impl Encoder<Command> for PduCodec {
    type Error = io::Error;

    fn encode(&mut self, command: Command, target: &mut BytesMut) -> io::Result<()> {
        // The library logs what it encodes by its place from the start of the buffer.
        let mut frame = BytesMut::new();
        CommandCodec::new().encode(command, &mut frame).map_err(|error| match error {
            EncodeError::Io(error) => error,
            other => io::Error::other(other.to_string()),
        })?;
        target.extend_from_slice(&frame);
        Ok(())
    }
}

/// The task that reads and writes.
struct Connection<S> {
    framed: Framed<S, PduCodec>,
    to_write: mpsc::Receiver<Command>,
    deliver: mpsc::Sender<Command>,
    pending: Pending,
    next: Arc<AtomicU32>,
    leave: Arc<Notify>,
    is_bound: bool,
    enquire_link_every: Duration,
    response_timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection<S> {
    /// Reads and writes until the connection ends, is left, the local end is dropped, or the peer
    /// does not respond to an enquire_link.
    async fn run(mut self) {
        let every = self.enquire_link_every;
        let mut enquire = interval_at(Instant::now() + every, every);
        let mut last_heard = Instant::now();
        let mut leaving: Option<Instant> = None;
        let leave = self.leave.clone();
        loop {
            if leaving.is_some() && self.pending.lock().await.is_empty() {
                break;
            }
            let end = leaving.unwrap_or_else(Instant::now);
            let has_left = tokio::select! {
                command = self.to_write.recv(), if leaving.is_none() => {
                    let Some(command) = command else { break };
                    if !self.write(command).await { break }
                    false
                }
                read = self.framed.next() => {
                    let Some(Ok(command)) = read else { break };
                    last_heard = Instant::now();
                    let ends = command.id() == CommandId::Unbind || self.is_lost_nack(&command).await;
                    if !self.take(command).await { break }
                    ends
                }
                // SMPP 3.4, 2.3: no enquire_link before the bind is answered.
                _ = enquire.tick(), if leaving.is_none() && self.is_bound => {
                    // Nothing was received since the last enquire_link, for longer than a response
                    // may take.
                    if last_heard.elapsed() > every + self.response_timeout { break }
                    let sequence = sequence_after(&self.next);
                    if !self.write(pdu_of(CommandStatus::EsmeRok, sequence, Pdu::EnquireLink)).await { break }
                    false
                }
                () = leave.notified(), if leaving.is_none() => true,
                () = sleep_until(end), if leaving.is_some() => break,
            };
            if has_left && leaving.is_none() {
                leaving = Some(Instant::now() + LEAVING);
                self.refuse_unwritten().await;
            }
        }
        self.refuse_unwritten().await;
        // All waiting requests are notified that there is no response.
        self.pending.lock().await.clear();
    }

    /// Returns whether this says that a request could not be read, but not which (SMPP 3.4, 4.3).
    /// Nothing more is sent on that connection; what is not answered soon stays in doubt.
    async fn is_lost_nack(&mut self, command: &Command) -> bool {
        command.id() == CommandId::GenericNack
            && command.sequence_number() == 0
            && !self.pending.lock().await.is_empty()
    }

    /// Gives a response to the request that waits for it, if one does.
    async fn settle(&mut self, sequence: u32, response: Command) {
        let mut pending = self.pending.lock().await;
        // Before the bind is answered, there is no other request.
        let number = match response.id() {
            CommandId::GenericNack if !self.is_bound => pending.keys().next().copied(),
            _ => Some(sequence),
        };
        let Some(Entry::Occupied(entry)) = number.map(|number| pending.entry(number)) else {
            return;
        };
        if !entry.get().is_answered_by(&response) {
            return;
        }
        self.is_bound |= response.status() == CommandStatus::EsmeRok;
        let _ = entry.remove().reply_to.send(Ok(response));
    }

    /// Takes what the peer has sent. Returns false if the connection is gone.
    async fn take(&mut self, command: Command) -> bool {
        let (id, sequence) = (command.id(), command.sequence_number());
        if is_response(&command) {
            self.settle(sequence, command).await;
            return true;
        }
        let ok = CommandStatus::EsmeRok;
        match id {
            CommandId::EnquireLink => {
                return self.write(pdu_of(ok, sequence, Pdu::EnquireLinkResp)).await;
            }
            CommandId::Unbind => return self.write(pdu_of(ok, sequence, Pdu::UnbindResp)).await,
            _ => {}
        }
        match self.deliver.try_send(command) {
            Ok(()) => true,
            Err(TrySendError::Closed(_)) => false,
            // What is waiting must not keep an enquire_link from its answer. SMPP 3.4, 5.1.3: a
            // temporary error of the receiver; it is delivered again.
            Err(TrySendError::Full(_)) => {
                let later = CommandStatus::EsmeRxTAppn;
                match id {
                    CommandId::DeliverSm => {
                        self.write(pdu_of(later, sequence, DeliverSmResp::default())).await
                    }
                    CommandId::DataSm => {
                        self.write(pdu_of(later, sequence, DataSmResp::default())).await
                    }
                    _ => true,
                }
            }
        }
    }

    /// Writes a PDU. Returns false if the connection is gone, or takes nothing any more.
    async fn write(&mut self, command: Command) -> bool {
        matches!(timeout(self.response_timeout, self.framed.send(command)).await, Ok(Ok(())))
    }

    /// Takes no more requests; those that wait to be written were certainly not sent.
    async fn refuse_unwritten(&mut self) {
        self.to_write.close();
        let mut pending = self.pending.lock().await;
        while let Ok(command) = self.to_write.try_recv() {
            if is_response(&command) {
                continue;
            }
            if let Some(request) = pending.remove(&command.sequence_number()) {
                let _ = request.reply_to.send(Err(NoAnswer::NotSent));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// praekeltfoundation/vumi#88, joaogervasoni/smppjs#25: after 4,294,967,295 requests.
    #[test]
    fn sequence_numbers_begin_again_after_the_last() {
        let next = AtomicU32::new(LAST_SEQUENCE - 1);
        let numbers: Vec<u32> = (0..4).map(|_| sequence_after(&next)).collect();
        assert_eq!(numbers, [LAST_SEQUENCE - 1, LAST_SEQUENCE, 1, 2]);
    }
}
