//! Questions as form fields, on the respondent's and the interviewer's pages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::domain::language::Language;
use crate::domain::questionnaire::{Answer, AnswerProblem, Item, ItemKind, Selection, TextPiping};
use crate::domain::words::Words;
use crate::services::interviews::InterviewCase;

/// Merges form fields by item: several choices are joined with spaces, and the fields of a ranking
/// (`item.option`) become `option:rank`.
pub fn merge_form_fields(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        let (item, value) = match name.split_once('.') {
            Some((item, option)) => (item.to_owned(), format!("{option}:{value}")),
            None => (name, value),
        };
        let whole = fields.entry(item).or_default();
        if !whole.is_empty() && !value.is_empty() {
            whole.push(' ');
        }
        whole.push_str(&value);
    }
    fields
}

/// A rejected page: the problem of each item, and the submitted values.
pub struct RejectedAnswers {
    pub problems: BTreeMap<String, AnswerProblem>,
    pub fields: BTreeMap<String, String>,
    /// All of the page's form is there. An item without a field has no box ticked then: a browser
    /// sends nothing for those.
    pub is_whole: bool,
}

impl RejectedAnswers {
    /// Returns what was sent for an item; `None` if the form does not tell.
    fn value_of(&self, item: &str) -> Option<String> {
        self.fields.get(item).cloned().or_else(|| self.is_whole.then(String::new))
    }
}

/// One question.
pub struct ItemView<'a> {
    pub id: &'a str,
    pub heading: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    /// For the interviewer only.
    pub hint: Option<Cow<'a, str>>,
    pub is_optional: bool,
    pub problem: Option<String>,
    /// Value of the item's field, or its selected choices.
    pub value: String,
    pub not_applicable: bool,
    pub dont_know: bool,
    pub refused: bool,
    /// The values of their boxes.
    pub not_applicable_form: &'static str,
    pub dont_know_form: &'static str,
    pub refused_form: &'static str,
    pub field: Field<'a>,
}

/// The input of an item.
pub enum Field<'a> {
    Scale { low: &'a str, high: &'a str, points: Vec<i64> },
    One(Vec<(&'a str, &'a str)>),
    Several(Vec<(&'a str, &'a str)>),
    Ranking(Vec<(&'a str, &'a str)>),
    Number { unit: Option<&'a str> },
    Date { first: Option<String>, last: Option<String> },
    Open { max_chars: usize },
    Info,
}

impl ItemView<'_> {
    pub fn is_selected(&self, code: &str) -> bool {
        match self.field {
            // The words of a text are no codes.
            Field::Open { .. } => self.value == code,
            _ => self.value.split(' ').any(|taken| taken == code),
        }
    }

    pub fn is_selected_point(&self, point: &i64) -> bool {
        self.value.parse() == Ok(*point)
    }

    /// Returns whether the question labels a single field. Otherwise each choice has its own label.
    pub fn has_single_field(&self) -> bool {
        matches!(self.field, Field::Number { .. } | Field::Date { .. } | Field::Open { .. })
    }

    /// Returns whether the choice can be taken back: a radio button cannot be unchecked again.
    pub fn can_be_cleared(&self) -> bool {
        self.is_optional && matches!(self.field, Field::Scale { .. } | Field::One(_))
    }

    /// Returns the input type of «not applicable» beside the other choices.
    pub fn not_applicable_input(&self) -> &'static str {
        if matches!(self.field, Field::Scale { .. } | Field::One(_)) { "radio" } else { "checkbox" }
    }

    pub fn ranks(&self, options: &[(&str, &str)]) -> Vec<usize> {
        (1..=options.len()).collect()
    }

    /// Returns the value of the item's single field; empty if «not applicable» or the like is
    /// selected.
    pub fn field_value(&self) -> &str {
        if [self.not_applicable_form, self.dont_know_form, self.refused_form]
            .contains(&self.value.as_str())
        {
            ""
        } else {
            &self.value
        }
    }

    /// Returns whether an option has this rank, in a submitted value (`code:rank`) or a stored one
    /// (codes in order).
    pub fn has_rank(&self, code: &str, rank: &usize) -> bool {
        self.value.split(' ').zip(1..).any(|(part, at)| match part.split_once(':') {
            Some((sent, chosen)) => sent == code && chosen.parse() == Ok(*rank),
            None => part == code && at == *rank,
        })
    }
}

/// Builds a question with its stored answer, or with the rejected values.
pub fn item_view<'a>(
    item: &'a Item,
    case: &InterviewCase,
    piped: &TextPiping<'_>,
    rejected: Option<&RejectedAnswers>,
    texts: &'static Words,
) -> ItemView<'a> {
    let language = piped.language;
    let stored = match case.answers.get(&item.id) {
        Some(Answer::Open(text)) => text.reveal().to_owned(),
        Some(Answer::NotApplicable) => Answer::not_applicable_form(item).to_owned(),
        Some(Answer::DontKnow) => Answer::dont_know_form(item).to_owned(),
        Some(Answer::Refused) => Answer::refused_form(item).to_owned(),
        Some(answer) => answer.to_stored().unwrap_or_default(),
        None => String::new(),
    };
    ItemView {
        id: &item.id,
        heading: item.heading.as_ref().map(|heading| piped.fill(heading)),
        text: piped.fill(&item.text),
        hint: None,
        is_optional: item.is_question() && !item.required,
        problem: rejected
            .and_then(|a| a.problems.get(&item.id))
            .map(|problem| problem_text(item, *problem, language, texts)),
        value: rejected.and_then(|a| a.value_of(&item.id)).unwrap_or(stored),
        not_applicable: item.not_applicable,
        dont_know: item.dont_know,
        refused: item.refused,
        not_applicable_form: Answer::not_applicable_form(item),
        dont_know_form: Answer::dont_know_form(item),
        refused_form: Answer::refused_form(item),
        field: field_of(item, case.case.id.0, language),
    }
}

/// What is wrong with an answer: in the item's own words, if it has some.
fn problem_text(
    item: &Item,
    problem: AnswerProblem,
    language: Language,
    texts: &'static Words,
) -> String {
    match item.own_message(problem) {
        Some(message) => message.in_language(language).to_owned(),
        None => texts.problem(item, problem),
    }
}

/// Builds a question outside an interview: without text from other answers, and with options in the
/// order of the file.
pub fn standalone_item_view<'a>(
    item: &'a Item,
    language: Language,
    rejected: Option<&RejectedAnswers>,
    texts: &'static Words,
) -> ItemView<'a> {
    ItemView {
        id: &item.id,
        heading: None,
        text: Cow::Borrowed(item.text.in_language(language)),
        hint: item.hint.as_ref().map(|hint| Cow::Borrowed(hint.in_language(language))),
        is_optional: item.is_question() && !item.required,
        problem: rejected
            .and_then(|a| a.problems.get(&item.id))
            .map(|problem| problem_text(item, *problem, language, texts)),
        value: rejected.and_then(|a| a.value_of(&item.id)).unwrap_or_default(),
        not_applicable: item.not_applicable,
        dont_know: item.dont_know,
        refused: item.refused,
        not_applicable_form: Answer::not_applicable_form(item),
        dont_know_form: Answer::dont_know_form(item),
        refused_form: Answer::refused_form(item),
        field: field_of(item, 0, language),
    }
}

/// Builds a question before any answer, for previews.
pub fn preview_item_view<'a>(
    item: &'a Item,
    piped: &TextPiping<'_>,
    texts: &'static Words,
) -> ItemView<'a> {
    ItemView {
        heading: item.heading.as_ref().map(|heading| piped.fill_blank(heading)),
        text: piped.fill_blank(&item.text),
        hint: None,
        ..standalone_item_view(item, piped.language, None, texts)
    }
}

fn field_of(item: &Item, case: i64, language: Language) -> Field<'_> {
    match &item.kind {
        ItemKind::Scale(scale) => Field::Scale {
            low: scale.low.in_language(language),
            high: scale.high.in_language(language),
            points: scale.points().collect(),
        },
        ItemKind::Choice(choice) => {
            let options = choice
                .order_for(case, &item.id)
                .into_iter()
                .map(|o| (o.code.as_str(), o.text.in_language(language)))
                .collect();
            match choice.selection {
                Selection::One => Field::One(options),
                Selection::Several { .. } => Field::Several(options),
                Selection::Ranked => Field::Ranking(options),
            }
        }
        ItemKind::Number(range) => {
            Field::Number { unit: range.unit.as_ref().map(|unit| unit.in_language(language)) }
        }
        ItemKind::Date { first, last } => Field::Date {
            first: first.map(|day| day.to_string()),
            last: last.map(|day| day.to_string()),
        },
        ItemKind::Open { max_chars } => Field::Open { max_chars: *max_chars },
        ItemKind::Info => Field::Info,
    }
}
