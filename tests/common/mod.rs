//! What the integration tests share: a fresh database of each engine, and an installation around it.
#![allow(dead_code)] // each test file uses its own part

use std::sync::atomic::{AtomicU32, Ordering};

use fieldworkd::store::Store;
use sqlx::{Connection, Executor};

/// A fresh, empty database; SQLite's folder goes with it.
pub struct Database {
    pub url: String,
    pub store: Store,
    pub folder: tempfile::TempDir,
}

impl Database {
    pub fn engine(&self) -> &'static str {
        if self.url.starts_with("sqlite:") { "sqlite" } else { "postgres" }
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The address of a database that does not exist yet (SQLite) or was just made (PostgreSQL), for each engine that is there. `tests/run` starts a
/// PostgreSQL and names it in the environment; without it, only SQLite is tested, and the test says so.
pub async fn fresh_urls(folder: &std::path::Path) -> Vec<String> {
    let mut urls = vec![format!("sqlite:{}", folder.join("test.db").display())];
    match std::env::var("FIELDWORKD_TEST_POSTGRES") {
        Ok(server) => {
            sqlx::any::install_default_drivers();
            let name = format!("t{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
            let mut admin = sqlx::AnyConnection::connect(&format!("{server}/postgres")).await.expect("the test PostgreSQL answers");
            admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a database can be made");
            urls.push(format!("{server}/{name}"));
        }
        Err(_) => eprintln!("FIELDWORKD_TEST_POSTGRES is not set: only SQLite is tested (use tests/run)"),
    }
    urls
}

/// A fresh database of each engine.
pub async fn databases() -> Vec<Database> {
    let mut databases = Vec::new();
    let scout = tempfile::tempdir().expect("a temporary folder");
    for url in fresh_urls(scout.path()).await {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = if url.starts_with("sqlite:") { format!("sqlite:{}", folder.path().join("test.db").display()) } else { url };
        let store = Store::open(&url).await.expect("a fresh database opens");
        databases.push(Database { url, store, folder });
    }
    databases
}
