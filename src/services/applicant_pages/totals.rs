//! What an applicant's page tells of its applications: totals, and nothing from which one could tell
//! who has answered.

use super::ApplicantPageError;
use crate::adapters::database::applicant_links::{self, ApplicantLink};
use crate::adapters::database::{applications, programmes};
use crate::services::context::AppContext;
use crate::services::deadlines::{ApplicationOverview, programme_overview};

/// The state of an application, for its applicant.
pub struct Totals {
    pub overview: ApplicationOverview,
    pub category: &'static str,
    pub subject: String,
    /// The most names that its list may have.
    pub cap: u32,
    /// People who were sent a message or called.
    pub contacted: u32,
    /// Whether the completes can be told: so few, or all but so few, would tell who answered.
    pub shows_completed: bool,
}

/// Returns the applicant's applications with their totals.
pub async fn of_applicant(
    context: &AppContext,
    link: &ApplicantLink,
) -> Result<Vec<Totals>, ApplicantPageError> {
    let mut connection = context.database.read().await?;
    let programme = programmes::get(&mut connection, link.programme).await?;
    let mut all = Vec::new();
    let overviews = programme_overview(context, &programme.code).await?.unwrap_or_default();
    for overview in overviews {
        let found = applications::find(&mut connection, &overview.application).await?;
        let Some(application) = found.filter(|found| found.applicant_id == link.applicant) else {
            continue;
        };
        let contacted = applicant_links::contacted(&mut connection, application.id).await?;
        all.push(Totals {
            category: application.category.chinese(),
            subject: application.subject.title(),
            cap: programme.cap(application.category),
            shows_completed: can_be_told(
                contacted,
                overview.completed,
                context.config.smallest_cell,
            ),
            contacted,
            overview,
        });
    }
    Ok(all)
}

/// Whether a count tells of nobody in particular: it and the rest are both none or `smallest` at least.
fn can_be_told(of: u32, count: u32, smallest: u32) -> bool {
    let is_enough = |number: u32| number == 0 || number >= smallest;
    of == 0 || (is_enough(count) && of.checked_sub(count).is_some_and(|rest| rest >= smallest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_all_but_few_are_not_told() {
        assert!(can_be_told(0, 0, 5) && can_be_told(50, 0, 5) && can_be_told(50, 5, 5));
        assert!(!can_be_told(50, 4, 5) && !can_be_told(50, 46, 5) && !can_be_told(50, 50, 5));
        assert!(!can_be_told(3, 0, 5), "that none of three answered tells of each");
    }
}
