//! Online backups of the whole database; [`super::restore`] brings them back. A backup contains
//! nothing personal that can be read without the key ring.

use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AnyConnection, Connection};

use super::Database;
use super::dialect::{self, Engine};
use crate::adapters::transports::parent_of;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "backup.", serialize_all = "snake_case")]
pub enum BackupError {
    #[error("{0} exists; name a file that does not")]
    Exists(PathBuf),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{0} is no backup of fieldworkd")]
    NoBackup(PathBuf),
    #[error("{path} is a backup of {file_engine}, and database.url names {database_engine}")]
    OtherEngine { path: PathBuf, file_engine: &'static str, database_engine: &'static str },
    #[error("{0} is damaged; use another backup")]
    Damaged(PathBuf),
    #[error(
        "there is a database already at {0}; restore into an empty one, or move that one away \
            first (with its -wal and -shm)"
    )]
    NotEmpty(String),
    #[error("database.url cannot be read as an address of PostgreSQL: {0}")]
    Url(String),
    #[error(
        "{program} is missing; install PostgreSQL's client programs (Debian: apt-get install \
            postgresql-client)"
    )]
    NoProgram { program: &'static str },
    #[error("{program}: {said}")]
    Program { program: &'static str, said: String },
    #[error("database {url}: {error}")]
    Database { url: String, error: sqlx::Error },
}

/// Writes a complete and consistent copy to `file`, readable by its owner only, and returns its
/// size. Concurrent writes are not blocked and are not included.
pub async fn backup(database: &Database, url: &str, file: &Path) -> Result<u64, BackupError> {
    if file.exists() {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let part = temporary_path(file);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| BackupError::File { path, error }
    };
    // Set the permissions before any content is written.
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)
        .map_err(at(&part))?;
    let written = match database.engine() {
        Engine::Sqlite => copy_sqlite(database, url, &part).await,
        Engine::Postgres => {
            let options = ["--format=custom", "--no-owner", "--no-privileges", "--file"];
            run_program("pg_dump", Some(url), &options, &part).await.map(drop)
        }
    };
    let finish = || -> io::Result<u64> {
        std::fs::File::open(&part)?.sync_all()?;
        std::fs::rename(&part, file)?;
        std::fs::File::open(parent_of(file))?.sync_all()?;
        Ok(std::fs::metadata(file)?.len())
    };
    match written {
        Ok(()) => finish().map_err(at(file)),
        Err(error) => {
            // The error that is returned is the first one.
            let _ = std::fs::remove_file(&part);
            Err(error)
        }
    }
}

async fn copy_sqlite(database: &Database, url: &str, part: &Path) -> Result<(), BackupError> {
    let failed = |error| BackupError::Database { url: url.to_owned(), error };
    let mut connection = database.pool.acquire().await.map_err(failed)?;
    sqlx::query("VACUUM INTO $1")
        .bind(part.display().to_string())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    drop(connection);
    check_sqlite(part).await
}

/// Detects the engine by the first bytes of the file.
pub(super) fn engine_of(file: &Path) -> Result<Engine, BackupError> {
    let mut begins = Vec::new();
    let read =
        std::fs::File::open(file).and_then(|opened| opened.take(16).read_to_end(&mut begins));
    read.map_err(|error| BackupError::File { path: file.to_owned(), error })?;
    if begins.starts_with(b"SQLite format 3\0") {
        Ok(Engine::Sqlite)
    } else if begins.starts_with(b"PGDMP") {
        Ok(Engine::Postgres)
    } else {
        Err(BackupError::NoBackup(file.to_owned()))
    }
}

/// Checks every page, and that the file is a fieldworkd database.
pub(super) async fn check_sqlite(file: &Path) -> Result<(), BackupError> {
    sqlx::any::install_default_drivers();
    let damaged = |_| BackupError::Damaged(file.to_owned());
    let mut connection = AnyConnection::connect(&format!("sqlite:{}?mode=ro", file.display()))
        .await
        .map_err(damaged)?;
    let checked: Result<String, _> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await;
    let marker: Result<i64, _> =
        sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master WHERE name = 'survey_case'")
            .fetch_one(&mut connection)
            .await;
    // The connection only read; an error on closing is harmless.
    let _ = connection.close().await;
    if checked.map_err(damaged)? != "ok" {
        return Err(BackupError::Damaged(file.to_owned()));
    }
    if marker.map_err(damaged)? == 1 { Ok(()) } else { Err(BackupError::NoBackup(file.to_owned())) }
}

/// Runs one of PostgreSQL's programs on a file and returns its output. The connection parameters are
/// passed in its environment, so that other users of the machine do not see the password; without a
/// `url` it connects to nothing.
pub(super) async fn run_program(
    program: &'static str,
    url: Option<&str>,
    arguments: &[&str],
    file: &Path,
) -> Result<Vec<u8>, BackupError> {
    let mut command = Command::new(program);
    if let Some(url) = url {
        let environment = dialect::postgres_environment(url).map_err(BackupError::Url)?;
        // Without a database name, pg_restore prints the script instead of restoring it.
        let database = environment
            .iter()
            .find(|(name, _)| *name == "PGDATABASE")
            .map(|(_, name)| name.clone())
            .unwrap_or_default();
        command.arg(format!("--dbname={database}")).envs(environment);
    }
    command
        .args(arguments)
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = match output.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BackupError::NoProgram { program });
        }
        Err(error) => return Err(BackupError::Program { program, said: error.to_string() }),
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> =
        said.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    Err(BackupError::Program { program, said: said.join("; ") })
}

pub(super) fn temporary_path(file: &Path) -> PathBuf {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    file.with_file_name(format!(".{name}.part"))
}
