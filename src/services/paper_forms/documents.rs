//! The pages of a print run: forms, covering letters and address labels, as HTML for A4 paper, and
//! the labels as a table. Nothing of them is stored.

use std::collections::BTreeMap;

use askama::Template;

use super::PaperFormError;
use crate::adapters::database::paper_forms::{self, PrintRun};
use crate::adapters::database::{campaigns, links};
use crate::adapters::qr_code;
use crate::adapters::transports::csv_safe_cell;
use crate::domain::audit::{Action, Actor};
use crate::domain::contact_plan::ContactPlan;
use crate::domain::ids::CaseId;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::mode::Mode;
use crate::domain::paper_form::{FormLanguage, PaperForm, PaperItem, SpecialAnswer};
use crate::domain::person::Person;
use crate::domain::questionnaire::{Item, ItemKind, Questionnaire, Selection, TextPiping};
use crate::services::context::AppContext;
use crate::services::interviews::{InterviewService, InvitationCases};
use crate::services::sealing::open_person;

/// The style sheet of the printed pages.
pub const STYLE: &str = include_str!("../../../templates/paper/paper.css");

/// Labels on a sheet of A4, 70 by 37 mm each.
const LABELS_ON_SHEET: usize = 24;

/// The pages of a run.
pub struct RunDocuments {
    pub run: PrintRun,
    forms: Vec<FormSheet>,
    labels: Vec<Label>,
    /// Forms of people whose list has no address.
    pub without_address: u64,
}

/// A form with its covering letter.
pub struct FormSheet {
    number: String,
    qr_svg: String,
    language: Language,
    title: String,
    introduction: String,
    name: Option<String>,
    salutation: String,
    sender: String,
    contact: String,
    programme: String,
    applicant: String,
    subject: String,
    /// The last day on which the form counts.
    return_by: String,
    notice: Vec<String>,
    items: Vec<SheetItem>,
}

impl FormSheet {
    fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        match FormLanguage::of(self.language) {
            FormLanguage::Zh => zh,
            FormLanguage::En => en,
        }
    }
}

pub struct SheetItem {
    instruction: Option<String>,
    heading: Option<String>,
    number: Option<u32>,
    text: String,
    /// How to answer, where the boxes do not show it.
    how: Option<&'static str>,
    field: SheetField,
    /// Boxes for «not applicable» and its like, with their digits.
    specials: Vec<(String, &'static str)>,
    /// Who stops after this item.
    screening: Option<String>,
}

pub enum SheetField {
    Options(Vec<(String, String)>),
    Scale { low: String, high: String, points: Vec<i64> },
    Ranks(Vec<String>),
    Number { unit: String },
    Day,
    Lines(u32),
    Text,
}

struct Label {
    number: String,
    organisation: String,
    name: String,
    address: String,
}

/// Opens the people of a run and lays out its pages. The access is audited first.
pub async fn documents(
    context: &AppContext,
    interviews: &InterviewService,
    actor: &Actor,
    (campaign, run): (&str, i64),
) -> Result<RunDocuments, PaperFormError> {
    let mut connection = context.database.read().await?;
    let found = campaigns::find(&mut connection, campaign)
        .await?
        .ok_or_else(|| PaperFormError::UnknownCampaign(campaign.to_owned()))?;
    let run = paper_forms::run(&mut connection, run)
        .await?
        .filter(|known| known.campaign == found.id)
        .ok_or(PaperFormError::UnknownRun(run))?;
    let plan = ContactPlan::from_stored(&found.plan)
        .map_err(|error| PaperFormError::Plan { campaign: found.code.clone(), error })?;
    let forms = paper_forms::forms_of_run(&mut connection, run.id).await?;
    drop(connection);
    let names = if run.with_names { "with names" } else { "without names" };
    let detail = format!("run {}: {} forms, {names}", run.id, forms.len());
    let object = format!("campaign:{campaign}");
    context.audit_before(actor, Action::FormsOpened, &object, &detail).await?;
    let mut made = RunDocuments { run, forms: Vec::new(), labels: Vec::new(), without_address: 0 };
    for (number, case, invitation, language) in forms {
        let to = links::invited_person(&mut *context.database.read().await?, invitation).await?;
        // Whoever has been erased since gets no form.
        if to.person_sealed.is_empty() {
            continue;
        }
        let person = open_person(&context.keys.sealer(&to.key_id)?, &to.person_sealed)?;
        let code = context.keys.hasher().link_code(&to.campaign, &to.key_id, &to.phone_hash);
        let cases = interviews.open_invitation(&code, Mode::Paper).await?;
        let sheet = Sheet {
            number: number.to_string(),
            qr_svg: qr_code::svg(number.digits()).ok_or_else(|| {
                PaperFormError::Page("the number does not fit into a QR code".into())
            })?,
            language,
            person: made.run.with_names.then_some(&person),
            sender: &plan.signature,
            contact: &context.config.paper.contact,
        };
        made.forms.extend(sheet.lay_out(&cases, case));
        match person.address.reveal().trim() {
            "" => made.without_address += 1,
            address => made.labels.push(Label {
                number: number.to_string(),
                organisation: person.organisation.reveal().to_owned(),
                name: addressee(&person),
                address: address.to_owned(),
            }),
        }
    }
    Ok(made)
}

/// The name with a Chinese form of address, if the list has one.
fn addressee(person: &Person) -> String {
    let (name, salutation) = (person.name.reveal().trim(), person.salutation.reveal().trim());
    match salutation {
        "先生" | "女士" => format!("{name}{salutation}"),
        "男" => format!("{name}先生"),
        "女" => format!("{name}女士"),
        _ => name.to_owned(),
    }
}

/// What a form is made from beside its case.
struct Sheet<'a> {
    number: String,
    qr_svg: String,
    language: Language,
    person: Option<&'a Person>,
    sender: &'a str,
    contact: &'a str,
}

impl Sheet<'_> {
    fn lay_out(self, cases: &InvitationCases, case: CaseId) -> Option<FormSheet> {
        let current = cases.cases.iter().find(|known| known.case.id == case)?;
        let (questionnaire, language) = (&current.application.questionnaire, self.language);
        let form = PaperForm::of(questionnaire, &current.facts, case.0);
        let texts = Texts {
            questionnaire,
            form: &form,
            subject: &current.application.subject,
            applicant: &current.application.applicant_name,
            language,
        };
        let programme = &cases.programme;
        let closes = current.case.field_closes_at - std::time::Duration::from_millis(1);
        let return_by = closes.date(programme.time_zone);
        let return_by = match FormLanguage::of(language) {
            FormLanguage::Zh => return_by.format("%Y 年 %-m 月 %-d 日").to_string(),
            FormLanguage::En => return_by.format("%-d %B %Y").to_string(),
        };
        let applicant = &current.application.applicant_name;
        let name = self.person.map(addressee).filter(|name| !name.is_empty());
        let salutation = match (FormLanguage::of(language), &name) {
            (FormLanguage::Zh, Some(name)) => format!("尊敬的{name}："),
            (FormLanguage::Zh, None) => "尊敬的用户：".to_owned(),
            (FormLanguage::En, Some(name)) => format!("Dear {name},"),
            (FormLanguage::En, None) => "Dear customer,".to_owned(),
        };
        Some(FormSheet {
            number: self.number,
            qr_svg: self.qr_svg,
            language,
            title: texts.text(&questionnaire.title),
            introduction: texts.text(&questionnaire.introduction),
            name,
            salutation,
            sender: self.sender.to_owned(),
            contact: self.contact.to_owned(),
            programme: programme.name.in_language(language).to_owned(),
            applicant: applicant.clone(),
            subject: current.application.subject.clone(),
            return_by,
            notice: programme.privacy.paragraphs(language, applicant, &programme.name),
            items: texts.items(),
        })
    }
}

/// Puts the questionnaire's texts on paper.
struct Texts<'a> {
    questionnaire: &'a Questionnaire,
    form: &'a PaperForm<'a>,
    subject: &'a str,
    applicant: &'a str,
    language: Language,
}

impl Texts<'_> {
    /// A text with the names of subject and applicant. An answer in it is named by its question, as
    /// nobody has given it yet.
    fn text(&self, text: &LocalizedText) -> String {
        let mut filled = text.in_language(self.language).to_owned();
        for paper in self.form.questions() {
            let place = format!("{{answer:{}}}", paper.item.id);
            if let (true, Some(number)) = (filled.contains(&place), paper.number) {
                let named = match FormLanguage::of(self.language) {
                    FormLanguage::Zh => format!("（您对第 {number} 题的回答）"),
                    FormLanguage::En => format!("(your answer to question {number})"),
                };
                filled = filled.replace(&place, &named);
            }
        }
        let piping = TextPiping {
            questionnaire: self.questionnaire,
            subject: self.subject,
            applicant: self.applicant,
            answers: &BTreeMap::new(),
            language: self.language,
            isolates: true,
        };
        let filled = LocalizedText::only(self.language, filled);
        piping.fill_blank(&filled).into_owned()
    }

    fn items(&self) -> Vec<SheetItem> {
        let mut instructions: BTreeMap<usize, String> = self
            .form
            .instructions(self.language)
            .into_iter()
            .map(|instruction| (instruction.before, instruction.text))
            .collect();
        let item = |(place, paper): (usize, &PaperItem<'_>)| SheetItem {
            instruction: instructions.remove(&place),
            heading: paper.item.heading.as_ref().map(|heading| self.text(heading)),
            number: paper.number,
            text: self.text(&paper.item.text),
            how: self.how(paper.item),
            field: self.field(paper),
            specials: self.specials(paper),
            screening: self.form.screening(paper, self.language),
        };
        self.form.items.iter().enumerate().map(item).collect()
    }

    fn how(&self, item: &Item) -> Option<&'static str> {
        let (zh, en) = match &item.kind {
            ItemKind::Choice(choice) => match choice.selection {
                Selection::One => ("单选", "tick one"),
                Selection::Several { .. } => ("可多选", "tick all that apply"),
                Selection::Ranked => {
                    ("请在方框内写名次，1 为第一", "write ranks into the boxes, 1 for the first")
                }
            },
            _ => return None,
        };
        Some(match FormLanguage::of(self.language) {
            FormLanguage::Zh => zh,
            FormLanguage::En => en,
        })
    }

    fn field(&self, paper: &PaperItem<'_>) -> SheetField {
        let options = || paper.options.iter().map(|option| self.text(&option.text));
        match &paper.item.kind {
            ItemKind::Scale(scale) => SheetField::Scale {
                low: self.text(&scale.low),
                high: self.text(&scale.high),
                points: scale.points().collect(),
            },
            ItemKind::Choice(choice) if choice.selection == Selection::Ranked => {
                SheetField::Ranks(options().collect())
            }
            ItemKind::Choice(_) => {
                SheetField::Options(paper.option_digits().into_iter().zip(options()).collect())
            }
            ItemKind::Number(range) => SheetField::Number {
                unit: range.unit.as_ref().map(|unit| self.text(unit)).unwrap_or_default(),
            },
            ItemKind::Date { .. } => SheetField::Day,
            ItemKind::Open { max_chars } => SheetField::Lines(match max_chars {
                0..=40 => 1,
                41..=200 => 3,
                _ => 5,
            }),
            ItemKind::Info => SheetField::Text,
        }
    }

    fn specials(&self, paper: &PaperItem<'_>) -> Vec<(String, &'static str)> {
        let label = |special: SpecialAnswer| match (special, FormLanguage::of(self.language)) {
            (SpecialAnswer::NotApplicable, FormLanguage::Zh) => "不适用",
            (SpecialAnswer::NotApplicable, FormLanguage::En) => "does not apply",
            (SpecialAnswer::DontKnow, FormLanguage::Zh) => "不知道",
            (SpecialAnswer::DontKnow, FormLanguage::En) => "don't know",
            (SpecialAnswer::Refused, FormLanguage::Zh) => "不想回答",
            (SpecialAnswer::Refused, FormLanguage::En) => "rather not say",
        };
        let specials = paper.specials().into_iter();
        specials.map(|(special, code)| (code, label(special))).collect()
    }
}

#[derive(Template)]
#[template(path = "paper/forms.html")]
struct FormsPage<'a> {
    style: &'static str,
    forms: &'a [FormSheet],
}

#[derive(Template)]
#[template(path = "paper/letters.html")]
struct LettersPage<'a> {
    style: &'static str,
    forms: &'a [FormSheet],
}

#[derive(Template)]
#[template(path = "paper/labels.html")]
struct LabelsPage<'a> {
    style: &'static str,
    sheets: Vec<&'a [Label]>,
}

fn render(page: &impl Template) -> Result<String, PaperFormError> {
    page.render().map_err(|error| PaperFormError::Page(error.to_string()))
}

impl RunDocuments {
    pub fn form_count(&self) -> usize {
        self.forms.len()
    }

    pub fn label_count(&self) -> usize {
        self.labels.len()
    }

    pub fn forms_html(&self) -> Result<String, PaperFormError> {
        render(&FormsPage { style: STYLE, forms: &self.forms })
    }

    pub fn letters_html(&self) -> Result<String, PaperFormError> {
        render(&LettersPage { style: STYLE, forms: &self.forms })
    }

    pub fn labels_html(&self) -> Result<String, PaperFormError> {
        render(&LabelsPage { style: STYLE, sheets: self.labels.chunks(LABELS_ON_SHEET).collect() })
    }

    /// The labels as a table, for a program of the post or of a printing house.
    pub fn labels_csv(&self) -> Result<String, PaperFormError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| PaperFormError::Page(error.to_string());
        writer.write_record(["number", "organisation", "name", "address"]).map_err(failed)?;
        for label in &self.labels {
            let cells = [&label.number, &label.organisation, &label.name, &label.address];
            writer.write_record(cells.map(|cell| csv_safe_cell(cell))).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| PaperFormError::Page(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| PaperFormError::Page(error.to_string()))
    }
}
