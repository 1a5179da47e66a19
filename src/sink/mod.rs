//! What goes to others: files (a folder written whole or not at all, cells that are safe in a spreadsheet), signed webhooks, e-mail.

pub mod email;
pub mod webhook;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes files into `folder`: under a temporary name beside it, each synced, then renamed. A folder that stands there already stays as it is
/// when it holds the same; else this fails, because what was handed over never changes.
pub fn write_folder(folder: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    if folder.exists() {
        let same = files.iter().all(|(name, content)| fs::read(folder.join(name)).is_ok_and(|there| there == *content));
        let explained = || io::Error::new(io::ErrorKind::AlreadyExists, "another dataset stands there already; move it away");
        return if same { Ok(()) } else { Err(explained()) };
    }
    let temporary = temporary_beside(folder);
    if temporary.exists() {
        fs::remove_dir_all(&temporary)?;
    }
    fs::create_dir(&temporary)?;
    for (name, content) in files {
        let mut file = fs::File::create(temporary.join(name))?;
        file.write_all(content)?;
        file.sync_all()?;
    }
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, folder)?;
    fs::File::open(parent)?.sync_all()
}

fn temporary_beside(folder: &Path) -> PathBuf {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    folder.with_file_name(format!(".{name}.part"))
}

/// A cell of a CSV file that a spreadsheet will not take for a formula (OWASP: CSV injection).
pub fn harmless_cell(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_written_whole_and_never_changed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("A1/v1");
        let files = |text: &str| vec![("a.csv".to_owned(), text.as_bytes().to_vec())];
        // What a crash left behind is no hindrance.
        fs::create_dir_all(dir.path().join("A1/.v1.part")).unwrap();
        write_folder(&folder, &files("x")).unwrap();
        write_folder(&folder, &files("x")).unwrap();
        assert_eq!(write_folder(&folder, &files("y")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(folder.join("a.csv")).unwrap(), "x");
        assert_eq!(fs::read_dir(dir.path().join("A1")).unwrap().count(), 1);
    }
}
