//! `backup FILE` and `restore FILE`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::output;
use crate::adapters::clock::SystemClock;
use crate::adapters::config::Config;
use crate::domain::audit::Action;
use crate::services::context::Installation;
use crate::services::erasure;
use crate::adapters::database::backup;

pub async fn backup(installation: &Installation, file: &Path) -> Result<()> {
    let bytes = backup::backup(&installation.store, &installation.config.database_url, file).await?;
    say!("{}: {bytes} bytes; the keys are not in it: {} is kept by itself", file.display(), installation.config.key_ring.display());
    Ok(())
}

/// Restores, brings the database to this version, and forgets again who was forgotten since the backup.
pub async fn restore(config: Config, file: &Path) -> Result<()> {
    backup::restore(&config.database_url, file).await?;
    say!("{} is restored", file.display());
    let installation = Installation::open(config, Arc::new(SystemClock)).await?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    installation.note_ahead(&output::actor(), Action::Restored, "", &name).await?;
    let (applicants, persons) = erasure::forget_again(&installation).await.context("restored, but who was forgotten since is still in it")?;
    if applicants + persons > 0 {
        say!("forgotten again, as the key ring says: the people of {applicants} applicants, and {persons} single persons");
    }
    Ok(())
}
