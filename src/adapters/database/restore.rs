//! Restores a backup in two steps, so that a refusal leaves nothing behind: [`stage`] brings the
//! backup to where it can be opened, migrated and checked, and [`StagedBackup::finish`] makes it the
//! configured database.
//!
//! With SQLite, the staged database is a file beside the configured one and is moved at the end.
//! With PostgreSQL, there is no place beside: the archive is read to its end and its migrations are
//! compared first, then one transaction restores it into the empty database, and
//! [`StagedBackup::discard`] empties that again. Until [`StagedBackup::finish`], a table marks the
//! database: while it is there, no daemon opens what may hold people who were erased since the
//! backup, and the next restore begins anew.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, Connection};

use super::backup::{BackupError, check_sqlite, engine_of, run_program, temporary_path};
use super::dialect::{self, Engine};
use super::{DatabaseError, migrations, suffixed};
use crate::adapters::transports::parent_of;

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// A backup that can be opened and is not yet the configured database. If it is dropped before
/// [`StagedBackup::finish`], a staged file is removed.
pub struct StagedBackup {
    url: String,
    place: Place,
}

enum Place {
    File { part: PartFile, target: PathBuf },
    Database,
}

/// The staged file, which is removed with what SQLite keeps beside it.
struct PartFile(PathBuf);

/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

impl PartFile {
    fn remove(&self) {
        for suffix in BESIDE.into_iter().chain([""]) {
            // What cannot be removed is overwritten by the next restore; it was never in use.
            let _ = std::fs::remove_file(suffixed(&self.0, suffix));
        }
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Brings a backup for the database at `url`, which must be empty or absent, to where it can be
/// opened. What a restore that was killed left there is removed.
pub async fn stage(url: &str, file: &Path) -> Result<StagedBackup, StageError> {
    let engine = Engine::of(url);
    let file_engine = engine_of(file)?;
    if file_engine != engine {
        let name = |engine| if engine == Engine::Sqlite { "SQLite" } else { "PostgreSQL" };
        return Err(StageError::Backup(BackupError::OtherEngine {
            path: file.to_owned(),
            file_engine: name(file_engine),
            database_engine: name(engine),
        }));
    }
    match engine {
        Engine::Sqlite => Ok(stage_sqlite(url, file).await?),
        Engine::Postgres => stage_postgres(url, file).await,
    }
}

impl StagedBackup {
    /// Returns the URL at which the staged database can be opened. It must be closed again before
    /// the next step.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes it the configured database.
    pub async fn finish(self) -> Result<(), BackupError> {
        let Place::File { part, target } = &self.place else {
            return unmark(&self.url).await.map_err(|error| BackupError::Database {
                url: dialect::url_without_password(&self.url),
                error,
            });
        };
        merge_log(&part.0).await?;
        // A daemon may have been started meanwhile.
        refuse_existing(target)?;
        let put_in_place = || -> io::Result<()> {
            std::fs::File::open(&part.0)?.sync_all()?;
            std::fs::rename(&part.0, target)?;
            std::fs::File::open(parent_of(target))?.sync_all()
        };
        put_in_place().map_err(|error| BackupError::File { path: target.clone(), error })
    }

    /// Removes it: the configured database is as empty as before.
    pub async fn discard(self) -> Result<(), BackupError> {
        match &self.place {
            Place::File { .. } => Ok(()),
            Place::Database => empty_postgres(&self.url, None).await.map_err(|error| {
                BackupError::Database { url: dialect::url_without_password(&self.url), error }
            }),
        }
    }
}

fn refuse_existing(target: &Path) -> Result<(), BackupError> {
    // A journal would be played into the restored file.
    let is_there = |suffix: &str| {
        std::fs::metadata(suffixed(target, suffix)).is_ok_and(|found| found.len() > 0)
    };
    if is_there("") || is_there("-wal") || is_there("-journal") {
        return Err(BackupError::NotEmpty(target.display().to_string()));
    }
    Ok(())
}

async fn stage_sqlite(url: &str, file: &Path) -> Result<StagedBackup, BackupError> {
    let Some(target) = dialect::sqlite_file(url) else {
        return Err(BackupError::Url(url.to_owned()));
    };
    refuse_existing(&target)?;
    let part = PartFile(temporary_path(&target));
    part.remove();
    let copy = || -> io::Result<()> {
        std::fs::create_dir_all(parent_of(&target))?;
        let mut to =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part.0)?;
        io::copy(&mut std::fs::File::open(file)?, &mut to)?;
        to.sync_all()
    };
    copy().map_err(|error| BackupError::File { path: part.0.clone(), error })?;
    check_sqlite(&part.0).await.map_err(|error| match error {
        BackupError::Damaged(_) => BackupError::Damaged(file.to_owned()),
        BackupError::NoBackup(_) => BackupError::NoBackup(file.to_owned()),
        other => other,
    })?;
    let url = format!("sqlite:{}", part.0.display());
    Ok(StagedBackup { url, place: Place::File { part, target } })
}

/// Moves what is in SQLite's log into the file itself, which is moved alone.
async fn merge_log(part: &Path) -> Result<(), BackupError> {
    let failed = |error| BackupError::Database { url: part.display().to_string(), error };
    let url = format!("sqlite:{}?mode=rw", part.display());
    let mut connection = AnyConnection::connect(&url).await.map_err(failed)?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode = DELETE")
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)?;
    if mode == "delete" {
        Ok(())
    } else {
        let error = io::Error::other("its log cannot be merged, as it is in use");
        Err(BackupError::File { path: part.to_owned(), error })
    }
}

async fn stage_postgres(url: &str, file: &Path) -> Result<StagedBackup, StageError> {
    sqlx::any::install_default_drivers();
    let masked_url = dialect::url_without_password(url);
    let failed = |error| BackupError::Database { url: masked_url.clone(), error };
    let mut connection = AnyConnection::connect(url).await.map_err(failed)?;
    if is_unfinished(&mut connection).await.map_err(failed)? {
        end_pg_restore(&mut connection).await.map_err(failed)?;
        empty_postgres(url, Some(MARK)).await.map_err(failed)?;
    } else if count_tables(&mut connection).await.map_err(failed)? > 0 {
        return Err(StageError::Backup(BackupError::NotEmpty(masked_url)));
    }
    check_archive(file).await?;
    let mark = dialect::statement(format!("CREATE TABLE IF NOT EXISTS {MARK} (marked INTEGER)"));
    sqlx::query(mark).execute(&mut connection).await.map_err(failed)?;
    let options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"];
    let mut tries = 1;
    while let Err(error) = run_program("pg_restore", Some(url), &options, file).await {
        // Its transaction left nothing but the mark. What else is there comes from a pg_restore
        // that had not yet connected when the earlier ones were ended.
        let ended = end_pg_restore(&mut connection).await.map_err(failed)?;
        let tables = count_tables(&mut connection).await.map_err(failed)?;
        if tries == MAX_TRIES || (ended == 0 && tables == 0) {
            // The first error is the one to report.
            let _ = unmark(url).await;
            return Err(error.into());
        }
        tries += 1;
        empty_postgres(url, Some(MARK)).await.map_err(failed)?;
    }
    connection.close().await.map_err(failed)?;
    Ok(StagedBackup { url: url.to_owned(), place: Place::Database })
}

/// How often pg_restore is started while others, cut off from their parents, are in its way.
const MAX_TRIES: u32 = 3;

/// The tables of a database, except the mark.
async fn count_tables(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM information_schema.tables \
        WHERE table_schema = current_schema() AND table_name <> $1";
    sqlx::query_scalar(sql).bind(MARK).fetch_one(connection).await
}

/// The table that marks a database of PostgreSQL while a restore into it is not finished.
const MARK: &str = "unfinished_restore";

/// Whether a restore into the database is running, or was cut off.
pub(super) async fn is_unfinished(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM information_schema.tables \
        WHERE table_schema = current_schema() AND table_name = $1";
    let marks: i64 = sqlx::query_scalar(sql).bind(MARK).fetch_one(connection).await?;
    Ok(marks > 0)
}

/// Ends each pg_restore that outlived the program which had started it. Returns their number.
async fn end_pg_restore(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND application_name = 'pg_restore' \
            AND usename = current_user) AS ended";
    let mut ended = 0;
    for _ in 0..100 {
        let running: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await?;
        if running == 0 {
            break;
        }
        ended = ended.max(running);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(ended)
}

async fn unmark(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    let drop = dialect::statement(format!("DROP TABLE {MARK}"));
    sqlx::query(drop).execute(&mut connection).await?;
    connection.close().await
}

/// Reads the archive to its end, and its list of migrations.
async fn check_archive(file: &Path) -> Result<(), StageError> {
    let damaged = |error| match error {
        BackupError::Program { .. } => BackupError::Damaged(file.to_owned()),
        other => other,
    };
    run_program("pg_restore", None, &["--file=/dev/null"], file).await.map_err(damaged)?;
    let options = ["--data-only", "--table=_sqlx_migrations", "--file=-"];
    let script = run_program("pg_restore", None, &options, file).await.map_err(damaged)?;
    let versions = migration_versions(&String::from_utf8_lossy(&script));
    let known = migrations::of(Engine::Postgres);
    if versions.is_empty() {
        return Err(StageError::Backup(BackupError::NoBackup(file.to_owned())));
    }
    match versions.into_iter().find(|version| !known.version_exists(*version)) {
        Some(version) => Err(StageError::Database(DatabaseError::NewerSchema(version))),
        None => Ok(()),
    }
}

/// Reads the versions out of pg_restore's script: the rows of a `COPY`, of which the version is the
/// first column.
fn migration_versions(script: &str) -> Vec<i64> {
    script
        .lines()
        .skip_while(|line| !line.starts_with("COPY "))
        .skip(1)
        .take_while(|line| *line != "\\.")
        .filter_map(|line| line.split('\t').next()?.parse().ok())
        .collect()
}

/// Drops everything that a restore has made in a database that was empty before.
async fn empty_postgres(url: &str, except: Option<&str>) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    let mut tx = connection.begin().await?;
    let functions = "SELECT DISTINCT CAST(p.proname AS TEXT) FROM pg_trigger t \
        JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid \
        JOIN pg_namespace n ON n.oid = c.relnamespace \
        WHERE n.nspname = current_schema() AND NOT t.tgisinternal";
    let functions: Vec<String> = sqlx::query_scalar(functions).fetch_all(&mut *tx).await?;
    let tables = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
        WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *tx).await?;
    let drop_tables = tables
        .iter()
        .filter(|table| except != Some(table.as_str()))
        .map(|table| format!("DROP TABLE IF EXISTS \"{table}\" CASCADE"));
    let drop_functions =
        functions.iter().map(|function| format!("DROP FUNCTION IF EXISTS \"{function}\"()"));
    for sql in drop_tables.chain(drop_functions) {
        sqlx::query(dialect::statement(sql)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    connection.close().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_read_out_of_an_archive() {
        let script = "SET x = 1;\n\nCOPY public._sqlx_migrations (version, description) FROM \
            stdin;\n1\tinitial\n20\tlater\n\\.\n\n7\tnothing\n";
        assert_eq!(migration_versions(script), [1, 20]);
        assert!(migration_versions("-- nothing\n").is_empty());
    }
}
