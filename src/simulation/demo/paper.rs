//! Paper forms: staff print a handful for people who have not answered, and key in what comes back,
//! each form by two people.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::fixture::Fixture;
use super::interviewers::NAMES;
use crate::adapters::database::accounts::{self, Account};
use crate::adapters::database::{applications, cases};
use crate::domain::audit::Actor;
use crate::domain::form_number::FormNumber;
use crate::domain::paper_form::{PaperForm, PaperItem};
use crate::domain::questionnaire::{ItemKind, Selection};
use crate::domain::time::Timestamp;
use crate::services::interviews::InterviewService;
use crate::services::paper_forms::documents::documents;
use crate::services::paper_forms::keying::{self, Keyed, KeyingOutcome, ReturnedAs, Task};
use crate::services::paper_forms::printing::{PrintRequest, print};
use crate::services::paper_forms::{PaperFormError, comparing};

/// The campaign and the application whose people get forms, and how many.
const CAMPAIGN: &str = "QINGHE";
const APPLICATION: &str = "QH-FIRM";
const FORMS: usize = 8;
/// When the forms are printed, and when they have come back.
const PRINTED_AFTER: Duration = Duration::from_secs(24 * 86_400);
const BACK_AFTER: Duration = Duration::from_secs(33 * 86_400);

/// What the demo did with paper.
#[derive(Debug, Clone, Default)]
pub struct PaperCounts {
    pub printed: u64,
    pub keyed: u64,
    pub returned: u64,
    pub came_after: u64,
    pub keyed_twice: u64,
    pub differences: u64,
}

pub struct PaperForms {
    interviews: InterviewService,
    forms: Vec<FormNumber>,
    next_at: Option<Timestamp>,
    pub counts: PaperCounts,
}

impl PaperForms {
    pub fn new(fixture: &Fixture) -> PaperForms {
        PaperForms {
            interviews: InterviewService::new(fixture.context.clone()),
            forms: Vec::new(),
            next_at: Some(fixture.began_at + PRINTED_AFTER),
            counts: PaperCounts::default(),
        }
    }

    pub fn next_at(&self) -> Option<Timestamp> {
        self.next_at
    }

    /// Prints, and keys in, when it is time to. Returns whether a case may have changed.
    pub async fn advance(&mut self, fixture: &Fixture) -> Result<bool> {
        if self.next_at.is_none_or(|at| at > fixture.now()) {
            return Ok(false);
        }
        if self.forms.is_empty() {
            self.print(fixture).await?;
            let back_at = fixture.began_at + BACK_AFTER;
            self.next_at = (!self.forms.is_empty()).then_some(back_at);
        } else {
            self.key_in(fixture).await?;
            self.next_at = None;
        }
        Ok(true)
    }

    async fn print(&mut self, fixture: &Fixture) -> Result<()> {
        let context = &fixture.context;
        let mut connection = context.database.read().await?;
        let application = applications::find(&mut connection, APPLICATION).await?;
        let application = application.context("the demo's application")?.id;
        let mut open = cases::open_of_application(&mut connection, application).await?;
        drop(connection);
        open.truncate(FORMS);
        let request = PrintRequest { campaign: CAMPAIGN, cases: Some(&open), with_names: false };
        let actor = Actor::console("demo");
        let report = match print(context, &actor, &request).await {
            // The field may have closed on its quota.
            Err(PaperFormError::NotRunning(_)) => return Ok(()),
            report => report?,
        };
        if let Some(run) = report.run {
            let made = documents(context, &self.interviews, &actor, (CAMPAIGN, run)).await?;
            anyhow::ensure!(made.forms_html()?.contains("svg"), "the forms have their QR codes");
        }
        self.counts.printed = report.numbers.len() as u64;
        self.forms = report.numbers;
        Ok(())
    }

    /// One form was not delivered, one came back blank, the others are keyed in; the first of those
    /// is mistyped once.
    async fn key_in(&mut self, fixture: &Fixture) -> Result<()> {
        let [first, second] = keyers(fixture).await?;
        let context = &fixture.context;
        for (place, number) in std::mem::take(&mut self.forms).into_iter().enumerate() {
            let digits = number.digits();
            let returned = match place {
                0 => Some(ReturnedAs::Undelivered),
                1 => Some(ReturnedAs::Blank),
                _ => None,
            };
            if let Some(returned) = returned {
                keying::record_return(context, &first, digits, returned).await?;
                self.counts.returned += 1;
                continue;
            }
            let desk = match keying::find(context, &self.interviews, &first, digits).await {
                Ok(desk) => desk,
                Err(PaperFormError::CaseClosed(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            if desk.task == Task::AnsweredBefore {
                keying::record_came_after(context, &first, digits).await?;
                self.counts.came_after += 1;
                continue;
            }
            let mut fields = filled_in(&desk.paper_form());
            let keyed = Keyed { fields: &fields, filled_on: "", skips_confirmed: true };
            match keying::key(context, &self.interviews, &first, digits, &keyed).await {
                Ok(KeyingOutcome::Stored(_)) => self.counts.keyed += 1,
                Ok(_) | Err(PaperFormError::CaseClosed(_)) => continue,
                Err(error) => return Err(error.into()),
            }
            let mistyped = (self.counts.keyed == 1).then(|| mistype(&desk.paper_form())).flatten();
            fields.extend(mistyped);
            let again = Keyed { fields: &fields, filled_on: "", skips_confirmed: true };
            let outcome = keying::key(context, &self.interviews, &second, digits, &again).await?;
            self.counts.keyed_twice += 1;
            if let KeyingOutcome::Compared { different: 1.. } = outcome {
                self.settle(fixture, &second, digits).await?;
            }
        }
        Ok(())
    }

    /// The paper shows that the first keying was right.
    async fn settle(&mut self, fixture: &Fixture, account: &Account, number: &str) -> Result<()> {
        let context = &fixture.context;
        let found = comparing::differences(context, &self.interviews, number).await?;
        self.counts.differences += found.items.len() as u64;
        let settled: BTreeMap<String, String> =
            found.items.into_iter().map(|item| (item.item, item.first)).collect();
        comparing::settle(context, &self.interviews, account, number, &settled).await?;
        Ok(())
    }
}

async fn keyers(fixture: &Fixture) -> Result<[Account; 2]> {
    let mut connection = fixture.context.database.read().await?;
    let mut found = Vec::new();
    for name in NAMES {
        let credentials = accounts::find_credentials(&mut connection, name).await?;
        found.push(credentials.context("the demo's interviewers")?.account);
    }
    found.try_into().map_err(|_| anyhow::anyhow!("two people key"))
}

/// The digits of a satisfied respondent.
fn filled_in(form: &PaperForm<'_>) -> BTreeMap<String, String> {
    let digits = |paper: &PaperItem<'_>| match &paper.item.kind {
        ItemKind::Scale(scale) => Some((scale.to - 1).to_string()),
        ItemKind::Choice(choice) => Some(match choice.selection {
            Selection::Ranked => paper.option_digits().concat(),
            Selection::One | Selection::Several { .. } => {
                paper.option_digits().into_iter().next().unwrap_or_default()
            }
        }),
        ItemKind::Number(_) if paper.item.required => Some("1".to_owned()),
        _ => None,
    };
    form.questions().filter_map(|paper| Some((paper.item.id.clone(), digits(paper)?))).collect()
}

/// Another point than that of [`filled_in`], for the first scale.
fn mistype(form: &PaperForm<'_>) -> Option<(String, String)> {
    form.questions().find_map(|paper| match &paper.item.kind {
        ItemKind::Scale(scale) => Some((paper.item.id.clone(), (scale.to - 2).to_string())),
        _ => None,
    })
}
