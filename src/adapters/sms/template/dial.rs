//! Click-to-call: the operator's telephone system is asked to connect an interviewer with a number,
//! by a request that the operator describes.

use std::time::Duration;

use serde::Deserialize;

use super::file::RequestForm;
use super::request::{Account, RequestSubject, build};
use crate::adapters::config::DialConfig;
use crate::domain::phone::Phone;

/// A telephone system that does not answer within this is not waited for; the interviewer dials by
/// hand.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialFile {
    dial: RequestForm,
}

/// The way to the telephone system.
pub struct Dialer {
    form: RequestForm,
    account: Account,
    client: reqwest::Client,
}

impl Dialer {
    /// Reads the file; the error names the key and the remedy.
    pub fn open(config: &DialConfig) -> Result<Dialer, String> {
        let file: DialFile = toml::from_str(&config.definition)
            .map_err(|e| format!("telephone.dial: {}", e.to_string().trim().replace('\n', " ")))?;
        let client =
            crate::adapters::http_client::new(TIMEOUT).map_err(|error| error.to_string())?;
        let (callback_url, replies_url) = (String::new(), String::new());
        Ok(Dialer {
            form: file.dial,
            account: Account {
                user: config.user.clone(),
                secret: config.secret.clone(),
                callback_url,
                replies_url,
            },
            client,
        })
    }

    /// Asks for one connection. Any answer of 2xx means that it is taken; the error tells what else
    /// came, and nothing of the number.
    pub async fn dial(&self, to: &Phone, interviewer: &str) -> Result<(), String> {
        let request = build(
            &self.client,
            &self.form,
            RequestSubject::Call { to, interviewer },
            &self.account,
        )?;
        match self.client.execute(request).await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                Err(format!("the telephone system answered {}", answer.status().as_u16()))
            }
            Err(error) => Err(if error.is_timeout() {
                "the telephone system does not answer"
            } else {
                "the telephone system is not reached"
            }
            .to_owned()),
        }
    }
}
