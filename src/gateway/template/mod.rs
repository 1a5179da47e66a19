//! The template gateway: any HTTP gateway, described by its operator in a file of `config/gateways/`.
//!
//! [`file`] reads and checks the description, [`request`] fills it in, [`answer`] judges what came back, [`push`] reads receipts and replies.

mod answer;
mod file;
mod push;
mod request;

use async_trait::async_trait;

use super::http::outcome_of_error;
use super::{Capabilities, Doubtful, Gateway, Outcome, OutgoingMessage, Push, PushError, QueryAnswer, Receipt, Reply};
use crate::config::GatewayConfig;
use file::GatewayFile;
use request::{Account, Values};

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
        let client = crate::http_client::new(file.submit.timeout()).map_err(|error| format!("the HTTP client cannot be made: {error}"))?;
        let account = Account {
            user: config.user.clone(),
            secret: config.secret.clone(),
            callback_url: format!("{hooks_url}/receipts"),
            replies_url: format!("{hooks_url}/replies"),
        };
        Ok(TemplateGateway { name: config.name.clone(), file, account, client })
    }

    async fn submit_one(&self, message: &OutgoingMessage) -> Outcome {
        let request = match request::build(&self.client, &self.file.submit.request, &Values::of(message), &self.account) {
            Ok(request) => request,
            Err(problem) => return Outcome::AccountFailure { code: problem },
        };
        match self.client.execute(request).await {
            Ok(response) => answer::judge(&self.file.submit.answer, response).await,
            Err(error) => outcome_of_error(&error),
        }
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

    async fn submit(&self, batch: &[OutgoingMessage]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        for message in batch {
            outcomes.push(self.submit_one(message).await);
        }
        outcomes
    }

    async fn query(&self, message: &Doubtful) -> QueryAnswer {
        let Some(query) = &self.file.query else { return QueryAnswer::NoAnswer };
        let Ok(request) = request::build(&self.client, &query.request, &Values::of_query(&message.reference), &self.account) else {
            return QueryAnswer::NoAnswer;
        };
        match self.client.execute(request).await {
            Ok(response) => answer::judge_query(query, response).await,
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
