//! One message beside all campaigns: to the duty officer, or a test to oneself. Within the
//! gateway's rate like every other (invariant I3).

use std::sync::Arc;

use super::DispatchError;
use super::slots::Slots;
use crate::adapters::sms::{NO_TEMPLATE, OutgoingMessage, SubmitOutcome};
use crate::domain::time::Timestamp;
use crate::services::context::AppContext;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOffResult {
    Accepted,
    /// It is not to be tried again: it was refused, or may have gone out.
    DoNotRetry(OneOffProblem),
    RetryLater(OneOffProblem),
}

/// Why a message was not accepted, or not certainly. Texts are the gateway's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOffProblem {
    NoGateway,
    NoCapacity,
    /// Our own failure, before the gateway was asked.
    Failed(String),
    InDoubt(String),
    NoTemplate,
    RefusedNumber(String),
    RefusedMessage(String),
    OptedOut(String),
    Account(String),
    NotTaken(Option<String>),
}

impl OneOffProblem {
    /// Returns the reason in Chinese and English.
    pub fn labels(&self) -> (String, String) {
        let pair = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
        let with =
            |zh: &str, en: &str, code: &str| (format!("{zh}（{code}）"), format!("{en} ({code})"));
        match self {
            Self::NoGateway => pair("该短信网关已不在配置中", "its gateway is not set up any more"),
            Self::NoCapacity => pair(
                "短信网关已暂停，或暂无发送余量，请稍后再试",
                "the gateway is paused, or has no capacity",
            ),
            Self::Failed(error) => (format!("未能发送：{error}"), error.clone()),
            Self::InDoubt(code) => (
                format!("结果不明（{code}）：短信可能已发出，请先看手机"),
                format!("in doubt ({code}): it may have gone out"),
            ),
            Self::NoTemplate => pair(
                "网关文件中没有这种短信的模板",
                "the gateway's file has no approved template for this message",
            ),
            Self::RefusedNumber(code) => {
                with("网关不接受此号码", "the gateway refuses the number", code)
            }
            Self::RefusedMessage(code) => {
                with("网关不接受这条短信的内容", "the gateway refuses this message", code)
            }
            Self::OptedOut(code) => {
                with("此号码已在网关退订", "the number has opted out with the gateway", code)
            }
            Self::Account(code) => with(
                "网关不接受账号，请管理员核对账号、密钥和余额",
                "the gateway refuses the account; check user, secret and balance",
                code,
            ),
            Self::NotTaken(Some(code)) => {
                with("网关暂未接受，请稍后再试", "the gateway did not take it", code)
            }
            Self::NotTaken(None) => pair("网关暂未接受，请稍后再试", "the gateway did not take it"),
        }
    }
}

impl std::fmt::Display for OneOffProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.labels().1)
    }
}

/// Sends a message through one gateway, when its rate allows.
pub async fn send_one_message(
    context: &Arc<AppContext>,
    name: &str,
    message: &OutgoingMessage,
) -> OneOffResult {
    let Some(gateway) = context.gateways.get(name) else {
        return OneOffResult::DoNotRetry(OneOffProblem::NoGateway);
    };
    let slot = match take_slot(context, name).await {
        Ok(Some(slot)) => slot,
        Ok(None) => return OneOffResult::RetryLater(OneOffProblem::NoCapacity),
        Err(error) => return OneOffResult::RetryLater(OneOffProblem::Failed(error.to_string())),
    };
    context.clock.sleep_until(slot).await;
    let submitted = gateway.submit(std::slice::from_ref(message)).await;
    let outcome = submitted.outcomes.into_iter().next();
    result_of(outcome.unwrap_or(SubmitOutcome::BatchRefused))
}

fn result_of(outcome: SubmitOutcome) -> OneOffResult {
    use OneOffResult::{DoNotRetry, RetryLater};
    match outcome {
        SubmitOutcome::Accepted { .. } => OneOffResult::Accepted,
        SubmitOutcome::InDoubt { code } => DoNotRetry(OneOffProblem::InDoubt(code)),
        SubmitOutcome::RefusedMessage { code } if code == NO_TEMPLATE => {
            DoNotRetry(OneOffProblem::NoTemplate)
        }
        SubmitOutcome::RefusedNumber { code } => DoNotRetry(OneOffProblem::RefusedNumber(code)),
        SubmitOutcome::RefusedMessage { code } => DoNotRetry(OneOffProblem::RefusedMessage(code)),
        SubmitOutcome::OptedOut { code } => DoNotRetry(OneOffProblem::OptedOut(code)),
        SubmitOutcome::AccountFailure { code } => RetryLater(OneOffProblem::Account(code)),
        SubmitOutcome::DeferredNumber { code }
        | SubmitOutcome::Throttled { code, .. }
        | SubmitOutcome::TemporaryFailure { code } => {
            RetryLater(OneOffProblem::NotTaken(Some(code)))
        }
        SubmitOutcome::BatchRefused => RetryLater(OneOffProblem::NotTaken(None)),
    }
}

/// A slot of the gateway's. A single one may be over before the commit that took it is done, on a
/// slow disk; then another is taken.
async fn take_slot(
    context: &Arc<AppContext>,
    gateway: &str,
) -> Result<Option<Timestamp>, DispatchError> {
    let mut slots = Slots::new(context, gateway);
    for _ in 0..5 {
        if let Some(slot) = slots.next_slot(1).await? {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_says_in_both_languages_what_was_refused() {
        let code = || "c7".to_owned();
        for (outcome, zh, en) in [
            (SubmitOutcome::RefusedNumber { code: code() }, "号码（c7）", "the number (c7)"),
            (SubmitOutcome::RefusedMessage { code: code() }, "内容（c7）", "this message (c7)"),
            (SubmitOutcome::RefusedMessage { code: NO_TEMPLATE.into() }, "模板", "template"),
            (SubmitOutcome::OptedOut { code: code() }, "退订（c7）", "opted out"),
            (SubmitOutcome::AccountFailure { code: code() }, "密钥", "the account"),
            (SubmitOutcome::TemporaryFailure { code: code() }, "稍后再试（c7）", "take it (c7)"),
            (SubmitOutcome::InDoubt { code: code() }, "可能已发出", "may have gone out"),
        ] {
            let result = result_of(outcome);
            let (OneOffResult::DoNotRetry(problem) | OneOffResult::RetryLater(problem)) = result
            else {
                panic!("{zh}")
            };
            let labels = problem.labels();
            assert!(labels.0.contains(zh) && labels.1.contains(en), "{labels:?}");
            assert!(!labels.0.contains("the gateway"), "{labels:?}");
        }
    }
}
