//! Finds the lists of people in a file: which of its tables they are, and their columns.

use std::collections::BTreeMap;
use std::ops::Range;

use encoding_rs::Encoding;
use phonenumber::country;

use super::header_words::recognize_column;
use super::headers::{ColumnLayout, ListColumn, header_key};
use super::numbers::{preferred, read_cell, read_cell_of};
use super::report::{ImportFinding, ListNote, RowDecision, RowReason};
use super::row::ends_in_zeros;
use super::source::ListSource;
use super::table::{OpenTable, ReadOptions, TableError, TableRow, TableRows, open_tables};
use crate::domain::category::Category;
use crate::domain::phone::Phone;

/// The number of first rows in which the header is searched; in a list without one, columns are
/// detected from them.
const SAMPLE_ROWS: usize = 1_000;
/// Numbers with the same zeros at the end that are no chance, and their share of a list's.
const LEAST_ROUNDED: usize = 3;
const LEAST_ROUNDED_SHARE: usize = 5;

/// What somebody has said about a list; all else is found.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    pub read: ReadOptions,
    /// The number of the row that names the columns, as its program shows it.
    pub header_row: Option<u32>,
    /// The places of columns, from 0.
    pub columns: BTreeMap<ListColumn, Vec<usize>>,
}

/// What is wrong with what somebody said about a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "list_options.", serialize_all = "snake_case")]
pub enum ListOptionError {
    #[error("{0:?} is no encoding that is known; use utf-8, gb18030, gbk, big5 or utf-16le")]
    Encoding(String),
    #[error(
        "{given:?} names no column; write COLUMN=PLACE, such as mobile=3 or mobile=C; columns: {known}"
    )]
    Column { given: String, known: String },
    #[error("{0:?} is no row number; write rows such as 3,8,10-20")]
    Rows(String),
    #[error(
        "the file has several lists, and rows of each may have the same number; say which one is \
            meant (--sheet), or draw at random (--draw)"
    )]
    RowsOfSeveralLists,
    #[error("the header row is a number from 1, as the spreadsheet program shows it")]
    HeaderRow,
}

impl ListOptions {
    /// Reads the options of the command line, the API and the console. `columns` are such as
    /// `mobile=3` or `mobile=C`; a column that is named twice has two places.
    pub fn parse(
        encoding: Option<&str>,
        sheet: Option<&str>,
        header_row: Option<u32>,
        columns: &[String],
    ) -> Result<ListOptions, ListOptionError> {
        let encoding = encoding
            .map(|label| {
                Encoding::for_label(label.trim().as_bytes())
                    .ok_or_else(|| ListOptionError::Encoding(label.to_owned()))
            })
            .transpose()?;
        if header_row == Some(0) {
            return Err(ListOptionError::HeaderRow);
        }
        let mut options = ListOptions {
            read: ReadOptions {
                encoding,
                sheet: sheet.map(str::to_owned),
                ..ReadOptions::default()
            },
            header_row,
            columns: BTreeMap::new(),
        };
        for given in columns.iter().map(|given| given.trim()).filter(|given| !given.is_empty()) {
            let wrong = || ListOptionError::Column {
                given: given.to_owned(),
                known: ListColumn::names().collect::<Vec<_>>().join(", "),
            };
            let (column, place) = given.split_once('=').ok_or_else(wrong)?;
            let column = ListColumn::parse(column.trim()).ok_or_else(wrong)?;
            let place = place_of(place.trim()).ok_or_else(wrong)?;
            options.columns.entry(column).or_default().push(place);
        }
        Ok(options)
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.read.encoding.is_none()
            && self.read.sheet.is_none()
            && self.header_row.is_none()
            && self.columns.is_empty()
    }

    /// A text that differs for other options.
    pub fn fingerprint(&self) -> String {
        let encoding = self.read.encoding.map(Encoding::name);
        format!("{encoding:?} {:?} {:?} {:?}", self.read.sheet, self.header_row, self.columns)
    }
}

/// Parses a column's number from 1, or its letters, into its place from 0.
fn place_of(text: &str) -> Option<usize> {
    const MOST: usize = 16_384;
    let number = match text.parse::<usize>() {
        Ok(number) => number,
        Err(_)
            if (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic()) =>
        {
            text.to_ascii_uppercase()
                .bytes()
                .fold(0, |number, letter| number * 26 + usize::from(letter - b'A') + 1)
        }
        Err(_) => return None,
    };
    (1..=MOST).contains(&number).then(|| number - 1)
}

/// A list of people.
pub struct FoundList {
    /// The name of its sheet, or the text before it.
    pub name: String,
    pub layout: ColumnLayout,
    /// Its first rows, with those before the people.
    pub sample: Vec<TableRow>,
    pub rows: TableRows,
    /// Whether several of its numbers end in the same zeros.
    pub is_rounded: bool,
    /// The people among the first rows.
    pub people: usize,
    /// What of its table or its file was not read.
    pub notes: Vec<ImportFinding>,
    /// Whether it goes on with the list before it, and has no header of its own.
    pub goes_on: bool,
    columns: Columns,
}

/// A table, or the part of one that is a list beside another.
struct Part {
    name: String,
    /// The columns that the part has of its table.
    columns: Columns,
    sample: Vec<TableRow>,
    rows: TableRows,
}

/// The columns of a list that stands beside others in one table: those that all share, and its own.
#[derive(Clone)]
struct Columns {
    shared: Range<usize>,
    own: Range<usize>,
    /// Whether it is one of several.
    is_part: bool,
}

impl Columns {
    fn all() -> Columns {
        Columns { shared: 0..0, own: 0..usize::MAX, is_part: false }
    }

    /// The row with these columns alone.
    fn of(&self, row: TableRow) -> TableRow {
        if !self.is_part {
            return row;
        }
        let cells = &row.cells;
        let until = |range: &Range<usize>| range.start.min(cells.len())..range.end.min(cells.len());
        let own = &cells[until(&self.own)];
        // What all share makes no person of an empty part.
        let is_empty = own.iter().all(|cell| cell.trim().is_empty());
        let shared = if is_empty { &[] } else { &cells[until(&self.shared)] };
        let cells = shared.iter().chain(own).cloned().collect();
        TableRow { number: row.number, cells }
    }

    fn label(&self) -> String {
        let letter = |place: usize| super::headers::column_letter(place);
        format!("{}–{}", letter(self.own.start), letter(self.own.end.saturating_sub(1)))
    }
}

/// The most rows of a table with lists beside each other, which is read as a whole.
const MAX_SIDE_BY_SIDE: usize = 200_000;
/// Numbers of a table without a header that are told about if nobody reads them.
const LEAST_UNREAD: usize = 3;

/// Finds the lists of a file. Where it names the categories that its lists are for, only those for
/// `categories` are lists; without any, all are.
pub fn find_lists(
    source: &ListSource,
    options: &ListOptions,
    (extra_synonyms, region): (&BTreeMap<String, Vec<String>>, country::Id),
    categories: &[Category],
) -> Result<Vec<FoundList>, TableError> {
    let (mut headed, mut bare, mut is_empty) = (Vec::<FoundList>::new(), Vec::new(), true);
    let tables = open_tables(source, &options.read)?;
    let is_workbook = tables.len() > 1 && tables.iter().all(|table| is_sheet_name(&table.name));
    // The lists of the table before, which the next one may go on with.
    let mut before: Vec<(Columns, ColumnLayout, String, usize)> = Vec::new();
    for mut table in tables {
        let sample = table.rows.by_ref().take(SAMPLE_ROWS).collect::<Result<Vec<TableRow>, _>>()?;
        is_empty &= sample.is_empty();
        let left_out = table.left_out.notes();
        let found = ColumnLayout::by_header(&sample, extra_synonyms, region);
        let is_chosen = options.header_row.is_some() || !options.columns.is_empty();
        if is_chosen {
            let columns = options.columns.clone();
            let layout = ColumnLayout::chosen(&sample, columns, options.header_row, found, region);
            let OpenTable { name, rows, .. } = table;
            if layout.number_columns().next().is_some() {
                let mut list = FoundList::of(name, layout, sample, rows, region);
                list.note_all(left_out);
                headed.push(list);
            } else {
                bare.push((name, sample, rows, left_out));
            }
            continue;
        }
        let goes_on = found.is_none() && {
            let first = before.first();
            first.is_some_and(|(columns, layout, _, width)| {
                goes_on(&sample, columns, layout, *width, region)
            })
        };
        let OpenTable { name, rows, .. } = table;
        let mut left_out = Some(left_out);
        if goes_on {
            let columns: Vec<Columns> =
                before.iter().map(|(columns, ..)| columns.clone()).collect();
            let parts = parts_of(&name, columns, sample, rows)?;
            for (part, (_, layout, of, _)) in parts.into_iter().zip(&before) {
                let layout = ColumnLayout { first_data_row: 0, ..layout.clone() };
                let name = if categories_named(&part.name).is_empty() { of } else { &part.name };
                let mut list = FoundList::of(name.clone(), layout, part.sample, part.rows, region);
                list.goes_on = true;
                list.columns = part.columns;
                list.note_all(left_out.take().unwrap_or_default());
                headed.push(list);
            }
            continue;
        }
        let Some(layout) = found else {
            bare.push((name, sample, rows, left_out.unwrap_or_default()));
            continue;
        };
        let width = sample.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let columns = side_by_side(&layout.headers, extra_synonyms);
        let columns = if columns.is_empty() { vec![Columns::all()] } else { columns };
        before.clear();
        for part in parts_of(&name, columns, sample, rows)? {
            let layout = match part.columns.is_part {
                false => Some(layout.clone()),
                true => ColumnLayout::by_header(&part.sample, extra_synonyms, region),
            };
            let Some(mut layout) = layout else { continue };
            layout.first_column = match part.columns.shared.is_empty() {
                true if part.columns.is_part => part.columns.own.start,
                _ => 0,
            };
            before.push((part.columns.clone(), layout.clone(), part.name.clone(), width));
            let mut list = FoundList::of(part.name, layout, part.sample, part.rows, region);
            list.columns = part.columns;
            list.note_all(left_out.take().unwrap_or_default());
            headed.push(list);
        }
    }
    let mut lists: Vec<FoundList> = Vec::new();
    let (with_people, without): (Vec<_>, Vec<_>) =
        headed.into_iter().partition(|list| list.people > 0);
    lists.extend(with_people);
    let mut problem = TableError::NoNumbers;
    if lists.is_empty() && without.is_empty() {
        for (name, sample, rows, left_out) in bare {
            match ColumnLayout::detect(&sample, extra_synonyms, region) {
                Ok(layout) => {
                    let mut list = FoundList::of(name, layout, sample, rows, region);
                    list.note_all(left_out);
                    lists.push(list);
                }
                Err(error @ TableError::NumbersOfOthers { .. }) => problem = error,
                Err(_) => {}
            }
        }
    } else if let Some(first) = lists.first_mut() {
        for (name, sample, ..) in bare {
            let numbers = numbers_in(&sample, region);
            if numbers >= LEAST_UNREAD {
                let name = heading(&name);
                first.note_all(vec![(None, ListNote::TableNotRead { name, numbers })]);
            }
        }
    }
    // Columns are named and nobody stands in them: their rows say what is wrong.
    if lists.is_empty() {
        lists.extend(without.into_iter().take(1));
    }
    if lists.is_empty() {
        return Err(if is_empty { TableError::Empty } else { problem });
    }
    if !categories.is_empty() && lists.iter().any(|list| !categories_named(&list.name).is_empty()) {
        let is_wanted = |list: &FoundList| {
            let named = categories_named(&list.name);
            named.is_empty() || named.iter().any(|category| categories.contains(category))
        };
        let named = |categories: &[Category]| {
            categories.iter().map(|category| category.chinese()).collect::<Vec<_>>().join("、")
        };
        let mut known: Vec<Category> = Vec::new();
        let mut others: Vec<String> = Vec::new();
        for list in &lists {
            for category in categories_named(&list.name) {
                if !known.contains(&category) {
                    known.push(category);
                }
            }
            if !is_wanted(list) && !others.contains(&heading(&list.name)) {
                others.push(heading(&list.name));
            }
        }
        lists.retain(is_wanted);
        match lists.first_mut() {
            None => {
                let (wanted, known) = (named(categories), named(&known));
                return Err(TableError::NoListFor { wanted, known });
            }
            Some(first) if !others.is_empty() => {
                first.note_all(vec![(None, ListNote::OtherCategories(others.join("；")))]);
            }
            Some(_) => {}
        }
    }
    for list in &mut lists {
        list.note_unread();
    }
    name_lists(&mut lists, is_workbook);
    Ok(lists)
}

/// Gives each list a name for reports, where there are several, or several sheets.
fn name_lists(lists: &mut [FoundList], is_workbook: bool) {
    let is_several = lists.len() > 1;
    if !is_several && !is_workbook {
        return;
    }
    for (list, number) in lists.iter_mut().zip(1..) {
        let mut name = heading(&list.name);
        if list.columns.is_part {
            let own = list.columns.label();
            name = if name.is_empty() { own } else { format!("{name} {own}") };
        } else if name.is_empty() && is_several {
            name = format!("({number})");
        }
        if list.goes_on {
            name.push_str(" (续)");
        }
        if name.is_empty() {
            continue;
        }
        for note in list.notes.iter_mut().filter(|note| note.column.is_empty()) {
            note.column.clone_from(&name);
        }
        list.layout.sheet = Some(name);
    }
}

/// Whether a table's name may be that of a sheet (Excel: 31 characters at most, none of `[]:*?/\`).
fn is_sheet_name(name: &str) -> bool {
    (1..=31).contains(&name.chars().count())
        && !name.chars().any(|c| c.is_control() || "[]:*?/\\".contains(c))
}

/// The columns of the lists that stand beside each other under one header: «姓名, 手机, 姓名, 手机». Each
/// has a name and a number of its own. Empty: there is one list.
fn side_by_side(
    headers: &[String],
    extra_synonyms: &BTreeMap<String, Vec<String>>,
) -> Vec<Columns> {
    let keys: Vec<String> = headers.iter().map(|header| header_key(header)).collect();
    let column = |at: usize| recognize_column(&headers[at], extra_synonyms);
    let Some(first) = (0..headers.len()).find(|at| {
        column(*at) == Some(ListColumn::Name) && keys[at + 1..].iter().any(|key| *key == keys[*at])
    }) else {
        return Vec::new();
    };
    let names: Vec<usize> = (first..headers.len()).filter(|at| keys[*at] == keys[first]).collect();
    // What stands before a name and is repeated before the next one belongs to its list.
    let (one, two) = (names[0], names[1]);
    let before = (1..=one)
        .take_while(|back| two - back > one && !keys[two - back].is_empty())
        .take_while(|back| keys[two - back] == keys[one - back])
        .count();
    let starts: Vec<usize> = names.iter().map(|at| at - before).collect();
    let ends = starts.iter().skip(1).copied().chain([headers.len()]);
    let ranges: Vec<Range<usize>> = starts.iter().zip(ends).map(|(from, end)| *from..end).collect();
    let has_number = |range: &Range<usize>| {
        range.clone().any(|at| column(at).is_some_and(ListColumn::is_number))
    };
    if !ranges.iter().all(has_number) {
        return Vec::new();
    }
    // A number of each to the left is none that all share.
    if (0..starts[0]).any(|at| column(at).is_some_and(ListColumn::is_number)) {
        return Vec::new();
    }
    let part = |own: Range<usize>| Columns { shared: 0..starts[0], own, is_part: true };
    ranges.into_iter().map(part).collect()
}

/// Parts a table into lists that stand beside each other.
fn parts_of(
    name: &str,
    columns: Vec<Columns>,
    sample: Vec<TableRow>,
    mut rows: TableRows,
) -> Result<Vec<Part>, TableError> {
    if !columns.iter().any(|columns| columns.is_part) {
        let whole = |columns| Part { name: name.to_owned(), columns, sample, rows };
        return Ok(columns.into_iter().next().map(whole).into_iter().collect());
    }
    let rest = rows.by_ref().take(MAX_SIDE_BY_SIDE + 1).collect::<Result<Vec<TableRow>, _>>()?;
    if rest.len() > MAX_SIDE_BY_SIDE {
        return Err(TableError::TooLarge("200,000 rows with lists beside each other".into()));
    }
    let part = |columns: Columns| {
        let filled = |row: &TableRow| row.cells.iter().any(|cell| !cell.trim().is_empty());
        let of = |rows: &[TableRow]| -> Vec<TableRow> {
            rows.iter().map(|row| columns.of(row.clone())).filter(|row| filled(row)).collect()
        };
        let (sample, rest) = (of(&sample), of(&rest));
        Part { name: name.to_owned(), sample, rows: TableRows::of(rest), columns: columns.clone() }
    };
    Ok(columns.into_iter().map(part).collect())
}

/// Whether a table without a header goes on with the list before it: it is no wider, and most of its
/// rows have a number where that list has them.
fn goes_on(
    sample: &[TableRow],
    columns: &Columns,
    layout: &ColumnLayout,
    width: usize,
    region: country::Id,
) -> bool {
    let of_list: Vec<TableRow> = sample.iter().map(|row| columns.of(row.clone())).collect();
    let widest = sample.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let with_number = of_list.iter().filter(|row| layout.has_number(row, region)).count();
    with_number > 0 && widest <= width && with_number * 2 >= sample.len()
}

/// Counts the rows of a table that hold a number.
fn numbers_in(rows: &[TableRow], region: country::Id) -> usize {
    let has_number =
        |row: &&TableRow| row.cells.iter().any(|cell| !read_cell(cell, region).phones.is_empty());
    rows.iter().filter(has_number).count()
}

impl FoundList {
    fn of(
        name: String,
        mut layout: ColumnLayout,
        sample: Vec<TableRow>,
        rows: TableRows,
        region: country::Id,
    ) -> FoundList {
        layout.find_regions(&name);
        let used: Vec<Phone> = sample
            .iter()
            .skip(layout.first_data_row)
            .filter_map(|row| {
                let cells = layout.number_columns().filter_map(|(_, place)| {
                    Some((row.cells.get(place)?, layout.regions.get(&place).copied()))
                });
                let mut phones: Vec<Phone> =
                    cells.flat_map(|(cell, of)| read_cell_of(cell, region, of).phones).collect();
                preferred(&phones).map(|place| phones.swap_remove(place))
            })
            .collect();
        let rounded = used.iter().filter(|phone| ends_in_zeros(phone)).count();
        let is_rounded = rounded >= LEAST_ROUNDED && rounded * LEAST_ROUNDED_SHARE >= used.len();
        FoundList {
            name,
            layout,
            sample,
            rows,
            is_rounded,
            people: used.len(),
            notes: Vec::new(),
            goes_on: false,
            columns: Columns::all(),
        }
    }

    /// Notes what was not read, each with the first row that it is about.
    fn note_all(&mut self, notes: Vec<(Option<u32>, ListNote)>) {
        let header = self.sample.get(self.layout.first_data_row.saturating_sub(1));
        let header = header.or(self.sample.first()).map_or(1, |row| row.number);
        let noted = RowDecision::AcceptedWithNotice;
        self.notes.extend(notes.into_iter().map(|(row, note)| {
            let (row, reason) = (row.unwrap_or(header), RowReason::List(note));
            ImportFinding::new(row, String::new(), String::new(), noted, reason)
        }));
    }

    /// Notes the columns that are somebody else's.
    fn note_unread(&mut self) {
        if self.layout.unread.is_empty() || self.goes_on {
            return;
        }
        let labels: Vec<String> =
            self.layout.unread.iter().map(|place| self.layout.place_label(*place)).collect();
        self.note_all(vec![(None, ListNote::OthersColumns(labels.join("、")))]);
    }
}

/// Counts the people of a table whose header names a column of numbers; 0: it is no list of people.
pub fn people_in(
    rows: &[TableRow],
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> usize {
    let Some(layout) = ColumnLayout::by_header(rows, extra_synonyms, region) else { return 0 };
    rows.iter().skip(layout.first_data_row).filter(|row| layout.has_number(row, region)).count()
}

/// Parts a table with lists beside each other («姓名, 手机, 姓名, 手机») into one list below the other, under
/// the first one's header. Other tables stay as they are.
pub fn put_below_each_other(
    rows: Vec<TableRow>,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> Vec<TableRow> {
    let Some(layout) = ColumnLayout::by_header(&rows, extra_synonyms, region) else { return rows };
    let columns = side_by_side(&layout.headers, extra_synonyms);
    if columns.is_empty() {
        return rows;
    }
    let mut below: Vec<TableRow> = Vec::with_capacity(rows.len() * columns.len());
    for (number, columns) in columns.iter().enumerate() {
        let skipped = if number == 0 { 0 } else { layout.first_data_row };
        let offset = below.last().map_or(0, |row| row.number);
        for row in rows.iter().skip(skipped) {
            let mut row = columns.of(row.clone());
            if row.cells.iter().any(|cell| !cell.trim().is_empty()) {
                row.number += offset;
                below.push(row);
            }
        }
    }
    below
}

/// Whether a table without a header goes on with the list in the table before it.
pub fn is_continuation(
    rows: &[TableRow],
    list: &[TableRow],
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> bool {
    if ColumnLayout::by_header(rows, extra_synonyms, region).is_some() {
        return false;
    }
    let width = list.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    ColumnLayout::by_header(list, extra_synonyms, region)
        .is_some_and(|layout| goes_on(rows, &Columns::all(), &layout, width, region))
}

/// The last line of a heading that says what the list is, short enough for a report.
fn heading(name: &str) -> String {
    let mut lines = name.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.clone().find(|line| !categories_named(line).is_empty());
    told.or_else(|| lines.next_back()).unwrap_or_default().chars().take(40).collect()
}

/// The categories that a heading names in brackets, as the association's form does:
/// «被访者信息登记表（工程类、服务类）».
pub fn categories_named(name: &str) -> Vec<Category> {
    let mut named = Vec::new();
    for part in name.split(['（', '(']).skip(1) {
        let inner = part.split(['）', ')']).next().unwrap_or_default();
        let inner = inner.replace("企业/机构", "企业");
        for word in inner.split(['、', '，', ',', '/', '和', '及', ' ', '；']) {
            let word = word.trim().trim_end_matches("类别").trim_end_matches('类');
            if let Some(category) = Category::parse(word).filter(|c| !named.contains(c)) {
                named.push(category);
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(text: &str, categories: &[Category]) -> Result<Vec<FoundList>, TableError> {
        let source = ListSource::from(text.as_bytes());
        let headers = (&BTreeMap::new(), country::CN);
        find_lists(&source, &ListOptions::default(), headers, categories)
    }

    #[test]
    fn the_list_is_found_among_the_tables_of_a_page_and_by_its_category() {
        let table = |caption: &str, rows: &str| {
            format!("<table><caption>{caption}</caption>{rows}</table>")
        };
        let people = "<tr><td>姓名<td>手机<tr><td>王<td>13800138000";
        let page = [
            table("填写说明", "<tr><td>请如实填写，联系电话必填"),
            table("登记表（工程类、服务类）", people),
            table("登记表（企业/机构类）", people),
        ]
        .concat();
        let names = |categories: &[Category]| -> Vec<String> {
            lists(&page, categories).unwrap().into_iter().map(|list| list.name).collect()
        };
        assert_eq!(names(&[]), ["登记表（工程类、服务类）", "登记表（企业/机构类）"]);
        assert_eq!(names(&[Category::Service]), ["登记表（工程类、服务类）"]);
        assert_eq!(names(&[Category::Organisation]), ["登记表（企业/机构类）"]);
        assert!(matches!(lists(&page, &[Category::Brand]), Err(TableError::NoListFor { .. })));
        assert_eq!(
            categories_named("被访者信息登记表（工程类、服务类）\n名称：（加盖公章）山海"),
            [Category::Project, Category::Service]
        );
    }

    #[test]
    fn columns_can_be_said_by_number_or_letter() {
        let said = |columns: &[&str]| {
            let columns: Vec<String> = columns.iter().map(|c| (*c).to_owned()).collect();
            ListOptions::parse(None, None, None, &columns).map(|options| options.columns)
        };
        assert_eq!(
            said(&["mobile=C", "phone=4", "phone=AA"]).unwrap(),
            BTreeMap::from([(ListColumn::Mobile, vec![2]), (ListColumn::Phone, vec![3, 26])])
        );
        for wrong in ["mobile", "mobile=0", "pager=3", "mobile=手机"] {
            assert!(said(&[wrong]).is_err(), "{wrong}");
        }
        assert!(ListOptions::parse(Some("klingon"), None, None, &[]).is_err());
        // Nothing is named, and what is meant is said.
        let text = "编码,甲列,乙列\nx1,王小明,13800138000\n";
        let options =
            ListOptions::parse(None, None, Some(1), &["mobile=3".into(), "name=B".into()]);
        let source = ListSource::from(text.as_bytes());
        let found = find_lists(&source, &options.unwrap(), (&BTreeMap::new(), country::CN), &[]);
        let list = found.unwrap().remove(0);
        assert_eq!((list.people, list.layout.first_data_row), (1, 1));
        assert_eq!(list.layout.place_label(2), "乙列");
    }

    #[test]
    fn rounded_numbers_are_known_by_their_company() {
        let rounded = |numbers: &[&str]| {
            let rows: String = numbers.iter().map(|number| format!("王,{number}\n")).collect();
            lists(&format!("姓名,手机\n{rows}"), &[]).unwrap()[0].is_rounded
        };
        assert!(rounded(&["13800138000", "13900139000", "1.3712345E+10"]));
        assert!(!rounded(&["13800138000", "13900139001", "13712345002"]));
    }
}
