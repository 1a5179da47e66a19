//! Steps after the fields are closed: a respondent withdraws the consent, and a corrected version
//! of the dataset follows; the scoring step fetches and accepts every version; and after the
//! retention time all personal data is erased.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::fixture::{Fixture, SCORING_TOKEN};
use crate::adapters::clock::VirtualClock;
use crate::adapters::config::Config;
use crate::adapters::crypto::sha256_hex;
use crate::adapters::database::restore::stage;
use crate::adapters::database::{self, applications, backup, campaigns, lists};
use crate::adapters::http_client;
use crate::services::context::AppContext;
use crate::services::sealing::open_phone;
use crate::services::{self, datasets, deadlines};

const RETENTION_TIME: Duration = Duration::from_secs(366 * 86_400);

/// Text of the last page that offers to withdraw the consent.
const WITHDRAW_BUTTON: &str = "撤回同意";

/// Withdraws the consent of the first person on the lists whose last page offers it. The daemon
/// does the rest.
pub async fn withdraw_one_consent(fixture: &Fixture) -> Result<()> {
    let context = &fixture.context;
    let client = http_client::new(std::time::Duration::from_secs(10))?;
    let addresses = personal_links(fixture).await?;
    for link in addresses {
        if client.get(&link).send().await?.text().await?.contains(WITHDRAW_BUTTON) {
            client.post(format!("{link}/refuse")).send().await?;
            break;
        }
    }
    deadlines::tick(context).await?;
    datasets::write_pending(context).await?;
    Ok(())
}

/// The results of the scoring step.
pub struct ScoringReport {
    /// Versions copied into its folder.
    pub arrived: u64,
    /// Versions that it fetched, verified by their checksums and accepted.
    pub accepted: u64,
}

/// Acts as the scoring step, through the public pull API.
pub async fn accept_datasets(fixture: &Fixture) -> Result<ScoringReport> {
    let arrived = datasets::delivery::deliver_due(&fixture.context).await?;
    let client = http_client::new(std::time::Duration::from_secs(10))?;
    let base = &fixture.context.config.public_url;
    let get = async |url: String| {
        client.get(url).bearer_auth(SCORING_TOKEN).send().await?.error_for_status()?.bytes().await
    };
    let listed: Value = serde_json::from_slice(&get(format!("{base}/api/v1/datasets")).await?)?;
    let mut accepted = 0;
    for version in listed["items"].as_array().into_iter().flatten() {
        let url = version["url"].as_str().unwrap_or_default();
        let sums = sha256_hex(&get(format!("{url}/files/SHA256SUMS")).await?);
        let is_right = version["sha256"].as_str() == Some(&sums);
        let verdict = json!({ "accepted": is_right, "reason": if is_right { "" } else { "its sums are others" }, "sha256": sums }).to_string();
        client
            .post(format!("{url}/verdict"))
            .bearer_auth(SCORING_TOKEN)
            .body(verdict)
            .send()
            .await?
            .error_for_status()?;
        accepted += u64::from(is_right);
    }
    Ok(ScoringReport { arrived, accepted })
}

/// The personal data that remains after the retention time.
pub struct ErasureReport {
    pub people: u64,
    /// Certificates with valid signatures.
    pub certificates: u64,
    /// Sealed numbers of an earlier backup that can still be opened.
    pub readable: u64,
}

/// Runs housekeeping a year later, which erases all people. It works on a restored backup, so that
/// the demo's own files remain for inspection.
pub async fn erase_after_retention(fixture: &Fixture) -> Result<ErasureReport> {
    let context = &fixture.context;
    let copy = context.config.datasets.with_file_name("a-year-later");
    let keys = copy.join("keyring");
    fs::create_dir_all(&keys)?;
    for entry in fs::read_dir(&context.config.key_ring)? {
        let path = entry?.path();
        fs::copy(&path, keys.join(path.file_name().unwrap_or_default()))?;
    }
    let file = copy.join("backup");
    backup::backup(&context.database, &context.config.database_url, &file).await?;
    let database_url = format!("sqlite:{}", copy.join("restored.db").display());
    stage(&database_url, &file).await?.finish().await?;
    let clock = Arc::new(VirtualClock::starting_at(fixture.now() + RETENTION_TIME));
    let config = Config {
        database_url,
        key_ring: keys,
        datasets: copy.join("datasets"),
        ..context.config.clone()
    };
    let restored = AppContext::open(config, clock).await?;
    let (mut people, mut sealed) = (0, Vec::new());
    for applicant in database::erasure::applicants(&mut *restored.database.read().await?).await? {
        people += applicant.people;
    }
    for application in applications::all(&mut *restored.database.read().await?).await? {
        let phones =
            lists::sealed_persons(&mut *restored.database.read().await?, application.id).await?;
        sealed.extend(phones.into_iter().map(|(_, phone)| (application.key_id.clone(), phone)));
    }
    services::erasure::remove_expired(&restored).await?;
    let readable = sealed
        .iter()
        .filter(|(key, phone)| {
            restored.keys.sealer(key).is_ok_and(|sealer| open_phone(&sealer, phone).is_ok())
        })
        .count();
    for applicant in database::erasure::applicants(&mut *restored.database.read().await?).await? {
        people -= applicant.people;
    }
    let certificates =
        database::erasure::certificates(&mut *restored.database.read().await?).await?;
    restored.database.close().await;
    Ok(ErasureReport {
        people,
        certificates: certificates.iter().filter(|c| services::erasure::is_genuine(c)).count()
            as u64,
        readable: readable as u64,
    })
}

/// Returns the personal links of the first application's people, in list order.
async fn personal_links(fixture: &Fixture) -> Result<Vec<String>> {
    let context = &fixture.context;
    let mut connection = context.database.read().await?;
    let Some(application) = applications::all(&mut connection).await?.into_iter().next() else {
        return Ok(Vec::new());
    };
    let Some(campaign) = application.campaign_id else { return Ok(Vec::new()) };
    let campaign = campaigns::get(&mut connection, campaign).await?.code;
    let (sealer, hasher) = (context.keys.sealer(&application.key_id)?, context.keys.hasher());
    let mut personal_links = Vec::new();
    for (_, phone) in lists::sealed_persons(&mut connection, application.id).await? {
        let hash = hasher.phone_hash(&open_phone(&sealer, &phone)?);
        personal_links.push(context.personal_link(&hasher.link_code(
            &campaign,
            &application.key_id,
            &hash,
        )));
    }
    Ok(personal_links)
}
