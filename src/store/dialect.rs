//! Where SQLite and PostgreSQL differ, and the helpers for statements over sets.

use sqlx::AssertSqlSafe;

/// The database engine behind a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Rows or ids in one statement. SQLite looks every numbered parameter up by walking through all of them, so that a statement's cost grows with the
/// square of their number; sets of this size cost no more per row than single rows, and the statement's text repeats and stays prepared.
pub const CHUNK: usize = 100;

impl Engine {
    pub(super) fn of(url: &str) -> Engine {
        if url.starts_with("sqlite:") { Engine::Sqlite } else { Engine::Postgres }
    }

    pub(super) fn connect_url(self, url: &str) -> String {
        match self {
            Engine::Sqlite if !url.contains("mode=") => format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' }),
            _ => url.to_owned(),
        }
    }

    /// Durability first: a commit is on the disk when it returns (invariant I5).
    pub(super) fn on_connect(self) -> &'static [&'static str] {
        match self {
            Engine::Sqlite => &["PRAGMA busy_timeout = 10000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"],
            Engine::Postgres => &["SET synchronous_commit = on", "SET timezone = 'UTC'"],
        }
    }

    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        }
    }

    /// The end of a SELECT that takes rows for itself; another daemon's rows are passed over. SQLite's writer is alone anyway.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Held by the transaction that claims: daemons claim one after another, so that what one plans, the next one's caps see.
    pub fn lock_claims(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some("SELECT pg_advisory_xact_lock(7361)"),
        }
    }

    /// After many rows came in at once: PostgreSQL's planner knows nothing of them until a minute later, and then plans scans.
    pub fn refresh_statistics(self) -> Option<&'static str> {
        match self {
            Engine::Sqlite => None,
            Engine::Postgres => Some("ANALYZE respondent, survey_case, invitation, application, campaign, quota_cell"),
        }
    }

    /// The end of a SELECT that waits for its rows.
    pub fn for_update(self) -> &'static str {
        match self {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE",
        }
    }
}

/// `($1, $2), ($3, $4)` for so many rows; `casts` give the columns' types, which PostgreSQL cannot guess in a bare VALUES list.
pub fn values(rows: usize, casts: &[&str]) -> String {
    let mut text = String::with_capacity(rows * casts.len() * 20);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (column, cast) in casts.iter().enumerate() {
            if column > 0 {
                text.push_str(", ");
            }
            let number = row * casts.len() + column + 1;
            if cast.is_empty() {
                text.push_str(&format!("${number}"));
            } else {
                text.push_str(&format!("CAST(${number} AS {cast})"));
            }
        }
        text.push(')');
    }
    text
}

/// `$3, $4, $5`: so many parameters after the first `before`.
pub fn parameters(before: usize, count: usize) -> String {
    (before + 1..=before + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

/// A statement put together from this folder's own text and parameter numbers, never from a value.
pub fn statement(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}

pub(super) fn sqlite_folder(url: &str) -> Option<String> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//").split('?').next()?;
    let folder = std::path::Path::new(path).parent()?.to_str()?;
    (!folder.is_empty()).then(|| folder.to_owned())
}

/// For messages: a database address without its password.
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
    fn parameters_are_numbered_through() {
        assert_eq!(values(2, &["", "BIGINT"]), "($1, CAST($2 AS BIGINT)), ($3, CAST($4 AS BIGINT))");
        assert_eq!(parameters(2, 3), "$3, $4, $5");
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(url_without_password("postgres://u:hush@h/d"), "postgres://u:…@h/d");
        assert_eq!(url_without_password("sqlite:var/x.db"), "sqlite:var/x.db");
    }
}
