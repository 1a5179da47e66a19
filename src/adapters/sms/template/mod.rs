//! The template gateway: any HTTP gateway, described by its operator in a file of `config/gateways/`.
//!
//! [`file`] reads and checks the description, [`pattern`] its placeholders, [`request`] fills them in, [`answer`] judges what came back, [`push`] reads receipts and replies.

mod answer;
mod dial;
mod file;
mod pattern;
mod push;
mod request;

use async_trait::async_trait;

use super::http::{judged, read_answer};
use super::{Capabilities, Doubtful, Exchange, Gateway, Outcome, OutgoingMessage, Push, PushError, QueryAnswer, Receipt, Reply, Submitted};
use crate::adapters::config::GatewayConfig;
pub use dial::Dialer;
use file::GatewayFile;
pub use pattern::Pattern;
use request::{About, Account};

pub struct TemplateGateway {
    name: String,
    file: GatewayFile,
    account: Account,
    client: reqwest::Client,
}

impl TemplateGateway {
    /// Reads the gateway's file; the error names the key and the remedy. `hooks_url` is where its pushes are to come:
    /// receipts to `…/receipts`, replies to `…/replies`.
    pub fn open(config: &GatewayConfig, hooks_url: &str) -> Result<TemplateGateway, String> {
        let file = GatewayFile::parse(&config.definition)?;
        let client = crate::adapters::http_client::new(file.submit.timeout()).map_err(|error| error.to_string())?;
        let account = Account {
            user: config.user.clone(),
            secret: config.secret.clone(),
            callback_url: format!("{hooks_url}/receipts"),
            replies_url: format!("{hooks_url}/replies"),
        };
        Ok(TemplateGateway { name: config.name.clone(), file, account, client })
    }
}

#[async_trait]
impl Gateway for TemplateGateway {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { batch: 1, query: self.file.query.is_some() }
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> Submitted {
        let Some(message) = batch.first() else { return Submitted::all(Outcome::RefusedTogether, 0, Exchange::default()) };
        let form = &self.file.submit.request;
        let asked = request::shown(form, message, &self.account);
        match request::build(&self.client, form, About::Message(message), &self.account) {
            Err(problem) => Submitted::all(Outcome::AccountFailure { code: problem }, batch.len(), Exchange::new(asked, "", batch)),
            Ok(request) => {
                let answer = self.client.execute(request).await;
                let retry_after = answer::retry_after(&answer);
                judged(answer, batch, asked, |status, body| vec![answer::judge(&self.file.submit.answer, status, retry_after, body)]).await
            }
        }
    }

    async fn query(&self, message: &Doubtful) -> QueryAnswer {
        let Some(query) = &self.file.query else { return QueryAnswer::NoAnswer };
        let Ok(request) = request::build(&self.client, &query.request, About::Reference(&message.reference), &self.account) else {
            return QueryAnswer::NoAnswer;
        };
        match read_answer(self.client.execute(request).await).await {
            Ok((status, body)) => answer::judge_query(query, status, &body),
            Err(_) => QueryAnswer::NoAnswer,
        }
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Vec<Receipt>, PushError> {
        push::receipts(self.file.receipt.as_ref().ok_or(PushError::NotConfigured("receipt"))?, push)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Vec<Reply>, PushError> {
        push::replies(self.file.reply.as_ref().ok_or(PushError::NotConfigured("reply"))?, push)
    }
}
