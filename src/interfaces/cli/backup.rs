//! `backup FILE` and `restore FILE`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::output;
use crate::adapters::clock::SystemClock;
use crate::adapters::config::Config;
use crate::adapters::database::backup;
use crate::services;
use crate::services::context::AppContext;

pub async fn backup(context: &AppContext, file: &Path) -> Result<()> {
    let bytes = backup::backup(&context.database, &context.config.database_url, file).await?;
    print_line!(
        "{}: {bytes} bytes; the keys are not in it: {} is kept by itself",
        file.display(),
        context.config.key_ring.display()
    );
    Ok(())
}

/// Restores a backup. Nothing is said before it is true.
pub async fn restore(config: Config, file: &Path, keys_are_lost: bool) -> Result<()> {
    let clock = Arc::new(SystemClock);
    let restored =
        services::restore::restore(config, clock, &output::current_actor(), file, keys_are_lost)
            .await
            .with_context(|| format!("{} is not restored", file.display()))?;
    print_line!("{} is restored", file.display());
    if restored.erased_applicants + restored.erased_persons > 0 {
        print_line!(
            "deleted again, as the key ring says: the personal data of {} applicants, and {} \
                single persons",
            restored.erased_applicants,
            restored.erased_persons
        );
    }
    Ok(())
}
