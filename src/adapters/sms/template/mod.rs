//! The template gateway: any HTTP gateway, described by its operator in a file of
//! `config/gateways/`.
//!
//! [`file`] parses and checks the description, [`pattern`] its placeholders, [`request`] fills them
//! in, [`answer`] classifies responses, [`push`] parses receipts and replies.

mod answer;
mod dial;
mod file;
mod pattern;
mod push;
mod request;

use async_trait::async_trait;

use super::http::{classify_response, read_answer};
use super::{
    BatchResult, Capabilities, Entries, Gateway, GatewayExchange, OutgoingMessage, Push, PushError,
    QueriedMessage, QueryResult, Receipt, Reply, SubmitOutcome,
};
use crate::adapters::config::GatewayConfig;
pub use dial::Dialer;
use file::GatewayFile;
pub use pattern::Pattern;
use request::{Account, RequestSubject};

pub struct TemplateGateway {
    name: String,
    file: GatewayFile,
    account: Account,
    client: reqwest::Client,
}

impl TemplateGateway {
    /// Reads the gateway's file. The error names the key and the remedy. `webhook_base_url` is the
    /// base of the addresses for its pushes: receipts to `…/receipts`, replies to `…/replies`.
    pub fn open(config: &GatewayConfig, webhook_base_url: &str) -> Result<TemplateGateway, String> {
        let file = GatewayFile::parse(&config.definition)?;
        let client = crate::adapters::http_client::new(file.submit.timeout())
            .map_err(|error| error.to_string())?;
        let account = Account {
            user: config.user.clone(),
            secret: config.secret.clone(),
            callback_url: format!("{webhook_base_url}/receipts"),
            replies_url: format!("{webhook_base_url}/replies"),
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
        let query = self.file.query.as_ref();
        Capabilities {
            batch: 1,
            query: query.is_some(),
            unknown_is_final_after: query.and_then(|query| query.unknown_is_final_after()),
            submits_parts: false,
        }
    }

    async fn submit(&self, batch: &[OutgoingMessage]) -> BatchResult {
        let Some(message) = batch.first() else {
            return BatchResult::all(SubmitOutcome::BatchRefused, 0, GatewayExchange::default());
        };
        let form = &self.file.submit.request;
        let request_log = request::describe_request(form, message, &self.account);
        match request::build(&self.client, form, RequestSubject::Message(message), &self.account) {
            Err(problem) => BatchResult::all(
                SubmitOutcome::AccountFailure { code: problem },
                batch.len(),
                GatewayExchange::new(request_log, "", batch),
            ),
            Ok(request) => {
                let answer = self.client.execute(request).await;
                let retry_after = answer::retry_after(&answer);
                classify_response(answer, batch, request_log, |status, body| {
                    vec![answer::classify(&self.file.submit.answer, status, retry_after, body)]
                })
                .await
            }
        }
    }

    async fn query(&self, message: &QueriedMessage) -> QueryResult {
        let Some(query) = &self.file.query else { return QueryResult::NoAnswer };
        let Ok(request) = request::build(
            &self.client,
            &query.request,
            RequestSubject::Reference(&message.reference),
            &self.account,
        ) else {
            return QueryResult::NoAnswer;
        };
        match read_answer(self.client.execute(request).await).await {
            Ok((status, body)) => answer::classify_query(query, status, &body),
            Err(_) => QueryResult::NoAnswer,
        }
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        push::receipts(self.file.receipt.as_ref().ok_or(PushError::NotConfigured("receipt"))?, push)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        push::replies(self.file.reply.as_ref().ok_or(PushError::NotConfigured("reply"))?, push)
    }
}
