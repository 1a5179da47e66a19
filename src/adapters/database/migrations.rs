//! The migrations, compiled into the program.
//!
//! To change the schema, add `NUMBER_NAME.sql` to both folders and its name to both lists.
//! `sqlx::migrate!` would also read the folders, but it compiles both database drivers a second
//! time, for the macro.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::dialect::Engine;

/// A file's name without its extension, and its SQL.
type File = (&'static str, &'static str);

/// The files of `migrations/ENGINE` with these names, in the order of their numbers.
macro_rules! files {
    ($engine:literal: $($name:literal)*) => {
        &[$((
            $name,
            include_str!(concat!("../../../migrations/", $engine, "/", $name, ".sql")),
        )),*]
    };
}

static SQLITE: &[File] = files!("sqlite": "0001_initial" "0002_webhook_secrets" "0003_replies" "0004_message_parts" "0005_stuck_work" "0006_one_lease" "0007_failing_webhooks" "0008_outcomes_of_persons" "0009_wrong_numbers" "0010_minimum_cells" "0011_origins" "0012_answers" "0013_application_drafts" "0014_lists_by_hand" "0015_paper_forms" "0016_applicant_pages" "0017_questionnaires" "0018_applicant_sessions" "0019_staff" "0020_holidays" "0021_further_numbers" "0022_inbox" "0023_staff_answers" "0024_dialled_number" "0025_respondent_pages" "0026_library" "0027_supervision");

static POSTGRES: &[File] = files!("postgres": "0001_initial" "0002_webhook_secrets" "0003_replies" "0004_message_parts" "0005_stuck_work" "0006_one_lease" "0007_failing_webhooks" "0008_outcomes_of_persons" "0009_wrong_numbers" "0010_minimum_cells" "0011_origins" "0012_answers" "0013_application_drafts" "0014_lists_by_hand" "0015_paper_forms" "0016_applicant_pages" "0017_questionnaires" "0018_applicant_sessions" "0019_staff" "0020_holidays" "0021_further_numbers" "0022_inbox" "0023_staff_answers" "0024_dialled_number" "0025_respondent_pages" "0026_library" "0027_supervision");

pub(super) fn of(engine: Engine) -> Migrator {
    let files = match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    };
    let read = |(name, sql): &File| {
        let (number, description) = name.split_once('_').unwrap_or((name, ""));
        // A test parses the number of every name.
        let number = number.parse().unwrap_or_default();
        Migration::new(
            number,
            description.replace('_', " ").into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            false,
        )
    };
    Migrator::with_migrations(files.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_carried_under_its_number() {
        for (engine, files) in [("sqlite", SQLITE), ("postgres", POSTGRES)] {
            let mut names: Vec<String> = std::fs::read_dir(format!("migrations/{engine}"))
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            assert_eq!(
                names,
                files.iter().map(|(name, _)| format!("{name}.sql")).collect::<Vec<_>>()
            );
            assert!(
                files
                    .iter()
                    .all(|(name, _)| name[..4].parse::<i64>().unwrap() > 0 && &name[4..5] == "_")
            );
        }
    }
}
