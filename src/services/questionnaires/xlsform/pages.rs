//! Lays items out in pages: a group is a page or several, and a page ends where a condition or a
//! text looks at an answer on it, since a page is shown as a whole.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::languages::{Languages, Texts};

/// What a page shares with the next, if it has to be divided.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageHead {
    pub title: Option<Texts>,
    /// The condition in our words.
    pub show_if: Option<String>,
}

/// A group that is shown as a table.
#[derive(Debug, Clone)]
pub struct Grid {
    pub group: usize,
    pub heading: Texts,
    /// The id that an exported form gives it.
    pub id: Option<String>,
}

/// An item to be laid out.
#[derive(Debug)]
pub struct Placed {
    pub item: Table,
    /// The ids that its condition and texts look at.
    pub looks_at: Vec<String>,
    pub grid: Option<Grid>,
    /// The group that makes the page.
    pub page: usize,
    pub head: PageHead,
}

struct Page {
    page: usize,
    head: PageHead,
    ids: BTreeSet<String>,
    items: Vec<(Table, Option<Grid>)>,
}

/// Lays out the items. Pages of different groups are never joined.
pub fn lay_out(items: Vec<Placed>, languages: &Languages) -> Vec<Value> {
    let mut pages: Vec<Page> = Vec::new();
    for placed in items {
        let is_new = pages.last().is_none_or(|page| {
            page.page != placed.page || placed.looks_at.iter().any(|id| page.ids.contains(id))
        });
        if is_new {
            let Placed { page, head, .. } = &placed;
            let head = head.clone();
            pages.push(Page { page: *page, head, ids: BTreeSet::new(), items: Vec::new() });
        }
        if let Some(page) = pages.last_mut() {
            if let Some(id) = placed.item.get("id").and_then(Value::as_str) {
                page.ids.insert(id.to_owned());
            }
            page.items.push((placed.item, placed.grid));
        }
    }
    let taken = pages.iter().flat_map(|page| &page.items).flat_map(|(item, grid)| {
        let exact = grid.iter().filter_map(|grid| grid.id.as_deref());
        item.get("id").and_then(Value::as_str).into_iter().chain(exact)
    });
    let mut grids = GridIds { taken: taken.map(str::to_lowercase).collect(), number: 0 };
    pages.into_iter().map(|page| write_page(page, languages, &mut grids)).collect()
}

/// Gives tables their ids.
struct GridIds {
    /// In small letters.
    taken: BTreeSet<String>,
    number: usize,
}

impl GridIds {
    fn next(&mut self) -> String {
        loop {
            self.number += 1;
            let id = format!("grid_{}", self.number);
            if !self.taken.contains(&id) {
                return id;
            }
        }
    }
}

fn write_page(page: Page, languages: &Languages, grids: &mut GridIds) -> Value {
    let title = page.head.title.unwrap_or_else(|| languages.words("问题", "Questions"));
    let mut table = Table::from_iter([("title".to_owned(), title.into_value())]);
    if let Some(condition) = page.head.show_if {
        table.insert("show_if".to_owned(), Value::String(condition));
    }
    let mut items: Vec<Value> = Vec::new();
    let mut rest = page.items.into_iter().peekable();
    let mut last_grid = None;
    while let Some((item, grid)) = rest.next() {
        let grid = grid.filter(|grid| is_row(&item) && last_grid != Some(grid.group));
        let Some(Grid { group, heading, id }) = grid else {
            items.push(Value::Table(item));
            continue;
        };
        let mut rows = vec![item];
        while let Some((next, _)) = rest.next_if(|(next, of)| {
            of.as_ref().is_some_and(|other| other.group == group)
                && without_own(next) == without_own(&rows[0])
        }) {
            rows.push(next);
        }
        last_grid = Some(group);
        let id = id.unwrap_or_else(|| grids.next());
        items.push(Value::Table(write_grid(rows, heading, id)));
    }
    table.insert("item".to_owned(), Value::Array(items));
    Value::Table(table)
}

fn is_row(item: &Table) -> bool {
    matches!(item.get("type").and_then(Value::as_str), Some("single" | "scale"))
}

/// The keys that each row of a grid has for itself.
const OF_ROWS: [&str; 4] = ["id", "variable", "text", "latent"];

fn without_own(item: &Table) -> Table {
    item.iter()
        .filter(|(key, _)| !OF_ROWS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn write_grid(rows: Vec<Table>, heading: Texts, id: String) -> Table {
    let mut grid = Table::from_iter([
        ("id".to_owned(), Value::from(id)),
        ("type".to_owned(), Value::from("grid")),
        ("text".to_owned(), heading.into_value()),
    ]);
    for (key, value) in without_own(&rows[0]) {
        if key != "type" {
            grid.insert(key, value);
        }
    }
    let row = |item: Table| {
        Value::Table(item.into_iter().filter(|(key, _)| OF_ROWS.contains(&key.as_str())).collect())
    };
    grid.insert("rows".to_owned(), Value::Array(rows.into_iter().map(row).collect()));
    grid
}
