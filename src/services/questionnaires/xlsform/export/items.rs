//! The rows of pages and items.

use super::super::XlsFormError;
use super::super::columns::cleaned;
use super::super::expression::{Expression, parse, shown_number};
use super::super::languages::{column_language, exact_column};
use super::super::scope::{AnswerKind, Code, Meaning, Scope};
use super::super::simplify::{simplify, substitute};
use super::super::texts::pipe;
use super::super::to_cel::CelWriter;
use super::names::FormNames;
use super::sheets::{self, Cells};
use super::{ExportedForm, expressible, relevant_of};
use crate::domain::condition::Condition;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::questionnaire::{
    Answer, Choice, Item, ItemKind, Page, Questionnaire, Range, Scale, Selection,
};

pub struct Exporter<'q> {
    questionnaire: &'q Questionnaire,
    names: FormNames,
    scope: Scope,
    survey: Vec<Cells>,
    choices: Vec<Cells>,
    remarks: Vec<String>,
    lists: usize,
}

fn set(cells: &mut Cells, column: &str, text: impl Into<String>) {
    cells.insert(column.to_owned(), text.into());
}

fn set_both(cells: &mut Cells, column: &str, text: &LocalizedText) {
    for (language, text) in text.iter() {
        set(cells, &exact_column(column, language), text);
    }
}

/// Whether a cell gives this text back.
fn is_kept(text: &str) -> bool {
    cleaned(text) == text
}

impl<'q> Exporter<'q> {
    pub fn new(questionnaire: &'q Questionnaire) -> Exporter<'q> {
        let names = FormNames::new(questionnaire);
        let mut scope = Scope::default();
        for item in questionnaire.items() {
            scope.answers.insert(item.id.clone(), answer_kind(item));
            scope.define(&names.of(&item.id), "", Meaning::Item(item.id.clone()));
        }
        for fact in &names.facts {
            scope.answers.insert(fact.clone(), AnswerKind::Fact);
            scope.define(fact, "", Meaning::Item(fact.clone()));
        }
        Exporter {
            questionnaire,
            names,
            scope,
            survey: Vec::new(),
            choices: Vec::new(),
            remarks: Vec::new(),
            lists: 0,
        }
    }

    pub fn export(mut self) -> Result<ExportedForm, XlsFormError> {
        for fact in self.names.facts.clone() {
            let mut row = Cells::new();
            set(&mut row, "type", "hidden");
            set(&mut row, "name", fact);
            self.survey.push(row);
        }
        for (number, page) in (1..).zip(&self.questionnaire.pages) {
            self.add_page(number, page);
        }
        let settings = self.settings();
        let bytes = sheets::write(&self.survey, &self.choices, settings)
            .map_err(|error| XlsFormError::Export(error.to_string()))?;
        Ok(ExportedForm { bytes, remarks: self.remarks })
    }

    fn settings(&self) -> Cells {
        let Questionnaire { code, version, languages, title, introduction, list_fields, .. } =
            self.questionnaire;
        let mut row = Cells::new();
        set(&mut row, "form_title", cleaned(title.first()));
        set(&mut row, "form_id", code);
        set(&mut row, "version", version.to_string());
        let first = self.questionnaire.languages.first().copied().unwrap_or_default();
        set(&mut row, "default_language", column_language(first));
        // Columns come in an order of their own.
        let is_usual = languages.iter().all(|l| [Language::ZH, Language::EN].contains(l));
        if !is_usual || !languages.is_sorted() {
            let tags: Vec<String> = languages.iter().map(ToString::to_string).collect();
            set(&mut row, "fieldworkd_languages", tags.join(" "));
        }
        set_both(&mut row, "title", title);
        set_both(&mut row, "introduction", introduction);
        if !list_fields.is_empty() {
            set(&mut row, "fieldworkd_list_fields", list_fields.join(" "));
        }
        row
    }

    /// Writes a text with answers; the exact text besides, if the import would read another.
    fn add_text(&self, row: &mut Cells, column: &str, exact: &str, text: &LocalizedText) {
        let mut is_exact = true;
        for &language in &self.questionnaire.languages {
            let text = text.in_language(language);
            let language = column_language(language);
            let label = self.with_form_names(text);
            is_exact &= is_kept(&label) && pipe(&label, &self.scope, "").as_deref() == Ok(text);
            set(row, &format!("{column}::{language}"), cleaned(&label));
        }
        if !is_exact {
            set_both(row, exact, text);
        }
    }

    /// `{answer:sat}` becomes `${sat}`.
    fn with_form_names(&self, text: &str) -> String {
        let text = text.replace("${", "$ {");
        let mut label = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("{answer:") {
            label.push_str(before);
            match after.split_once('}') {
                Some((id, behind)) if self.questionnaire.item(id).is_some() => {
                    label.push_str(&format!("${{{}}}", self.names.of(id)));
                    rest = behind;
                }
                _ => {
                    label.push_str("(answer:");
                    rest = after;
                }
            }
        }
        label.push_str(rest);
        label
    }

    /// Writes a condition as `relevant`, and exactly if the import would read another.
    fn add_condition(&mut self, row: &mut Cells, place: &str, condition: Option<&Condition>) {
        let Some(condition) = condition else { return };
        let source = condition.source();
        let name = |id: &str| self.names.of(id);
        let relevant = relevant_of(source, &name);
        if let Err(problem) = expressible(source, &name) {
            self.remarks.push(format!(
                "{place}: «{source}»: {problem}; other programs will not ask it (relevant is \
                 false())"
            ));
        }
        if self.read_back(&relevant).as_deref() != Ok(source) {
            set(row, "fieldworkd_show_if", source);
        }
        set(row, "relevant", relevant);
    }

    /// Returns the condition that the import would read.
    fn read_back(&self, relevant: &str) -> Result<String, String> {
        let names = substitute(parse(relevant)?, &mut |name| match self.scope.find(name, "")? {
            Meaning::Item(id) => Ok(Expression::Name(id.clone())),
            _ => Err(String::new()),
        })?;
        match simplify(names)? {
            Expression::Truth(_) => Err("it is constant".to_owned()),
            condition => CelWriter::new(&self.scope.answers).condition(&condition),
        }
    }

    fn add_page(&mut self, number: usize, page: &Page) {
        if page.items.is_empty() {
            return self.remarks.push(format!("page {number} holds nothing and is left out"));
        }
        let mut row = Cells::new();
        set(&mut row, "type", "begin_group");
        set(&mut row, "name", self.names.free(&format!("page_{number}")));
        set(&mut row, "appearance", "field-list");
        self.add_text(&mut row, "label", "text", &page.title);
        self.add_condition(&mut row, &format!("page {number}"), page.show_if.as_ref());
        self.survey.push(row);
        let mut items = page.items.iter().peekable();
        while let Some(item) = items.next() {
            let Some(heading) = &item.heading else {
                let list = self.list_of(item);
                self.add_item(item, list.as_deref(), false);
                continue;
            };
            let list = self.list_of(item);
            let mut row = Cells::new();
            set(&mut row, "type", "begin_group");
            set(&mut row, "name", self.names.free(&format!("table_{}", item.id)));
            set(&mut row, "appearance", "table-list");
            if let Some(id) = &item.grid_id {
                set(&mut row, "fieldworkd_id", id);
            }
            self.add_text(&mut row, "label", "text", heading);
            self.survey.push(row);
            self.add_item(item, list.as_deref(), true);
            while let Some(next) = items.next_if(|next| is_row_of(next, item)) {
                self.add_item(next, list.as_deref(), true);
            }
            self.end_group();
        }
        self.end_group();
    }

    fn end_group(&mut self) {
        let mut row = Cells::new();
        set(&mut row, "type", "end_group");
        self.survey.push(row);
    }

    fn add_item(&mut self, item: &Item, list: Option<&str>, is_in_table: bool) {
        let mut row = Cells::new();
        let list = list.unwrap_or_default();
        let place = format!("item {}", item.id);
        match &item.kind {
            ItemKind::Scale(scale) => {
                set(&mut row, "type", format!("select_one {list}"));
                set(&mut row, "fieldworkd_type", "scale");
                set_both(&mut row, "low", &scale.low);
                set_both(&mut row, "high", &scale.high);
                if !is_in_table {
                    set(&mut row, "appearance", "likert");
                }
            }
            ItemKind::Choice(choice) => add_choice(&mut row, item, choice, list),
            ItemKind::Number(range) => add_number(&mut row, range),
            ItemKind::Date { first, last } => {
                set(&mut row, "type", "date");
                let limits = [(">=", first), ("<=", last)];
                let limits = limits
                    .iter()
                    .filter_map(|(sign, day)| day.map(|day| format!(". {sign} date('{day}')")));
                set_constraint(&mut row, limits.collect());
            }
            ItemKind::Open { max_chars } => {
                set(&mut row, "type", "text");
                set_constraint(&mut row, vec![format!("string-length(.) <= {max_chars}")]);
            }
            ItemKind::Info => set(&mut row, "type", "note"),
        }
        set(&mut row, "name", self.names.of(&item.id));
        if self.names.need_ids {
            set(&mut row, "fieldworkd_id", &item.id);
        }
        let usual = if item.is_question() { item.id.as_str() } else { "" };
        if item.variable != usual {
            set(&mut row, "fieldworkd_variable", &item.variable);
        }
        if let Some(latent) = item.latent {
            set(&mut row, "fieldworkd_latent", latent.as_str());
        }
        self.add_text(&mut row, "label", "text", &item.text);
        if let Some(hint) = &item.hint {
            self.add_text(&mut row, "hint", "hint", hint);
        }
        if let Some(sms) = &item.sms {
            set_both(&mut row, "sms", sms);
        }
        for (column, key, message) in [
            ("constraint_message", "wrong_answer", &item.wrong_answer),
            ("required_message", "missing_answer", &item.missing_answer),
        ] {
            if let Some(message) = message {
                self.add_text(&mut row, column, key, message);
            }
        }
        if item.required {
            set(&mut row, "required", "yes");
        }
        for (is_set, column) in [
            (item.core, "core"),
            (item.not_applicable, "not_applicable"),
            (item.dont_know, "dont_know"),
            (item.refused, "refused"),
        ] {
            if is_set {
                set(&mut row, &format!("fieldworkd_{column}"), "yes");
            }
        }
        self.add_condition(&mut row, &place, item.show_if.as_ref());
        if let Some(condition) = &item.screen_out_if {
            set(&mut row, "fieldworkd_screen_out_if", condition.source());
            self.remarks.push(format!(
                "{place}: other programs do not end the interview where «{}» holds",
                condition.source()
            ));
        }
        self.survey.push(row);
    }

    /// Adds the choices of an item and returns their list's name.
    fn list_of(&mut self, item: &Item) -> Option<String> {
        let mut rows: Vec<Cells> = Vec::new();
        match &item.kind {
            ItemKind::Scale(scale) => rows.extend(scale_rows(scale, &self.questionnaire.languages)),
            ItemKind::Choice(choice) => rows.extend(choice_rows(choice)),
            _ => return None,
        }
        let takes_forms = matches!(
            &item.kind,
            ItemKind::Scale(_) | ItemKind::Choice(Choice { selection: Selection::One, .. })
        );
        for (is_offered, code, zh, en) in [
            (item.not_applicable, Answer::NOT_APPLICABLE, "不适用", "Not applicable"),
            (item.dont_know, Answer::DONT_KNOW, "不知道", "Don't know"),
            (item.refused, Answer::REFUSED, "不想说", "Rather not say"),
        ] {
            if is_offered && takes_forms {
                let languages = self.questionnaire.languages.iter();
                let words =
                    languages.map(|l| (*l, if l.is_chinese() { zh } else { en }.to_owned()));
                let mut row = choice_row(code, words);
                set(&mut row, "fieldworkd_special", "yes");
                rows.push(row);
            }
        }
        self.lists += 1;
        let list = format!("list_{}", self.lists);
        for mut row in rows {
            set(&mut row, "list_name", &list);
            self.choices.push(row);
        }
        Some(list)
    }
}

fn answer_kind(item: &Item) -> AnswerKind {
    match &item.kind {
        ItemKind::Scale(scale) => AnswerKind::Number { is_whole: true, max: Some(scale.to as f64) },
        ItemKind::Choice(choice) => {
            let code = |code: &String| Code { theirs: code.clone(), ours: code.clone() };
            let codes = choice.options.iter().map(|option| code(&option.code)).collect();
            match choice.selection {
                Selection::One => AnswerKind::One(codes),
                Selection::Several { .. } => AnswerKind::Several(codes),
                Selection::Ranked => AnswerKind::Ranked(codes),
            }
        }
        ItemKind::Number(range) => {
            AnswerKind::Number { is_whole: range.decimals == 0, max: range.max }
        }
        ItemKind::Date { .. } => AnswerKind::Date,
        ItemKind::Open { .. } | ItemKind::Info => AnswerKind::Text,
    }
}

/// Returns whether an item is a further row of the table that another begins.
fn is_row_of(item: &Item, first: &Item) -> bool {
    let rest = |item: &Item| {
        let source =
            |condition: &Option<Condition>| condition.as_ref().map(|c| c.source().to_owned());
        (
            format!(
                "{:?} {:?} {:?} {:?} {:?}",
                item.kind, item.hint, item.sms, item.wrong_answer, item.missing_answer
            ),
            [item.required, item.core, item.not_applicable, item.dont_know, item.refused],
            source(&item.show_if),
            source(&item.screen_out_if),
        )
    };
    item.heading.is_none() && rest(item) == rest(first)
}

fn set_constraint(row: &mut Cells, parts: Vec<String>) {
    if !parts.is_empty() {
        set(row, "constraint", parts.join(" and "));
    }
}

fn add_choice(row: &mut Cells, item: &Item, choice: &Choice, list: &str) {
    let word = match choice.selection {
        Selection::One => "select_one",
        Selection::Several { .. } => "select_multiple",
        Selection::Ranked => "rank",
    };
    set(row, "type", format!("{word} {list}"));
    if choice.selection == Selection::One && item.latent.is_some() {
        set(row, "fieldworkd_type", "single");
    }
    if choice.is_shuffled {
        set(row, "parameters", "randomize=true");
    }
    let Selection::Several { min, max } = choice.selection else { return };
    let exclusive: Vec<&str> =
        choice.options.iter().filter(|o| o.is_exclusive).map(|o| o.code.as_str()).collect();
    if min == 1 && max == choice.options.len() && exclusive.is_empty() {
        return;
    }
    set(row, "fieldworkd_min", min.to_string());
    set(row, "fieldworkd_max", max.to_string());
    let mut parts: Vec<String> = exclusive
        .iter()
        .map(|code| format!("not(selected(., '{code}') and count-selected(.) > 1)"))
        .collect();
    if max < choice.options.len() {
        parts.push(format!("count-selected(.) <= {max}"));
    }
    if min > 1 {
        let alone = exclusive.iter().map(|code| format!("selected(., '{code}') or "));
        parts.push(format!("({}count-selected(.) >= {min})", alone.collect::<String>()));
    }
    set_constraint(row, parts);
}

fn add_number(row: &mut Cells, range: &Range) {
    set(row, "type", if range.decimals == 0 { "integer" } else { "decimal" });
    if range.decimals > 0 {
        set(row, "fieldworkd_decimals", range.decimals.to_string());
    }
    if let Some(unit) = &range.unit {
        set_both(row, "unit", unit);
    }
    let limits = [(">=", range.min), ("<=", range.max)];
    let limits = limits
        .iter()
        .filter_map(|(sign, limit)| limit.map(|limit| format!(". {sign} {}", shown_number(limit))));
    set_constraint(row, limits.collect());
}

fn choice_row(code: &str, texts: impl Iterator<Item = (Language, String)>) -> Cells {
    let mut row = Cells::new();
    set(&mut row, "name", code);
    for (language, text) in texts {
        let column = format!("label::{}", column_language(language));
        set(&mut row, &column, cleaned(&text).replace("${", "$ {"));
    }
    row
}

fn choice_rows(choice: &Choice) -> impl Iterator<Item = Cells> {
    choice.options.iter().map(|option| {
        let text = &option.text;
        let texts = text.iter().map(|(language, text)| (language, text.to_owned()));
        let mut row = choice_row(&option.code, texts);
        if text.iter().any(|(_, text)| !is_kept(text) || text.contains("${")) {
            set_both(&mut row, "text", text);
        }
        if option.is_exclusive {
            set(&mut row, "fieldworkd_exclusive", "yes");
        }
        let is_same = |other: &&crate::domain::questionnaire::ChoiceOption| {
            other.code.eq_ignore_ascii_case(&option.code)
        };
        let is_underlined = option.code.chars().all(|c| c == '_');
        if is_underlined || choice.options.iter().filter(is_same).count() > 1 {
            set(&mut row, "fieldworkd_code", &option.code);
        }
        row
    })
}

fn scale_rows(scale: &Scale, languages: &[Language]) -> impl Iterator<Item = Cells> {
    scale.points().map(|point| {
        let end = |words: &LocalizedText| {
            let texts = languages.iter();
            let text = |language: Language| format!("{point} {}", words.in_language(language));
            choice_row(&point.to_string(), texts.map(|language| (*language, text(*language))))
        };
        match point {
            _ if point == scale.from => end(&scale.low),
            _ if point == scale.to => end(&scale.high),
            _ => {
                let texts = languages.iter().map(|language| (*language, point.to_string()));
                choice_row(&point.to_string(), texts)
            }
        }
    })
}
