//! The key ring: a folder with the installation's key and one sealed key for each applicant of each
//! programme.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use data_encoding::HEXLOWER;

use super::hasher::{Hasher, derive_key, sha256_hex};
use super::sealer::{SealError, Sealer};
use super::signer::Signer;

const INSTALLATION_KEY: &str = "installation.key";
const SIGNING_KEY: &str = "signing.pem";
const ERASURES: &str = "erasures";
/// SHA-256 of installation keys that were published: 0.1.0 had one in its repository, at the path
/// that the shipped configuration uses.
const PUBLISHED_KEYS: [&str; 1] =
    ["20cf1976a5081845365e9ea49fddc4b9a667ff4101a29ae429e2a86193cb90cc"];

/// An open key ring. Without the folder, every name and number is lost; store its backup apart from
/// the database's backups.
pub struct KeyRing {
    folder: PathBuf,
    installation_sealer: Sealer,
    staff_sealer: Sealer,
    hasher: Hasher,
    opened: Mutex<HashMap<String, Sealer>>,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "key_ring.", serialize_all = "snake_case")]
pub enum KeyRingError {
    #[error("key ring {path}: {error}; check keys.ring and the folder's rights")]
    Io { path: PathBuf, error: io::Error },
    #[error("key ring {path} is not a key of 32 bytes in hexadecimal; restore it from its backup")]
    Malformed { path: PathBuf },
    #[error(
        "{path} is no private key of Ed25519 (PKCS #8 in PEM); restore it from its backup, or \
            move it away to get a new one"
    )]
    MalformedSigningKey { path: PathBuf },
    #[error(
        "key ring {path} holds the key that was published in the repository of fieldworkd 0.1.0: \
            anybody can open what it seals; move the key ring and \
         the database that belongs to it away, and a new key is made at the next start"
    )]
    Published { path: PathBuf },
    #[error(
        "key ring {path} was sealed with another installation key; restore the right \
            {INSTALLATION_KEY}"
    )]
    WrongInstallation { path: PathBuf },
    #[error(
        "the key {key_id} is not in the key ring, which belongs to another database, or is not \
            whole; restore it from its backup"
    )]
    Missing { key_id: String },
    #[error("the key {key_id} was destroyed: the applicant's personal data is deleted")]
    Destroyed { key_id: String },
    #[error(transparent)]
    #[strum(transparent)]
    Seal(#[from] SealError),
}

impl KeyRing {
    /// Opens the folder, and creates it and the installation's key if they are missing.
    /// `installation_key_file` names a key in another place (for example a systemd credential),
    /// which must exist.
    pub fn open(
        folder: &Path,
        installation_key_file: Option<&Path>,
    ) -> Result<KeyRing, KeyRingError> {
        KeyRing::open_unless(&PUBLISHED_KEYS, folder, installation_key_file)
    }

    fn open_unless(
        published: &[&str],
        folder: &Path,
        installation_key_file: Option<&Path>,
    ) -> Result<KeyRing, KeyRingError> {
        let make = || fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        make().map_err(|error| KeyRingError::Io { path: folder.to_owned(), error })?;
        let own_file = KeyRing::installation_key_path(folder);
        let path = installation_key_file.unwrap_or(&own_file);
        if installation_key_file.is_none() && !own_file.exists() {
            let key = random_key()?;
            write_secret(&own_file, &HEXLOWER.encode(&key))?;
        }
        let text = fs::read_to_string(path)
            .map_err(|error| KeyRingError::Io { path: path.to_owned(), error })?;
        let key = decode_key(text.trim())
            .ok_or_else(|| KeyRingError::Malformed { path: path.to_owned() })?;
        if published.contains(&sha256_hex(&key).as_str()) {
            return Err(KeyRingError::Published { path: path.to_owned() });
        }
        Ok(KeyRing {
            folder: folder.to_owned(),
            installation_sealer: Sealer::new(&key),
            staff_sealer: Sealer::new(&derive_key(&key, "staff")),
            hasher: Hasher::new(&key),
            opened: Mutex::default(),
        })
    }

    /// Returns where the installation's key is, unless another file is configured.
    pub fn installation_key_path(folder: &Path) -> PathBuf {
        folder.join(INSTALLATION_KEY)
    }

    /// Returns the sealer for data that belongs to the staff and to no applicant.
    pub fn staff_sealer(&self) -> &Sealer {
        &self.staff_sealer
    }

    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// Creates a new key and returns its id. An unused key costs only a small file.
    pub fn create_key(&self) -> Result<String, KeyRingError> {
        let mut id = [0u8; 10];
        getrandom::fill(&mut id).map_err(SealError::NoRandom)?;
        let key_id = HEXLOWER.encode(&id);
        let sealed = self.installation_sealer.seal(&key_id, &random_key()?)?;
        write_secret(&self.key_path(&key_id), &HEXLOWER.encode(&sealed))?;
        Ok(key_id)
    }

    /// Returns the sealer of an applicant's key.
    pub fn sealer(&self, key_id: &str) -> Result<Sealer, KeyRingError> {
        let mut open = self.opened.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let path = self.key_path(key_id);
        // Another process may have destroyed it.
        if let Some(sealer) = open.get(key_id).filter(|_| path.exists()) {
            return Ok(sealer.clone());
        }
        open.remove(key_id);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key_id = key_id.to_owned();
                let is_destroyed = self.destruction_reason(&key_id)?.is_some();
                return Err(if is_destroyed {
                    KeyRingError::Destroyed { key_id }
                } else {
                    KeyRingError::Missing { key_id }
                });
            }
            Err(error) => return Err(KeyRingError::Io { path, error }),
        };
        let sealed = HEXLOWER
            .decode(text.trim().as_bytes())
            .map_err(|_| KeyRingError::Malformed { path: path.clone() })?;
        let key = self
            .installation_sealer
            .open(key_id, &sealed)
            .map_err(|_| KeyRingError::WrongInstallation { path: path.clone() })?;
        let key: [u8; 32] = key.try_into().map_err(|_| KeyRingError::Malformed { path })?;
        let sealer = Sealer::new(&key);
        open.insert(key_id.to_owned(), sealer.clone());
        Ok(sealer)
    }

    /// Destroys a key permanently: overwrites and removes its file. `why` is stored in its place,
    /// which shows that the key was not lost; a database restored from an older backup is purged
    /// again by it. Repeating the call changes nothing.
    pub fn destroy(&self, key_id: &str, why: &str) -> Result<(), KeyRingError> {
        let (key, note) = (self.key_path(key_id), self.destroyed_note_path(key_id));
        match write_secret(&note, why) {
            Err(KeyRingError::Io { error, .. }) if error.kind() == io::ErrorKind::AlreadyExists => {
            }
            written => written?,
        }
        self.opened.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(key_id);
        let overwrite_and_remove = || -> io::Result<()> {
            let mut file = fs::OpenOptions::new().write(true).open(&key)?;
            let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
            file.write_all(&vec![b'0'; length])?;
            file.sync_all()?;
            fs::remove_file(&key)?;
            fs::File::open(&self.folder)?.sync_all()
        };
        match overwrite_and_remove() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| KeyRingError::Io { path: key, error }),
        }
    }

    /// Returns whether the key's file is in the ring.
    pub fn holds(&self, key_id: &str) -> bool {
        self.key_path(key_id).exists()
    }

    /// Returns the reason for which a key was destroyed; `None` if it was not.
    pub fn destruction_reason(&self, key_id: &str) -> Result<Option<String>, KeyRingError> {
        let path = self.destroyed_note_path(key_id);
        match fs::read_to_string(&path) {
            Ok(why) => Ok(Some(why)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(KeyRingError::Io { path, error }),
        }
    }

    /// Records beside the keys that a person was erased, by key id and hash of the number: a
    /// database restored from an older backup must erase the person again.
    pub fn record_erasure(&self, key_id: &str, phone_hash: &str) -> Result<(), KeyRingError> {
        use std::os::unix::fs::OpenOptionsExt;
        if self.erasures()?.iter().any(|(key, hash)| key == key_id && hash == phone_hash) {
            return Ok(());
        }
        let path = self.folder.join(ERASURES);
        let append = || -> io::Result<()> {
            let mut file =
                fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
            file.write_all(format!("{key_id} {phone_hash}\n").as_bytes())?;
            file.sync_all()
        };
        append().map_err(|error| KeyRingError::Io { path: path.clone(), error })
    }

    /// Returns all erasures as pairs of key id and hash of the number.
    pub fn erasures(&self) -> Result<Vec<(String, String)>, KeyRingError> {
        let path = self.folder.join(ERASURES);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text
                .lines()
                .filter_map(|line| line.split_once(' '))
                .map(|(key, hash)| (key.to_owned(), hash.to_owned()))
                .collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(KeyRingError::Io { path, error }),
        }
    }

    /// Returns the key that signs manifests (Ed25519, RFC 8032), stored as PKCS #8 in PEM beside
    /// the others and created on first use. An own key may be placed there before:
    /// `openssl genpkey -algorithm ed25519`.
    pub fn signer(&self) -> Result<Signer, KeyRingError> {
        let path = self.folder.join(SIGNING_KEY);
        if !path.exists() {
            let key = random_key()?;
            let pem = Signer::of_seed(&key)
                .to_pem()
                .ok_or_else(|| KeyRingError::MalformedSigningKey { path: path.clone() })?;
            match write_secret(&path, &pem) {
                // Another process created the key first, which is as good.
                Err(KeyRingError::Io { error, .. })
                    if error.kind() == io::ErrorKind::AlreadyExists => {}
                done => done?,
            }
        }
        let text = fs::read_to_string(&path)
            .map_err(|error| KeyRingError::Io { path: path.clone(), error })?;
        Signer::of_pem(&text).ok_or(KeyRingError::MalformedSigningKey { path })
    }

    /// Creates a new signing key; the previous one remains beside it under the name of its public
    /// key.
    pub fn rotate_signer(&self) -> Result<Signer, KeyRingError> {
        let path = self.folder.join(SIGNING_KEY);
        if path.exists() {
            let before = self.signer()?;
            let archived = self.folder.join(format!("signing-{}.pem", before.public().id()));
            fs::rename(&path, &archived)
                .map_err(|error| KeyRingError::Io { path: archived, error })?;
        }
        self.signer()
    }

    fn key_path(&self, key_id: &str) -> PathBuf {
        self.folder.join(format!("{key_id}.key"))
    }

    fn destroyed_note_path(&self, key_id: &str) -> PathBuf {
        self.folder.join(format!("{key_id}.destroyed"))
    }
}

fn random_key() -> Result<[u8; 32], KeyRingError> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(SealError::NoRandom)?;
    Ok(key)
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}

/// Writes a file that only its owner may read, and syncs it before its key seals anything.
fn write_secret(path: &Path, text: &str) -> Result<(), KeyRingError> {
    use std::os::unix::fs::OpenOptionsExt;
    let write = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| KeyRingError::Io { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_again_with_its_own_installation_key_only() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(dir.path(), None).unwrap();
        let id = ring.create_key().unwrap();
        let sealed = ring.sealer(&id).unwrap().seal("x", b"y").unwrap();

        let again = KeyRing::open(dir.path(), None).unwrap();
        assert_eq!(again.sealer(&id).unwrap().open("x", &sealed).unwrap(), b"y");

        // A key destroyed in one process does not open in any other; sealed values stay unreadable.
        let doomed = ring.create_key().unwrap();
        again.sealer(&doomed).unwrap();
        ring.destroy(&doomed, "why").unwrap();
        ring.destroy(&doomed, "said again").unwrap();
        assert!(matches!(again.sealer(&doomed), Err(KeyRingError::Destroyed { .. })));
        assert!(
            ring.destruction_reason(&doomed).unwrap().as_deref() == Some("why")
                && ring.destruction_reason(&id).unwrap().is_none()
        );
        ring.record_erasure(&id, "h1").unwrap();
        again.record_erasure(&id, "h1").unwrap();
        assert_eq!(again.erasures().unwrap(), [(id.clone(), "h1".to_owned())]);

        let key = decode_key(fs::read_to_string(dir.path().join(INSTALLATION_KEY)).unwrap().trim())
            .unwrap();
        let published = KeyRing::open_unless(&[&sha256_hex(&key)], dir.path(), None);
        assert!(matches!(published, Err(KeyRingError::Published { .. })));

        fs::write(dir.path().join(INSTALLATION_KEY), "00".repeat(32)).unwrap();
        let other = KeyRing::open(dir.path(), None).unwrap();
        assert!(matches!(other.sealer(&id), Err(KeyRingError::WrongInstallation { .. })));
        assert!(matches!(other.sealer("abc"), Err(KeyRingError::Missing { .. })));
        fs::write(dir.path().join(INSTALLATION_KEY), "short").unwrap();
        assert!(matches!(KeyRing::open(dir.path(), None), Err(KeyRingError::Malformed { .. })));
    }
}
