//! Differences between SQLite and PostgreSQL.

use std::path::{Path, PathBuf};

use sqlx::{AnyConnection, AssertSqlSafe};
use url::Url;

/// The database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) fn of(url: &str) -> Engine {
        if url.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres }
    }

    /// Returns the engine of a connection.
    pub(super) fn of_connection(connection: &AnyConnection) -> Engine {
        if connection.backend_name() == "SQLite" { Engine::Sqlite } else { Engine::Postgres }
    }

    /// Aggregates the values of a column into one comma-separated text, in order.
    pub(super) fn concatenated(self, column: &str) -> String {
        match self {
            Engine::Sqlite => format!("GROUP_CONCAT({column}, ', ' ORDER BY {column})"),
            Engine::Postgres => format!("STRING_AGG({column}, ', ' ORDER BY {column})"),
        }
    }

    pub(super) fn connect_url(self, url: &str) -> String {
        match self {
            Engine::Sqlite if !url.contains("mode=") => {
                format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
            }
            _ => url.to_owned(),
        }
    }

    /// Statements for a new connection. Durability first: a commit is on disk when it returns
    /// (invariant I5).
    pub(super) fn on_connect(self) -> &'static [&'static str] {
        match self {
            Engine::Sqlite => &[
                "PRAGMA busy_timeout = 10000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "PRAGMA foreign_keys = ON",
                // What is deleted or moved is overwritten in the file.
                "PRAGMA secure_delete = ON",
            ],
            Engine::Postgres => {
                &["SET synchronous_commit = on", "SET timezone = 'UTC'", "SET jit = off"]
            }
        }
    }

    /// Enlarges the cache to 64 MB of pages, for a transaction that writes very many rows.
    pub(super) fn large_cache(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => Some("PRAGMA cache_size = -65536"),
            Engine::Postgres => None,
        }
    }

    /// Starts a write transaction. Writes find their few rows by index; PostgreSQL's planner, which
    /// has no statistics of a table that is being filled, would scan it instead.
    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => {
                "BEGIN; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET \
                    LOCAL enable_seqscan = off;
                 SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0"
            }
        }
    }

    /// The end of a SELECT that locks its rows and skips rows locked by another daemon. SQLite has
    /// only one writer anyway.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// The lock of a transaction that claims. Daemons claim one after another, so that the caps see
    /// what the previous claim planned.
    pub fn lock_claims(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some("SELECT pg_advisory_xact_lock(7361)"),
        }
    }

    /// Holds `$1` to the end of the transaction.
    pub fn lock_number(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some("SELECT pg_advisory_xact_lock($1)"),
        }
    }

    /// Refreshes statistics after many rows were added at once. PostgreSQL's planner learns of them
    /// up to a minute later and plans scans until then.
    pub fn refresh_statistics(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some(
                "ANALYZE respondent, survey_case, invitation, next_contact, application, \
                    campaign, quota_cell",
            ),
        }
    }

    /// Statements that change cases and write their history without transferring rows. SQLite has
    /// only one writer, so the history may come first; on PostgreSQL both are one statement.
    pub fn change_with_history(self, those: &str, moved: &str, history: &str) -> Vec<String> {
        let insert = "INSERT INTO disposition_change (case_id, disposition, source, changed_at)";
        match self {
            Engine::Sqlite => {
                vec![
                    format!("{insert} SELECT id, {history} FROM survey_case WHERE {those}"),
                    format!("UPDATE survey_case SET {moved} WHERE {those}"),
                ]
            }
            Engine::Postgres => vec![format!(
                "WITH moved AS (UPDATE survey_case SET {moved} WHERE {those} RETURNING id)
                 {insert} SELECT id, {history} FROM moved"
            )],
        }
    }

    /// The end of a SELECT that waits for and locks its rows.
    pub fn for_update(self) -> &'static str {
        match self {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE",
        }
    }
}

/// Marks a statement as safe: it is composed of this folder's own text, never of a value.
pub fn statement(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}

/// Returns the file of a SQLite address.
pub(super) fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//").split('?').next()?;
    (!path.is_empty()).then(|| PathBuf::from(path))
}

pub(super) fn sqlite_folder(url: &str) -> Option<PathBuf> {
    sqlite_file(url)?.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned)
}

/// Returns the environment variables that give PostgreSQL's programs their connection parameters
/// (its documentation, «Environment Variables»).
pub(super) fn postgres_environment(url: &str) -> Result<Vec<(&'static str, String)>, String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let plain =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut all = vec![("PGHOST", url.host_str().map(plain).unwrap_or_default())];
    all.push(("PGPORT", url.port().map(|port| port.to_string()).unwrap_or_default()));
    all.push(("PGUSER", plain(url.username())));
    all.push(("PGPASSWORD", url.password().map(plain).unwrap_or_default()));
    all.push(("PGDATABASE", plain(url.path().trim_start_matches('/'))));
    for (key, value) in url.query_pairs() {
        let name = match key.as_ref() {
            "host" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "dbname" => "PGDATABASE",
            "sslmode" | "ssl-mode" => "PGSSLMODE",
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
            _ => continue,
        };
        all.retain(|(known, _)| *known != name);
        all.push((name, value.into_owned()));
    }
    all.retain(|(_, value)| !value.is_empty());
    Ok(all)
}

/// Returns a database address without its password, for messages.
pub(super) fn url_without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => match url[scheme + 3..at].find(':') {
            Some(colon) => format!("{}:…{}", &url[..scheme + 3 + colon], &url[at..]),
            None => url.to_owned(),
        },
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_postgresql_are_told_by_their_environment() {
        let environment = postgres_environment(
            "postgres://u%40:p%20w@db.example:5433/survey?sslmode=require&host=/run/pg",
        )
        .unwrap();
        let of = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
        };
        let all = [
            "PGHOST",
            "PGPORT",
            "PGUSER",
            "PGPASSWORD",
            "PGDATABASE",
            "PGSSLMODE",
            "PGSSLROOTCERT",
        ]
        .map(of);
        assert_eq!(
            all,
            [
                Some("/run/pg"),
                Some("5433"),
                Some("u@"),
                Some("p w"),
                Some("survey"),
                Some("require"),
                None
            ]
        );
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(url_without_password("postgres://u:hush@h/d"), "postgres://u:…@h/d");
        assert_eq!(url_without_password("sqlite:var/x.db"), "sqlite:var/x.db");
    }
}
