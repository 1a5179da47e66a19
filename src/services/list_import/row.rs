//! Reads one row into one person, or returns the reason why it is rejected.

use std::collections::BTreeMap;

use phonenumber::country;
use unicode_normalization::UnicodeNormalization;

use super::header_words::region_of;
use super::headers::{ColumnLayout, ListColumn};
use super::numbers::{preferred, read_cell_of};
use super::report::{ImportFinding, RowDecision, RowReason};
use super::table::TableRow;
use crate::domain::language::Language;
use crate::domain::person::Person;
use crate::domain::personal::{Personal, masked};
use crate::domain::phone::{Phone, PhoneError, PhoneKind};
use crate::domain::segment::Segment;

/// A valid row.
#[derive(Debug, Clone)]
pub struct ListedRow {
    pub phone: Phone,
    pub person: Person,
    pub segment: Segment,
    pub language: Language,
    /// The other list fields that applications use.
    pub fields: BTreeMap<String, String>,
}

/// A longer cell is cut: it is not a name.
const MAX_CELL_CHARS: usize = 200;
/// A list field is a value that many people share, so it is short.
const MAX_FIELD_CHARS: usize = 40;

fn read_list_field(cell: Option<&String>) -> String {
    cell.map(|cell| cell.trim().chars().filter(|c| !c.is_control()).take(MAX_FIELD_CHARS).collect())
        .unwrap_or_default()
}

/// What a row is.
pub enum ReadRow {
    Person(Box<ListedRow>),
    /// A total, a signature, a heading.
    NoPerson,
}

/// Reads a row, with what there is to note about it. A mobile number is preferred in whichever column
/// it is; a fixed line and further numbers are kept for calls. `is_rounded`: numbers that end in
/// zeros have lost digits.
pub fn read_row(
    row: &TableRow,
    layout: &ColumnLayout,
    region: country::Id,
    is_rounded: bool,
) -> (Result<ReadRow, ImportFinding>, Vec<ImportFinding>) {
    let place = |column: ListColumn| layout.columns.get(&column).and_then(|p| p.first()).copied();
    let at = |place: usize| row.cells.get(place).map(|cell| cell.trim()).unwrap_or_default();
    let cell = |column: ListColumn| place(column).map(at).unwrap_or_default();
    let text = |column: ListColumn| {
        Personal::new(cell(column).chars().take(MAX_CELL_CHARS).collect::<String>())
    };
    let mut notes = Vec::new();
    let finding = |place: Option<usize>, value: &str, decision, reason| {
        let label = place.map(|place| layout.place_label(place)).unwrap_or_default();
        ImportFinding::new(row.number, label, masked(value), decision, reason).at(place)
    };
    let (mut phones, mut problem, mut has_several) = (Vec::new(), None, false);
    let of_row = layout.region_column.and_then(|place| region_of_cell(at(place)));
    for (_, place) in layout.number_columns() {
        let of = layout.regions.get(&place).copied().or(of_row);
        let read = read_cell_of(at(place), region, of);
        if let Some(error) = read.problem {
            problem.get_or_insert((place, error));
        }
        if read.is_extracted {
            let reason = RowReason::NumberAmongWords;
            notes.push(finding(Some(place), at(place), RowDecision::AcceptedWithNotice, reason));
        }
        if read.has_unread {
            let reason = RowReason::PartNotRead;
            notes.push(finding(Some(place), at(place), RowDecision::AcceptedWithNotice, reason));
        }
        has_several |= read.phones.len() > 1;
        for phone in read.phones {
            if !phones.iter().any(|(_, known)| *known == phone) {
                phones.push((place, phone));
            }
        }
    }
    let all: Vec<Phone> = phones.iter().map(|(_, phone)| phone.clone()).collect();
    let Some(chosen) = preferred(&all) else {
        if is_no_person(row, layout) {
            return (Ok(ReadRow::NoPerson), Vec::new());
        }
        let first = layout.number_columns().next().map(|(_, place)| place);
        let (place, error) = problem.map_or((first, PhoneError::Empty), |(p, e)| (Some(p), e));
        let value = place.map(at).unwrap_or_default();
        let rejected = finding(place, value, RowDecision::Rejected, error.into());
        return (Err(rejected), Vec::new());
    };
    if is_signature(row, layout) {
        return (Ok(ReadRow::NoPerson), Vec::new());
    }
    let (used, phone) = phones.swap_remove(chosen);
    if is_rounded && ends_in_zeros(&phone) {
        let rejected = finding(Some(used), phone.e164(), RowDecision::Rejected, RowReason::Rounded);
        return (Err(rejected), Vec::new());
    }
    let others: Vec<String> = all
        .iter()
        .filter(|other| **other != phone)
        .take(MAX_OTHER_NUMBERS)
        .map(|other| other.stored().into_owned())
        .collect();
    // A column of its own for a further number is nothing to be told.
    if has_several && !others.is_empty() {
        let reason = RowReason::OtherNumbers(others.len());
        notes.push(finding(Some(used), phone.e164(), RowDecision::AcceptedWithNotice, reason));
    }
    let listed = ListedRow {
        phone,
        person: Person {
            name: text(ListColumn::Name),
            organisation: text(ListColumn::Organisation),
            job_title: text(ListColumn::JobTitle),
            email: text(ListColumn::Email),
            remark: text(ListColumn::Remark),
            salutation: text(ListColumn::Salutation),
            other_numbers: Personal::new(others.join("\n")),
            address: text(ListColumn::Address),
        },
        segment: Segment::parse(cell(ListColumn::Segment)),
        language: Language::parse(cell(ListColumn::Language)).unwrap_or_default(),
        fields: layout
            .fields
            .iter()
            .map(|(name, &at)| (name.clone(), read_list_field(row.cells.get(at))))
            .collect(),
    };
    (Ok(ReadRow::Person(Box::new(listed))), notes)
}

/// Numbers of a person beside the one that is used.
const MAX_OTHER_NUMBERS: usize = 5;

/// Whether a mobile ends in the zeros that a rounded number has.
pub fn ends_in_zeros(phone: &Phone) -> bool {
    phone.kind() == PhoneKind::Mobile && phone.e164().ends_with("000")
}

/// With which a line below a list begins.
const FOOTERS: [&str; 26] = [
    "合计",
    "总计",
    "小计",
    "共计",
    "总数",
    "总人数",
    "人数",
    "填表人",
    "填表日期",
    "填报人",
    "填报日期",
    "制表",
    "审核",
    "经办人",
    "负责人",
    "签字",
    "签名",
    "签章",
    "盖章",
    "单位盖章",
    "日期",
    "注:",
    "说明:",
    "total",
    "sum",
    "signature",
];

/// Those who fill in and sign a list; the first need no colon to be known.
const SIGNERS: [&str; 22] = [
    "填表人",
    "填报人",
    "填写人",
    "制表人",
    "经办人",
    "审核人",
    "复核人",
    "报送人",
    "上报人",
    "录入人",
    "统计人",
    "制表",
    "审核",
    "复核",
    "经办",
    "单位负责人",
    "部门负责人",
    "负责人",
    "联系人",
    "联系电话",
    "填表单位",
    "填报单位",
];
/// How many of [`SIGNERS`] are known alone.
const CERTAIN_SIGNERS: usize = 11;

/// Whether a row with a number is the line of whoever filled the list in: «填表人：张三 | 139…»,
/// «填表人 | 张三 | 联系电话 | 139…».
fn is_signature(row: &TableRow, layout: &ColumnLayout) -> bool {
    let filled = || row.cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
    // A number may stand before it.
    let is_count = |cell: &&str| cell.chars().all(|c| c.is_ascii_digit() || c == '.');
    let Some(first) = filled().find(|cell| !is_count(cell) || cell.len() > 4) else { return false };
    let Some(place) = SIGNERS.iter().position(|word| first.starts_with(word)) else { return false };
    // «经办人签字», «填表人（签名）»
    let rest = first[SIGNERS[place].len()..].trim_start();
    let rest =
        rest.trim_start_matches("姓名").trim_start_matches("签字").trim_start_matches("签名");
    // «填表单位（盖章）：»
    let after_bracket = match rest.strip_prefix(['(', '（']) {
        Some(inner) => inner.split_once([')', '）']).map_or("", |(_, after)| after.trim_start()),
        None => rest,
    };
    let has_colon = after_bracket.starts_with([':', '：']);
    let is_alone = rest.is_empty() || rest.starts_with(['(', '（']);
    // «联系电话：» in a cell of its own, or with its number.
    let is_label = |cell: &str| {
        let folded: String = cell.nfkc().filter(|c| !c.is_whitespace()).collect();
        let word = folded.split(':').next().unwrap_or_default();
        const LABELS: [&str; 8] =
            ["联系电话", "电话", "手机", "手机号", "手机号码", "联系方式", "日期", "填表日期"];
        LABELS.contains(&word)
    };
    let has_label = || filled().any(is_label) && !layout.repeats_header(row);
    let is_certain = place < CERTAIN_SIGNERS;
    let by_colon = has_colon && SIGNERS[place] != "联系人";
    // «经办人» as a name is a person whose name nobody wrote down.
    let has_name = || filled().filter(|cell| !is_count(cell)).count() >= 2;
    by_colon || (is_alone && is_certain && has_name()) || ((has_colon || is_alone) && has_label())
}

/// The region that a cell of a column for regions names: «香港», «+852», «HK».
fn region_of_cell(cell: &str) -> Option<country::Id> {
    let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
    match digits.trim_start_matches('0') {
        "852" => Some(country::HK),
        "853" => Some(country::MO),
        "886" => Some(country::TW),
        _ => region_of(cell),
    }
}

/// What begins names of people who stand in one cell, and what does not.
const TITLES: [&str; 12] = [
    "经理",
    "总经理",
    "主任",
    "厂长",
    "院长",
    "处长",
    "科长",
    "董事长",
    "先生",
    "女士",
    "小姐",
    "老师",
];

/// What one row holds.
pub enum RowPeople {
    One,
    /// Several people, each with a row of its own.
    Several(Vec<TableRow>),
    /// Names and numbers whose counts differ: whose is whose nobody can tell.
    Unclear {
        place: usize,
        names: usize,
        numbers: usize,
    },
}

/// Parts a row whose cell of names holds several people, as many as the cell of numbers.
pub fn people_of_row(row: &TableRow, layout: &ColumnLayout, region: country::Id) -> RowPeople {
    const BETWEEN: [char; 10] = ['\n', '、', '/', '／', ',', '，', ';', '；', '|', '｜'];
    let Some(&name_place) = layout.columns.get(&ListColumn::Name).and_then(|p| p.first()) else {
        return RowPeople::One;
    };
    let names = row.cells.get(name_place).map(|cell| cell.trim()).unwrap_or_default();
    // Blanks stand in names as well («王 小明»): only between whole names, each with its mobile.
    let is_whole = |name: &str| {
        (2..=3).contains(&name.chars().count())
            && name.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
    };
    let by_blanks = !names.contains(BETWEEN);
    if by_blanks
        && (!names.contains(char::is_whitespace) || !names.split_whitespace().all(is_whole))
    {
        return RowPeople::One;
    }
    let names: Vec<&str> = match by_blanks {
        true => names.split_whitespace().collect(),
        false => names.split(BETWEEN).map(str::trim).filter(|name| !name.is_empty()).collect(),
    };
    let is_name = |name: &&str| {
        (2..=20).contains(&name.chars().count())
            && !name.chars().any(char::is_numeric)
            && !TITLES.contains(name)
    };
    if names.len() < 2 || !names.iter().all(is_name) {
        return RowPeople::One;
    }
    let phones_at = |place: usize| {
        let cell = row.cells.get(place).map(String::as_str).unwrap_or_default();
        read_cell_of(cell, region, layout.regions.get(&place).copied()).phones
    };
    let columns: Vec<(usize, Vec<Phone>)> =
        layout.number_columns().map(|(_, place)| (place, phones_at(place))).collect();
    let Some((place, phones)) = columns.iter().find(|(_, phones)| phones.len() > 1) else {
        return RowPeople::One;
    };
    let is_mobile = |phone: &Phone| phone.kind() == PhoneKind::Mobile;
    if by_blanks && (phones.len() != names.len() || !phones.iter().all(is_mobile)) {
        return RowPeople::One;
    }
    if phones.len() != names.len() {
        let (names, numbers) = (names.len(), phones.len());
        return RowPeople::Unclear { place: *place, names, numbers };
    }
    let person = |at: usize| {
        let mut cells = row.cells.clone();
        for (place, cell) in cells.iter_mut().enumerate() {
            let lines: Vec<&str> = cell.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
            let of_place = columns.iter().find(|(known, _)| *known == place);
            *cell = match of_place {
                _ if place == name_place => names[at].to_owned(),
                Some((_, phones)) if phones.len() == names.len() => {
                    phones[at].stored().into_owned()
                }
                None if lines.len() == names.len() => lines[at].to_owned(),
                _ => continue,
            };
        }
        TableRow { number: row.number, cells }
    };
    RowPeople::Several((0..names.len()).map(person).collect())
}

/// What an example begins with, in a cell of its own.
const EXAMPLES: [&str; 6] = ["示例", "样例", "举例", "例", "例如", "example"];

/// Whether a row without a number is no person: the header again, an example, nothing in any column of a person,
/// or a line as it stands below a list.
fn is_no_person(row: &TableRow, layout: &ColumnLayout) -> bool {
    const OF_A_PERSON: [ListColumn; 6] = [
        ListColumn::Name,
        ListColumn::Organisation,
        ListColumn::JobTitle,
        ListColumn::Mobile,
        ListColumn::Phone,
        ListColumn::Email,
    ];
    let is_filled = |place: &usize| row.cells.get(*place).is_some_and(|c| !c.trim().is_empty());
    let places = OF_A_PERSON.iter().filter_map(|column| layout.columns.get(column)).flatten();
    let is_footer = |cell: &String| {
        let folded: String = cell.trim().nfkc().collect::<String>().to_lowercase();
        let bare: String = folded.chars().filter(|c| !c.is_whitespace()).collect();
        let is_count = bare.starts_with('共') && bare.chars().any(|c| c.is_numeric());
        let begins_with = |word: &&str| {
            // «sum» begins «Sum: 12» and no «Summer».
            let goes_on = |c: char| word.is_ascii() && c.is_alphabetic();
            let text = if word.is_ascii() { folded.as_str() } else { bare.as_str() };
            text.strip_prefix(*word).is_some_and(|rest| !rest.starts_with(goes_on))
        };
        let is_example = EXAMPLES.contains(&bare.trim_end_matches([':', '.']));
        is_count || is_example || bare.contains("(盖章") || FOOTERS.iter().any(begins_with)
    };
    layout.repeats_header(row)
        || (!layout.headers.is_empty() && !places.into_iter().any(is_filled))
        || row.cells.iter().find(|cell| !cell.trim().is_empty()).is_some_and(is_footer)
}
