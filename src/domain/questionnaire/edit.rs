//! Changes of a questionnaire file: items and pages that are added, moved, copied, removed and
//! renamed, and languages.

use std::collections::BTreeSet;

use super::file::{ItemFile, KindFile, OptionFile, Order, PageFile, QuestionnaireFile, RowFile};
use super::{Latent, is_field_name};
use crate::domain::language::{Language, LocalizedText};
use crate::domain::programme::is_code;

/// The most pages, and the most items of a questionnaire, that can be made by hand.
const MAX_PAGES: usize = 100;
const MAX_ITEMS: usize = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "questionnaire_edit.", serialize_all = "snake_case")]
pub enum EditError {
    #[error("this item or page is not there any more; load the page again")]
    NotFound,
    #[error("a questionnaire has {MAX_PAGES} pages and {MAX_ITEMS} items at most")]
    TooMany,
    #[error("a name takes letters, digits and «_», and no two items have the same")]
    Name,
    #[error("a questionnaire has one language at least")]
    LastLanguage,
    #[error("this is no language tag (BCP 47), such as pt or zh-Hant")]
    Language,
}

/// Where an item stands, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemPlace {
    pub page: usize,
    pub item: usize,
}

impl QuestionnaireFile {
    /// Returns a text that is to be written in every language.
    pub fn blank_text(&self) -> LocalizedText {
        let blank = |language: Language| (language, String::new());
        LocalizedText::new(self.all_languages().into_iter().map(blank))
            .unwrap_or_else(|| LocalizedText::only(Language::ZH, ""))
    }

    pub fn place_of(&self, id: &str) -> Option<ItemPlace> {
        self.pages.iter().enumerate().find_map(|(page, other)| {
            let item = other.items.iter().position(|item| item.id == id)?;
            Some(ItemPlace { page, item })
        })
    }

    pub fn item(&self, id: &str) -> Option<&ItemFile> {
        self.place_of(id).map(|place| &self.pages[place.page].items[place.item])
    }

    pub fn item_mut(&mut self, id: &str) -> Result<&mut ItemFile, EditError> {
        let place = self.place_of(id).ok_or(EditError::NotFound)?;
        Ok(&mut self.pages[place.page].items[place.item])
    }

    fn item_count(&self) -> usize {
        self.pages.iter().map(|page| page.items.len()).sum()
    }

    /// Adds an empty page after another, or as the first. Returns its number, from 0.
    pub fn add_page(&mut self, after: Option<usize>) -> Result<usize, EditError> {
        if self.pages.len() >= MAX_PAGES {
            return Err(EditError::TooMany);
        }
        let at = after.map_or(0, |after| after + 1).min(self.pages.len());
        let title = self.blank_text();
        self.pages.insert(at, PageFile { title, show_if: None, items: Vec::new() });
        Ok(at)
    }

    /// Removes a page with its items.
    pub fn remove_page(&mut self, page: usize) -> Result<(), EditError> {
        if page >= self.pages.len() {
            return Err(EditError::NotFound);
        }
        self.pages.remove(page);
        Ok(())
    }

    /// Moves a page to another place.
    pub fn move_page(&mut self, page: usize, to: usize) -> Result<(), EditError> {
        if page >= self.pages.len() {
            return Err(EditError::NotFound);
        }
        let moved = self.pages.remove(page);
        self.pages.insert(to.min(self.pages.len()), moved);
        Ok(())
    }

    /// Adds an item of a kind at the end of a page. Returns its id.
    pub fn add_item(&mut self, page: usize, kind: KindFile) -> Result<String, EditError> {
        if page >= self.pages.len() {
            return Err(EditError::NotFound);
        }
        if self.item_count() >= MAX_ITEMS {
            return Err(EditError::TooMany);
        }
        let id = self.new_id(&self.names(), "q");
        let is_info = kind == KindFile::Info;
        let mut item = ItemFile {
            variable: (!is_info).then(|| self.new_variable(&id)),
            id: id.clone(),
            latent: None,
            kind,
            text: self.blank_text(),
            hint: None,
            sms: None,
            wrong_answer: None,
            missing_answer: None,
            required: kind != KindFile::Text,
            core: false,
            not_applicable: false,
            dont_know: false,
            refused: false,
            show_if: None,
            screen_out_if: None,
            scale: None,
            options: Vec::new(),
            order: Order::AsWritten,
            min: None,
            max: None,
            decimals: 0,
            unit: None,
            first: None,
            last: None,
            max_chars: None,
            rows: Vec::new(),
        };
        self.fit(&mut item);
        self.pages[page].items.push(item);
        Ok(id)
    }

    /// Gives an item what its kind needs, and takes from it what the kind does not have.
    pub fn fit(&self, item: &mut ItemFile) {
        let kind = item.kind;
        let is_choice = matches!(kind, KindFile::Single | KindFile::Multiple | KindFile::Rank);
        if is_choice && item.options.is_empty() {
            for code in ["1", "2"] {
                let text = self.blank_text();
                item.options.push(OptionFile { code: code.to_owned(), text, exclusive: false });
            }
        }
        if kind == KindFile::Grid && item.rows.is_empty() {
            let row = self.new_row(item);
            item.rows.push(row);
        }
        if !is_choice && kind != KindFile::Grid {
            item.options.clear();
        }
        if kind != KindFile::Grid {
            item.rows.clear();
        }
        if kind == KindFile::Rank {
            item.options.iter_mut().for_each(|option| option.exclusive = false);
        }
        let is_scale = kind == KindFile::Scale || kind == KindFile::Grid && item.options.is_empty();
        if is_scale {
            item.latent = item.latent.or(Some(Latent::Satisfaction));
        } else {
            item.scale = None;
        }
        if !is_choice && kind != KindFile::Grid {
            item.order = Order::AsWritten;
        }
        if !matches!(kind, KindFile::Number | KindFile::Multiple) {
            (item.min, item.max) = (None, None);
        }
        if kind != KindFile::Number {
            (item.decimals, item.unit) = (0, None);
        }
        if kind != KindFile::Date {
            (item.first, item.last) = (None, None);
        }
        if kind != KindFile::Text {
            item.max_chars = None;
        }
        if kind == KindFile::Info {
            item.variable = None;
            item.required = true;
            (item.core, item.not_applicable, item.dont_know, item.refused) =
                (false, false, false, false);
            (item.sms, item.screen_out_if, item.latent) = (None, None, None);
            (item.wrong_answer, item.missing_answer) = (None, None);
        } else if item.variable.is_none() && kind != KindFile::Grid {
            item.variable = Some(self.new_variable(&item.id));
        }
        if item.core {
            item.required = true;
        }
    }

    /// A further option for an item, with a code that it does not have yet.
    pub fn new_option(&self, item: &ItemFile) -> OptionFile {
        let is_free = |code: &String| item.options.iter().all(|option| option.code != *code);
        let code = (1..).map(|n: usize| n.to_string()).find(is_free).unwrap_or_default();
        OptionFile { code, text: self.blank_text(), exclusive: false }
    }

    /// A further row for a grid.
    pub fn new_row(&self, item: &ItemFile) -> RowFile {
        let mut names = self.names();
        names.extend(item.rows.iter().map(|row| row.id.clone()));
        let id = self.new_id(&names, &format!("{}_", item.id));
        RowFile { variable: self.new_variable(&id), id, text: self.blank_text(), latent: None }
    }

    /// Copies an item behind itself. Returns the copy's id.
    pub fn copy_item(&mut self, id: &str) -> Result<String, EditError> {
        if self.item_count() >= MAX_ITEMS {
            return Err(EditError::TooMany);
        }
        let place = self.place_of(id).ok_or(EditError::NotFound)?;
        let mut copy = self.pages[place.page].items[place.item].clone();
        copy.id = self.new_id(&self.names(), "q");
        copy.variable = copy.variable.is_some().then(|| self.new_variable(&copy.id));
        let mut rows = std::mem::take(&mut copy.rows);
        for row in &mut rows {
            let new = self.new_row(&copy);
            (row.id, row.variable) = (new.id, new.variable);
            copy.rows.push(row.clone());
        }
        let new_id = copy.id.clone();
        self.pages[place.page].items.insert(place.item + 1, copy);
        Ok(new_id)
    }

    pub fn remove_item(&mut self, id: &str) -> Result<(), EditError> {
        let place = self.place_of(id).ok_or(EditError::NotFound)?;
        self.pages[place.page].items.remove(place.item);
        Ok(())
    }

    /// Moves an item to a page, before the item that stands there at a place now, or to its end.
    pub fn move_item(&mut self, id: &str, to: ItemPlace) -> Result<(), EditError> {
        let from = self.place_of(id).ok_or(EditError::NotFound)?;
        if to.page >= self.pages.len() {
            return Err(EditError::NotFound);
        }
        let moved = self.pages[from.page].items.remove(from.item);
        let is_behind = from.page == to.page && from.item < to.item;
        let items = &mut self.pages[to.page].items;
        items.insert(to.item.saturating_sub(usize::from(is_behind)).min(items.len()), moved);
        Ok(())
    }

    /// Moves an item one place up or down: over the border of a page to the next one.
    pub fn step_item(&mut self, id: &str, is_down: bool) -> Result<(), EditError> {
        let ItemPlace { page, item } = self.place_of(id).ok_or(EditError::NotFound)?;
        let to = match is_down {
            false if item > 0 => ItemPlace { page, item: item - 1 },
            false if page > 0 => ItemPlace { page: page - 1, item: usize::MAX },
            true if item + 1 < self.pages[page].items.len() => ItemPlace { page, item: item + 2 },
            true if page + 1 < self.pages.len() => ItemPlace { page: page + 1, item: 0 },
            _ => return Ok(()),
        };
        self.move_item(id, to)
    }

    /// Renames an item, or a row, in itself and wherever a condition or a text names it.
    pub fn rename(&mut self, id: &str, new: &str) -> Result<(), EditError> {
        if id == new {
            return Ok(());
        }
        if !is_code(new) || new.contains('-') || self.names().contains(new) {
            return Err(EditError::Name);
        }
        let replaced = format!("{{answer:{id}}}");
        let replacing = format!("{{answer:{new}}}");
        for (_, text) in self.texts() {
            if text.iter().any(|(_, text)| text.contains(&replaced)) {
                *text = text.map(|_, text| text.replace(&replaced, &replacing));
            }
        }
        for page in &mut self.pages {
            let mut conditions = vec![&mut page.show_if];
            for item in &mut page.items {
                if item.id == id {
                    new.clone_into(&mut item.id);
                }
                for row in item.rows.iter_mut().filter(|row| row.id == id) {
                    new.clone_into(&mut row.id);
                }
                conditions.extend([&mut item.show_if, &mut item.screen_out_if]);
            }
            for condition in conditions.into_iter().flatten() {
                *condition = with_name_replaced(condition, id, new);
            }
        }
        Ok(())
    }

    /// Adds a language, for which every text is to be written.
    pub fn add_language(&mut self, language: Language) {
        let mut languages = self.all_languages();
        if !languages.contains(&language) {
            languages.push(language);
        }
        for (_, text) in self.texts() {
            if text.get(language).is_none() {
                let mut texts: Vec<(Language, String)> =
                    text.iter().map(|(tag, text)| (tag, text.to_owned())).collect();
                texts.push((language, String::new()));
                *text = LocalizedText::new(texts).unwrap_or_else(|| text.clone());
            }
        }
        self.languages = languages;
    }

    /// Removes a language with its texts.
    pub fn remove_language(&mut self, language: Language) -> Result<(), EditError> {
        let mut languages = self.all_languages();
        if !languages.contains(&language) {
            return Ok(());
        }
        languages.retain(|other| *other != language);
        let Some(first) = languages.first().copied() else { return Err(EditError::LastLanguage) };
        for (_, text) in self.texts() {
            let kept = text.iter().filter(|(other, _)| *other != language);
            *text = LocalizedText::new(kept.map(|(tag, text)| (tag, text.to_owned())))
                .unwrap_or_else(|| LocalizedText::only(first, ""));
        }
        self.languages = languages;
        Ok(())
    }

    /// Makes a language the first one, which is shown to readers of all others.
    pub fn put_language_first(&mut self, language: Language) {
        let mut languages = self.all_languages();
        if let Some(at) = languages.iter().position(|other| *other == language) {
            let first = languages.remove(at);
            languages.insert(0, first);
            self.languages = languages;
        }
    }

    /// Adds or removes a list field that conditions may use.
    pub fn set_list_fields(&mut self, fields: Vec<String>) -> Result<(), EditError> {
        if fields.iter().any(|field| !is_field_name(field)) {
            return Err(EditError::Name);
        }
        self.list_fields = fields;
        Ok(())
    }

    fn new_id(&self, taken: &BTreeSet<String>, start: &str) -> String {
        let variables = self.variables();
        let is_free = |id: &String| {
            !taken.contains(id)
                && !variables.contains(&id.to_uppercase())
                && !self.list_fields.contains(id)
        };
        (1..).map(|n: usize| format!("{start}{n}")).find(is_free).unwrap_or_default()
    }

    fn new_variable(&self, id: &str) -> String {
        let variables = self.variables();
        let wanted = id.to_uppercase();
        if !variables.contains(&wanted) {
            return wanted;
        }
        (2..)
            .map(|n: usize| format!("{wanted}_{n}"))
            .find(|name| !variables.contains(name))
            .unwrap_or(wanted)
    }

    /// All variables, in capitals: programs that read the dataset take «Sat» and «SAT» for one.
    fn variables(&self) -> BTreeSet<String> {
        let items = self.pages.iter().flat_map(|page| &page.items);
        items
            .flat_map(|item| item.variable.iter().chain(item.rows.iter().map(|row| &row.variable)))
            .map(|name| name.to_uppercase())
            .collect()
    }
}

/// Replaces a name in a condition, but not within quotation marks or other names.
fn with_name_replaced(source: &str, old: &str, new: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut result = String::with_capacity(source.len());
    let (mut word, mut quote, mut is_escaped) = (String::new(), None, false);
    let flush = |word: &mut String, result: &mut String| {
        result.push_str(if word == old { new } else { word });
        word.clear();
    };
    for c in source.chars() {
        match quote {
            Some(mark) => {
                result.push(c);
                if is_escaped {
                    is_escaped = false;
                } else if c == '\\' {
                    is_escaped = true;
                } else if c == mark {
                    quote = None;
                }
            }
            None if is_part(c) => word.push(c),
            None => {
                flush(&mut word, &mut result);
                if c == '\'' || c == '"' {
                    quote = Some(c);
                }
                result.push(c);
            }
        }
    }
    flush(&mut word, &mut result);
    result
}

#[cfg(test)]
mod tests {
    use super::super::Questionnaire;
    use super::*;
    use proptest::prelude::*;

    fn brand() -> QuestionnaireFile {
        QuestionnaireFile::read(include_str!("../../../config/questionnaires/brand.toml")).unwrap()
    }

    fn order(file: &QuestionnaireFile) -> Vec<Vec<&str>> {
        file.pages
            .iter()
            .map(|page| page.items.iter().map(|item| item.id.as_str()).collect())
            .collect()
    }

    #[test]
    fn a_file_is_written_as_it_is_read() {
        for source in [
            include_str!("../../../config/questionnaires/brand.toml"),
            include_str!("../../../config/questionnaires/service.toml"),
            include_str!("../../../tests/fixtures/every_kind.toml"),
        ] {
            let file = QuestionnaireFile::read(source).unwrap();
            let written = file.write();
            assert_eq!(QuestionnaireFile::read(&written).unwrap(), file, "{written}");
            assert!(!written.contains(".0\n"), "{written}");
            let (before, after) = (Questionnaire::parse(source), Questionnaire::parse(&written));
            assert_eq!(format!("{:?}", before.unwrap()), format!("{:?}", after.unwrap()));
        }
    }

    #[test]
    fn items_move_over_the_borders_of_pages() {
        let mut file = brand();
        let pages = |file: &QuestionnaireFile| -> Vec<usize> {
            file.pages.iter().map(|page| page.items.len()).collect()
        };
        assert_eq!(pages(&file)[..2], [4, 4]);
        file.step_item("img1", false).unwrap();
        assert_eq!(order(&file)[0][0], "img1");
        file.step_item("img1", true).unwrap();
        assert_eq!(order(&file)[0][..2], ["img2", "img1"]);
        file.step_item("pq1", false).unwrap();
        assert_eq!((pages(&file)[0], order(&file)[0][4]), (5, "pq1"));
        file.step_item("pq1", true).unwrap();
        assert_eq!(order(&file)[1][0], "pq1");
        file.move_item("img1", ItemPlace { page: 1, item: 2 }).unwrap();
        assert_eq!(order(&file)[1][..3], ["pq1", "pq2", "img1"]);
        file.move_item("pq1", ItemPlace { page: 1, item: 3 }).unwrap();
        assert_eq!(order(&file)[1][..3], ["pq2", "img1", "pq1"]);
        assert_eq!(
            file.move_item("nobody", ItemPlace { page: 0, item: 0 }),
            Err(EditError::NotFound)
        );
    }

    #[test]
    fn a_renamed_item_is_renamed_wherever_it_is_named() {
        let mut file = brand();
        file.item_mut("loy1").unwrap().text =
            LocalizedText::zh_en("{answer:sat1}？", "{answer:sat1}?");
        file.rename("sat1", "overall").unwrap();
        file.rename("complained", "sat1").unwrap();
        let why = file.item("why1").unwrap().show_if.clone();
        assert_eq!(why.as_deref(), Some("overall <= 4 && !(sat1 == 'yes')"));
        assert_eq!(file.item("loy1").unwrap().text.zh(), "{answer:overall}？");
        assert_eq!(file.rename("overall", "img1"), Err(EditError::Name));
        assert_eq!(file.rename("overall", "a-b"), Err(EditError::Name));
        assert_eq!(with_name_replaced("a == 'a' && aa > a", "a", "b"), "b == 'a' && aa > b");
        assert_eq!(with_name_replaced("a == 'it\\'s a' || a", "a", "b"), "b == 'it\\'s a' || b");
    }

    #[test]
    fn a_new_item_of_every_kind_lacks_its_texts_only() {
        let mut file = brand();
        for kind in <KindFile as strum::IntoEnumIterator>::iter() {
            file.add_item(0, kind).unwrap();
        }
        let mistakes = file.sketch().mistakes;
        assert!(mistakes.iter().all(|m| m.what.en().ends_with("is missing")), "{mistakes:?}");
    }

    #[test]
    fn a_language_more_is_a_text_more_everywhere() {
        let mut file = brand();
        let pt = Language::parse("pt").unwrap();
        file.add_language(pt);
        let lacking = file.clone().sketch().mistakes;
        assert!(lacking.len() > 20 && lacking.iter().all(|m| m.what.en().contains("language pt")));
        file.remove_language(pt).unwrap();
        assert_eq!(file.clone().sketch().mistakes, Vec::new());
        file.remove_language(Language::EN).unwrap();
        assert_eq!(file.remove_language(Language::ZH), Err(EditError::LastLanguage));
    }

    proptest! {
        /// Whatever is done, ids and variables stay unique, and nothing is lost.
        #[test]
        fn copies_and_moves_keep_every_item_once(steps in prop::collection::vec((0usize..6, 0usize..40, 0usize..8), 0..40)) {
            let mut file = brand();
            let mut expected = file.item_count();
            for (what, which, to) in steps {
                let ids: Vec<String> = file.pages.iter().flat_map(|page| &page.items).map(|item| item.id.clone()).collect();
                let Some(id) = ids.get(which % ids.len().max(1)) else { break };
                match what {
                    0 => { file.copy_item(id).unwrap(); expected += 1; }
                    1 => file.step_item(id, to % 2 == 0).unwrap(),
                    2 => file.move_item(id, ItemPlace { page: to % file.pages.len(), item: which }).unwrap(),
                    3 => { file.add_item(to % file.pages.len(), KindFile::Grid).unwrap(); expected += 1; }
                    4 => file.move_page(to % file.pages.len(), which).unwrap(),
                    _ => { file.remove_item(id).unwrap(); expected -= 1; }
                }
                prop_assert_eq!(file.item_count(), expected);
                let twice = file.clone().sketch().mistakes.into_iter().find(|m| m.what.en().contains("stands twice"));
                prop_assert_eq!(twice, None);
            }
        }
    }
}
