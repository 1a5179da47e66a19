//! Click-to-call: a request, described by the operator, asks the telephone system to connect an
//! interviewer with a number.

use std::time::Duration;

use serde::Deserialize;

use super::file::RequestForm;
use super::request::{Account, RequestSubject, build};
use crate::adapters::config::DialConfig;
use crate::domain::phone::Phone;

/// Timeout of the telephone system; after it, the interviewer dials by hand.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialFile {
    dial: RequestForm,
}

/// The client of the telephone system.
pub struct Dialer {
    form: RequestForm,
    account: Account,
    client: reqwest::Client,
}

impl Dialer {
    /// Reads the file. The error names the key and the remedy.
    pub fn open(config: &DialConfig) -> Result<Dialer, String> {
        let file: DialFile = toml::from_str(&config.definition).map_err(|e| {
            format!("telephone.dialer_file: {}", e.to_string().trim().replace('\n', " "))
        })?;
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

    /// Requests one connection. Any 2xx response means that it is accepted; the error describes the
    /// response without the number.
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
