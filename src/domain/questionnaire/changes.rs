//! The difference between two versions of a questionnaire, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::file::{ItemFile, KindFile, Order, QuestionnaireFile, ScaleFile};
use crate::domain::language::{ConsoleLanguage, Language, LocalizedText};

/// A difference between two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The item; `None`: the questionnaire or a page.
    pub item: Option<String>,
    /// What it is about: the item's text, «page 2».
    pub about: LocalizedText,
    /// In Chinese and English: «option 3 removed», «shown if».
    pub what: LocalizedText,
    /// Empty if there was, or is, nothing.
    pub before: LocalizedText,
    pub after: LocalizedText,
    /// Answers before and after it cannot be compared any more without care.
    pub breaks_series: bool,
}

/// Returns every difference, in the order of the later version.
pub fn changes(before: &QuestionnaireFile, after: &QuestionnaireFile) -> Vec<Change> {
    let mut comparison = Comparison { before, after, found: Vec::new() };
    comparison.questionnaire();
    comparison.pages();
    comparison.items();
    comparison.found
}

struct Comparison<'f> {
    before: &'f QuestionnaireFile,
    after: &'f QuestionnaireFile,
    found: Vec<Change>,
}

/// What a change is about.
#[derive(Clone)]
struct About {
    item: Option<String>,
    text: LocalizedText,
}

fn nothing() -> LocalizedText {
    LocalizedText::zh_en("", "")
}

fn same(text: impl Into<String>) -> LocalizedText {
    let text = text.into();
    LocalizedText::zh_en(text.clone(), text)
}

/// Chinese and English of what is set or not.
fn yes_no(is_set: bool) -> LocalizedText {
    if is_set { LocalizedText::zh_en("是", "yes") } else { LocalizedText::zh_en("否", "no") }
}

/// The name of a kind in Chinese and English.
pub fn kind_words(kind: KindFile) -> (&'static str, &'static str) {
    match kind {
        KindFile::Scale => ("评分题", "rating scale"),
        KindFile::Single => ("单选题", "one choice"),
        KindFile::Multiple => ("多选题", "several choices"),
        KindFile::Number => ("数字题", "number"),
        KindFile::Date => ("日期题", "date"),
        KindFile::Text => ("填空题", "text"),
        KindFile::Rank => ("排序题", "ranking"),
        KindFile::Grid => ("矩阵题", "grid"),
        KindFile::Info => ("说明文字", "information"),
    }
}

impl Comparison<'_> {
    fn add(
        &mut self,
        about: &About,
        what: (&str, &str),
        (before, after): (LocalizedText, LocalizedText),
        breaks_series: bool,
    ) {
        if before != after {
            self.found.push(Change {
                item: about.item.clone(),
                about: about.text.clone(),
                what: LocalizedText::zh_en(what.0, what.1),
                before,
                after,
                breaks_series,
            });
        }
    }

    /// Compares a text in every language.
    fn text(
        &mut self,
        about: &About,
        what: (&str, &str),
        before: Option<&LocalizedText>,
        after: Option<&LocalizedText>,
    ) {
        let languages: BTreeSet<Language> =
            [before, after].into_iter().flatten().flat_map(LocalizedText::languages).collect();
        let known = (self.before.all_languages(), self.after.all_languages());
        for language in languages {
            // A language more or less is told once, not at every text.
            if !known.0.contains(&language) || !known.1.contains(&language) {
                continue;
            }
            let of = |text: Option<&LocalizedText>| {
                same(text.and_then(|text| text.get(language)).unwrap_or_default())
            };
            let what = (
                format!("{}（{}）", what.0, language.autonym()),
                format!("{} ({language})", what.1),
            );
            self.add(about, (&what.0, &what.1), (of(before), of(after)), false);
        }
    }

    fn condition(
        &mut self,
        about: &About,
        what: (&str, &str),
        before: Option<&String>,
        after: Option<&String>,
    ) {
        if before == after {
            return;
        }
        let said = |file: &QuestionnaireFile, source: Option<&String>| {
            let Some(source) = source else { return nothing() };
            let words =
                |reader| file.condition_words(source, reader).unwrap_or_else(|| source.clone());
            LocalizedText::zh_en(words(ConsoleLanguage::Zh), words(ConsoleLanguage::En))
        };
        let both = (said(self.before, before), said(self.after, after));
        self.add(about, what, both, false);
    }

    fn questionnaire(&mut self) {
        let (before, after) = (self.before, self.after);
        let about =
            About { item: None, text: LocalizedText::zh_en("整份问卷", "questionnaire") };
        let languages = |file: &QuestionnaireFile| {
            let names: Vec<String> = file.all_languages().iter().map(Language::autonym).collect();
            LocalizedText::zh_en(names.join("、"), names.join(", "))
        };
        self.add(&about, ("语言", "languages"), (languages(before), languages(after)), false);
        self.text(&about, ("标题", "title"), Some(&before.title), Some(&after.title));
        self.text(
            &about,
            ("开头语", "introduction"),
            Some(&before.introduction),
            Some(&after.introduction),
        );
        let fields = |file: &QuestionnaireFile| same(file.list_fields.join(" "));
        self.add(&about, ("名单字段", "list fields"), (fields(before), fields(after)), false);
        self.scale(
            &about,
            ("统一标尺", "common scale"),
            before.scale.as_ref(),
            after.scale.as_ref(),
        );
    }

    fn scale(
        &mut self,
        about: &About,
        what: (&str, &str),
        before: Option<&ScaleFile>,
        after: Option<&ScaleFile>,
    ) {
        let points = |scale: Option<&ScaleFile>| {
            scale.map_or_else(nothing, |scale| same(format!("{}–{}", scale.from, scale.to)))
        };
        self.add(about, what, (points(before), points(after)), true);
        let ends = [
            (("低端", "low end"), before.map(|s| &s.low), after.map(|s| &s.low)),
            (("高端", "high end"), before.map(|s| &s.high), after.map(|s| &s.high)),
        ];
        for (end, before, after) in ends {
            let what = (format!("{}{}", what.0, end.0), format!("{}, {}", what.1, end.1));
            self.text(about, (&what.0, &what.1), before, after);
        }
    }

    fn pages(&mut self) {
        let (before, after) = (self.before, self.after);
        let count = |file: &QuestionnaireFile| same(file.pages.len().to_string());
        let about =
            About { item: None, text: LocalizedText::zh_en("整份问卷", "questionnaire") };
        self.add(&about, ("页数", "number of pages"), (count(before), count(after)), false);
        for (number, (old, new)) in before.pages.iter().zip(&after.pages).enumerate() {
            let number = number + 1;
            let text = LocalizedText::zh_en(format!("第 {number} 页"), format!("page {number}"));
            let about = About { item: None, text };
            self.text(&about, ("标题", "title"), Some(&old.title), Some(&new.title));
            self.condition(
                &about,
                ("显示条件", "shown if"),
                old.show_if.as_ref(),
                new.show_if.as_ref(),
            );
        }
    }

    fn items(&mut self) {
        let (before, after) = (self.before, self.after);
        let old = placed(before);
        let new = placed(after);
        let moved = moved(before, after);
        for (id, (page, item)) in &new.by_id {
            let about = about(item);
            let place = |page: usize| {
                LocalizedText::zh_en(format!("第 {} 页", page + 1), format!("page {}", page + 1))
            };
            let Some((old_page, old_item)) = old.by_id.get(id) else {
                let (zh, en) = kind_words(item.kind);
                let text = LocalizedText::zh_en(
                    format!("{zh}，第 {} 页", page + 1),
                    format!("{en}, page {}", page + 1),
                );
                self.add(&about, ("新增", "added"), (nothing(), text), false);
                continue;
            };
            if old_page != page {
                self.add(&about, ("移动", "moved"), (place(*old_page), place(*page)), false);
            } else if moved.contains(id) {
                let text = LocalizedText::zh_en("页内顺序改变", "in another place of its page");
                self.add(&about, ("移动", "moved"), (nothing(), text), false);
            }
            self.item(&about, old_item, item);
        }
        for (id, (page, item)) in &old.by_id {
            if !new.by_id.contains_key(id) {
                let (zh, en) = kind_words(item.kind);
                let text = LocalizedText::zh_en(
                    format!("{zh}，第 {} 页", page + 1),
                    format!("{en}, page {}", page + 1),
                );
                let breaks = item.kind != KindFile::Info;
                self.add(&about(item), ("删除", "removed"), (text, nothing()), breaks);
            }
        }
        let place = |change: &Change| {
            let item = change.item.as_deref()?;
            new.order.iter().position(|other| *other == item)
        };
        // The sort is stable: what is about no item comes first, what is removed last.
        self.found.sort_by_key(|change| match (&change.item, place(change)) {
            (None, _) => 0,
            (Some(_), Some(place)) => place + 1,
            (Some(_), None) => usize::MAX,
        });
    }

    fn item(&mut self, about: &About, old: &ItemFile, new: &ItemFile) {
        let kind = |item: &ItemFile| {
            LocalizedText::zh_en(kind_words(item.kind).0, kind_words(item.kind).1)
        };
        self.add(about, ("题型", "kind"), (kind(old), kind(new)), true);
        self.text(about, ("题目", "text"), Some(&old.text), Some(&new.text));
        self.text(about, ("访问员提示", "hint"), old.hint.as_ref(), new.hint.as_ref());
        self.text(about, ("短信版", "short text"), old.sms.as_ref(), new.sms.as_ref());
        let wrong = (old.wrong_answer.as_ref(), new.wrong_answer.as_ref());
        self.text(about, ("答案不符时的提示", "message for a wrong answer"), wrong.0, wrong.1);
        let missing = (old.missing_answer.as_ref(), new.missing_answer.as_ref());
        self.text(about, ("漏答时的提示", "message for a missing answer"), missing.0, missing.1);
        let variable = |item: &ItemFile| same(item.variable.clone().unwrap_or_default());
        self.add(about, ("变量名", "variable"), (variable(old), variable(new)), true);
        let latent = |item: &ItemFile| {
            item.latent.map_or_else(nothing, |latent| {
                LocalizedText::zh_en(latent.chinese(), latent.english())
            })
        };
        self.add(about, ("潜变量", "latent variable"), (latent(old), latent(new)), true);
        self.condition(about, ("显示条件", "asked if"), old.show_if.as_ref(), new.show_if.as_ref());
        self.condition(
            about,
            ("甄别条件", "screened out if"),
            old.screen_out_if.as_ref(),
            new.screen_out_if.as_ref(),
        );
        let flags = [
            (("必答", "required"), old.required, new.required),
            (("核心题", "core"), old.core, new.core),
            (("可选“不适用”", "«not applicable» offered"), old.not_applicable, new.not_applicable),
            (("可选“不知道”", "«don't know» offered"), old.dont_know, new.dont_know),
            (("可选“不想回答”", "«rather not say» offered"), old.refused, new.refused),
            (
                ("选项随机排列", "options in random order"),
                old.order == Order::Random,
                new.order == Order::Random,
            ),
        ];
        for (what, before, after) in flags {
            self.add(about, what, (yes_no(before), yes_no(after)), false);
        }
        let number = |number: Option<f64>| same(number.map(|n| n.to_string()).unwrap_or_default());
        let day = |day: &Option<String>| same(day.clone().unwrap_or_default());
        let limits = [
            (("最小值", "minimum"), number(old.min), number(new.min)),
            (("最大值", "maximum"), number(old.max), number(new.max)),
            (
                ("小数位数", "decimals"),
                same(old.decimals.to_string()),
                same(new.decimals.to_string()),
            ),
            (("最早日期", "first day"), day(&old.first), day(&new.first)),
            (("最晚日期", "last day"), day(&old.last), day(&new.last)),
            (
                ("字数上限", "longest text"),
                number(old.max_chars.map(|n| n as f64)),
                number(new.max_chars.map(|n| n as f64)),
            ),
        ];
        for (what, before, after) in limits {
            self.add(about, what, (before, after), false);
        }
        self.text(about, ("单位", "unit"), old.unit.as_ref(), new.unit.as_ref());
        self.scale(about, ("标尺", "scale"), old.scale.as_ref(), new.scale.as_ref());
        self.options(about, old, new);
        self.rows(about, old, new);
    }

    fn options(&mut self, about: &About, old: &ItemFile, new: &ItemFile) {
        for option in &new.options {
            let code = &option.code;
            let name = (format!("选项 {code}"), format!("option {code}"));
            match old.options.iter().find(|other| other.code == *code) {
                None => {
                    let what = (format!("新增选项 {code}"), format!("option {code} added"));
                    let both = (nothing(), whole(&option.text));
                    self.add(about, (&what.0, &what.1), both, false);
                }
                Some(other) => {
                    self.text(about, (&name.0, &name.1), Some(&other.text), Some(&option.text));
                    let what = (format!("{}互斥", name.0), format!("{} exclusive", name.1));
                    let both = (yes_no(other.exclusive), yes_no(option.exclusive));
                    self.add(about, (&what.0, &what.1), both, false);
                }
            }
        }
        for option in &old.options {
            let code = &option.code;
            if new.options.iter().all(|other| other.code != *code) {
                let what = (format!("删除选项 {code}"), format!("option {code} removed"));
                let both = (whole(&option.text), nothing());
                let is_choice = !new.options.is_empty();
                self.add(about, (&what.0, &what.1), both, is_choice);
            }
        }
        let kept = |item: &ItemFile, other: &ItemFile| {
            let is_in_both = |code: &&str| other.options.iter().any(|option| option.code == **code);
            let codes = item.options.iter().map(|option| option.code.as_str());
            codes.filter(is_in_both).collect::<Vec<&str>>().join(" ")
        };
        let both = (same(kept(old, new)), same(kept(new, old)));
        self.add(about, ("选项顺序", "order of options"), both, false);
    }

    fn rows(&mut self, about: &About, old: &ItemFile, new: &ItemFile) {
        for row in &new.rows {
            let id = &row.id;
            match old.rows.iter().find(|other| other.id == *id) {
                None => {
                    let what = (format!("新增行 {id}"), format!("row {id} added"));
                    self.add(about, (&what.0, &what.1), (nothing(), whole(&row.text)), false);
                }
                Some(other) => {
                    let what = (format!("行 {id}"), format!("row {id}"));
                    self.text(about, (&what.0, &what.1), Some(&other.text), Some(&row.text));
                    let what = (format!("行 {id} 变量名"), format!("row {id}, variable"));
                    let both = (same(other.variable.clone()), same(row.variable.clone()));
                    self.add(about, (&what.0, &what.1), both, true);
                }
            }
        }
        for row in &old.rows {
            let id = &row.id;
            if new.rows.iter().all(|other| other.id != *id) {
                let what = (format!("删除行 {id}"), format!("row {id} removed"));
                self.add(about, (&what.0, &what.1), (whole(&row.text), nothing()), true);
            }
        }
    }
}

fn about(item: &ItemFile) -> About {
    About { item: Some(item.id.clone()), text: whole(&item.text) }
}

/// The text for readers of either language.
fn whole(text: &LocalizedText) -> LocalizedText {
    LocalizedText::zh_en(text.in_language(Language::ZH), text.in_language(Language::EN))
}

struct Placed<'f> {
    order: Vec<&'f str>,
    by_id: BTreeMap<&'f str, (usize, &'f ItemFile)>,
}

fn placed(file: &QuestionnaireFile) -> Placed<'_> {
    let mut placed = Placed { order: Vec::new(), by_id: BTreeMap::new() };
    for (number, page) in file.pages.iter().enumerate() {
        for item in &page.items {
            placed.order.push(&item.id);
            placed.by_id.entry(&item.id).or_insert((number, item));
        }
    }
    placed
}

/// Returns the items that stand elsewhere in their page: those outside the longest common order.
fn moved<'f>(before: &'f QuestionnaireFile, after: &'f QuestionnaireFile) -> BTreeSet<&'f str> {
    let (old, new) = (placed(before), placed(after));
    let mut moved = BTreeSet::new();
    for page in 0..after.pages.len() {
        let in_both = |placed: &Placed<'f>, other: &Placed<'f>| -> Vec<&'f str> {
            let is_there = |id: &&&str| {
                let at = |placed: &Placed<'f>| placed.by_id.get(**id).map(|(page, _)| *page);
                at(placed) == Some(page) && at(other) == Some(page)
            };
            placed.order.iter().filter(is_there).copied().collect()
        };
        let (a, b) = (in_both(&old, &new), in_both(&new, &old));
        let kept = longest_common(&a, &b);
        moved.extend(b.into_iter().filter(|id| !kept.contains(id)));
    }
    moved
}

/// The longest sequence that both contain in this order.
fn longest_common<'f>(a: &[&'f str], b: &[&'f str]) -> BTreeSet<&'f str> {
    let mut lengths = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] = if a[i] == b[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut kept) = (0, 0, BTreeSet::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            kept.insert(a[i]);
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::edit::ItemPlace;
    use super::*;

    fn brand() -> QuestionnaireFile {
        QuestionnaireFile::read(include_str!("../../../config/questionnaires/brand.toml")).unwrap()
    }

    fn told(change: impl FnOnce(&mut QuestionnaireFile)) -> Vec<String> {
        let mut after = brand();
        change(&mut after);
        changes(&brand(), &after)
            .into_iter()
            .map(|change| {
                let mark = if change.breaks_series { "!" } else { "" };
                let item = change.item.unwrap_or_default();
                let (what, before, after) =
                    (change.what.zh(), change.before.zh(), change.after.zh());
                format!("{mark}{item} {what}: {before} -> {after}")
            })
            .collect()
    }

    #[test]
    fn what_was_done_is_told_and_nothing_else() {
        assert_eq!(told(|_| {}), Vec::<String>::new());
        assert_eq!(
            told(|file| {
                file.item_mut("sat1").unwrap().text =
                    LocalizedText::zh_en("满意吗？", "Satisfied?");
            }),
            [
                "sat1 题目（简体中文）: 总体上，您对该品牌的满意程度如何？ -> 满意吗？",
                "sat1 题目（English）: Overall, how satisfied are you with this brand? -> Satisfied?",
            ]
        );
        assert_eq!(
            told(|file| file.remove_item("open1").unwrap()),
            ["!open1 删除: 填空题，第 4 页 -> "]
        );
        assert_eq!(
            told(|file| file.step_item("img1", true).unwrap()),
            ["img1 移动:  -> 页内顺序改变"]
        );
        assert_eq!(
            told(|file| file.move_item("img1", ItemPlace { page: 1, item: 0 }).unwrap()),
            ["img1 移动: 第 1 页 -> 第 2 页"]
        );
        assert_eq!(
            told(|file| {
                let item = file.item_mut("use1").unwrap();
                item.options.remove(1);
                item.show_if = Some("sat1 >= 8".to_owned());
            }),
            [
                "use1 显示条件:  -> “总体上，您对该品牌的满意程度如何？”不低于 8",
                "!use1 删除选项 under_1_year: 半年到一年 -> ",
            ]
        );
        let pt = Language::parse("pt").unwrap();
        assert_eq!(
            told(|file| file.add_language(pt)),
            [" 语言: 简体中文、English -> 简体中文、English、Português"]
        );
    }
}
