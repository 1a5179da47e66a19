//! One connection to an SMSC. It writes PDUs, returns responses to their requests, and forwards
//! everything else. The PDUs are those of the `rusmpp` crate.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rusmpp::tokio_codec::CommandCodec;
use rusmpp::{Command, CommandStatus, Pdu};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, interval_at, timeout};
use tokio_util::codec::Framed;

/// SMPP 3.4, section 4: none of our PDUs comes close to this size.
const MAX_PDU: usize = 64 * 1024;
/// Capacity of the queue of PDUs to be written.
const OUTGOING: usize = 64;

/// The reason for which a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The connection was closed before the request was written.
    NotSent,
    /// The connection was closed after the request may have been written.
    Lost,
    TimedOut,
}

type Pending = Arc<Mutex<HashMap<u32, oneshot::Sender<Command>>>>;

/// The local end of a connection.
#[derive(Clone)]
pub struct Link {
    outgoing: mpsc::Sender<Command>,
    pending: Pending,
    next: Arc<AtomicU32>,
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
            response_timeout,
        };
        let framed = Framed::new(stream, CommandCodec::new().with_max_length(MAX_PDU));
        tokio::spawn(run_connection(
            framed,
            to_write,
            deliver,
            link.pending.clone(),
            link.next.clone(),
            enquire_link_every,
            response_timeout,
        ));
        (link, incoming)
    }

    pub fn is_closed(&self) -> bool {
        self.outgoing.is_closed()
    }

    /// Sends a request and waits for its response.
    pub async fn request(&self, pdu: impl Into<Pdu>) -> Result<Command, NoAnswer> {
        let sequence = sequence_after(&self.next);
        let (answer, answered) = oneshot::channel();
        self.pending.lock().await.insert(sequence, answer);
        let command =
            Command::builder().status(CommandStatus::EsmeRok).sequence_number(sequence).pdu(pdu);
        if self.outgoing.send(command).await.is_err() {
            self.pending.lock().await.remove(&sequence);
            return Err(NoAnswer::NotSent);
        }
        match timeout(self.response_timeout, answered).await {
            Ok(Ok(command)) => Ok(command),
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
        let _ = self
            .outgoing
            .send(Command::builder().status(status).sequence_number(sequence).pdu(pdu))
            .await;
    }
}

/// Returns the next sequence number. SMPP 3.4, 2.6.2: from 1 to 0x7fffffff.
fn sequence_after(next: &AtomicU32) -> u32 {
    next.fetch_add(1, Ordering::Relaxed) % 0x7fff_fffe + 1
}

fn is_response(command: &Command) -> bool {
    u32::from(command.id()) & 0x8000_0000 != 0
}

/// Reads and writes until the connection ends, the local end is dropped, or the peer does not
/// respond to an enquire_link.
async fn run_connection<S>(
    mut framed: Framed<S, CommandCodec>,
    mut to_write: mpsc::Receiver<Command>,
    deliver: mpsc::Sender<Command>,
    pending: Pending,
    next: Arc<AtomicU32>,
    enquire_link_every: Duration,
    response_timeout: Duration,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let every = enquire_link_every.max(Duration::from_secs(1));
    let mut enquire = interval_at(Instant::now() + every, every);
    let mut last_heard = Instant::now();
    loop {
        tokio::select! {
            command = to_write.recv() => {
                let Some(command) = command else { break };
                if framed.send(command).await.is_err() { break }
            }
            read = framed.next() => {
                let Some(Ok(command)) = read else { break };
                last_heard = Instant::now();
                if is_response(&command) {
                    if let Some(reply_to) = pending.lock().await.remove(&command.sequence_number()) {
                        let _ = reply_to.send(command);
                    }
                    continue;
                }
                if matches!(command.pdu(), Some(Pdu::EnquireLink)) {
                    let answer = Command::builder().status(CommandStatus::EsmeRok).sequence_number(command.sequence_number()).pdu(Pdu::EnquireLinkResp);
                    if framed.send(answer).await.is_err() { break }
                    continue;
                }
                if deliver.send(command).await.is_err() { break }
            }
            _ = enquire.tick() => {
                // Nothing was received since the last enquire_link, for longer than a response may
                // take.
                if last_heard.elapsed() > every + response_timeout { break }
                let command = Command::builder().status(CommandStatus::EsmeRok).sequence_number(sequence_after(&next)).pdu(Pdu::EnquireLink);
                if framed.send(command).await.is_err() { break }
            }
        }
    }
    to_write.close();
    // All waiting requests are notified that there is no response.
    pending.lock().await.clear();
}
