//! Detects the columns of a list.

use std::collections::BTreeMap;

use phonenumber::country;

use super::header_words::{
    Meaning, Rank, Whose, is_client, is_word, meaning_of, normalize_header, owner_of,
    recognize_column, region_of, without_number,
};
use super::numbers::read_cell;
use super::table::{TableError, TableRow};
use crate::domain::phone::Phone;

/// A column that the import reads; all other columns are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ListColumn {
    Name,
    /// How the person is addressed: 先生, 女士, or the gender as it stands.
    Salutation,
    Organisation,
    JobTitle,
    Mobile,
    Phone,
    Email,
    /// For letters.
    Address,
    Segment,
    Remark,
    Language,
    /// Somebody has said that the column is not used.
    Unused,
}

impl ListColumn {
    pub(super) fn is_number(self) -> bool {
        matches!(self, ListColumn::Mobile | ListColumn::Phone)
    }
}

/// Rows among which the header is looked for: a title, an explanation and empty lines may stand
/// before it.
const HEADER_ROWS: usize = 200;
/// Rows that a header may have.
const MAX_HEADER_ROWS: usize = 3;
/// Rows below a header in which its numbers are looked for.
const ROWS_BELOW: usize = 10;
/// People above what looks like a header; it is the top of a page then.
const LEAST_ABOVE: usize = 3;
/// Rows of words that may stand above a list whose header has no known word.
const UNKNOWN_ROWS: usize = 3;

/// The columns of a list, and its first row of people.
#[derive(Debug, Clone)]
pub struct ColumnLayout {
    /// The places of each column. Only telephone numbers may have several.
    pub columns: BTreeMap<ListColumn, Vec<usize>>,
    /// The columns of the list fields that applications use, by field name.
    pub fields: BTreeMap<String, usize>,
    /// The headers of the columns, for reports; empty where the list has none.
    pub headers: Vec<String>,
    /// The index of the first row of people.
    pub first_data_row: usize,
    /// The sheet's name, where a file has several.
    pub sheet: Option<String>,
    /// The columns with names and numbers that are not the person's, and are not read.
    pub unread: Vec<usize>,
    /// The place of the first column in its sheet, for letters: the list beside another begins there.
    pub first_column: usize,
    /// The regions of columns whose numbers are not of the mainland, where the header or the list
    /// says so.
    pub regions: BTreeMap<usize, country::Id>,
    /// The column that says of which region a row's number is.
    pub region_column: Option<usize>,
}

impl ColumnLayout {
    /// Detects the header among the first rows (lists often begin with a title), or the columns of
    /// a list without one if a column clearly contains phone numbers. `extra_synonyms` are the
    /// configured header words by column name.
    pub fn detect(
        rows: &[TableRow],
        extra_synonyms: &BTreeMap<String, Vec<String>>,
        region: country::Id,
    ) -> Result<ColumnLayout, TableError> {
        if let Some(layout) = ColumnLayout::by_header(rows, extra_synonyms, region) {
            return Ok(layout);
        }
        // Numbers that are somebody else's are not taken for want of others.
        let of_others = (0..rows.len().min(HEADER_ROWS))
            .find(|at| is_header(rows, *at, extra_synonyms, region) == Some(Whose::Other));
        if let Some(at) = of_others {
            let is_number = |cell: &&String| {
                meaning_of(cell, extra_synonyms).is_some_and(|m| m.column.is_number())
            };
            let column = rows[at].cells.iter().find(is_number);
            let column = column.map(|cell| cell.trim().to_owned()).unwrap_or_default();
            return Err(TableError::NumbersOfOthers { column });
        }
        detect_columns_without_header(rows, extra_synonyms, region)
    }

    /// Detects the header; `None`: there is none.
    pub fn by_header(
        rows: &[TableRow],
        extra_synonyms: &BTreeMap<String, Vec<String>>,
        region: country::Id,
    ) -> Option<ColumnLayout> {
        let is_word = |cell: &str| is_word(cell, extra_synonyms);
        let at = (0..rows.len().min(HEADER_ROWS))
            .find(|at| is_header(rows, *at, extra_synonyms, region) == Some(Whose::Person))?;
        let mut headers = rows[at].cells.clone();
        // The rows below a header that is divided («联系方式»: «手机», «固定电话») hold words only.
        let mut last = at;
        for row in rows.iter().skip(at + 1).take(MAX_HEADER_ROWS - 1) {
            let mut filled = row.cells.iter().filter(|cell| !cell.trim().is_empty()).peekable();
            if filled.peek().is_none() || !filled.all(|cell| is_word(cell)) {
                break;
            }
            last += 1;
            for (place, cell) in row.cells.iter().enumerate().filter(|(_, c)| !c.trim().is_empty())
            {
                if headers.len() <= place {
                    headers.resize(place + 1, String::new());
                }
                headers[place].clone_from(cell);
            }
        }
        // The rows above hold what stands over its own column and reaches down.
        for row in rows[..at].iter().rev().take(MAX_HEADER_ROWS - 1) {
            let filled = row.cells.iter().filter(|cell| !cell.trim().is_empty()).count();
            if filled < 2 {
                break;
            }
            for (place, cell) in row.cells.iter().enumerate().filter(|(_, cell)| is_word(cell)) {
                if headers.len() <= place {
                    headers.resize(place + 1, String::new());
                }
                if headers[place].trim().is_empty() {
                    headers[place].clone_from(cell);
                }
            }
        }
        let (columns, unread) = columns_of(&headers, extra_synonyms);
        let mut layout = ColumnLayout {
            columns,
            fields: BTreeMap::new(),
            headers,
            first_data_row: last + 1,
            sheet: None,
            unread,
            first_column: 0,
            regions: BTreeMap::new(),
            region_column: None,
        };
        // A list without a header at its beginning, and with one at the top of its next page.
        let mut above = (0..at).filter(|row| layout.has_number(&rows[*row], region));
        let first = above.next();
        if above.count() + 1 >= LEAST_ABOVE {
            layout.first_data_row = first.unwrap_or(layout.first_data_row);
        }
        Some(layout)
    }

    /// Whether a row has a telephone number in one of the columns for them.
    pub fn has_number(&self, row: &TableRow, region: country::Id) -> bool {
        let mut cells = self.number_columns().filter_map(|(_, place)| row.cells.get(place));
        cells.any(|cell| !read_cell(cell, region).phones.is_empty())
    }

    /// Finds of which regions the numbers are, by the headers («香港手机») and the name of the list.
    pub fn find_regions(&mut self, list: &str) {
        const OF_ROW: [&str; 10] = [
            "国家",
            "国家地区",
            "国家或地区",
            "国别",
            "地区",
            "国际区号",
            "国家代码",
            "区号",
            "country",
            "region",
        ];
        let of_list = region_of(list);
        let places: Vec<usize> = self.number_columns().map(|(_, place)| place).collect();
        let of_column = |place: usize| {
            let header = self.headers.get(place).and_then(|header| region_of(header));
            Some((place, header.or(of_list)?))
        };
        self.regions = places.into_iter().filter_map(of_column).collect();
        let is_region = |header: &String| OF_ROW.contains(&normalize_header(header).as_str());
        self.region_column = self.headers.iter().position(is_region);
    }

    /// A layout that somebody chose: the columns, and the number of the header row; without one, the
    /// header that is found, if there is one.
    pub fn chosen(
        rows: &[TableRow],
        columns: BTreeMap<ListColumn, Vec<usize>>,
        header_row: Option<u32>,
        found: Option<ColumnLayout>,
        region: country::Id,
    ) -> ColumnLayout {
        let numbers = [ListColumn::Mobile, ListColumn::Phone];
        let numbers: Vec<usize> =
            numbers.iter().filter_map(|column| columns.get(column)).flatten().copied().collect();
        let chosen_row = header_row
            .and_then(|number| rows.iter().position(|r| r.number == number))
            .or_else(|| match &found {
                None => words_above(rows, &numbers, region),
                Some(_) => None,
            });
        let (headers, first_data_row) = match (chosen_row, &found) {
            (Some(at), _) => (rows[at].cells.clone(), at + 1),
            (None, Some(found)) => (found.headers.clone(), found.first_data_row),
            (None, None) => (Vec::new(), 0),
        };
        let mut all = found.map(|found| found.columns).unwrap_or_default();
        let places: Vec<usize> = columns.values().flatten().copied().collect();
        for known in all.values_mut() {
            known.retain(|place| !places.contains(place));
        }
        // Who says where the numbers are means all of them.
        if columns.keys().any(|column| column.is_number()) {
            all.retain(|column, _| !column.is_number());
        }
        all.extend(columns);
        all.retain(|_, places| !places.is_empty());
        ColumnLayout {
            columns: all,
            fields: BTreeMap::new(),
            headers,
            first_data_row,
            sheet: None,
            unread: Vec::new(),
            first_column: 0,
            regions: BTreeMap::new(),
            region_column: None,
        }
    }

    /// Detects the columns of the list fields. The error contains the header words of the first
    /// missing field.
    pub fn find_fields(&mut self, wanted: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
        for (name, words) in wanted {
            let is_it = |header: &String| {
                words.iter().any(|word| normalize_header(word) == normalize_header(header))
            };
            let column = self.headers.iter().position(is_it).ok_or_else(|| words.join(", "))?;
            self.fields.insert(name.clone(), column);
        }
        Ok(())
    }

    /// The places of the telephone numbers, those for mobiles first.
    pub fn number_columns(&self) -> impl Iterator<Item = (ListColumn, usize)> {
        [ListColumn::Mobile, ListColumn::Phone].into_iter().flat_map(|column| {
            self.columns.get(&column).into_iter().flatten().map(move |place| (column, *place))
        })
    }

    /// Returns the name of a place for a report: its header, or its letter in a spreadsheet, with the
    /// sheet where there are several.
    pub fn place_label(&self, place: usize) -> String {
        let label = match self.headers.get(place).map(|h| h.trim()) {
            Some(header) if !header.is_empty() => header.to_owned(),
            _ => column_letter(self.first_column + place),
        };
        match &self.sheet {
            Some(sheet) => format!("{sheet}!{label}"),
            None => label,
        }
    }

    /// Returns the column's name for a report; empty: the list has none.
    pub fn column_label(&self, column: ListColumn) -> String {
        let place = self.columns.get(&column).and_then(|places| places.first());
        place.map(|place| self.place_label(*place)).unwrap_or_default()
    }

    /// The headers under which these columns are found again: as the list has them, or with the
    /// column's usual word where that says nothing («手机（乙列）»).
    pub fn recognizable_headers(
        &self,
        width: usize,
        extra_synonyms: &BTreeMap<String, Vec<String>>,
    ) -> Vec<String> {
        let header = |place: usize| {
            let header = self.headers.get(place).map(|h| h.trim()).unwrap_or_default();
            let mut columns = self.columns.iter();
            let column = columns.find(|(_, places)| places.contains(&place)).map(|(c, _)| *c);
            let word = column
                .filter(|column| recognize_column(header, extra_synonyms) != Some(*column))
                .and_then(ListColumn::usual_word);
            match word {
                None if self.headers.is_empty() => column_letter(place),
                None => header.to_owned(),
                Some(word) if header.is_empty() => word.to_owned(),
                Some(word) => format!("{word}（{header}）"),
            }
        };
        (0..width.max(self.headers.len())).map(header).collect()
    }

    /// Whether a row repeats the header, as at the top of each page.
    pub fn repeats_header(&self, row: &TableRow) -> bool {
        let same = row.cells.iter().enumerate().filter(|(place, cell)| {
            let header = self.headers.get(*place).map(|h| h.trim()).unwrap_or_default();
            !cell.trim().is_empty() && cell.trim() == header
        });
        same.count() >= 2
    }
}

/// Whether a row is a header that names a column of numbers, and whose; `None`: it is no header. One
/// known word is enough where numbers stand below it.
fn is_header(
    rows: &[TableRow],
    at: usize,
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> Option<Whose> {
    let row = &rows[at];
    // «手机 | 13800138000 | 邮箱 | …» is a line of a form.
    let is_value = |cell: &String| {
        let cell = cell.trim();
        cell.contains('@') || (has_digits(cell) && Phone::parse(cell, region).is_ok())
    };
    if row.cells.iter().any(is_value) {
        return None;
    }
    let meanings: Vec<(usize, Meaning)> = row
        .cells
        .iter()
        .enumerate()
        .filter_map(|(place, cell)| Some((place, meaning_of(cell, extra_synonyms)?)))
        .collect();
    let numbers = || meanings.iter().filter(|(_, meaning)| meaning.column.is_number());
    let is_own = |(_, meaning): &(usize, Meaning)| meaning.whose != Whose::Other;
    let whose = match (numbers().any(is_own), numbers().next()) {
        (true, _) => Whose::Person,
        (false, Some(_)) => Whose::Other,
        (false, None) => return None,
    };
    let filled = row.cells.iter().filter(|cell| !cell.trim().is_empty());
    let known = filled.filter(|cell| is_word(cell, extra_synonyms)).count();
    let is_number_below = || {
        let below = rows.iter().skip(at + 1).take(ROWS_BELOW);
        let cells = below.flat_map(|row| {
            numbers().filter_map(|(place, _)| row.cells.get(*place)).collect::<Vec<_>>()
        });
        cells.into_iter().any(|cell| !read_cell(cell, region).phones.is_empty())
    };
    (known >= 2 || is_number_below()).then_some(whose)
}

fn has_digits(cell: &str) -> bool {
    cell.chars().filter(|c| c.is_numeric()).count() >= 5
}

/// The columns that headers name: of several for the same, the surest, and the leftmost of these. Only
/// numbers have several places: the surest first. Also the places that hold somebody else's names and
/// numbers, or a further person's.
fn columns_of(
    headers: &[String],
    extra_synonyms: &BTreeMap<String, Vec<String>>,
) -> (BTreeMap<ListColumn, Vec<usize>>, Vec<usize>) {
    let named = |(place, cell): (usize, &String)| Some((place, meaning_of(cell, extra_synonyms)?));
    let mut meanings: Vec<(usize, Meaning)> =
        headers.iter().enumerate().filter_map(named).collect();
    let has_own = |meanings: &[(usize, Meaning)], is_it: &dyn Fn(ListColumn) -> bool| {
        meanings.iter().any(|(_, m)| m.whose == Whose::Person && is_it(m.column))
    };
    let (has_number, has_name) = (
        has_own(&meanings, &ListColumn::is_number),
        has_own(&meanings, &|column| column == ListColumn::Name),
    );
    let has_perhaps = meanings.iter().any(|(_, meaning)| meaning.whose == Whose::Perhaps);
    for (_, meaning) in &mut meanings {
        let is_name = meaning.column == ListColumn::Name;
        match meaning.whose {
            Whose::Perhaps if has_number && (has_name || !is_name) => meaning.whose = Whose::Other,
            // The parent with the number is the person, and the pupil is not.
            Whose::Perhaps => (meaning.whose, meaning.rank) = (Whose::Person, Rank::Exact),
            Whose::Person if is_name && !has_number && has_perhaps => meaning.rank = Rank::Weak,
            Whose::Person | Whose::Other => {}
        }
    }
    let (own, others): (Vec<_>, Vec<_>) =
        meanings.into_iter().partition(|(_, meaning)| meaning.whose == Whose::Person);
    let mut unread: Vec<usize> = others.iter().map(|(place, _)| *place).collect();
    let places = |column: ListColumn| {
        let of_column = own.iter().filter(|(_, meaning)| meaning.column == column);
        let mut places: Vec<(Rank, usize)> = of_column.map(|(at, m)| (m.rank, *at)).collect();
        places.sort_by_key(|(rank, place)| (std::cmp::Reverse(*rank), *place));
        places
    };
    let mut columns: BTreeMap<ListColumn, Vec<usize>> = BTreeMap::new();
    for column in own.iter().map(|(_, meaning)| meaning.column) {
        let of_column = places(column);
        let most = if column.is_number() { of_column.len() } else { 1 };
        columns.insert(column, of_column.iter().take(most).map(|(_, place)| *place).collect());
    }
    // «联系电话» outranks «备用手机»: what is not surely the person's mobile comes after it.
    let rank_of = |column| places(column).first().map(|(rank, _)| *rank);
    let (mobile, phone) = (rank_of(ListColumn::Mobile), rank_of(ListColumn::Phone));
    if mobile.is_some_and(|rank| rank < Rank::Exact) && phone == Some(Rank::Exact) {
        let mobiles = columns.remove(&ListColumn::Mobile).unwrap_or_default();
        columns.entry(ListColumn::Phone).or_default().extend(mobiles);
    }
    // «客户» beside «联系人» is an organisation.
    let names = places(ListColumn::Name);
    if let Some((Rank::Contained | Rank::Exact, _)) = names.first() {
        let client = names.iter().find(|(_, place)| is_client(&headers[*place]));
        if let Some((_, place)) = client {
            columns.entry(ListColumn::Organisation).or_insert_with(|| vec![*place]);
        }
        let first = names.first().map(|(_, place)| header_key(&headers[*place]));
        let again = names.iter().skip(1).filter(|(_, at)| Some(header_key(&headers[*at])) == first);
        unread.extend(again.map(|(_, place)| *place));
    }
    // «户主姓名, 户主电话, 租户姓名, 租户电话»: the second number is no further one of the first person.
    let key = |place: usize| header_key(&headers[place]);
    let first_owner = names.first().map(|(_, place)| owner_of(&key(*place)).to_owned());
    let further: Vec<(usize, String)> = names
        .iter()
        .skip(1)
        .map(|(_, place)| (*place, owner_of(&key(*place)).to_owned()))
        .filter(|(_, owner)| !owner.is_empty() && Some(owner) != first_owner.as_ref())
        .collect();
    let is_further = |place: &usize| {
        let key = key(*place);
        further.iter().any(|(_, owner)| *owner == owner_of(&key))
    };
    let numbers = |columns: &BTreeMap<ListColumn, Vec<usize>>| -> Vec<usize> {
        let of = |column| columns.get(&column).cloned().unwrap_or_default();
        [of(ListColumn::Mobile), of(ListColumn::Phone)].concat()
    };
    let all = numbers(&columns);
    if all.iter().any(is_further) && !all.iter().all(is_further) {
        unread.extend(all.iter().copied().filter(is_further));
        for column in [ListColumn::Mobile, ListColumn::Phone] {
            if let Some(places) = columns.get_mut(&column) {
                places.retain(|place| !is_further(place));
            }
        }
        columns.retain(|_, places| !places.is_empty());
    }
    unread.sort_unstable();
    unread.dedup();
    (columns, unread)
}

/// What two headers of the same kind have in common: «姓名1» and «姓名2».
pub(super) fn header_key(header: &str) -> String {
    let header = normalize_header(header);
    without_number(&header).to_owned()
}

/// Words of a cell for a number that say that there is none.
const NO_NUMBERS: [&str; 16] = [
    "无", "没有", "暂无", "不详", "未知", "空", "空号", "停机", "同上", "拒绝", "保密", "不便",
    "未留", "未填", "none", "n/a",
];

/// Returns the last row of words above the first number of these columns, where it may be a header:
/// only titles stand above it.
fn words_above(rows: &[TableRow], numbers: &[usize], region: country::Id) -> Option<usize> {
    let cells = |row: &TableRow| -> Vec<String> {
        numbers.iter().filter_map(|place| row.cells.get(*place)).cloned().collect()
    };
    let has_number =
        |row: &TableRow| cells(row).iter().any(|cell| !read_cell(cell, region).phones.is_empty());
    let first = rows.iter().take(HEADER_ROWS).position(has_number)?;
    let is_words = |row: &TableRow| {
        cells(row).iter().any(|cell| {
            let cell = cell.trim().to_lowercase();
            cell.chars().any(char::is_alphabetic)
                && !has_digits(&cell)
                && !NO_NUMBERS.contains(&cell.as_str())
        })
    };
    let is_title =
        |row: &TableRow| row.cells.iter().filter(|cell| !cell.trim().is_empty()).count() < 2;
    let is_known = |row: &TableRow| {
        row.cells.iter().any(|cell| is_word(cell, &BTreeMap::new()) || is_number_word(cell))
    };
    let top = rows[..first].iter().position(|row| !is_title(row))?;
    let known = (top..first).rev().find(|at| is_words(&rows[*at]) && is_known(&rows[*at]));
    known.or_else(|| Some(top).filter(|at| is_words(&rows[*at])))
}

/// Whether a cell of words may head a column of numbers that has no known word.
fn is_number_word(cell: &str) -> bool {
    const SIGNS: [&str; 13] = [
        "号", "码", "机", "话", "联系", "联络", "phone", "tel", "mobile", "cell", "number",
        "contact", "no.",
    ];
    let cell = cell.trim().to_lowercase();
    cell.chars().count() <= 30
        && !has_digits(&cell)
        && SIGNS.iter().any(|sign| cell.contains(sign))
        && !NO_NUMBERS.contains(&cell.as_str())
}

fn detect_columns_without_header(
    rows: &[TableRow],
    extra_synonyms: &BTreeMap<String, Vec<String>>,
    region: country::Id,
) -> Result<ColumnLayout, TableError> {
    let found = number_and_name(rows, region);
    // In a short list, the words at its top outweigh its numbers.
    let skipped = || {
        let skip = |skip: usize| {
            let has_digit = |row: &TableRow| row.cells.iter().any(|cell| has_digits(cell));
            let is_top = rows.len() > skip && !rows[..skip].iter().any(has_digit);
            number_and_name(&rows[skip..], region).filter(|_| is_top)
        };
        (1..=UNKNOWN_ROWS.min(rows.len())).find_map(skip)
    };
    let is_short = found.is_none();
    let (mobile, name) = found.or_else(skipped).ok_or(TableError::NoNumbers)?;
    let mut columns = BTreeMap::from([(ListColumn::Mobile, vec![mobile])]);
    columns.extend(name.map(|name| (ListColumn::Name, vec![name])));
    // A cell of words above the numbers heads them.
    let header = words_above(rows, &[mobile], region).filter(|at| {
        let row = &rows[*at];
        let is_known = |cell: &String| is_word(cell, extra_synonyms);
        row.cells.get(mobile).is_some_and(|cell| is_number_word(cell))
            || row.cells.iter().any(is_known)
    });
    if is_short && header.is_none() {
        return Err(TableError::NoNumbers);
    }
    let headers = header.map(|at| rows[at].cells.clone()).unwrap_or_default();
    // Its other words say what they head.
    let (named, unread) = columns_of(&headers, extra_synonyms);
    if let Some(of_name) = named.get(&ListColumn::Name) {
        columns.insert(ListColumn::Name, of_name.clone());
    }
    let taken =
        [mobile].into_iter().chain(columns.get(&ListColumn::Name).into_iter().flatten().copied());
    let taken: Vec<usize> = taken.collect();
    for (column, mut places) in named {
        places.retain(|place| !taken.contains(place));
        if column != ListColumn::Name && column != ListColumn::Mobile && !places.is_empty() {
            columns.insert(column, places);
        }
    }
    Ok(ColumnLayout {
        columns,
        fields: BTreeMap::new(),
        headers,
        first_data_row: header.map_or(0, |at| at + 1),
        sheet: None,
        unread,
        first_column: 0,
        regions: BTreeMap::new(),
        region_column: None,
    })
}

/// The column that clearly holds numbers, and the one that holds names, by their cells.
fn number_and_name(rows: &[TableRow], region: country::Id) -> Option<(usize, Option<usize>)> {
    let width = rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
    let share = |index: usize, fits: &dyn Fn(&str) -> bool| {
        let cells: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.cells.get(index))
            .map(|c| c.trim())
            .filter(|c| !c.is_empty())
            .collect();
        let fitting = cells.iter().filter(|cell| fits(cell)).count();
        if cells.len() * 2 < rows.len() { 0.0 } else { fitting as f64 / cells.len() as f64 }
    };
    let numbers = |cell: &str| Phone::parse(cell, region).is_ok();
    let best = |fits: &dyn Fn(&str) -> bool, at_least: f64| {
        (0..width)
            .map(|index| (index, share(index, fits)))
            .filter(|(_, s)| *s >= at_least)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    };
    let (mobile, _) = best(&numbers, 0.7)?;
    let short_name = |cell: &str| {
        (2..=4).contains(&cell.chars().count())
            && cell.chars().all(|c| ('\u{4e00}'..='\u{9fff}').contains(&c) || c == '·')
    };
    Some((mobile, best(&short_name, 0.7).map(|(name, _)| name)))
}

/// Returns the letter of a column: 0 is A, 26 is AA.
pub(super) fn column_letter(mut index: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'A' + u8::try_from(index % 26).unwrap_or(0)));
        match (index / 26).checked_sub(1) {
            Some(rest) => index = rest,
            None => return letters.into_iter().rev().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[&[&str]]) -> Vec<TableRow> {
        rows.iter()
            .zip(1..)
            .map(|(cells, number)| TableRow {
                number,
                cells: cells.iter().map(|c| (*c).to_owned()).collect(),
            })
            .collect()
    }

    fn layout(rows: &[&[&str]]) -> Result<ColumnLayout, TableError> {
        let extra_synonyms = BTreeMap::from([("mobile".to_owned(), vec!["机主号码".to_owned()])]);
        ColumnLayout::detect(&table(rows), &extra_synonyms, country::CN)
    }

    #[test]
    fn headers_are_found_in_any_order_language_and_below_a_title() {
        let found = layout(&[
            &["被访者信息登记表"],
            &["备注", "手机号码（必填）", " 姓 名 ", "用户类型", "序号"],
            &["", "13800138000", "王小明", "", "1"],
        ])
        .unwrap();
        assert_eq!(found.first_data_row, 2);
        assert_eq!(found.columns[&ListColumn::Mobile], [1]);
        assert_eq!(
            (found.columns[&ListColumn::Name][0], found.columns[&ListColumn::Segment][0]),
            (2, 3)
        );
        assert_eq!(found.column_label(ListColumn::Mobile), "手机号码（必填）");
        assert_eq!(
            layout(&[&["Name", "Pager"], &["x", "1"]]).err(),
            Some(TableError::NoNumbers),
            "an unknown word is no column"
        );
        assert_eq!(
            layout(&[&["Full Name", "Mobile Number"], &["x", "1"]]).unwrap().columns.len(),
            2
        );
        assert_eq!(
            layout(&[&["姓名", "机主号码"]]).unwrap().columns[&ListColumn::Mobile],
            [1],
            "a word of the configuration"
        );
    }

    #[test]
    fn a_list_without_header_is_understood_by_its_numbers() {
        let found = layout(&[
            &["1", "王小明", "13800138000"],
            &["2", "李四", "13900139000"],
            &["3", "赵六", "坏的"],
            &["4", "钱七", "13700137000"],
        ])
        .unwrap();
        assert_eq!(
            (
                found.first_data_row,
                found.columns[&ListColumn::Mobile][0],
                found.columns[&ListColumn::Name][0]
            ),
            (0, 2, 1)
        );
        assert_eq!(found.column_label(ListColumn::Mobile), "C");
        assert_eq!(
            layout(&[&["王小明", "北京"], &["李四", "上海"]]).err(),
            Some(TableError::NoNumbers)
        );
        assert_eq!(
            (column_letter(25), column_letter(26), column_letter(701)),
            ("Z".into(), "AA".into(), "ZZ".into())
        );
    }

    /// A header over two rows, with what stands in one cell over both.
    #[test]
    fn a_header_may_be_divided_and_its_words_traditional_or_numbered() {
        let above = [
            &["被访者信息登记表（企业/机构类）"][..],
            &["企业/机构名称：（加盖公章）"],
            &["序号", "被访者姓名", "性别", "被访者信息", "", "", "备注"],
            &["", "", "", "单位", "联系电话", "手机", ""],
            &["1", "刘娜", "女", "某厂", "020-83301230", "13059832468", ""],
        ];
        let found = layout(&above).unwrap();
        assert_eq!(found.first_data_row, 4);
        let place = |column| found.columns[&column][0];
        assert_eq!(
            [
                ListColumn::Name,
                ListColumn::Salutation,
                ListColumn::Organisation,
                ListColumn::Mobile
            ]
            .map(place),
            [1, 2, 3, 5]
        );
        let below = [
            &["姓名", "联系方式", "", "备注"][..],
            &["", "手机", "固定电话", ""],
            &["王", "13800138000", "", ""],
        ];
        let found = layout(&below).unwrap();
        assert_eq!(found.first_data_row, 2);
        assert_eq!(
            found.number_columns().collect::<Vec<_>>(),
            [(ListColumn::Mobile, 1), (ListColumn::Phone, 2)]
        );
        let numbered =
            layout(&[&["客户名称", "联系人", "电话1", "电话2"], &["店", "李", "1", "2"]]).unwrap();
        assert_eq!(numbered.columns[&ListColumn::Phone], [2, 3]);
        let traditional = layout(&[&["姓名", "手機號碼"], &["陳", "1"]]).unwrap();
        assert_eq!(traditional.columns[&ListColumn::Mobile], [1]);
        // A line of a form is no header.
        let form = [
            &["经办人", "李磊", "电话", "020-83300464"][..],
            &["部门", "质量部", "手机", "15869074391"],
        ];
        assert!(ColumnLayout::by_header(&table(&form), &BTreeMap::new(), country::CN).is_none());
    }
}
