//! `check-config`, `migrate`, `doctor` and `retry`.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::adapters::clock::{Clock, SystemClock};
use crate::adapters::config::Config;
use crate::adapters::database::{applications, erasure, lists, stuck_work};
use crate::adapters::sms;
use crate::adapters::spreadsheets::{self, OfficeProgram};
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;
use crate::services::erasure::purge::{self, PurgeReview, PurgeStatus};
use crate::services::holidays;
use crate::services::questionnaires;
use crate::services::sealing::open_phone;
use crate::services::stuck_work::STUCK_AFTER;

/// Checks the files and gateways that the configuration names. The configuration itself has been
/// parsed already.
pub fn check_config(config: &Config) -> Result<()> {
    let mut problems: Vec<String> =
        questionnaires::check_all_questionnaires(config.questionnaires.as_deref())
            .into_iter()
            .map(|e| e.to_string())
            .collect();
    for (name, gateway) in &config.gateways {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let opened = match sms::open(gateway, &clock, "") {
            Ok(opened) => opened,
            Err(problem) => {
                problems.push(format!("gateway.{name}: {problem}"));
                continue;
            }
        };
        // Messages beside the campaigns; those of a campaign are checked at its launch.
        for (step, section) in one_off_messages(config, name) {
            let checked = opened.check_step(step);
            problems.extend(checked.err().map(|problem| format!("{section}: {name}: {problem}")));
        }
    }
    if !problems.is_empty() {
        bail!(CommandError::Unhealthy(problems.join("\nfieldworkd: ")));
    }
    for (name, _) in config.gateways.iter().filter(|(_, gateway)| sms::lacks_secret(gateway)) {
        print_line!(
            "note: gateway.{name} has no secret, so the provider will refuse it; set secret_file, \
                or FIELDWORKD_GATEWAY__{}__SECRET for the daemon",
            name.to_uppercase()
        );
    }
    for gaps in config.words.iter().filter_map(|file| file.gaps()) {
        print_line!("words: {gaps}");
    }
    print_line!(
        "the configuration is good: {} gateway(s), five questionnaires",
        config.gateways.len()
    );
    Ok(())
}

/// Returns the messages beside all campaigns that a gateway is to send: the name of the template and
/// the setting that chooses the gateway.
fn one_off_messages(config: &Config, gateway: &str) -> Vec<(&'static str, &'static str)> {
    let codes = config.applicant_pages.as_ref().map(|pages| pages.gateway.as_str());
    let alarms = config.notify.sms.as_ref().map(|sms| sms.gateway.as_str());
    [
        (codes, (sms::APPLICANT_CODE, "applicant_pages.gateway")),
        (alarms, (sms::ALARM, "notify.sms.gateway")),
    ]
    .into_iter()
    .filter(|(chosen, _)| *chosen == Some(gateway))
    .map(|(_, message)| message)
    .collect()
}

pub async fn migrate(config: Config) -> Result<()> {
    super::open_context(config).await?;
    print_line!("the database is of this version");
    Ok(())
}

/// Checks configuration, database, key ring and retention; returns an error if any check fails.
pub async fn doctor(config: Config) -> Result<()> {
    let mut is_healthy = true;
    let mut report = |what: &str, problem: Option<String>| {
        is_healthy &= problem.is_none();
        print_line!(
            "{} {what}{}",
            if problem.is_none() { "ok     " } else { "PROBLEM" },
            problem.map(|p| format!(": {p}")).unwrap_or_default()
        );
    };
    report("configuration", check_questionnaires(&config));
    match (&config.office, spreadsheets::office_in_use()) {
        (_, Some(soffice)) => {
            report(&format!("documents are converted by {}", soffice.display()), None);
        }
        (OfficeProgram::At(path), None) => {
            let problem = format!("documents.soffice: {} is no program", path.display());
            report("documents are converted by LibreOffice", Some(problem));
        }
        (OfficeProgram::OnPath, None) => print_line!(
            "note    LibreOffice is not installed: .doc, .wps, .rtf and PDF files are not read \
                (libreoffice-writer, -calc and -draw)"
        ),
        (OfficeProgram::Never, None) => {}
    }
    let datasets = config.datasets.clone();
    let write_test = std::fs::create_dir_all(&datasets).and_then(|()| {
        let probe_file = datasets.join(".doctor");
        std::fs::write(&probe_file, b"x").and_then(|()| std::fs::remove_file(probe_file))
    });
    report("datasets folder", write_test.err().map(|e| format!("{}: {e}", datasets.display())));
    match AppContext::open(config, Arc::new(SystemClock)).await {
        Err(error) => report("database and key ring", Some(error.to_string())),
        Ok(context) => {
            report("database and key ring", None);
            report(
                "the key ring belongs to the database",
                check_keys(&context).await.err().map(|e| e.to_string()),
            );
            let surviving = check_destroyed_keys(&context).await;
            report(
                "keys that were to be destroyed are gone",
                surviving.unwrap_or_else(|e| Some(e.to_string())),
            );
            report(
                "no work fails again and again",
                check_stuck_work(&context).await.unwrap_or_else(|e| Some(e.to_string())),
            );
            // A warning: people would be contacted on a holiday, and nothing is broken.
            if let Some(missing) = check_holidays(&context).await? {
                print_line!("note    {missing}");
            }
            report(
                "personal data is deleted when its retention period has ended",
                check_retention(&context).await.unwrap_or_else(|e| Some(e.to_string())),
            );
        }
    }
    if is_healthy {
        Ok(())
    } else {
        bail!(CommandError::Unhealthy("not all is well; see above".into()))
    }
}

fn check_questionnaires(config: &Config) -> Option<String> {
    questionnaires::check_all_questionnaires(config.questionnaires.as_deref())
        .first()
        .map(|e| e.to_string())
}

/// Reports applicants whose data is kept beyond the programme's retention period, and deletions
/// that are not complete.
/// Returns the keys that this key ring holds although a certificate says they are destroyed.
async fn check_destroyed_keys(context: &AppContext) -> Result<Option<String>> {
    let surviving = crate::services::erasure::surviving_keys(context).await?;
    let named: Vec<String> = surviving
        .iter()
        .map(|c| format!("{} of applicant {} (certificate {})", c.key_id, c.applicant_code, c.id))
        .collect();
    Ok((!named.is_empty()).then(|| {
        format!(
            "{}; the key ring is an old copy. A daemon that is started with it destroys them",
            named.join(", ")
        )
    }))
}

async fn check_holidays(context: &AppContext) -> Result<Option<String>> {
    let missing = holidays::missing_years(context, chrono_tz::Asia::Shanghai).await?;
    let lines: Vec<String> = missing
        .iter()
        .map(|missing| format!("{} (campaigns {})", missing.year, missing.campaigns.join(", ")))
        .collect();
    Ok((!lines.is_empty()).then(|| {
        format!(
            "the holidays of {} are not entered, and campaigns reach it; enter them on the console \
                (/holidays)",
            lines.join("; ")
        )
    }))
}

async fn check_stuck_work(context: &AppContext) -> Result<Option<String>> {
    let stuck = stuck_work::list(&mut *context.database.read().await?, STUCK_AFTER).await?;
    let lines: Vec<String> = stuck
        .iter()
        .map(|work| {
            format!(
                "{} {} (failed {} times since {}): {}",
                work.kind,
                work.item,
                work.attempt_count,
                work.since.rfc3339(chrono_tz::UTC),
                work.problem
            )
        })
        .collect();
    Ok((!lines.is_empty()).then(|| format!("{}; «retry» tries again now", lines.join("; "))))
}

/// `retry`: makes all work due that has failed and waits.
pub async fn retry(config: Config) -> Result<()> {
    let context = AppContext::open(config, Arc::new(SystemClock)).await?;
    let mut tx = context.database.write().await?;
    let retried = stuck_work::retry_all(&mut tx, context.clock.now()).await?;
    tx.commit().await?;
    print_line!("{retried} pieces of work are tried again now");
    Ok(())
}

async fn check_retention(context: &AppContext) -> Result<Option<String>> {
    let is_overdue = |review: &PurgeReview| {
        matches!(review.status, PurgeStatus::Due(_) | PurgeStatus::AwaitsScoring(_))
    };
    let overdue: Vec<String> = purge::review_applicants(context)
        .await?
        .into_iter()
        .filter(is_overdue)
        .map(|review| review.applicant.code)
        .collect();
    if !overdue.is_empty() {
        return Ok(Some(format!(
            "those of {} are overdue; «purge --dry-run» says why, «purge» does it now",
            overdue.join(", ")
        )));
    }
    let certificates = erasure::certificates(&mut *context.database.read().await?).await?;
    let is_unfinished = certificates.iter().any(|certificate| certificate.signature.is_none());
    Ok(is_unfinished.then(|| "a deletion is not done to the end; «purge» does the rest".to_owned()))
}

/// Opens one sealed number of each application.
async fn check_keys(context: &AppContext) -> Result<()> {
    let mut connection = context.database.read().await?;
    for application in applications::all(&mut connection).await? {
        if let Some((_, phone)) =
            lists::sealed_persons(&mut connection, application.id).await?.first()
        {
            open_phone(&context.keys.sealer(&application.key_id)?, phone)?;
        }
    }
    Ok(())
}
