//! One connection, at either end: it writes messages, returns the answers to its requests, keeps
//! itself alive by CMPP_ACTIVE_TEST, and forwards everything else.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder, Framed};

use super::pdu::{Command, HEADER, MAX_LENGTH, Pdu, Version};

/// Capacity of the queue of messages to be written.
const OUTGOING: usize = 64;
/// How long a connection that is being left waits for the answers to what was sent on it.
const LEAVING: Duration = Duration::from_secs(2);
/// 6.1: after so many CMPP_ACTIVE_TEST without an answer, the connection is closed.
const MAX_UNANSWERED: u32 = 3;

/// The reason for which a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The connection was closed or left before the request was written.
    NotSent,
    /// The connection was closed after the request may have been written.
    Lost,
    TimedOut,
}

type Pending = Arc<Mutex<HashMap<u32, oneshot::Sender<Result<Pdu, NoAnswer>>>>>;

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
    /// Starts on a stream whose handshake is done. The receiver yields everything that is not an
    /// answer to our requests, and ends with the connection.
    pub fn over<S>(
        framed: Framed<S, PduCodec>,
        active_test_every: Duration,
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
            // The handshake was 1.
            next: Arc::new(AtomicU32::new(2)),
            leave: Arc::default(),
            response_timeout,
        };
        let connection = Connection {
            framed,
            to_write,
            deliver,
            pending: link.pending.clone(),
            next: link.next.clone(),
            leave: link.leave.clone(),
            active_test_every: active_test_every.max(Duration::from_secs(1)),
            response_timeout,
        };
        tokio::spawn(connection.run());
        (link, incoming)
    }

    /// Closes the connection as soon as what was sent on it is answered, and sends nothing more.
    pub fn leave(&self) {
        self.leave.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.outgoing.is_closed()
    }

    /// Sends a request and waits for its answer.
    pub async fn request(&self, pdu: Pdu) -> Result<Pdu, NoAnswer> {
        let sequence = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.pending.lock().await.insert(sequence, answer);
        if self.outgoing.send(Command { sequence, pdu }).await.is_err() {
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

    /// Answers a request of the peer.
    pub async fn respond(&self, sequence: u32, pdu: Pdu) {
        // If the connection is closed, nobody waits for the answer.
        let _ = self.outgoing.send(Command { sequence, pdu }).await;
    }
}

/// Cuts the stream into messages.
pub struct PduCodec {
    pub version: Version,
}

impl Decoder for PduCodec {
    type Item = Command;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Command>> {
        let Some(length) = source.first_chunk() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        if !(HEADER..=MAX_LENGTH).contains(&length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no length of a message"));
        }
        if source.len() < length {
            source.reserve(length - source.len());
            return Ok(None);
        }
        Ok(Command::decode(&source.split_to(length), self.version))
    }
}

impl Encoder<Command> for PduCodec {
    type Error = io::Error;

    fn encode(&mut self, command: Command, target: &mut BytesMut) -> io::Result<()> {
        target.extend_from_slice(&command.encode(self.version));
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
    active_test_every: Duration,
    response_timeout: Duration,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Connection<S> {
    /// Reads and writes until the connection ends, is left, the local end is dropped, or the peer
    /// answers nothing.
    async fn run(mut self) {
        let every = self.active_test_every;
        let mut active_test = interval_at(Instant::now() + every, every);
        let mut unanswered = 0;
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
                    unanswered = 0;
                    let is_terminate = command.pdu == Pdu::Terminate;
                    if !self.take(command).await { break }
                    is_terminate
                }
                _ = active_test.tick(), if leaving.is_none() => {
                    if unanswered == MAX_UNANSWERED { break }
                    unanswered += 1;
                    let sequence = self.next.fetch_add(1, Ordering::Relaxed);
                    if !self.write(Command { sequence, pdu: Pdu::ActiveTest }).await { break }
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
        // All waiting requests are notified that there is no answer.
        self.pending.lock().await.clear();
    }

    /// Takes what the peer has sent. Returns false if the connection is gone.
    async fn take(&mut self, command: Command) -> bool {
        let sequence = command.sequence;
        if command.pdu.is_answer() {
            if let Some(reply_to) = self.pending.lock().await.remove(&sequence) {
                let _ = reply_to.send(Ok(command.pdu));
            }
            return true;
        }
        let answer = match command.pdu {
            Pdu::ActiveTest => Pdu::ActiveTestResp,
            Pdu::Terminate => Pdu::TerminateResp,
            _ => {
                // What is waiting must not keep a CMPP_ACTIVE_TEST from its answer. What finds no
                // place has none, and is sent again (6.1).
                let placed = self.deliver.try_send(command);
                return !matches!(placed, Err(TrySendError::Closed(_)));
            }
        };
        self.write(Command { sequence, pdu: answer }).await
    }

    /// Writes a message. Returns false if the connection is gone, or takes nothing any more.
    async fn write(&mut self, command: Command) -> bool {
        matches!(timeout(self.response_timeout, self.framed.send(command)).await, Ok(Ok(())))
    }

    /// Takes no more requests; those that wait to be written were certainly not sent.
    async fn refuse_unwritten(&mut self) {
        self.to_write.close();
        let mut pending = self.pending.lock().await;
        while let Ok(command) = self.to_write.try_recv() {
            if command.pdu.is_answer() {
                continue;
            }
            if let Some(reply_to) = pending.remove(&command.sequence) {
                let _ = reply_to.send(Err(NoAnswer::NotSent));
            }
        }
    }
}
