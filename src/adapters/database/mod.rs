//! All SQL, one file per table family: functions over a connection.
//!
//! The same SQL serves SQLite and PostgreSQL through `sqlx::Any`; [`dialect`] contains the
//! differences. Sealed values and hashes pass through unchanged: this layer cannot decrypt a name
//! or a number. Reads take any connection; writes take a [`WriteTx`], which commits or rolls back.

pub mod accounts;
pub mod alarms;
pub mod answer_counts;
pub mod api_tokens;
pub mod applicant_links;
pub mod application_drafts;
pub mod application_events;
pub mod applications;
pub mod audit;
pub mod backup;
pub mod bulk_params;
pub mod call_queue;
pub mod call_watches;
pub mod calls;
pub mod campaign_counts;
pub mod campaign_notes;
pub mod campaigns;
pub mod cases;
pub mod clock_steps;
pub mod consents;
pub mod datasets;
pub mod deliveries;
pub mod dialect;
pub mod drafts;
pub mod erasure;
pub mod events;
pub mod forecast_input;
pub mod forecasts;
pub mod further_numbers;
pub mod gateway_log;
pub mod health;
pub mod holidays;
pub mod idempotency;
pub mod invitations;
pub mod links;
pub mod list_forms;
pub mod lists;
pub mod message_parts;
pub mod messages;
mod migrations;
pub mod notices;
pub mod origins;
pub mod paper_forms;
pub mod paradata;
pub mod plan_library;
pub mod programmes;
pub mod questionnaires;
pub mod quotas;
pub mod rates;
pub mod receipts;
pub mod refusals;
pub mod replicates;
pub mod replies;
pub mod reply_parts;
pub mod responses;
pub mod restore;
pub mod shifts;
pub mod sms_interviews;
pub mod staff_answers;
pub mod stuck_work;
pub mod subject_access_export;
pub mod suppressions;
pub mod timeline;
pub mod verifications;
pub mod wrong_numbers;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use dialect::Engine;

/// An open database at the current schema version.
#[derive(Clone)]
pub struct Database {
    pool: AnyPool,
    engine: Engine,
    /// SQLite has one writer; this semaphore is fair, waiting inside the database is not.
    writer: Option<Arc<Semaphore>>,
    /// Serializes claims on SQLite, which has only one daemon.
    claim_semaphore: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "database.", serialize_all = "snake_case")]
pub enum DatabaseError {
    #[error("database {url}: {error}; check database.url")]
    Connect { url: String, error: sqlx::Error },
    #[error("the database is locked by another program; stop that one, or wait and try again")]
    Locked,
    #[error(
        "the database was made by a newer fieldworkd (migration {0} is unknown here); use that \
            version, or restore the backup made before the upgrade"
    )]
    NewerSchema(i64),
    #[error(
        "a restore into the database was cut off, or is still running; wait for it, or run \
            `fieldworkd restore` again"
    )]
    UnfinishedRestore,
    #[error("the database cannot be brought to this version: {0}")]
    Migrate(MigrateError),
    #[error("database: {0}")]
    Sql(sqlx::Error),
    #[error("{0}; nothing was written")]
    ConcurrentWrite(&'static str),
    #[error("the database holds «{value}» as {what}, which this version does not know")]
    Unreadable { what: &'static str, value: String },
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> DatabaseError {
        // SQLITE_BUSY is 5; its extended codes have 5 in the low byte.
        let busy = error
            .as_database_error()
            .and_then(|e| e.code())
            .and_then(|code| code.parse::<i64>().ok())
            .is_some_and(|code| code & 0xff == 5);
        if busy { DatabaseError::Locked } else { DatabaseError::Sql(error) }
    }
}

pub type Result<T> = std::result::Result<T, DatabaseError>;

impl Database {
    /// Connects and migrates an older database to the current version.
    pub async fn open(url: &str) -> Result<Database> {
        let database = Database::connect(url).await?;
        if database.engine == Engine::Postgres
            && restore::is_unfinished(&mut *database.pool.acquire().await?).await?
        {
            return Err(DatabaseError::UnfinishedRestore);
        }
        database.migrate().await?;
        Ok(database)
    }

    /// Opens a database that a restore has staged, which [`Database::open`] refuses.
    pub async fn open_staged(url: &str) -> Result<Database> {
        let database = Database::connect(url).await?;
        database.migrate().await?;
        Ok(database)
    }

    async fn connect(url: &str) -> Result<Database> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of(url);
        let masked_url = dialect::url_without_password(url);
        let connect = |error| DatabaseError::Connect { url: masked_url.clone(), error };
        if let Some(folder) = dialect::sqlite_folder(url) {
            std::fs::create_dir_all(folder).map_err(|error| connect(sqlx::Error::Io(error)))?;
        }
        if let Some(file) = dialect::sqlite_file(url) {
            keep_private(&file).map_err(|error| connect(sqlx::Error::Io(error)))?;
        }
        // The pool would retry for half a minute; an absent server, or a file that is not a
        // database, is reported at once.
        let locked_or_not_there = |error| match DatabaseError::from(error) {
            DatabaseError::Sql(error) => connect(error),
            other => other,
        };
        let mut probe =
            AnyConnection::connect(&engine.connect_url(url)).await.map_err(locked_or_not_there)?;
        for statement in engine.on_connect() {
            probe.execute(*statement).await.map_err(locked_or_not_there)?;
        }
        probe.close().await.map_err(locked_or_not_there)?;
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(30))
            // The statement itself detects a dead connection; testing before would double the round
            // trips of every short statement.
            .test_before_acquire(engine == Engine::Postgres)
            // A failed commit (a full disk) may leave a transaction open; such a connection is
            // dropped.
            .before_acquire(|connection, _| {
                let is_free = !connection.is_in_transaction();
                Box::pin(async move { Ok(is_free) })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in engine.on_connect() {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            })
            .connect(&engine.connect_url(url))
            .await
            .map_err(locked_or_not_there)?;
        let writer = (engine == Engine::Sqlite).then(|| Arc::new(Semaphore::new(1)));
        Ok(Database { pool, engine, writer, claim_semaphore: Arc::new(Semaphore::new(1)) })
    }

    async fn migrate(&self) -> Result<()> {
        migrations::of(self.engine).run(&self.pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
                DatabaseError::NewerSchema(version)
            }
            MigrateError::Execute(error) => match DatabaseError::from(error) {
                DatabaseError::Locked => DatabaseError::Locked,
                other => other,
            },
            other => DatabaseError::Migrate(other),
        })
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Acquires a connection for reading.
    pub async fn read(&self) -> Result<PoolConnection<Any>> {
        Ok(self.pool.acquire().await?)
    }

    /// Begins a write transaction; on SQLite it holds the write lock from its first statement on.
    pub async fn write(&self) -> Result<WriteTx> {
        let permit = match &self.writer {
            // The semaphore is never closed.
            Some(writer) => writer.clone().acquire_owned().await.ok(),
            None => None,
        };
        Ok(WriteTx {
            tx: self.pool.begin_with(self.engine.begin_write()).await?,
            engine: self.engine,
            _permit: permit,
            _claim_permit: None,
        })
    }

    /// Waits for the right to claim. Daemons claim one after another, so that the caps see what the
    /// previous claim planned.
    pub async fn claim_lock(&self) -> Result<ClaimLock> {
        // The semaphore is never closed.
        let permit = self.claim_semaphore.clone().acquire_owned().await.ok();
        match self.engine.lock_claims() {
            None => Ok(ClaimLock {
                database: self.clone(),
                connection: ClaimConnection::Reading(self.read().await?),
                permit,
            }),
            Some(sql) => {
                let mut tx = self.write().await?;
                tx.execute(sql).await?;
                Ok(ClaimLock {
                    database: self.clone(),
                    connection: ClaimConnection::Writing(tx),
                    permit,
                })
            }
        }
    }

    /// Checks that the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.pool.acquire().await?.execute("SELECT 1").await?;
        Ok(())
    }

    /// Removes what transactions have deleted from the database's files as far as the engine can:
    /// SQLite overwrites it in the file, so the log before it is emptied; PostgreSQL vacuums the
    /// tables of sealed data. docs/privacy.md says what remains.
    pub async fn scrub_deleted(&self) -> Result<()> {
        let _permit = match &self.writer {
            Some(writer) => writer.clone().acquire_owned().await.ok(),
            None => None,
        };
        let mut connection = self.read().await?;
        match self.engine {
            Engine::Sqlite => {
                let (busy, _, _): (i64, i64, i64) =
                    sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
                        .fetch_one(&mut *connection)
                        .await?;
                if busy != 0 {
                    return Err(DatabaseError::Locked);
                }
            }
            Engine::Postgres => {
                let sealed = "SELECT DISTINCT CAST(table_name AS TEXT) FROM \
                    information_schema.columns WHERE table_schema = current_schema() AND \
                    column_name LIKE '%sealed'";
                let tables: Vec<String> =
                    sqlx::query_scalar(sealed).fetch_all(&mut *connection).await?;
                for table in tables {
                    let vacuum = dialect::statement(format!("VACUUM \"{table}\""));
                    sqlx::query(vacuum).execute(&mut *connection).await?;
                }
            }
        }
        Ok(())
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Makes SQLite's file readable for its owner only; SQLite gives its log the same rights.
fn keep_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let opened =
        std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
    let file_is_ours = opened?;
    let rights = file_is_ours.metadata()?.permissions();
    if rights.mode() & 0o077 != 0 {
        for path in [file.to_owned(), suffixed(file, "-wal"), suffixed(file, "-shm")] {
            match std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn suffixed(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The right to claim, from the first read to the commit. During the reads and computations, other
/// tasks can use SQLite's only writer.
pub struct ClaimLock {
    database: Database,
    connection: ClaimConnection,
    permit: Option<OwnedSemaphorePermit>,
}

enum ClaimConnection {
    Reading(PoolConnection<Any>),
    Writing(WriteTx),
}

impl ClaimLock {
    /// Returns a connection for reading.
    pub fn connection(&mut self) -> &mut AnyConnection {
        match &mut self.connection {
            ClaimConnection::Reading(connection) => connection,
            ClaimConnection::Writing(tx) => tx,
        }
    }

    /// Begins the transaction that marks the claims; the lock is released with it.
    pub async fn write(self) -> Result<WriteTx> {
        let mut tx = match self.connection {
            ClaimConnection::Reading(connection) => {
                drop(connection);
                self.database.write().await?
            }
            ClaimConnection::Writing(tx) => tx,
        };
        tx._claim_permit = self.permit;
        Ok(tx)
    }
}

/// An open write transaction; without [`WriteTx::commit`] it is rolled back on drop.
pub struct WriteTx {
    tx: Transaction<'static, Any>,
    engine: Engine,
    _permit: Option<OwnedSemaphorePermit>,
    _claim_permit: Option<OwnedSemaphorePermit>,
}

impl WriteTx {
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Holds a number to the end of the transaction: other transactions that hold it wait. (With
    /// SQLite, every other writer waits anyway.)
    pub async fn hold_number(&mut self, number: i64) -> Result<()> {
        if let Some(sql) = self.engine.lock_number() {
            sqlx::query(sql).bind(number).execute(&mut *self.tx).await?;
        }
        Ok(())
    }

    /// Prepares for many rows that enter indexes in random order: with a small cache, SQLite would
    /// read and write the same pages repeatedly.
    pub async fn expect_many_rows(&mut self) -> Result<()> {
        if let Some(sql) = self.engine.large_cache() {
            self.tx.execute(sql).await?;
        }
        Ok(())
    }

    /// Refreshes the planner's statistics after this transaction added many rows.
    pub async fn refresh_statistics(&mut self) -> Result<()> {
        if let Some(sql) = self.engine.refresh_statistics() {
            self.tx.execute(sql).await?;
        }
        Ok(())
    }

    /// Commits; the data is durable when it returns.
    pub async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

impl Deref for WriteTx {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.tx
    }
}

impl DerefMut for WriteTx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }
}

/// Parses a stored code into its type.
fn decode_enum<T>(
    what: &'static str,
    value: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    read(value).ok_or_else(|| DatabaseError::Unreadable { what, value: value.to_owned() })
}
