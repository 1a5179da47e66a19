//! Replies that arrive in parts: in any order, through any daemon, and not always all of them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::adapters::crypto::SealError;
use crate::adapters::database::reply_parts::{self, LongReply, StoredPart};
use crate::adapters::sms::{NumberKind, Reply, ReplyPart, TextCoding};
use crate::domain::personal::Personal;
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;
use crate::services::sms_sending::DispatchError;

/// The place of a part that never came.
const GAP: &str = "[…]";

/// What is sealed of a part.
#[derive(Serialize, Deserialize)]
struct SealedPart {
    from: String,
    kind: u8,
    coding: String,
    octets_hex: String,
}

/// A reply of which all parts are there, or have been waited for long enough.
pub struct CompleteReply {
    pub gateway: String,
    pub reply: Reply,
    of: LongReply,
}

/// Stores a part. Returns the whole reply if it is the last that was missing.
pub async fn add_part(
    context: &AppContext,
    gateway: &str,
    reply: &Reply,
    part: &ReplyPart,
) -> Result<Option<CompleteReply>, DispatchError> {
    let (now, hasher) = (context.clock.now(), context.keys.hasher());
    let of = LongReply {
        gateway: gateway.to_owned(),
        sender_hash: hasher.fingerprint(format!("sender\n{}", reply.from.reveal()).as_bytes()),
        reference: part.reference,
        total: part.total,
    };
    let content = SealedPart {
        from: reply.from.reveal().to_owned(),
        kind: match reply.from_kind {
            NumberKind::Unknown => 0,
            NumberKind::International => 1,
            NumberKind::National => 2,
            NumberKind::NotDialled => 3,
        },
        coding: part.coding.name().to_owned(),
        octets_hex: part.octets_hex.reveal().to_owned(),
    };
    let json = serde_json::to_vec(&content).map_err(|_| SealError::Broken)?;
    let new = StoredPart {
        number: part.number,
        content_hash: hasher.fingerprint(&json),
        sealed: context.keys.staff_sealer().seal(seal_context::REPLY_PART, &json)?,
        received_at: now,
        taken_at: None,
    };
    let mut tx = context.database.write().await?;
    let known = reply_parts::list(&mut tx, &of).await?;
    // The same reference, and not a repeated push: it counts again from the beginning.
    let is_reused = known.iter().any(|known| {
        known.number == new.number && known.content_hash != new.content_hash
            || known
                .taken_at
                .is_some_and(|_| known.received_at + context.config.replies.parts_timeout <= now)
    });
    if is_reused {
        // What is there of the earlier one was overdue, or is a reply already.
        reply_parts::delete(&mut tx, &of).await?;
    }
    reply_parts::add(&mut tx, &of, &new).await?;
    let parts = reply_parts::list(&mut tx, &of).await?;
    tx.commit().await?;
    if parts.len() < usize::from(of.total) || parts.iter().any(|part| part.taken_at.is_some()) {
        return Ok(None);
    }
    put_together(context, of, &parts).map(Some)
}

/// A reply of which nothing more has come for so long that it is taken as it is. It is shown without
/// its sender.
pub struct OverdueReply(LongReply);

impl fmt::Display for OverdueReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LongReply { gateway, sender_hash, reference, total } = &self.0;
        let sender: String = sender_hash.chars().take(12).collect();
        write!(f, "{gateway} {reference}/{total} {sender}")
    }
}

/// Lists them.
pub async fn overdue(context: &AppContext) -> Result<Vec<OverdueReply>, DispatchError> {
    let before = context.clock.now() - context.config.replies.parts_timeout;
    let mut connection = context.database.read().await?;
    let overdue = reply_parts::overdue(&mut connection, before).await?;
    Ok(overdue.into_iter().map(OverdueReply).collect())
}

/// Joins the parts that have come.
pub async fn put_overdue_together(
    context: &AppContext,
    OverdueReply(of): OverdueReply,
) -> Result<CompleteReply, DispatchError> {
    let parts = reply_parts::list(&mut *context.database.read().await?, &of).await?;
    put_together(context, of, &parts)
}

/// Records that a long reply is stored as one.
pub async fn mark_taken(context: &AppContext, taken: &CompleteReply) -> Result<(), DispatchError> {
    let mut tx = context.database.write().await?;
    reply_parts::mark_taken(&mut tx, &taken.of, context.clock.now()).await?;
    Ok(tx.commit().await?)
}

fn put_together(
    context: &AppContext,
    of: LongReply,
    parts: &[StoredPart],
) -> Result<CompleteReply, DispatchError> {
    let mut opened = Vec::with_capacity(parts.len());
    for part in parts {
        let json = context.keys.staff_sealer().open(seal_context::REPLY_PART, &part.sealed)?;
        let content: SealedPart = serde_json::from_slice(&json).map_err(|_| SealError::Broken)?;
        opened.push((part.number, content));
    }
    let first = parts.iter().map(|part| part.received_at).min().unwrap_or(Timestamp(0));
    let (from, kind) =
        opened.first().map(|(_, content)| (content.from.clone(), content.kind)).unwrap_or_default();
    let reply = Reply {
        from_kind: match kind {
            1 => NumberKind::International,
            2 => NumberKind::National,
            3 => NumberKind::NotDialled,
            _ => NumberKind::Unknown,
        },
        // A repeated push of its last part comes to the same.
        id: Some(Personal::new(format!("parts {} {} {}", of.reference, of.total, first.0))),
        ..Reply::new(from, join(&opened, of.total))
    };
    Ok(CompleteReply { gateway: of.gateway.clone(), reply, of })
}

/// Joins the octets of neighbouring parts before they are decoded: a character may be cut.
fn join(parts: &[(u8, SealedPart)], total: u8) -> String {
    let mut text = String::new();
    let mut run: (Option<TextCoding>, Vec<u8>) = (None, Vec::new());
    let flush = |run: &mut (Option<TextCoding>, Vec<u8>), text: &mut String| {
        if let Some(coding) = run.0.take() {
            text.push_str(&coding.decode(&std::mem::take(&mut run.1)));
        }
    };
    let mut expected = 1;
    for (number, part) in parts {
        let coding = TextCoding::of_charset(&part.coding).unwrap_or(TextCoding::Utf8);
        if *number > expected {
            flush(&mut run, &mut text);
            text.push_str(GAP);
        }
        if run.0.is_some_and(|before| before != coding) {
            flush(&mut run, &mut text);
        }
        run.0 = Some(coding);
        run.1
            .extend(data_encoding::HEXLOWER.decode(part.octets_hex.as_bytes()).unwrap_or_default());
        expected = number.saturating_add(1);
    }
    flush(&mut run, &mut text);
    if expected <= total {
        text.push_str(GAP);
    }
    text
}

/// How long a repeated part of a reply that has been taken is still known.
pub const KEEP_TAKEN: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u8, coding: TextCoding, octets: &[u8]) -> (u8, SealedPart) {
        let content = SealedPart {
            from: String::new(),
            kind: 0,
            coding: coding.name().into(),
            octets_hex: data_encoding::HEXLOWER.encode(octets),
        };
        (number, content)
    }

    #[test]
    fn a_character_cut_between_parts_is_whole_again() {
        let octets: Vec<u8> = "好😃".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let parts =
            [part(1, TextCoding::Utf16, &octets[..4]), part(2, TextCoding::Utf16, &octets[4..])];
        assert_eq!(join(&parts, 2), "好😃");
        assert_eq!(join(&parts[1..], 3), "[…]\u{fffd}[…]");
        let escaped =
            [part(1, TextCoding::Gsm7, &[b'a', 0x1b]), part(2, TextCoding::Gsm7, &[0x28])];
        assert_eq!(join(&escaped, 2), "a{");
        let mixed = [part(1, TextCoding::Gsm7, b"ok"), part(2, TextCoding::Utf16, &octets[..2])];
        assert_eq!(join(&mixed, 2), "ok好");
    }
}
