//! The one way in for what gateways deliver, on a connection of their own or by webhook.

use super::InterviewService;
use super::sms_conversation::{self, SmsInterviewError};
use crate::adapters::sms::{Entries, Receipt, Reply};
use crate::services::sms_inbound::{self, long_replies};

impl InterviewService {
    /// Applies receipts, stores replies, and continues the SMS interviews that replies belong to.
    /// Everything is on disk when it returns, so the gateway may then be told so. The same delivery
    /// a second time changes nothing.
    pub async fn accept_inbound(
        &self,
        gateway: &str,
        receipts: Vec<Receipt>,
        replies: &Entries<Reply>,
    ) -> Result<(), SmsInterviewError> {
        if !receipts.is_empty() {
            sms_inbound::process_receipts(&self.context, gateway, receipts).await?;
        }
        for entry in &replies.unreadable {
            sms_inbound::keep_unreadable(&self.context, gateway, entry).await?;
        }
        for reply in &replies.read {
            match &reply.part {
                None => self.accept_reply(gateway, reply).await?,
                Some(part) => {
                    let complete =
                        long_replies::add_part(&self.context, gateway, reply, part).await?;
                    if let Some(complete) = complete {
                        self.accept_long_reply(&complete).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the long replies of which some parts have not come in time, as far as they are there.
    pub async fn accept_overdue_parts(&self) -> Result<(), SmsInterviewError> {
        for complete in long_replies::overdue(&self.context).await? {
            // One that cannot be stored holds up none of the others; it is tried again.
            if let Err(error) = self.accept_long_reply(&complete).await {
                tracing::error!(%error, "the parts of a reply cannot be stored");
            }
        }
        Ok(())
    }

    async fn accept_long_reply(
        &self,
        complete: &long_replies::CompleteReply,
    ) -> Result<(), SmsInterviewError> {
        self.accept_reply(&complete.gateway, &complete.reply).await?;
        Ok(long_replies::mark_taken(&self.context, complete).await?)
    }

    async fn accept_reply(&self, gateway: &str, reply: &Reply) -> Result<(), SmsInterviewError> {
        let stored = sms_inbound::process_reply(&self.context, gateway, reply).await?;
        sms_conversation::handle_reply(&self.context, self, &stored).await
    }
}
