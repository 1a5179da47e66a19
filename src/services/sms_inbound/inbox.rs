//! The staff's inbox: what somebody has written.

use crate::adapters::crypto::{KeyRingError, SealError};
use crate::adapters::database::replies::SealedReply;
use crate::domain::personal::Personal;
use crate::services::context::AppContext;
use crate::services::sealing::seal_context;

/// A reply that is open.
pub struct OpenReply {
    pub text: Personal,
    /// The number of a stranger, or what stood in its place.
    pub sender: Option<Personal>,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "inbox.", serialize_all = "snake_case")]
pub enum InboxError {
    #[error(
        "this reply came from a number that was never written to, before texts of such replies \
            were kept; only its meaning is known"
    )]
    NotKept,
    #[error(transparent)]
    #[strum(transparent)]
    Keys(#[from] KeyRingError),
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

/// Opens a reply.
pub fn open_reply(context: &AppContext, reply: &SealedReply) -> Result<OpenReply, InboxError> {
    let sealed = reply.text.as_ref().ok_or(InboxError::NotKept)?;
    let staff = context.keys.staff_sealer();
    let text = match &reply.key_id {
        Some(key_id) => context.keys.sealer(key_id)?.open_text(seal_context::REPLY, sealed)?,
        None => staff.open_text(seal_context::REPLY, sealed)?,
    };
    let sender = match &reply.sender {
        Some(sealed) => Some(staff.open_text(seal_context::REPLY_SENDER, sealed)?),
        None => None,
    };
    Ok(OpenReply {
        text: Personal::new(text),
        sender: sender.filter(|sender| !sender.is_empty()).map(Personal::new),
    })
}
