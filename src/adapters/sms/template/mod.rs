//! The template gateway: any HTTP gateway, described by its operator in a file of
//! `config/gateways/`.
//!
//! [`file`] and [`push_fields`] parse and check the description, [`pattern`] its placeholders and
//! [`values`] the values that it computes (with [`evaluation`] and [`hashes`]); [`request`] fills
//! them in, [`answer`] classifies responses, [`push`] parses receipts and replies ([`entries`],
//! [`push_signature`]).

mod answer;
mod dial;
mod entries;
mod evaluation;
mod file;
mod hashes;
#[cfg(test)]
mod mistakes;
mod pattern;
#[cfg(test)]
mod proofs;
mod push;
mod push_fields;
mod push_signature;
mod request;
mod values;

use std::sync::Arc;

use async_trait::async_trait;

use super::http::{classify_response, read_answer};
use super::{
    BatchResult, Capabilities, Entries, Fields, Gateway, GatewayExchange, OutgoingMessage, Push,
    PushError, QueriedMessage, QueryResult, Receipt, Reply, SubmitOutcome, TooLong,
};
use crate::adapters::clock::Clock;
use crate::adapters::config::GatewayConfig;
pub use dial::Dialer;
pub use evaluation::Random;
use file::GatewayFile;
pub use pattern::Pattern;
use request::{Account, Builder, RequestSubject};

pub struct TemplateGateway {
    name: String,
    file: GatewayFile,
    account: Account,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    random: Random,
}

impl TemplateGateway {
    /// Reads the gateway's file. The error names the key and the remedy. `webhook_base_url` is the
    /// base of the addresses for its pushes: receipts to `…/receipts`, replies to `…/replies`.
    pub fn open(
        config: &GatewayConfig,
        clock: &Arc<dyn Clock>,
        webhook_base_url: &str,
    ) -> Result<TemplateGateway, String> {
        TemplateGateway::open_with(config, clock, webhook_base_url, evaluation::system_random)
    }

    /// Opens it with a source of random octets of its own; the tests fix them.
    pub fn open_with(
        config: &GatewayConfig,
        clock: &Arc<dyn Clock>,
        webhook_base_url: &str,
        random: Random,
    ) -> Result<TemplateGateway, String> {
        let mut file = GatewayFile::parse(&config.definition)?;
        let client = crate::adapters::http_client::new(file.submit.timeout())
            .map_err(|error| error.to_string())?;
        let account = Account {
            user: config.user.clone(),
            secret: config.secret.clone(),
            callback_url: format!("{webhook_base_url}/receipts"),
            replies_url: format!("{webhook_base_url}/replies"),
            constants: std::mem::take(&mut file.constants),
            templates: file.templates.take(),
        };
        let (name, clock) = (config.name.clone(), clock.clone());
        Ok(TemplateGateway { name, file, account, client, clock, random })
    }

    fn builder(&self) -> Builder<'_> {
        Builder {
            client: &self.client,
            account: &self.account,
            now: self.clock.now(),
            random: self.random,
        }
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
        if self.account.lacks_template(message) {
            return BatchResult::without_template(batch);
        }
        let form = &self.file.submit.request;
        let request_log = request::describe_request(form, message, &self.account);
        match self.builder().build(form, RequestSubject::Message(message)) {
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
        let subject = RequestSubject::Reference(&message.reference);
        let Ok(request) = self.builder().build(&query.request, subject) else {
            return QueryResult::NoAnswer;
        };
        match read_answer(self.client.execute(request).await).await {
            Ok((status, body)) => answer::classify_query(query, status, &body),
            Err(_) => QueryResult::NoAnswer,
        }
    }

    fn check_step(&self, step: &str) -> Result<(), String> {
        self.account.templates.as_ref().map_or(Ok(()), |templates| templates.check_step(step))
    }

    fn too_long(&self, step: &str, fields: &Fields) -> Vec<TooLong> {
        match (&self.account.templates, self.file.longest_parameter) {
            (Some(templates), Some(limit)) => templates.too_long(step, fields, limit),
            _ => Vec::new(),
        }
    }

    fn parse_receipts(&self, push: Push<'_>) -> Result<Entries<Receipt>, PushError> {
        let section = self.file.receipt.as_ref().ok_or(PushError::NotConfigured("receipt"))?;
        push::receipts(section, &self.account, push)
    }

    fn parse_replies(&self, push: Push<'_>) -> Result<Entries<Reply>, PushError> {
        let section = self.file.reply.as_ref().ok_or(PushError::NotConfigured("reply"))?;
        push::replies(section, &self.account, push)
    }

    fn push_response(&self) -> (&str, &str) {
        (&self.file.push_answer.content_type, &self.file.push_answer.body)
    }
}
