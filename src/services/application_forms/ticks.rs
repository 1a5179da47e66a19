//! Reads which words of a cell are ticked: «□企业/机构 ☑品牌», «品牌√ 服务√», a box in a cell of its own.
//!
//! A mark stands before its word in one form and behind it in the next. Its place tells which: the
//! first or the last sign of the cell, a box for each word, or a mark that touches one word and not
//! the other. Where both readings are possible the words are doubtful, and none of them is ticked.

use crate::domain::category::Category;

use super::form::category_of;
use super::subjects::label;

/// What a cell says about its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ticks {
    pub ticked: Vec<String>,
    /// It cannot be told whether they are ticked.
    pub doubtful: Vec<String>,
    /// Whether the cell has a box or a mark.
    pub is_marked: bool,
}

/// What the words of a cell may be; a longer word before its own beginning.
pub const CATEGORIES: &[&str] = &[
    "企业/机构",
    "企业机构",
    "企业",
    "机构",
    "品牌",
    "产品",
    "工程项目",
    "工程",
    "服务项目",
    "服务",
];
pub const TITLES: &[&str] = &["用户满意标杆", "用户满意"];
pub const CONSENTS: &[&str] = &["不同意", "同意", "是", "否"];

/// The categories that are ticked, and those that may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TickedCategories {
    pub ticked: Vec<Category>,
    pub doubtful: Vec<Category>,
    /// Ticked words that are no category.
    pub unknown: Vec<String>,
    pub is_marked: bool,
}

/// Reads the categories of a cell. A cell without any mark that names some of them says so in words;
/// one that names all of them has lost its marks, or never had one.
pub fn categories(cell: &str) -> TickedCategories {
    let read = ticks(cell, CATEGORIES);
    let of = |words: &[String]| {
        let mut found: Vec<Category> =
            words.iter().filter_map(|word| category_of(&label(word))).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let ticked = of(&read.ticked);
    let mut doubtful = of(&read.doubtful);
    doubtful.retain(|category| !ticked.contains(category));
    let is_unknown = |word: &&String| category_of(&label(word)).is_none();
    TickedCategories {
        unknown: read.ticked.iter().filter(is_unknown).cloned().collect(),
        is_marked: read.is_marked,
        ticked,
        doubtful,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A box without a mark.
    Open,
    /// A box with a mark in it.
    Boxed,
    /// A filled sign, which also begins the items of a list.
    Filled,
    /// A tick without a box.
    Tick,
    Cross(Cross),
    /// It may mean yes or no.
    Unsure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cross {
    Bare,
    /// «☒», with which programs tick.
    Sign,
    /// Written into a box by hand: «(×)», «□×».
    InBox,
}

#[derive(Debug, Clone)]
struct Mark {
    kind: Kind,
    /// Whether it touches what stands before and behind it.
    touches: (bool, bool),
}

/// The words of a cell, and the marks in the gaps before, between and behind them.
#[derive(Debug, Default)]
struct Cell {
    words: Vec<String>,
    gaps: Vec<Vec<Mark>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    Behind,
}

/// Reads the ticks of a cell whose words are these, or others.
pub fn ticks(cell: &str, words: &[&str]) -> Ticks {
    // What explains the boxes is none of them.
    let cut = ["说明", "注：", "注:", "※"].iter().filter_map(|word| cell.find(word)).min();
    let cut = cut.into_iter().chain(cell.find('*').filter(|at| !is_in_brackets(cell, *at))).min();
    let mut cell = split(&cell[..cut.unwrap_or(cell.len())], words);
    let all = cell.gaps.iter().flatten().map(|mark| mark.kind).collect::<Vec<_>>();
    let has = |wanted: fn(&Kind) -> bool| all.iter().any(wanted);
    let has_tick = has(|kind| matches!(kind, Kind::Tick | Kind::Boxed | Kind::Filled));
    let has_open = has(|kind| *kind == Kind::Open);
    for mark in cell.gaps.iter_mut().flatten() {
        if let Kind::Cross(cross) = mark.kind {
            mark.kind = match (cross, has_tick, has_open) {
                // «√品牌 ×服务»: a tick for yes, a cross for no.
                (Cross::Bare, true, _) => Kind::Open,
                (Cross::Bare, false, false) => Kind::Unsure,
                (Cross::Sign, true, false) | (Cross::InBox, true, _) => Kind::Unsure,
                _ => Kind::Boxed,
            };
        }
    }
    // «●企业 ●品牌 ●产品»: the signs of a list, or all of them.
    let filled = all.iter().filter(|kind| **kind == Kind::Filled).count();
    let mut is_doubtful = filled > 2 && filled == all.len() && filled >= cell.words.len();
    // «□品牌 产品 ☑ □ □»: boxes that have come away from their words.
    is_doubtful |= cell.gaps.iter().any(|gap| {
        gap.iter().filter(|mark| !matches!(mark.kind, Kind::Tick | Kind::Unsure)).count() > 1
    });
    let mut read = Ticks { is_marked: !all.is_empty(), ..Ticks::default() };
    if all.is_empty() {
        let is_entry = |named: &[&str]| !cell.words.is_empty() && cell.words.len() < named.len();
        if is_known_choice(&cell.words, words) && is_entry(&distinct(words)) {
            read.ticked = cell.words;
        } else {
            read.doubtful = cell.words;
        }
        return read;
    }
    let (mut ticked, mut doubtful) = cell.bind();
    if is_doubtful {
        doubtful.append(&mut ticked);
    }
    for (place, word) in cell.words.into_iter().enumerate() {
        if ticked.contains(&place) {
            read.ticked.push(word);
        } else if doubtful.contains(&place) {
            read.doubtful.push(word);
        }
    }
    read
}

fn is_in_brackets(cell: &str, at: usize) -> bool {
    cell[..at].trim_end().ends_with(['[', '(', '（', '［', '【'])
}

/// The choices that words stand for: «企业» and «企业/机构» are one.
fn distinct<'a>(words: &[&'a str]) -> Vec<&'a str> {
    match words {
        CATEGORIES => vec!["企业/机构", "品牌", "产品", "工程", "服务"],
        CONSENTS => vec!["是", "否"],
        _ => words.to_vec(),
    }
}

fn is_known_choice(found: &[String], words: &[&str]) -> bool {
    found.iter().all(|word| words.contains(&word.as_str()))
}

impl Cell {
    /// Returns the places of the words that are ticked, and of those that may be.
    fn bind(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut ticked, mut doubtful) = (Vec::new(), Vec::new());
        let is_box = |mark: &Mark| mark.kind != Kind::Tick;
        let has_boxes = self.marks().any(|(_, mark)| is_box(mark));
        let side = self.side_of(|mark| !has_boxes || is_box(mark));
        for (gap, marks) in self.gaps.iter().enumerate() {
            let has_box = marks.iter().any(is_box);
            for mark in marks.iter().filter(|mark| mark.kind != Kind::Open) {
                let before = gap.checked_sub(1);
                let behind = Some(gap).filter(|place| *place < self.words.len());
                let only = match mark.touches {
                    (true, false) => before,
                    (false, true) => behind,
                    _ => None,
                };
                let place = match (before, behind) {
                    (None, place) | (place, None) => place,
                    // A tick beside the box of the other word.
                    (Some(_), Some(_)) if has_boxes && !is_box(mark) && has_box => only,
                    (Some(_), Some(_)) if has_boxes && !is_box(mark) => only.or(match side {
                        Some(Side::Before) => behind,
                        Some(Side::Behind) => before,
                        None => None,
                    }),
                    (Some(_), Some(_)) => match side {
                        Some(Side::Before) => behind,
                        Some(Side::Behind) => before,
                        None => only,
                    },
                };
                match place {
                    Some(place) if mark.kind == Kind::Unsure => doubtful.push(place),
                    Some(place) => ticked.push(place),
                    None => doubtful.extend(before.into_iter().chain(behind)),
                }
            }
        }
        doubtful.retain(|place| !ticked.contains(place));
        (ticked, doubtful)
    }

    fn marks(&self) -> impl Iterator<Item = (usize, &Mark)> {
        self.gaps.iter().enumerate().flat_map(|(gap, marks)| marks.iter().map(move |m| (gap, m)))
    }

    /// On which side of their words the marks stand: the first or the last sign of the cell tells it,
    /// or else what they touch. `None`: they do not agree.
    fn side_of(&self, is_meant: impl Fn(&Mark) -> bool) -> Option<Side> {
        let marks = || self.marks().filter(|(_, mark)| is_meant(mark));
        let is_at = |place: usize| marks().any(|(gap, _)| gap == place);
        let (first, last) = (is_at(0), is_at(self.words.len()));
        match (first, last) {
            (true, false) => return Some(Side::Before),
            (false, true) => return Some(Side::Behind),
            (true, true) => return None,
            (false, false) => {}
        }
        let touching = |wanted: (bool, bool)| marks().any(|(_, mark)| mark.touches == wanted);
        match (touching((true, false)), touching((false, true))) {
            (true, false) => Some(Side::Behind),
            (false, true) => Some(Side::Before),
            _ => None,
        }
    }
}

/// Splits a cell into its words and marks.
fn split(cell: &str, words: &[&str]) -> Cell {
    let mut found = Cell { words: Vec::new(), gaps: vec![Vec::new()] };
    let (mut open, mut rest) = (String::new(), cell);
    // Whether the last sign was a part of a word.
    let mut touches_word = false;
    while let Some(c) = rest.chars().next() {
        if let Some((kind, length)) = mark_at(rest, cell.len() - rest.len(), cell) {
            found.end_word(&mut open);
            rest = &rest[length..];
            let is_blank = |c: char| c.is_whitespace() || "，,、；;/|".contains(c);
            let behind = rest.chars().next().is_some_and(|c| !is_blank(c));
            let mark = Mark { kind, touches: (touches_word, behind) };
            if let Some(gap) = found.gaps.last_mut() {
                add_mark(gap, mark);
            }
            touches_word = false;
            continue;
        }
        // «1.品牌», «①品牌».
        let is_free = !open.chars().any(char::is_alphabetic);
        if is_free && let Some((word, length)) = word_at(rest, words) {
            open.clear();
            found.words.push(word.to_owned());
            found.gaps.push(Vec::new());
            rest = &rest[length..];
            // «产品类», «工程（含装修）».
            rest = rest.strip_prefix("类别").or(rest.strip_prefix('类')).unwrap_or(rest);
            rest = after_remark(rest).unwrap_or(rest);
            touches_word = true;
            continue;
        }
        if is_free && let Some(after) = after_remark(rest) {
            rest = after;
            continue;
        }
        if c.is_whitespace() || "，,、；;|".contains(c) {
            found.end_word(&mut open);
            touches_word = false;
        } else {
            open.push(c);
            touches_word = true;
        }
        rest = &rest[c.len_utf8()..];
    }
    found.end_word(&mut open);
    found
}

/// What follows a remark in brackets, if a text begins with one.
fn after_remark(text: &str) -> Option<&str> {
    let inner = text.strip_prefix(['（', '('])?;
    Some(inner.split_once(['）', ')'])?.1)
}

/// Adds a mark to those of its gap; a tick beside an empty box is that box, ticked by hand.
fn add_mark(gap: &mut Vec<Mark>, mark: Mark) {
    let Some(last) = gap.last_mut() else {
        gap.push(mark);
        return;
    };
    let is_beside = last.touches.1;
    let is_one = match (last.kind, mark.kind) {
        (Kind::Open, Kind::Tick | Kind::Cross(Cross::Bare)) => is_beside,
        // In «品牌√□产品» it may be the word's.
        (Kind::Tick | Kind::Cross(Cross::Bare), Kind::Open) => is_beside && !last.touches.0,
        _ => false,
    };
    if !is_one {
        gap.push(mark);
        return;
    }
    let is_cross = [last.kind, mark.kind].contains(&Kind::Cross(Cross::Bare));
    let kind = if is_cross { Kind::Cross(Cross::InBox) } else { Kind::Boxed };
    *last = Mark { kind, touches: (last.touches.0, mark.touches.1) };
}

impl Cell {
    fn end_word(&mut self, open: &mut String) {
        let word = std::mem::take(open);
        // «申请：□企业»; blanks to fill in and single signs are no words.
        let is_word = word.chars().any(char::is_alphanumeric) && !word.ends_with(['：', ':']);
        if is_word {
            self.words.push(word);
            self.gaps.push(Vec::new());
        }
    }
}

/// A word at the beginning of a text, whose signs may stand apart («品  牌»), and its length in bytes.
fn word_at<'a>(text: &str, words: &[&'a str]) -> Option<(&'a str, usize)> {
    words.iter().find_map(|word| {
        let mut rest = text;
        for c in word.chars() {
            // One sign alone has nothing to stand apart from.
            if rest.len() < text.len() {
                rest = rest.trim_start_matches([' ', '\u{3000}', '\u{a0}']);
            }
            rest = rest.strip_prefix(c).or(rest.strip_prefix('／').filter(|_| c == '/'))?;
        }
        Some((*word, text.len() - rest.len()))
    })
}

const OPEN: [&str; 10] = ["□", "☐", "○", "◯", "▢", "◻", "🗆", "❑", "¨", "£"];
const BOXED: [&str; 6] = ["☑", "✅", "▣", "🗹", "🗸", "þ"];
const FILLED: [&str; 5] = ["■", "●", "◉", "◼", "⬛"];
const TICK: [&str; 5] = ["√", "✓", "✔", "✅", "ü"];
const CROSS: [&str; 6] = ["×", "✗", "✕", "✘", "✖", "╳"];
const CROSS_BOXED: [&str; 5] = ["☒", "⊠", "🗵", "🗷", "ý"];

/// A mark at the beginning of a text, which stands at `at` of its cell, and its length in bytes.
fn mark_at(text: &str, at: usize, cell: &str) -> Option<(Kind, usize)> {
    let sign = |signs: &[&str]| signs.iter().find(|sign| text.starts_with(**sign)).map(|s| s.len());
    let kinds: [(&[&str], Kind); 6] = [
        (&OPEN, Kind::Open),
        (&BOXED, Kind::Boxed),
        (&FILLED, Kind::Filled),
        (&TICK, Kind::Tick),
        (&CROSS, Kind::Cross(Cross::Bare)),
        (&CROSS_BOXED, Kind::Cross(Cross::Sign)),
    ];
    if let Some(found) = kinds.iter().find_map(|(signs, kind)| Some((*kind, sign(signs)?))) {
        return Some(found);
    }
    for (open, close) in [("[", "]"), ("［", "］"), ("【", "】"), ("(", ")"), ("（", "）")] {
        let Some(rest) = text.strip_prefix(open) else { continue };
        let Some((inside, _)) = rest.split_once(close) else { continue };
        let mark = inside.trim();
        if inside.chars().count() > 5 {
            continue;
        }
        let length = open.len() + inside.len() + close.len();
        let kind = match mark {
            "" => Kind::Open,
            "x" | "X" | "v" | "V" | "*" | "Y" | "y" => Kind::Boxed,
            mark if TICK.contains(&mark) || BOXED.contains(&mark) || FILLED.contains(&mark) => {
                Kind::Boxed
            }
            mark if OPEN.contains(&mark) => Kind::Open,
            mark if CROSS.contains(&mark) || CROSS_BOXED.contains(&mark) => {
                Kind::Cross(Cross::InBox)
            }
            _ => continue,
        };
        return Some((kind, length));
    }
    // Letters that stand for signs: those on the keyboard, and those that a font of signs left behind
    // («R» of Wingdings 2 is a ticked box). Beside another letter they are a word's.
    let mut chars = text.chars();
    let kind = match chars.next()? {
        'V' | 'v' | 'ν' => Kind::Tick,
        'R' => Kind::Boxed,
        'X' | 'x' => Kind::Cross(Cross::Bare),
        _ => return None,
    };
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_alone = !is_letter(chars.next()) && !is_letter(cell[..at].chars().next_back());
    is_alone.then_some((kind, 1.max(text.chars().next().map_or(1, char::len_utf8))))
}

/// Whether a text has a box or a mark.
pub fn is_marked(text: &str) -> bool {
    ticks(text, CATEGORIES).is_marked
}

/// Whether a cell has marks and no words.
pub fn is_only_marks(text: &str) -> bool {
    let cell = split(text, CATEGORIES);
    cell.words.is_empty() && cell.gaps.iter().any(|gap| !gap.is_empty())
}

/// Whether a cell names known words, and nothing but marks beside them.
pub fn is_choice(text: &str, words: &[&str]) -> bool {
    let cell = split(text, words);
    !cell.words.is_empty() && is_known_choice(&cell.words, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(cell: &str) -> String {
        let read = categories(cell);
        let names = |all: &[Category]| {
            all.iter().map(|category| category.as_str()).collect::<Vec<_>>().join(" ")
        };
        match read.doubtful.as_slice() {
            [] => names(&read.ticked),
            doubtful => format!("{} ? {}", names(&read.ticked), names(doubtful)).trim().to_owned(),
        }
    }

    /// python-docx#998: the box behind its word.
    #[test]
    fn every_way_to_tick_a_box_is_read() {
        for (cell, expected) in [
            (
                "√企业/机构  □品牌  □产品  ☑工程  □服务*说明：1、申请企业/机构可多选",
                "organisation project",
            ),
            ("[ ]企业/机构  [ ]品牌  [√]产品  [ ]工程  [ ]服务", "product"),
            ("□企业/机构  □品牌  □产品  ☒工程  ☑服务", "project service"),
            ("■企业 □品牌", "organisation"),
            ("□企业/机构 □√品牌 □产品", "brand"),
            ("□企业/机构 √□品牌", "brand"),
            ("（√）企业/机构 （ ）品牌 （x）服务", "organisation service"),
            ("企业/机构☑ 品牌□ 产品☑", "organisation product"),
            ("企业/机构[ ] 品牌[x]", "brand"),
            ("□企业/机构 □品牌", ""),
            ("", ""),
            // The same in other hands.
            ("□ 企业/机构 □ 品  牌 ☑ 产  品", "product"),
            ("企业/机构 □ 品牌 ☑ 产品 □ 工程 □ 服务 ☑", "brand service"),
            ("【√】品牌 【 】产品", "brand"),
            ("●品牌 ○产品", "brand"),
            ("□企业类 ☑品牌类 □产品类（含农产品）", "brand"),
            ("产品（含农产品）☑ 工程□", "product"),
            ("□企业/机构 √品牌 □产品 □工程 √服务", "brand service"),
            ("□企业/机构 □品牌√ □产品 □工程 □服务√", "brand service"),
            ("品牌□√ 产品□", "brand"),
            ("√ □品牌 □产品", "brand"),
        ] {
            assert_eq!(told(cell), expected, "{cell}");
        }
    }

    /// vue-office#40, python-docx#826, go-docx#14: a font of signs leaves letters behind.
    #[test]
    fn letters_that_stand_for_signs_are_signs() {
        for (cell, expected) in [
            ("R品牌 £产品 £工程", "brand"),
            ("¨企业/机构 þ品牌 ¨产品", "brand"),
            ("□企业/机构 V品牌 □产品 v服务", "brand service"),
            ("□企业/机构 X品牌 □产品", "brand"),
            ("[V]品牌 [ ]产品", "brand"),
        ] {
            assert_eq!(told(cell), expected, "{cell}");
        }
        assert_eq!(ticks("□LV品牌 □产品", CATEGORIES).ticked, Vec::<String>::new());
    }

    #[test]
    fn a_bare_tick_belongs_to_the_word_that_its_place_tells() {
        for (cell, expected) in [
            ("企业/机构 √品牌 产品 工程 √服务", "brand service"),
            ("企业/机构、√品牌、产品、工程、√服务", "brand service"),
            ("企业/机构 品牌√ 产品 工程 服务√", "brand service"),
            ("企业/机构、品牌√、产品、工程、服务√", "brand service"),
            ("企业/机构 品牌√ 产品 工程 服务", "brand"),
            ("√企业/机构 品牌 产品", "organisation"),
            ("企业/机构√品牌产品工程服务√", "organisation service"),
            ("√企业/机构√品牌 产品 工程 服务", "organisation brand"),
            ("企业 √ 品牌 产品 √ 工程 服务 √", "organisation product service"),
            ("×企业/机构 √品牌 ×产品 ×工程 √服务", "brand service"),
            ("企业/机构× 品牌√ 产品×", "brand"),
            ("√企业/机构 √品牌 √产品 √工程 √服务", "organisation brand product project service"),
            ("√品牌 产品 服务√", "brand service"),
        ] {
            assert_eq!(told(cell), expected, "{cell}");
        }
    }

    #[test]
    fn where_both_readings_are_possible_nothing_is_ticked() {
        for (cell, expected) in [
            ("企业/机构 √ 品牌 产品 工程 服务", "? organisation brand"),
            ("企业/机构√品牌产品工程服务", "? organisation brand"),
            ("企业/机构 ×品牌 产品 工程 服务", "? brand"),
            ("（√）企业/机构 （×）品牌 （ ）产品", "organisation ? brand"),
            ("☒企业/机构 ☑品牌", "brand ? organisation"),
            ("□企业/机构 □品牌√□产品 □工程", "? brand product"),
            ("●企业/机构 ●品牌 ●产品 ●工程 ●服务", "? organisation brand product project service"),
            ("企业/机构 品牌 产品 工程 服务", "? organisation brand product project service"),
            ("□企业/机构 品牌 产品 工程 服务 ■ ☑  □  □", "? service"),
            // Written out.
            ("品牌、服务", "brand service"),
            ("产品类", "product"),
        ] {
            assert_eq!(told(cell), expected, "{cell}");
        }
        assert_eq!(categories("□品牌 ☑其他").unknown, ["其他"]);
    }

    #[test]
    fn titles_and_consents_are_read_alike() {
        let ticked = |cell, words: &[&str]| ticks(cell, words).ticked.join(" ");
        assert_eq!(ticked("[√]用户满意  [ ]用户满意标杆", TITLES), "用户满意");
        assert_eq!(ticked("用户满意 用户满意标杆√", TITLES), "用户满意标杆");
        assert_eq!(ticked("□用户满意 ☑AAA级用户满意企业", TITLES), "AAA级用户满意企业");
        assert_eq!(ticked("☑是 □否", CONSENTS), "是");
        assert_eq!(ticked("是√ 否", CONSENTS), "是");
        assert_eq!(ticked("√是 否", CONSENTS), "是");
        assert_eq!(ticked("是", CONSENTS), "是");
        assert_eq!(ticked("是 否", CONSENTS), "");
        assert_eq!(ticked("□是 □否", CONSENTS), "");
    }
}
