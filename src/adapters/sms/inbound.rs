//! What gateways deliver to us: receipts and replies, by a push to our webhook or on a connection of
//! their own.

use reqwest::header::HeaderMap;
use tokio::sync::oneshot;

use super::text_coding::TextCoding;
use crate::domain::personal::Personal;
use crate::domain::reply::ReplyMeaning;
use crate::domain::time::Timestamp;

/// A delivery report, identified by our reference, the gateway's id, or both.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub reference: Option<String>,
    pub id: Option<String>,
    /// The recipient's number, if the id is that of a request with several messages.
    pub to: Option<Personal>,
    pub delivered: bool,
    /// Whether the report says that the number is not in service.
    pub dead_number: bool,
    pub code: Option<String>,
}

/// What a gateway says of a sender's number, beside its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NumberKind {
    #[default]
    Unknown,
    /// It begins with a country code, with or without a plus.
    International,
    National,
    /// A service's short number, or a name.
    NotDialled,
}

/// A message from a respondent.
#[derive(Debug, Clone)]
pub struct Reply {
    pub from: Personal,
    pub from_kind: NumberKind,
    pub text: Personal,
    /// An id by which a repeated push of the same reply is recognised.
    pub id: Option<Personal>,
    /// When it was sent, if the gateway reports it.
    pub at: Option<Timestamp>,
    /// What the gateway takes it for (Twilio's `OptOutType`); it is believed.
    pub declared: Option<ReplyMeaning>,
    /// Its place in a long reply, whose text is put together of all parts.
    pub part: Option<ReplyPart>,
}

impl Reply {
    pub fn new(from: impl Into<String>, text: impl Into<String>) -> Reply {
        Reply {
            from: Personal::new(from),
            from_kind: NumberKind::default(),
            text: Personal::new(text),
            id: None,
            at: None,
            declared: None,
            part: None,
        }
    }
}

/// A part of a long reply: GSM 03.40 user data headers, or SMPP's `sar_*`.
#[derive(Debug, Clone)]
pub struct ReplyPart {
    /// The same in all parts of one reply; it is used again for later ones.
    pub reference: u16,
    /// From 1.
    pub number: u8,
    pub total: u8,
    pub coding: TextCoding,
    /// The part's octets in hexadecimal digits: a character may be cut between two parts.
    pub octets_hex: Personal,
}

/// A push of a gateway to our webhook.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// Our address as known to the gateway, without the query.
    pub url: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// A push that cannot be parsed. The text names the key of the gateway's file to check, and
/// contains nothing of the push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "push.", serialize_all = "snake_case")]
pub enum PushError {
    #[error("the push is not {0}; check «form» in the gateway's file")]
    Form(&'static str),
    #[error("the push has no {0}; check its place in the gateway's file")]
    Missing(&'static str),
    #[error("the gateway's file has no [{0}] section")]
    NotConfigured(&'static str),
    #[error("the push is not signed with the account's secret")]
    Forged,
}

/// The entries of a push. One that cannot be read costs the others nothing.
#[derive(Debug)]
pub struct Entries<T> {
    pub read: Vec<T>,
    pub unreadable: Vec<UnreadableEntry>,
}

/// An entry of a push that could not be read.
#[derive(Debug, Clone)]
pub struct UnreadableEntry {
    pub error: PushError,
    /// As it came, cut to [`MAX_RAW`] characters.
    pub raw: Personal,
}

/// How much is kept of an entry that cannot be read.
const MAX_RAW: usize = 4_000;

impl<T> Entries<T> {
    pub fn of(read: Vec<T>) -> Entries<T> {
        Entries { read, unreadable: Vec::new() }
    }

    /// Reads each of `entries`; one that `read` returns `None` for is left out.
    pub fn read<E: ToString>(
        entries: impl IntoIterator<Item = E>,
        read: impl Fn(&E) -> Result<Option<T>, PushError>,
    ) -> Entries<T> {
        let mut all = Entries::of(Vec::new());
        for entry in entries {
            match read(&entry) {
                Ok(found) => all.read.extend(found),
                Err(error) => {
                    let raw: String = entry.to_string().chars().take(MAX_RAW).collect();
                    all.unreadable.push(UnreadableEntry { error, raw: Personal::new(raw) });
                }
            }
        }
        all
    }
}

/// Receipts and replies that a gateway delivered on its own connection. It waits for the
/// acknowledgement.
#[derive(Debug)]
pub struct InboundBatch {
    pub receipts: Vec<Receipt>,
    pub replies: Vec<Reply>,
    stored: oneshot::Sender<bool>,
}

impl InboundBatch {
    /// Creates a batch and the receiver of its acknowledgement.
    pub fn new(
        receipts: Vec<Receipt>,
        replies: Vec<Reply>,
    ) -> (InboundBatch, oneshot::Receiver<bool>) {
        let (stored, answer) = oneshot::channel();
        (InboundBatch { receipts, replies, stored }, answer)
    }

    /// Reports whether the batch is stored on disk; if not, the gateway retries.
    pub fn acknowledge(self, is_stored: bool) {
        // A gateway that no longer waits delivers it again.
        let _ = self.stored.send(is_stored);
    }
}
