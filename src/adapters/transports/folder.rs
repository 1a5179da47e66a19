//! A folder that is written atomically and never changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::adapters::crypto::Sha256Stream;

/// Size and hash of a file, computed while it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigest {
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// Age of temporary folders that a crash left behind; writing a folder never takes this long.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(24 * 3_600);

type Written = Arc<Mutex<BTreeMap<String, FileDigest>>>;

/// Returns the parent folder; for a bare name it is the current one.
pub fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder that is written under a temporary name beside its target. If it is dropped before
/// [`NewFolder::commit`], it is removed.
pub struct NewFolder {
    target: PathBuf,
    temporary: PathBuf,
    written: Written,
}

impl NewFolder {
    pub fn begin(target: &Path) -> io::Result<NewFolder> {
        let parent = parent_of(target);
        fs::create_dir_all(parent)?;
        let name =
            target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let begun_as = format!(".{name}.part-");
        remove_leftovers(parent, &begun_as)?;
        // Another process may be writing the same folder now.
        let mut random = [0u8; 6];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let temporary =
            target.with_file_name(format!("{begun_as}{}", data_encoding::HEXLOWER.encode(&random)));
        fs::create_dir(&temporary)?;
        Ok(NewFolder { target: target.to_owned(), temporary, written: Written::default() })
    }

    /// Creates a file in it; the file counts once it is finished.
    pub fn file(&self, name: &str) -> io::Result<NewFile> {
        let file = fs::File::create(self.temporary.join(name))?;
        Ok(NewFile {
            name: name.to_owned(),
            out: BufWriter::with_capacity(256 * 1024, file),
            hash: Sha256Stream::default(),
            bytes: 0,
            written: self.written.clone(),
        })
    }

    pub fn write(&self, name: &str, content: &[u8]) -> io::Result<FileDigest> {
        let mut file = self.file(name)?;
        file.write_all(content)?;
        file.finish()
    }

    /// Returns where a file is until the folder is committed, to read it once it is finished.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.temporary.join(name)
    }

    /// Removes a file, finished or not; one that is not there is none.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        lock(&self.written).remove(name);
        match fs::remove_file(self.temporary.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the finished files by name.
    pub fn written(&self) -> BTreeMap<String, FileDigest> {
        lock(&self.written).clone()
    }

    /// Moves it to its target. An existing target is left unchanged if it has the same content;
    /// otherwise this fails, because delivered datasets never change.
    pub fn commit(self) -> io::Result<()> {
        fs::File::open(&self.temporary)?.sync_all()?;
        // The rename fails if the target exists.
        if let Err(error) = fs::rename(&self.temporary, &self.target) {
            if !self.target.exists() {
                return Err(error);
            }
            let explained = || {
                io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "another dataset stands there already; move it away",
                )
            };
            return if self.is_the_same()? { Ok(()) } else { Err(explained()) };
        }
        fs::File::open(parent_of(&self.target))?.sync_all()
    }

    fn is_the_same(&self) -> io::Result<bool> {
        let written = self.written();
        if fs::read_dir(&self.target)?.count() != written.len() {
            return Ok(false);
        }
        for (name, facts) in &written {
            let mut hash = HashOnly::default();
            match fs::File::open(self.target.join(name)) {
                Ok(mut file) => io::copy(&mut file, &mut hash)?,
                Err(_) => return Ok(false),
            };
            if hash.0.end() != facts.sha256 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Removes temporary folders of crashed processes once nobody can be writing them any more.
fn remove_leftovers(parent: &Path, begun_as: &str) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let is_old = || {
            entry
                .metadata()
                .and_then(|facts| facts.modified())
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_BEHIND_AFTER))
        };
        if entry.file_name().to_string_lossy().starts_with(begun_as) && is_old() {
            // Another process may have removed it first.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // After a commit it no longer exists.
        let _ = fs::remove_dir_all(&self.temporary);
    }
}

/// A file of a [`NewFolder`], hashed while it is written.
pub struct NewFile {
    name: String,
    out: BufWriter<fs::File>,
    hash: Sha256Stream,
    bytes: u64,
    written: Written,
}

impl NewFile {
    /// Syncs the file and adds it to the folder's finished files.
    pub fn finish(mut self) -> io::Result<FileDigest> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        let facts = FileDigest { bytes: self.bytes, sha256: self.hash.end() };
        lock(&self.written).insert(self.name, facts.clone());
        Ok(facts)
    }
}

impl Write for NewFile {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(piece)?;
        self.hash.add(&piece[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[derive(Default)]
struct HashOnly(Sha256Stream);

impl Write for HashOnly {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.add(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A poisoned lock is usable: the map is consistent at every moment.
fn lock(written: &Written) -> MutexGuard<'_, BTreeMap<String, FileDigest>> {
    written.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_written_whole_and_never_changed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("A1/v1");
        let write = |text: &str| {
            let new = NewFolder::begin(&folder)?;
            let facts = new.write("a.csv", text.as_bytes())?;
            assert_eq!(
                facts,
                FileDigest {
                    bytes: 1,
                    sha256: crate::adapters::crypto::sha256_hex(text.as_bytes())
                }
            );
            new.commit()
        };
        // Another process writes the same folder.
        let other = NewFolder::begin(&folder).unwrap();
        other.write("a.csv", b"x").unwrap();
        write("x").unwrap();
        other.commit().unwrap();
        write("x").unwrap();
        assert_eq!(write("y").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(folder.join("a.csv")).unwrap(), "x");
        drop(NewFolder::begin(&folder).unwrap());
        assert_eq!(fs::read_dir(dir.path().join("A1")).unwrap().count(), 1);
    }
}
