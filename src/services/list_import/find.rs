//! Finds the lists of people in a file: which of its tables they are, and their columns.

use std::collections::BTreeMap;

use encoding_rs::Encoding;
use phonenumber::country;

use super::headers::{ColumnLayout, ListColumn};
use super::numbers::{preferred, read_cell};
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
            read: ReadOptions { encoding, sheet: sheet.map(str::to_owned) },
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
}

/// Finds the lists of a file. Where it names the categories that its lists are for, only those for
/// `categories` are lists; without any, all are.
pub fn find_lists(
    source: &ListSource,
    options: &ListOptions,
    (extra_synonyms, region): (&BTreeMap<String, Vec<String>>, country::Id),
    categories: &[Category],
) -> Result<Vec<FoundList>, TableError> {
    let (mut headed, mut bare, mut is_empty) = (Vec::new(), Vec::new(), true);
    for OpenTable { name, mut rows } in open_tables(source, &options.read)? {
        let sample = rows.by_ref().take(SAMPLE_ROWS).collect::<Result<Vec<TableRow>, _>>()?;
        is_empty &= sample.is_empty();
        let found = ColumnLayout::by_header(&sample, extra_synonyms, region);
        let is_chosen = options.header_row.is_some() || !options.columns.is_empty();
        let layout = if is_chosen {
            let columns = options.columns.clone();
            Some(ColumnLayout::chosen(&sample, columns, options.header_row, found))
                .filter(|layout| layout.number_columns().next().is_some())
        } else {
            found
        };
        match layout {
            Some(layout) => headed.push(FoundList::of(name, layout, sample, rows, region)),
            None => bare.push((name, sample, rows)),
        }
    }
    let mut lists: Vec<FoundList> = Vec::new();
    let (with_people, without): (Vec<_>, Vec<_>) =
        headed.into_iter().partition(|list| list.people > 0);
    lists.extend(with_people);
    if lists.is_empty() && without.is_empty() {
        for (name, sample, rows) in bare {
            let layout = ColumnLayout::detect(&sample, extra_synonyms, region);
            lists.extend(layout.map(|layout| FoundList::of(name, layout, sample, rows, region)));
        }
    }
    // Columns are named and nobody stands in them: their rows say what is wrong.
    if lists.is_empty() {
        lists.extend(without.into_iter().take(1));
    }
    if lists.is_empty() {
        return Err(if is_empty { TableError::Empty } else { TableError::NoNumbers });
    }
    if !categories.is_empty() && lists.iter().any(|list| !categories_named(&list.name).is_empty()) {
        let is_wanted = |list: &FoundList| {
            let named = categories_named(&list.name);
            named.is_empty() || named.iter().any(|category| categories.contains(category))
        };
        let known = lists.iter().map(|list| heading(&list.name)).collect::<Vec<_>>().join(", ");
        lists.retain(is_wanted);
        if lists.is_empty() {
            let wanted: Vec<&str> = categories.iter().map(|category| category.chinese()).collect();
            return Err(TableError::NoSheet { wanted: wanted.join("、"), known });
        }
    }
    if lists.len() > 1 {
        for (list, number) in lists.iter_mut().zip(1..) {
            let name = heading(&list.name);
            let name = if name.is_empty() { format!("({number})") } else { name };
            list.layout.sheet = Some(name);
        }
    }
    Ok(lists)
}

impl FoundList {
    fn of(
        name: String,
        layout: ColumnLayout,
        sample: Vec<TableRow>,
        rows: TableRows,
        region: country::Id,
    ) -> FoundList {
        let used: Vec<Phone> = sample
            .iter()
            .skip(layout.first_data_row)
            .filter_map(|row| {
                let cells = layout.number_columns().filter_map(|(_, place)| row.cells.get(place));
                let mut phones: Vec<Phone> =
                    cells.flat_map(|cell| read_cell(cell, region).phones).collect();
                preferred(&phones).map(|place| phones.swap_remove(place))
            })
            .collect();
        let rounded = used.iter().filter(|phone| ends_in_zeros(phone)).count();
        let is_rounded = rounded >= LEAST_ROUNDED && rounded * LEAST_ROUNDED_SHARE >= used.len();
        FoundList { name, layout, sample, rows, is_rounded, people: used.len() }
    }
}

/// Counts the people of a table whose header names a column of numbers; 0: it is no list of people.
pub fn people_in(
    rows: &[TableRow],
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> usize {
    let Some(layout) = ColumnLayout::by_header(rows, extra_synonyms, region) else { return 0 };
    let has_number = |row: &&TableRow| {
        let mut cells = layout.number_columns().filter_map(|(_, place)| row.cells.get(place));
        cells.any(|cell| !read_cell(cell, region).phones.is_empty())
    };
    rows.iter().skip(layout.first_data_row).filter(has_number).count()
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
        assert!(matches!(lists(&page, &[Category::Brand]), Err(TableError::NoSheet { .. })));
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
