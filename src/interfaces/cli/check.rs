//! `check-config`, `migrate` and `doctor`.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::services::questionnaires;
use crate::adapters::clock::{Clock, SystemClock};
use crate::adapters::config::Config;
use crate::services::context::Installation;
use crate::services::sealing::open_phone;
use crate::services::erasure::purge::{self, Review, Standing};
use crate::adapters::database::{applications, erasure, lists};

/// The configuration has been read by now; what it names is looked at too.
pub fn check_config(config: &Config) -> Result<()> {
    let mut problems: Vec<String> = questionnaires::check_all(config.questionnaires.as_deref()).into_iter().map(|e| e.to_string()).collect();
    for (name, gateway) in &config.gateways {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        problems.extend(crate::adapters::sms::open(gateway, &clock, "").err().map(|problem| format!("gateway.{name}: {problem}")));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\nfieldworkd: "));
    }
    say!("the configuration is good: {} gateway(s), five questionnaires", config.gateways.len());
    Ok(())
}

pub async fn migrate(config: Config) -> Result<()> {
    super::open(config).await?;
    say!("the database is of this version");
    Ok(())
}

/// Looks at everything that must work together, and fails when something does not.
pub async fn doctor(config: Config) -> Result<()> {
    let mut all_well = true;
    let mut tell = |what: &str, problem: Option<String>| {
        all_well &= problem.is_none();
        say!("{} {what}{}", if problem.is_none() { "ok     " } else { "PROBLEM" }, problem.map(|p| format!(": {p}")).unwrap_or_default());
    };
    tell("configuration", check_questions(&config));
    let datasets = config.datasets.clone();
    let written = std::fs::create_dir_all(&datasets).and_then(|()| {
        let probe = datasets.join(".doctor");
        std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(probe))
    });
    tell("datasets folder", written.err().map(|e| format!("{}: {e}", datasets.display())));
    match Installation::open(config, Arc::new(SystemClock)).await {
        Err(error) => tell("database and key ring", Some(error.to_string())),
        Ok(installation) => {
            tell("database and key ring", None);
            tell("the key ring belongs to the database", check_keys(&installation).await.err().map(|e| e.to_string()));
            tell("people are forgotten when their time is over", check_forgetting(&installation).await.unwrap_or_else(|e| Some(e.to_string())));
        }
    }
    if all_well { Ok(()) } else { bail!("not all is well; see above") }
}

fn check_questions(config: &Config) -> Option<String> {
    questionnaires::check_all(config.questionnaires.as_deref()).first().map(|e| e.to_string())
}

/// Applicants whose people are kept for longer than their programme says; deletions that are not done to the end.
async fn check_forgetting(installation: &Installation) -> Result<Option<String>> {
    let late = |review: &Review| matches!(review.standing, Standing::Due(_) | Standing::Waits(_));
    let late: Vec<String> = purge::review(installation).await?.into_iter().filter(late).map(|review| review.applicant.code).collect();
    if !late.is_empty() {
        return Ok(Some(format!("those of {} are overdue; «purge --dry-run» says why, «purge» does it now", late.join(", "))));
    }
    let certificates = erasure::certificates(&mut *installation.store.read().await?).await?;
    let is_owed = certificates.iter().any(|certificate| certificate.signature.is_none());
    Ok(is_owed.then(|| "a deletion is not done to the end; «purge» does the rest".to_owned()))
}

/// Opens one sealed number of each application.
async fn check_keys(installation: &Installation) -> Result<()> {
    let mut connection = installation.store.read().await?;
    for application in applications::all(&mut connection).await? {
        if let Some((_, phone)) = lists::sealed_persons(&mut connection, application.id).await?.first() {
            open_phone(&installation.keys.sealer(&application.key_id)?, phone)?;
        }
    }
    Ok(())
}
