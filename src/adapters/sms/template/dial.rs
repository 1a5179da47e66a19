//! Click-to-call: a request, described by the operator, asks the telephone system to connect an
//! interviewer with a number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::evaluation::system_random;
use super::file::RequestForm;
use super::pattern::Slot;
use super::request::{Account, Builder, RequestSubject};
use crate::adapters::clock::Clock;
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
    clock: Arc<dyn Clock>,
}

impl Dialer {
    /// Reads the file. The error names the key and the remedy.
    pub fn open(config: &DialConfig, clock: &Arc<dyn Clock>) -> Result<Dialer, String> {
        let mut file: DialFile = toml::from_str(&config.definition).map_err(|e| {
            format!("telephone.dialer_file: {}", e.to_string().trim().replace('\n', " "))
        })?;
        let allows = |slot: &Slot| match slot {
            Slot::Constant(_) | Slot::Url | Slot::TemplateCode | Slot::TemplateParameters => {
                Err(format!("{{{}}} is not known of a call", slot.name()))
            }
            _ => Ok(()),
        };
        let problem = |problem| format!("telephone.dialer_file: {problem}");
        file.dial.check("dial", allows).map_err(problem)?;
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
                constants: BTreeMap::new(),
                templates: None,
            },
            client,
            clock: clock.clone(),
        })
    }

    /// Requests one connection. Any 2xx response means that it is accepted; the error describes the
    /// response without the number.
    pub async fn dial(&self, to: &Phone, interviewer: &str) -> Result<(), String> {
        let builder = Builder {
            client: &self.client,
            account: &self.account,
            now: self.clock.now(),
            random: system_random,
        };
        let request = builder.build(&self.form, RequestSubject::Call { to, interviewer })?;
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
