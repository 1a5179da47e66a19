//! Uploads a version to the bucket that the scoring step reads, under `PREFIX/APPLICATION/vN`.
//! `SHA256SUMS` is uploaded last: its presence marks a complete version.

use std::path::Path;

use super::DeliveryFailure;
use crate::adapters::config::S3Config;
use crate::adapters::database::datasets::Dataset;
use crate::adapters::transports::Bucket;
use crate::services::datasets::package::SUMS;

pub(super) async fn put(
    written: &Path,
    config: &S3Config,
    dataset: &Dataset,
) -> Result<(), DeliveryFailure> {
    let parts = [config.prefix.as_str(), &dataset.application_code, &dataset.version_name()];
    let prefix = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let failed =
        |error: String| DeliveryFailure::Retry(format!("{}/{prefix}: {error}", config.bucket));
    let bucket = Bucket::open(config).map_err(|error| failed(error.to_string()))?;
    for name in names(written).map_err(|error| failed(error.to_string()))? {
        bucket
            .put_file(&format!("{prefix}/{name}"), &written.join(&name))
            .await
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// Returns the file names of a version, `SHA256SUMS` last.
fn names(written: &Path) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(written)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = entries.collect::<Result<Vec<_>, _>>()?;
    names.sort_by_key(|name| (name == SUMS, name.clone()));
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_come_last() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["responses.csv", SUMS, "cases.csv"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(names(folder.path()).unwrap(), ["cases.csv", "responses.csv", SUMS]);
    }
}
