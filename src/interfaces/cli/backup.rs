//! `backup FILE` and `restore FILE`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::output;
use crate::adapters::clock::SystemClock;
use crate::adapters::config::Config;
use crate::adapters::database::backup;
use crate::domain::audit::Action;
use crate::interfaces::errors::CommandError;
use crate::services::context::AppContext;
use crate::services::erasure;

pub async fn backup(context: &AppContext, file: &Path) -> Result<()> {
    let bytes = backup::backup(&context.database, &context.config.database_url, file).await?;
    print_line!(
        "{}: {bytes} bytes; the keys are not in it: {} is kept by itself",
        file.display(),
        context.config.key_ring.display()
    );
    Ok(())
}

/// Restores a backup, migrates it to this version, and repeats the erasures made since the backup.
pub async fn restore(config: Config, file: &Path) -> Result<()> {
    backup::restore(&config.database_url, file).await?;
    print_line!("{} is restored", file.display());
    let context = AppContext::open(config, Arc::new(SystemClock)).await?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    context.audit_before(&output::current_actor(), Action::BackupRestored, "", &name).await?;
    let (erased_applicants, erased_persons) = erasure::reapply_erasures(&context)
        .await
        .context("restored, but data deleted since the backup is still in it")?;
    if erased_applicants + erased_persons > 0 {
        print_line!(
            "deleted again, as the key ring says: the personal data of {erased_applicants} \
                applicants, and {erased_persons} single persons"
        );
    }
    let surviving = erasure::surviving_keys(&context).await?;
    if !surviving.is_empty() {
        let keys: Vec<&str> = surviving.iter().map(|c| c.key_id.as_str()).collect();
        bail!(CommandError::DestroyedKeys(format!(
            "restored, but the key ring holds keys that certificates say are destroyed: {}; put the \
                right key ring in its place, or start the daemon, which destroys them",
            keys.join(", ")
        )));
    }
    Ok(())
}
