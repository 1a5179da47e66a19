//! The editor's forms: what they hold of a questionnaire file, and the file that a sent form makes.

use std::collections::BTreeMap;

use super::super::super::auth::FormFields;
use crate::domain::language::{ConsoleLanguage, Language, LocalizedText};
use crate::domain::questionnaire::{
    ChosenCondition, ItemFile, KindFile, Latent, OptionFile, Order, PageFile, QuestionnaireFile,
    RowFile, ScaleFile, Subject, Term, Test,
};

/// The longest text of a field, in bytes.
const MAX_FIELD: usize = 8_000;
/// The most options or rows of an item, and the most rows of a condition.
const MAX_ROWS: usize = 300;

/// A text with a field for each language.
pub struct TextField {
    pub label: &'static str,
    /// Lines of each field; 1: an input.
    pub lines: u8,
    pub cells: Vec<TextCell>,
}

pub struct TextCell {
    pub name: String,
    pub language: Language,
    pub value: String,
}

impl TextField {
    pub fn new(
        label: &'static str,
        name: &str,
        lines: u8,
        languages: &[Language],
        text: Option<&LocalizedText>,
    ) -> TextField {
        let cell = |language: &Language| TextCell {
            name: format!("{name}-{language}"),
            language: *language,
            value: text.and_then(|text| text.get(*language)).unwrap_or_default().to_owned(),
        };
        TextField { label, lines, cells: languages.iter().map(cell).collect() }
    }
}

/// A condition as it can be chosen.
pub struct ConditionForm {
    /// Start of its fields' names: `if` or `out`.
    pub prefix: &'static str,
    /// `everyone`, `all`, `any` or `written`.
    pub mode: &'static str,
    pub rows: Vec<TermRow>,
    /// As it is written.
    pub source: String,
}

pub struct TermRow {
    pub number: usize,
    pub name: String,
    pub test: Test,
    pub value: String,
    /// Whether it belongs to the row before.
    pub is_with_previous: bool,
    /// The comparisons that its question allows: code, words.
    pub tests: Vec<(&'static str, &'static str)>,
    /// The values that its question has.
    pub values: Vec<(String, String)>,
    pub kind: KindFile,
}

impl TermRow {
    pub fn is_date(&self) -> bool {
        self.kind == KindFile::Date
    }

    pub fn test_code(&self) -> &'static str {
        self.test.into()
    }
}

impl ConditionForm {
    pub fn new(
        prefix: &'static str,
        source: Option<&String>,
        subjects: &[Subject],
        reader: ConsoleLanguage,
    ) -> ConditionForm {
        let written = source.cloned().unwrap_or_default();
        let Some(source) = source else {
            return ConditionForm { prefix, mode: "everyone", rows: Vec::new(), source: written };
        };
        let chosen = ChosenCondition::parse(source).filter(|chosen| {
            let is_known = |term: &Term| subjects.iter().any(|subject| subject.name == term.name);
            chosen.groups.iter().flatten().all(is_known)
        });
        let Some(chosen) = chosen else {
            return ConditionForm { prefix, mode: "written", rows: Vec::new(), source: written };
        };
        let mut rows = Vec::new();
        for group in &chosen.groups {
            for (place, term) in group.iter().enumerate() {
                let subject = subjects.iter().find(|subject| subject.name == term.name);
                let kind = subject.map_or(KindFile::Single, |subject| subject.kind);
                let zh = reader == ConsoleLanguage::Zh;
                let word = |test: &Test| {
                    let words = test.words(kind);
                    ((*test).into(), if zh { words.0 } else { words.1 })
                };
                rows.push(TermRow {
                    number: rows.len(),
                    name: term.name.clone(),
                    test: term.test,
                    value: term.value.clone(),
                    is_with_previous: place > 0,
                    tests: Test::of(kind).iter().map(word).collect(),
                    values: subject.map(|subject| subject.values.clone()).unwrap_or_default(),
                    kind,
                });
            }
        }
        let mode = if chosen.is_all { "all" } else { "any" };
        ConditionForm { prefix, mode, rows, source: written }
    }
}

/// The reader of a sent form.
pub struct SentForm<'f> {
    fields: &'f BTreeMap<String, String>,
    languages: Vec<Language>,
}

impl<'f> SentForm<'f> {
    pub fn new(form: &'f FormFields, file: &QuestionnaireFile) -> SentForm<'f> {
        SentForm { fields: &form.0, languages: file.all_languages() }
    }

    fn raw(&self, name: &str) -> &'f str {
        self.fields.get(name).map(|value| value.trim()).unwrap_or_default()
    }

    fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    fn is_ticked(&self, name: &str) -> bool {
        !self.raw(name).is_empty()
    }

    /// A text in every language; a language whose field was not sent keeps what it has.
    fn text(&self, name: &str, before: Option<&LocalizedText>) -> LocalizedText {
        let text = |language: &Language| {
            let sent = self.fields.get(&format!("{name}-{language}"));
            let text = match sent {
                Some(sent) => tidy(sent),
                None => before.and_then(|text| text.get(*language)).unwrap_or_default().to_owned(),
            };
            (*language, text)
        };
        LocalizedText::new(self.languages.iter().map(text))
            .unwrap_or_else(|| LocalizedText::only(Language::ZH, ""))
    }

    /// A text that may be absent: then it is blank in every language.
    fn optional_text(&self, name: &str, before: Option<&LocalizedText>) -> Option<LocalizedText> {
        Some(self.text(name, before)).filter(|text| text.iter().any(|(_, text)| !text.is_empty()))
    }

    /// A number, as people type it: full-width digits, blanks; what is none leaves what was there.
    fn number(&self, name: &str, before: Option<f64>) -> Option<f64> {
        let raw = half_width(self.raw(name));
        if raw.is_empty() {
            return None;
        }
        raw.parse::<f64>().ok().filter(|n| n.is_finite() && n.abs() < 1e15).or(before)
    }

    fn scale(&self, prefix: &str, before: Option<&ScaleFile>) -> ScaleFile {
        let whole = |name: &str, before: i64| {
            half_width(self.raw(&format!("{prefix}-{name}")))
                .parse::<i64>()
                .ok()
                .filter(|n| (-1_000..=1_000).contains(n))
                .unwrap_or(before)
        };
        ScaleFile {
            from: whole("from", before.map_or(1, |scale| scale.from)),
            to: whole("to", before.map_or(10, |scale| scale.to)),
            low: self.text(&format!("{prefix}-low"), before.map(|scale| &scale.low)),
            high: self.text(&format!("{prefix}-high"), before.map(|scale| &scale.high)),
        }
    }

    /// The condition that was chosen. One that says the same as before stays as it is written.
    fn condition(
        &self,
        prefix: &str,
        file: &QuestionnaireFile,
        subjects: &[Subject],
        before: Option<&String>,
    ) -> Option<String> {
        let mode = self.raw(&format!("{prefix}-mode"));
        match mode {
            "everyone" => return None,
            "written" => {
                let source = self.raw(&format!("{prefix}-source"));
                let source = if source.is_empty() {
                    before.map(String::as_str).unwrap_or_default()
                } else {
                    source
                };
                return Some(source.chars().take(2_000).collect())
                    .filter(|s: &String| !s.is_empty());
            }
            "all" | "any" => {}
            _ => return before.cloned(),
        }
        let mut groups: Vec<Vec<Term>> = Vec::new();
        for number in 0..MAX_ROWS {
            let name = self.raw(&format!("{prefix}-{number}-name"));
            if name.is_empty() {
                if self.has(&format!("{prefix}-{number}-name")) {
                    continue;
                }
                break;
            }
            let Some(subject) = subjects.iter().find(|subject| subject.name == name) else {
                continue;
            };
            let test = self.raw(&format!("{prefix}-{number}-test"));
            let value = self.raw(&format!("{prefix}-{number}-value"));
            let term = fitting_term(subject, test, value);
            match groups.last_mut() {
                Some(last) if self.is_ticked(&format!("{prefix}-{number}-with")) => last.push(term),
                _ => groups.push(vec![term]),
            }
        }
        // Chosen, but nothing yet: a first row to fill in.
        if groups.is_empty()
            && let Some(subject) = subjects.first()
        {
            groups.push(vec![fitting_term(subject, "", "")]);
        }
        let chosen = ChosenCondition { is_all: mode == "all", groups };
        let same = |source: &&String| {
            ChosenCondition::parse(source).is_some_and(|before| {
                let single = chosen.groups.len() == 1 && chosen.groups[0].len() == 1;
                before.groups == chosen.groups && (single || before.is_all == chosen.is_all)
            })
        };
        before.filter(same).cloned().or_else(|| chosen.source(file))
    }

    /// Puts what was sent of an item into it.
    pub fn fill_item(
        &self,
        item: &mut ItemFile,
        file: &QuestionnaireFile,
        reader: ConsoleLanguage,
    ) {
        let page = file.place_of(&item.id).map_or(0, |place| place.page);
        let subjects = file.subjects(page, reader);
        let before_kind = item.kind;
        item.text = self.text("text", Some(&item.text));
        item.hint = self.optional_text("hint", item.hint.as_ref());
        item.sms = self.optional_text("sms", item.sms.as_ref());
        item.wrong_answer = self.optional_text("wrong", item.wrong_answer.as_ref());
        item.missing_answer = self.optional_text("missing", item.missing_answer.as_ref());
        if let Ok(kind) = self.raw("kind").parse::<KindFile>() {
            item.kind = kind;
        }
        item.required = self.is_ticked("required");
        item.core = self.is_ticked("core");
        item.not_applicable = self.is_ticked("not-applicable");
        item.dont_know = self.is_ticked("dont-know");
        item.refused = self.is_ticked("refused");
        item.show_if = self.condition("if", file, &subjects, item.show_if.as_ref());
        let own = file.subjects_of(item, reader).into_iter().chain(subjects).collect::<Vec<_>>();
        item.screen_out_if = self.condition("out", file, &own, item.screen_out_if.as_ref());
        if self.has("latent") {
            item.latent = Latent::parse(self.raw("latent"));
        }
        let variable = self.raw("variable");
        if !variable.is_empty() {
            item.variable = Some(variable.chars().take(64).collect());
        }
        if self.has("opt-0-code") || self.has("opt-paste") {
            self.fill_options(item, file);
        }
        if self.has("row-0-id") || self.has("row-paste") {
            self.fill_rows(item, file);
        }
        if before_kind == item.kind {
            self.fill_limits(item);
        }
        if self.has("scale-mode") {
            item.scale = (self.raw("scale-mode") == "own")
                .then(|| self.scale("scale", item.scale.as_ref().or(file.scale.as_ref())));
        }
        file.fit(item);
    }

    fn fill_limits(&self, item: &mut ItemFile) {
        if self.has("order") || self.has("opt-0-code") {
            item.order = if self.is_ticked("order") { Order::Random } else { Order::AsWritten };
        }
        if self.has("min") {
            item.min = self.number("min", item.min);
            item.max = self.number("max", item.max);
        }
        if self.has("decimals") {
            let decimals = self.number("decimals", Some(item.decimals.into())).unwrap_or_default();
            item.decimals = decimals.clamp(0.0, 6.0) as u32;
            item.unit = self.optional_text("unit", item.unit.as_ref());
        }
        if self.has("first") {
            let day = |name: &str| Some(self.raw(name).to_owned()).filter(|day| !day.is_empty());
            (item.first, item.last) = (day("first"), day("last"));
        }
        if self.has("max-chars") {
            let before = item.max_chars.map(|n| n as f64);
            item.max_chars = self.number("max-chars", before).map(|n| n.clamp(0.0, 1e6) as usize);
        }
    }

    fn fill_options(&self, item: &mut ItemFile, file: &QuestionnaireFile) {
        let before = std::mem::take(&mut item.options);
        for number in 0..MAX_ROWS {
            if !self.has(&format!("opt-{number}-code")) {
                break;
            }
            let code = self.raw(&format!("opt-{number}-code"));
            let known = before.get(number);
            let mut option = OptionFile {
                code: code.chars().take(40).collect(),
                text: self.text(&format!("opt-{number}-text"), known.map(|option| &option.text)),
                exclusive: self.is_ticked(&format!("opt-{number}-exclusive")),
            };
            if option.code.is_empty() {
                option.code = file.new_option(item).code;
            }
            item.options.push(option);
        }
        for line in self.pasted("opt-paste") {
            let blank = |option: &&mut OptionFile| option.text.iter().all(|(_, t)| t.is_empty());
            let text = first_text(file, line);
            if let Some(option) = item.options.iter_mut().find(blank) {
                option.text = text;
            } else if item.options.len() < MAX_ROWS {
                let option = OptionFile { text, ..file.new_option(item) };
                item.options.push(option);
            }
        }
    }

    fn fill_rows(&self, item: &mut ItemFile, file: &QuestionnaireFile) {
        let before = std::mem::take(&mut item.rows);
        for number in 0..MAX_ROWS {
            if !self.has(&format!("row-{number}-id")) {
                break;
            }
            // A row is renamed with all that looks at it, not here.
            let Some(known) = before.get(number) else { break };
            let variable = self.raw(&format!("row-{number}-variable"));
            item.rows.push(RowFile {
                id: known.id.clone(),
                variable: if variable.is_empty() {
                    known.variable.clone()
                } else {
                    variable.into()
                },
                text: self.text(&format!("row-{number}-text"), Some(&known.text)),
                latent: known.latent,
            });
        }
        for line in self.pasted("row-paste") {
            let blank = |row: &&mut RowFile| row.text.iter().all(|(_, text)| text.is_empty());
            let text = first_text(file, line);
            if let Some(row) = item.rows.iter_mut().find(blank) {
                row.text = text;
            } else if item.rows.len() < MAX_ROWS {
                let row = RowFile { text, ..file.new_row(item) };
                item.rows.push(row);
            }
        }
    }

    /// The lines of a field, without the numbers and marks that people paste with them.
    fn pasted(&self, name: &str) -> impl Iterator<Item = &'f str> {
        let lines = self.raw(name).lines().map(without_marker);
        lines.filter(|line| !line.is_empty()).take(MAX_ROWS)
    }

    pub fn fill_page(
        &self,
        page: &mut PageFile,
        file: &QuestionnaireFile,
        number: usize,
        reader: ConsoleLanguage,
    ) {
        page.title = self.text("title", Some(&page.title));
        let subjects = file.subjects(number, reader);
        page.show_if = self.condition("if", file, &subjects, page.show_if.as_ref());
    }

    pub fn fill_head(&self, file: &mut QuestionnaireFile) {
        file.title = self.text("title", Some(&file.title));
        file.introduction = self.text("introduction", Some(&file.introduction));
        if self.has("scale-from") {
            file.scale = Some(self.scale("scale", file.scale.as_ref()));
        }
    }

    /// The list fields that were typed, with whatever between them.
    pub fn list_fields(&self) -> Vec<String> {
        let is_between = |c: char| c.is_whitespace() || [',', '，', '、', ';', '；'].contains(&c);
        let mut fields: Vec<String> = Vec::new();
        for field in self.raw("list-fields").split(is_between).filter(|field| !field.is_empty()) {
            if !fields.iter().any(|known| known == field) {
                fields.push(field.to_owned());
            }
        }
        fields
    }
}

/// The first comparison that a question allows.
pub fn first_term(subject: &Subject) -> Term {
    fitting_term(subject, "", "")
}

/// A term that a question allows: the nearest to what was sent.
fn fitting_term(subject: &Subject, test: &str, value: &str) -> Term {
    let tests = Test::of(subject.kind);
    let test = test.parse().ok().filter(|test| tests.contains(test));
    let test = test.or(tests.first().copied()).unwrap_or(Test::Is);
    let value = half_width(value);
    let is_known = subject.values.iter().any(|(code, _)| *code == value);
    let value = match subject.values.first() {
        _ if !test.takes_value() => String::new(),
        Some((first, _)) if !is_known => first.clone(),
        _ => value,
    };
    Term { name: subject.name.clone(), test, value }
}

fn first_text(file: &QuestionnaireFile, text: &str) -> LocalizedText {
    let languages = file.all_languages();
    let first = languages.first().copied().unwrap_or_default();
    file.blank_text().map(|language, _| if language == first { tidy(text) } else { String::new() })
}

/// A typed text: line ends as the file has them, no control characters, at most [`MAX_FIELD`] bytes.
fn tidy(text: &str) -> String {
    let text: String = text
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    let mut text = text.trim().to_owned();
    if text.len() > MAX_FIELD {
        let end = (0..=MAX_FIELD).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// Full-width digits and signs as plain ones.
fn half_width(text: &str) -> String {
    let plain = |c: char| match c {
        '０'..='９' | '－' | '．' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        other => other,
    };
    text.trim().chars().map(plain).collect()
}

/// «A. quality», «1、quality», «• quality» without what stands before the words.
fn without_marker(line: &str) -> &str {
    let line =
        line.trim().trim_start_matches(['•', '·', '●', '○', '□', '-', '—', '*']).trim_start();
    let head =
        line.char_indices().take(3).find(|(_, c)| matches!(c, '.' | '、' | '．' | ')' | '）'));
    match head {
        Some((at, c)) if at > 0 => {
            let (marker, rest) = line.split_at(at);
            let is_marker = marker.chars().all(|c| c.is_ascii_digit())
                || marker.chars().count() == 1
                    && marker.starts_with(|c: char| c.is_ascii_alphabetic());
            let rest = rest[c.len_utf8()..].trim_start();
            // «1.5 yuan» is no marker.
            let is_number = c == '.' && rest.starts_with(|c: char| c.is_ascii_digit());
            if is_marker && !is_number { rest } else { line }
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_lines_lose_their_markers_only() {
        for (line, text) in [
            ("A. 质量", "质量"),
            ("1、价格", "价格"),
            ("12）其他", "其他"),
            ("• 外观", "外观"),
            ("1.5 万元以下", "1.5 万元以下"),
            ("3 年以上", "3 年以上"),
            ("不到半年", "不到半年"),
            ("B）", ""),
            ("a.b", "b"),
        ] {
            assert_eq!(without_marker(line), text, "{line}");
        }
        assert_eq!(half_width(" １２．５ "), "12.5");
        assert_eq!(tidy(" a\r\nb\u{0}\u{7} "), "a\nb");
    }

    fn file() -> QuestionnaireFile {
        QuestionnaireFile::read(include_str!("../../../../../config/questionnaires/brand.toml"))
            .unwrap()
    }

    /// What a form is shown with, when it is sent as it is, changes nothing.
    #[test]
    fn a_condition_that_is_sent_as_it_is_shown_stays_as_it_is_written() {
        let file = file();
        let reader = ConsoleLanguage::Zh;
        for source in [
            "complained != 'yes'",
            "sat1 <= 4 && !(complained == 'yes')",
            "!(complained == 'yes') && (sat1 == null || sat1 > 4)",
            "size(why1) > 1",
            "mode == \"telephone\"",
        ] {
            let source = source.to_owned();
            let subjects = file.subjects(3, reader);
            let form = ConditionForm::new("if", Some(&source), &subjects, reader);
            let mut fields = BTreeMap::from([
                ("if-mode".to_owned(), form.mode.to_owned()),
                ("if-source".to_owned(), form.source.clone()),
            ]);
            for row in &form.rows {
                let name = |field: &str| format!("if-{}-{field}", row.number);
                fields.insert(name("name"), row.name.clone());
                fields.insert(name("test"), row.test_code().to_owned());
                fields.insert(name("value"), row.value.clone());
                if row.is_with_previous {
                    fields.insert(name("with"), "1".to_owned());
                }
            }
            let fields = FormFields(fields);
            let sent = SentForm::new(&fields, &file);
            assert_eq!(sent.condition("if", &file, &subjects, Some(&source)), Some(source));
        }
    }
}
