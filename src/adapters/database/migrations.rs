//! The steps that bring a database to this version, as the program carries them.
//!
//! sqlx's own macro would read the folders, and for that compile both database drivers a second time, for the compiler.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::dialect::Engine;

/// A file's name, `NUMBER_WHAT`, and what it says.
type File = (&'static str, &'static str);

/// The files of `migrations/ENGINE`, by their numbers.
macro_rules! files {
    ($engine:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../migrations/", $engine, "/", $name, ".sql")))),*]
    };
}

static SQLITE: &[File] = files!("sqlite":
    "0001_initial"
    "0002_gateways"
    "0004_narrow_writes"
    "0006_option_order"
    "0007_consent_and_paradata"
    "0008_quota_cells"
    "0009_replicates"
    "0010_revisions"
    "0011_deadline_changes"
    "0012_forecasts"
    "0013_alarms"
    "0014_frozen_datasets"
    "0015_deliveries"
    "0016_sqlite_frozen_data"
    "0017_erasure"
    "0018_notified_problems"
    "0019_telephone"
    "0020_sms_interviews"
    "0021_delays_by_mode"
    "0022_audit_and_access"
    "0023_name_hashes"
    "0024_sqlite_audit_log"
    "0025_drafts"
    "0026_idempotency"
    "0027_events");

static POSTGRES: &[File] = files!("postgres":
    "0001_initial"
    "0002_gateways"
    "0003_postgres_indexes"
    "0004_narrow_writes"
    "0005_postgres_writing"
    "0006_option_order"
    "0007_consent_and_paradata"
    "0008_quota_cells"
    "0009_replicates"
    "0010_revisions"
    "0011_deadline_changes"
    "0012_forecasts"
    "0013_alarms"
    "0014_frozen_datasets"
    "0015_deliveries"
    "0016_postgres_frozen_data"
    "0017_erasure"
    "0018_notified_problems"
    "0019_telephone"
    "0020_sms_interviews"
    "0021_delays_by_mode"
    "0022_audit_and_access"
    "0023_name_hashes"
    "0024_postgres_audit_log"
    "0025_drafts"
    "0026_idempotency"
    "0027_events");

pub(super) fn of(engine: Engine) -> Migrator {
    let files = match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    };
    let read = |(name, sql): &File| {
        let (number, what) = name.split_once('_').unwrap_or((name, ""));
        // A test reads every name.
        let number = number.parse().unwrap_or_default();
        Migration::new(number, what.replace('_', " ").into(), MigrationType::Simple, SqlStr::from_static(sql), false)
    };
    Migrator::with_migrations(files.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_carried_under_its_number() {
        for (engine, files) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let mut names: Vec<String> =
                std::fs::read_dir(format!("migrations/{engine}")).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            assert_eq!(names, files.iter().map(|(name, _)| format!("{name}.sql")).collect::<Vec<_>>());
            assert!(files.iter().all(|(name, _)| name[..4].parse::<i64>().unwrap() > 0 && &name[4..5] == "_"));
        }
    }
}
