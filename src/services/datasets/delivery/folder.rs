//! Copies a version into the folder that the scoring step reads, under `APPLICATION/vN`,
//! atomically.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::DeliveryFailure;
use crate::adapters::database::datasets::Dataset;
use crate::adapters::transports::NewFolder;

pub(super) async fn copy(
    written: &Path,
    to: &Path,
    dataset: &Dataset,
) -> Result<(), DeliveryFailure> {
    let name = written.file_name().map(|name| name.to_owned()).unwrap_or_default();
    let target = to.join(&dataset.application_code).join(name);
    let (from, target_text) = (written.to_owned(), target.display().to_string());
    match tokio::task::spawn_blocking(move || copy_files(&from, &target)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(DeliveryFailure::Retry(format!("{target_text}: {error}"))),
        Err(_) => Err(DeliveryFailure::Retry(format!("{target_text}: the copying broke off"))),
    }
}

fn copy_files(from: &Path, target: &Path) -> io::Result<()> {
    let folder = NewFolder::begin(target)?;
    let mut files: Vec<PathBuf> = fs::read_dir(from)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    for path in files {
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut copy = folder.file(&name)?;
        io::copy(&mut fs::File::open(&path)?, &mut copy)?;
        copy.finish()?;
    }
    folder.commit()
}
