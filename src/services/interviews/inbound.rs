//! The one way in for what gateways deliver, on a connection of their own or by webhook.

use super::InterviewService;
use super::sms_conversation::{self, SmsInterviewError};
use crate::adapters::sms::{Entries, Receipt, Reply};
use crate::services::sms_inbound::long_replies::OverdueReply;
use crate::services::sms_inbound::{self, long_replies};
use crate::services::stuck_work::{Isolation, WorkKind};

impl InterviewService {
    /// Applies receipts, stores replies, and continues the SMS interviews that replies belong to.
    /// Everything is on disk when it returns, so the gateway may then be told so. The same delivery
    /// a second time changes nothing.
    ///
    /// # Errors
    /// If something of it could not be taken. The rest is taken all the same, since the gateway may
    /// push the same together again and again.
    pub async fn accept_inbound(
        &self,
        gateway: &str,
        receipts: Vec<Receipt>,
        replies: &Entries<Reply>,
    ) -> Result<(), SmsInterviewError> {
        let mut results = vec![self.accept_receipts(gateway, receipts).await];
        for entry in &replies.unreadable {
            let kept = sms_inbound::keep_unreadable(&self.context, gateway, entry).await;
            results.push(kept.map_err(SmsInterviewError::from));
        }
        for reply in &replies.read {
            results.push(self.accept_reply_or_part(gateway, reply).await);
        }
        results.into_iter().collect()
    }

    /// Takes receipts in one transaction; where one of them fails, each in its own.
    async fn accept_receipts(
        &self,
        gateway: &str,
        receipts: Vec<Receipt>,
    ) -> Result<(), SmsInterviewError> {
        if receipts.is_empty() {
            return Ok(());
        }
        let together =
            sms_inbound::process_receipts(&self.context, gateway, receipts.clone()).await;
        if together.is_ok() || receipts.len() == 1 {
            return Ok(together?);
        }
        let mut results = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            let alone = vec![receipt];
            results.push(sms_inbound::process_receipts(&self.context, gateway, alone).await);
        }
        Ok(results.into_iter().collect::<Result<(), _>>()?)
    }

    async fn accept_reply_or_part(
        &self,
        gateway: &str,
        reply: &Reply,
    ) -> Result<(), SmsInterviewError> {
        let Some(part) = &reply.part else { return self.accept_reply(gateway, reply).await };
        match long_replies::add_part(&self.context, gateway, reply, part).await? {
            Some(complete) => self.accept_long_reply(&complete).await,
            None => Ok(()),
        }
    }

    /// Takes the long replies of which some parts have not come in time, as far as they are there.
    pub async fn accept_overdue_parts(&self) -> Result<(), SmsInterviewError> {
        let overdue = long_replies::overdue(&self.context).await?;
        if overdue.is_empty() {
            return Ok(());
        }
        let mut isolation = Isolation::load(&self.context, WorkKind::LongReply).await?;
        for of in overdue {
            let item = of.to_string();
            if !isolation.holds_back(&item) {
                let result = self.accept_overdue(of).await;
                isolation.record(&item, result).await?;
            }
        }
        Ok(())
    }

    async fn accept_overdue(&self, of: OverdueReply) -> Result<(), SmsInterviewError> {
        let complete = long_replies::put_overdue_together(&self.context, of).await?;
        self.accept_long_reply(&complete).await
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
