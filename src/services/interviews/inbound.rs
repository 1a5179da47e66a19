//! The one way in for what gateways deliver, on a connection of their own or by webhook.

use super::InterviewService;
use super::sms_conversation::{self, SmsInterviewError};
use crate::adapters::sms::{Receipt, Reply};
use crate::services::sms_inbound;

impl InterviewService {
    /// Applies receipts, stores replies, and continues the SMS interviews that replies belong to.
    /// Everything is on disk when it returns, so the gateway may then be told so. The same delivery
    /// a second time changes nothing.
    pub async fn accept_inbound(
        &self,
        gateway: &str,
        receipts: Vec<Receipt>,
        replies: &[Reply],
    ) -> Result<(), SmsInterviewError> {
        if !receipts.is_empty() {
            sms_inbound::process_receipts(&self.context, gateway, receipts).await?;
        }
        for reply in replies {
            if let Some(stored) = sms_inbound::process_reply(&self.context, gateway, reply).await? {
                sms_conversation::handle_reply(&self.context, self, &stored).await?;
            }
        }
        Ok(())
    }
}
