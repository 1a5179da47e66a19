//! The rows of an XLSX that are not shown: hidden by hand or by a filter (ECMA-376, `row`, `hidden`).

use std::collections::{HashMap, HashSet};
use std::io::{Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::Event;

use super::ods::attribute;

type Archive<'a> = zip::ZipArchive<Cursor<&'a [u8]>>;

/// The most of a part that is looked at; the size of the whole file was checked before.
const MAX_PART: u64 = 256 * 1024 * 1024;

/// Returns the rows of each sheet that are not shown, from 0, by the sheet's name. What cannot be read
/// hides nothing: the reader of cells says what is wrong with the file.
pub fn hidden_rows(bytes: &[u8]) -> HashMap<String, HashSet<u32>> {
    let Ok(mut archive) = super::archive(bytes) else { return HashMap::new() };
    let sheets = sheet_parts(&mut archive).unwrap_or_default();
    let of_sheet = |(name, part): (String, String)| {
        let text = part_text(&mut archive, &part)?;
        let rows = hidden_rows_of(&text);
        (!rows.is_empty()).then_some((name, rows))
    };
    sheets.into_iter().filter_map(of_sheet).collect()
}

fn part_text(archive: &mut Archive<'_>, part: &str) -> Option<String> {
    let mut bytes = Vec::new();
    archive.by_name(part).ok()?.take(MAX_PART).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// The names of the sheets with their parts.
fn sheet_parts(archive: &mut Archive<'_>) -> Option<Vec<(String, String)>> {
    let relations = part_text(archive, "xl/_rels/workbook.xml.rels")?;
    let targets: HashMap<String, String> = tags(&relations, "Relationship", ["Id", "Target"])
        .into_iter()
        .map(|[id, target]| (id, target))
        .collect();
    let workbook = part_text(archive, "xl/workbook.xml")?;
    let sheets = tags(&workbook, "sheet", ["name", "r:id"]).into_iter().filter_map(|[name, id]| {
        let target = targets.get(&id)?;
        let part = match target.strip_prefix('/') {
            Some(whole) => whole.to_owned(),
            None => format!("xl/{}", target.trim_start_matches("./")),
        };
        Some((name, part))
    });
    Some(sheets.collect())
}

/// The values of two attributes of each tag of a name that has both.
fn tags(text: &str, name: &str, wanted: [&str; 2]) -> Vec<[String; 2]> {
    let mut reader = Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) if tag.local_name().as_ref() == name => {
                if let [Some(one), Some(two)] = wanted.map(|key| attribute(&tag, key)) {
                    found.push([one, two]);
                }
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

/// Reads the tags of rows alone: most sheets have a million others.
fn hidden_rows_of(text: &str) -> HashSet<u32> {
    let mut rows = HashSet::new();
    if !text.contains(" hidden=") {
        return rows;
    }
    let mut next = 0u32;
    for (at, _) in text.match_indices("row ") {
        if !text[..at].ends_with(['<', ':']) {
            continue;
        }
        let Some(tag) = text[at..].split('>').next() else { continue };
        let value = |key: &str| {
            let rest = &tag[tag.find(key)? + key.len()..];
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            rest[1..].split(quote).next()
        };
        let row = value(" r=")
            .and_then(|row| row.parse().ok())
            .map_or(next, |row: u32| row.saturating_sub(1));
        next = row.saturating_add(1);
        if matches!(value(" hidden="), Some("1" | "true")) && rows.len() < super::MAX_ROWS {
            rows.insert(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::hidden_rows_of;

    #[test]
    fn rows_say_that_they_are_hidden_with_or_without_a_number() {
        let sheet = "<cols><col hidden=\"1\"/></cols><row r=\"2\" hidden=\"1\"/><row spans='1:2' hidden='true'>\
            <c><t>the row hidden=\"1\"</t></c></row><x:row r=\"9\" hidden=\"0\"/><row r=\"10\"/>";
        let mut rows: Vec<u32> = hidden_rows_of(sheet).into_iter().collect();
        rows.sort_unstable();
        assert_eq!(rows, [1, 2]);
    }
}
