//! Pages of a PDF, as the drawing that LibreOffice makes of them: pieces of text and lines, each with
//! its place. Lines around a text make it a cell; text outside of all boxes stands above a table. A
//! PDF without such boxes is one table, its cells between wide gaps.

use std::collections::{BTreeMap, HashMap};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::ods::attribute;
use super::{ForeignFile, MAX_TEXT, Result, SparseRows, SpreadsheetError, too_much_text};

const KIND: &str = "application/vnd.oasis.opendocument.graphics";
/// Where the kind stands, in bytes.
const HEAD: usize = 16 * 1024;
/// Of a page.
const MAX_PIECES: usize = 20_000;
const MAX_LINES: usize = 4_000;
/// In centimetres: what is as good as one place, a line that is drawn as a thin box, and the gap
/// between two columns without lines.
const TOLERANCE: f64 = 0.12;
const THIN: f64 = 0.15;
const COLUMN_GAP: f64 = 0.5;

pub fn is_drawing(text: &str) -> bool {
    let mut end = text.len().min(HEAD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].contains(KIND)
}

/// A piece of text with its box, in centimetres from the upper left corner of its page.
#[derive(Clone, Default)]
struct Piece {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    text: String,
}

impl Piece {
    fn middle(&self) -> (f64, f64) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }
}

/// A line along one direction: its place across, and from where to where.
struct Line {
    at: f64,
    from: f64,
    until: f64,
}

impl Line {
    fn passes(&self, place: f64) -> bool {
        self.from - TOLERANCE <= place && place <= self.until + TOLERANCE
    }
}

#[derive(Default)]
struct Page {
    pieces: Vec<Piece>,
    across: Vec<Line>,
    down: Vec<Line>,
}

/// A cell by its box, or a line of text outside of all boxes.
struct Block {
    bounds: Option<[f64; 4]>,
    top: f64,
    pieces: Vec<Piece>,
}

/// Passes each table to `add`, with the text above it.
///
/// # Errors
/// If there is no text on any page.
pub fn for_each_table(
    drawing: &str,
    add: &mut impl FnMut(String, SparseRows) -> Result<bool>,
) -> Result<()> {
    let pages = read_pages(drawing)?;
    if pages.iter().all(|page| page.pieces.is_empty()) {
        return Err(SpreadsheetError::Foreign(ForeignFile::ScannedPdf));
    }
    let blocks: Vec<Vec<Block>> = pages.into_iter().map(blocks_of).collect();
    if blocks.iter().flatten().all(|block| block.bounds.is_none()) {
        add(String::new(), without_lines(blocks)?)?;
        return Ok(());
    }
    let (mut heading, mut cells) = (String::new(), Vec::new());
    for (page, blocks) in blocks.into_iter().enumerate() {
        for block in blocks {
            match block.bounds {
                Some(bounds) => cells.push((page, bounds, block.pieces)),
                None => {
                    if !cells.is_empty() {
                        let rows = table_of(std::mem::take(&mut cells))?;
                        if add(std::mem::take(&mut heading).trim().to_owned(), rows)? {
                            return Ok(());
                        }
                    }
                    heading.push_str(&text_of(&block.pieces, None));
                    heading.push('\n');
                }
            }
        }
    }
    if !cells.is_empty() {
        let rows = table_of(cells)?;
        if add(std::mem::take(&mut heading).trim().to_owned(), rows)? {
            return Ok(());
        }
    }
    if !heading.trim().is_empty() {
        add(heading.trim().to_owned(), SparseRows::default())?;
    }
    Ok(())
}

fn read_pages(drawing: &str) -> Result<Vec<Page>> {
    let mut reader = Reader::from_str(drawing);
    reader.config_mut().expand_empty_elements = true;
    let (mut pages, mut piece, mut is_body, mut text) = (Vec::<Page>::new(), None, false, 0usize);
    loop {
        match reader.read_event().map_err(SpreadsheetError::unreadable)? {
            Event::Start(tag) => match tag.local_name().as_ref() {
                // Before it stand styles and the backgrounds of pages.
                "body" => is_body = true,
                "page" if is_body => pages.push(Page::default()),
                "frame" => piece = box_of(&tag),
                "line" | "rect" | "path" | "polygon" | "polyline" | "custom-shape" => {
                    if let Some(page) = pages.last_mut() {
                        page.add_lines(&tag);
                    }
                }
                "s" => push(&mut piece, " "),
                "tab" => push(&mut piece, "\t"),
                _ => {}
            },
            Event::Text(words) => {
                text += words.len();
                if text > MAX_TEXT {
                    return Err(too_much_text());
                }
                push(&mut piece, &words);
            }
            Event::GeneralRef(entity) => {
                let raw = format!("&{};", &*entity);
                let words = quick_xml::escape::unescape(&raw).map(|text| text.into_owned());
                push(&mut piece, &words.map_err(SpreadsheetError::unreadable)?);
            }
            Event::End(tag) if tag.local_name().as_ref() == "frame" => {
                let read = piece.take().filter(|piece: &Piece| !piece.text.trim().is_empty());
                if let (Some(page), Some(piece)) = (pages.last_mut(), read)
                    && page.pieces.len() < MAX_PIECES
                {
                    page.pieces.push(piece);
                }
            }
            Event::Eof => return Ok(pages),
            _ => {}
        }
    }
}

fn push(piece: &mut Option<Piece>, text: &str) {
    // The lines of the file between the tags are none of the page.
    if let Some(piece) = piece
        && !(text.trim().is_empty() && text.contains('\n'))
    {
        piece.text.push_str(text);
    }
}

fn length(tag: &BytesStart<'_>, name: &str) -> Option<f64> {
    let text = attribute(tag, name)?;
    let units = [("cm", 1.0), ("mm", 0.1), ("in", 2.54), ("pt", 2.54 / 72.0)];
    let (number, unit) =
        units.iter().find_map(|(unit, in_cm)| Some((text.strip_suffix(unit)?, in_cm)))?;
    number.parse::<f64>().ok().map(|number| number * unit).filter(|length| length.is_finite())
}

fn box_of(tag: &BytesStart<'_>) -> Option<Piece> {
    let (left, top) = (length(tag, "svg:x")?, length(tag, "svg:y")?);
    let (width, height) = (length(tag, "svg:width")?, length(tag, "svg:height")?);
    let (right, bottom) = (left + width, top + height);
    Some(Piece { left, top, right, bottom, text: String::new() })
}

impl Page {
    fn add_lines(&mut self, tag: &BytesStart<'_>) {
        let ends = || {
            let (x1, x2) = (length(tag, "svg:x1")?, length(tag, "svg:x2")?);
            Some((x1.min(x2), length(tag, "svg:y1")?, x1.max(x2), length(tag, "svg:y2")?))
        };
        let of_box = || box_of(tag).map(|b| (b.left, b.top, b.right, b.bottom));
        let Some((left, one, right, other)) = ends().or_else(of_box) else { return };
        let (top, bottom) = (one.min(other), one.max(other));
        let is_flat = bottom - top < THIN;
        let is_upright = right - left < THIN;
        if self.across.len() + self.down.len() >= MAX_LINES || (is_flat && is_upright) {
            return;
        }
        if !is_upright {
            // A box has two sides; a line is both.
            let places = if is_flat { vec![(top + bottom) / 2.0] } else { vec![top, bottom] };
            let line = |at| Line { at, from: left, until: right };
            self.across.extend(places.into_iter().map(line));
        }
        if !is_flat {
            let places = if is_upright { vec![(left + right) / 2.0] } else { vec![left, right] };
            let line = |at| Line { at, from: top, until: bottom };
            self.down.extend(places.into_iter().map(line));
        }
    }

    /// The box of lines around a place: left, top, right, bottom.
    fn bounds_at(&self, (x, y): (f64, f64)) -> Option<[f64; 4]> {
        let nearest = |lines: &[Line], along: f64, at: f64| {
            let passing = || lines.iter().filter(|line| line.passes(along)).map(|line| line.at);
            let before = passing().filter(|place| *place <= at).reduce(f64::max)?;
            Some((before, passing().filter(|place| *place > at).reduce(f64::min)?))
        };
        let (left, right) = nearest(&self.down, y, x)?;
        let (top, bottom) = nearest(&self.across, x, y)?;
        Some([left, top, right, bottom])
    }
}

fn is_near(one: f64, other: f64) -> bool {
    (one - other).abs() <= TOLERANCE
}

/// The cells of a page and its lines of text outside of them, from above.
fn blocks_of(mut page: Page) -> Vec<Block> {
    let mut pieces = std::mem::take(&mut page.pieces);
    sort_for_reading(&mut pieces);
    let mut blocks: Vec<Block> = Vec::new();
    let mut by_box = HashMap::new();
    for piece in pieces {
        let bounds = page.bounds_at(piece.middle());
        let key = bounds.map(|bounds| bounds.map(|place| (place / TOLERANCE).round() as i64));
        let known = match key {
            Some(key) => by_box.get(&key).copied(),
            None => blocks.iter().rposition(|block| {
                block.bounds.is_none()
                    && block.pieces.iter().any(|other| on_one_line(other, &piece))
            }),
        };
        match known {
            Some(place) => blocks[place].pieces.push(piece),
            None => {
                key.and_then(|key| by_box.insert(key, blocks.len()));
                let top = bounds.map_or(piece.top, |bounds| bounds[1]);
                blocks.push(Block { bounds, top, pieces: vec![piece] });
            }
        }
    }
    blocks.sort_by(|one, other| one.top.total_cmp(&other.top));
    blocks
}

fn on_one_line(one: &Piece, other: &Piece) -> bool {
    let overlap = one.bottom.min(other.bottom) - one.top.max(other.top);
    overlap > 0.5 * (one.bottom - one.top).min(other.bottom - other.top)
}

/// From above, and on a line from the left.
fn sort_for_reading(pieces: &mut [Piece]) {
    pieces.sort_by(|one, other| one.top.total_cmp(&other.top));
    let mut from = 0;
    while from < pieces.len() {
        let first = pieces[from].clone();
        let more = pieces[from..].iter().take_while(|piece| on_one_line(&first, piece)).count();
        let until = from + more.max(1);
        pieces[from..until].sort_by(|one, other| one.left.total_cmp(&other.left));
        from = until;
    }
}

/// The text of pieces in their order. A line that reaches the right end of its cell goes on in the
/// next one.
fn text_of(pieces: &[Piece], right: Option<f64>) -> String {
    let mut text = String::new();
    for (place, piece) in pieces.iter().enumerate() {
        if let Some(before) = place.checked_sub(1).map(|before| &pieces[before]) {
            let height = piece.bottom - piece.top;
            if on_one_line(before, piece) {
                if piece.left - before.right > 0.3 * height {
                    text.push(' ');
                }
            } else {
                // Half of what is left there may be the margin of the cell.
                let is_full = right.is_some_and(|right| right - before.right < 1.2 * height);
                // «020-» is no number.
                if !is_full && !text.ends_with('-') {
                    text.push('\n');
                }
            }
        }
        text.push_str(&piece.text);
    }
    text
}

/// Puts cells into rows and columns, by their upper and left sides. Where a table goes on on the next
/// page, its rows do.
fn table_of(cells: Vec<(usize, [f64; 4], Vec<Piece>)>) -> Result<SparseRows> {
    let mut columns: Vec<f64> = cells.iter().map(|(_, bounds, _)| bounds[0]).collect();
    let mut tops: Vec<(usize, f64)> = cells.iter().map(|(page, b, _)| (*page, b[1])).collect();
    columns.sort_by(f64::total_cmp);
    columns.dedup_by(|next, kept| is_near(*next, *kept));
    tops.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
    tops.dedup_by(|next, kept| next.0 == kept.0 && is_near(next.1, kept.1));
    let mut placed: BTreeMap<(usize, usize), (usize, f64, Vec<Piece>)> = BTreeMap::new();
    for (page, bounds, pieces) in cells {
        let column = columns.iter().position(|place| is_near(*place, bounds[0])).unwrap_or(0);
        let row = tops.iter().position(|(p, top)| *p == page && is_near(*top, bounds[1]));
        let row = row.unwrap_or(0);
        let ends_before = |(p, top): &&(usize, f64)| *p == page && *top < bounds[3] - TOLERANCE;
        let last = row + tops[row + 1..].iter().take_while(ends_before).count();
        placed.insert((row, column), (last, bounds[2], pieces));
    }
    // The end of a page may cut through a row: what follows has nothing in its first column.
    for row in (1..tops.len()).rev().filter(|row| tops[*row].0 != tops[row - 1].0) {
        let is_cut = !placed.contains_key(&(row, 0))
            && placed.contains_key(&(row - 1, 0))
            && placed
                .range((row, 0)..(row + 1, 0))
                .all(|((_, column), _)| placed.contains_key(&(row - 1, *column)));
        if is_cut {
            for column in 0..columns.len() {
                let Some((_, _, rest)) = placed.remove(&(row, column)) else { continue };
                if let Some((_, _, pieces)) = placed.get_mut(&(row - 1, column)) {
                    pieces.extend(rest);
                }
            }
        }
    }
    let mut rows = SparseRows::default();
    for ((row, column), (last, right, pieces)) in placed {
        rows.merge((row as u32, column as u32), last as u32);
        let text = text_of(&pieces, Some(right));
        rows.add((row as u32, column as u32), text.trim().to_owned())?;
    }
    Ok(rows)
}

/// The rows of a document without lines around cells: a column is where texts of several rows stand
/// below each other.
fn without_lines(pages: Vec<Vec<Block>>) -> Result<SparseRows> {
    let cells_of = |block: Block| {
        let mut cells: Vec<Piece> = Vec::new();
        for piece in block.pieces {
            match cells.last_mut() {
                Some(cell) if piece.left - cell.right < COLUMN_GAP => {
                    if piece.left - cell.right > 0.3 * (piece.bottom - piece.top) {
                        cell.text.push(' ');
                    }
                    cell.text.push_str(&piece.text);
                    cell.right = cell.right.max(piece.right);
                }
                _ => cells.push(piece),
            }
        }
        cells
    };
    let lines: Vec<Vec<Piece>> = pages.into_iter().flatten().map(cells_of).collect();
    let mut columns: Vec<(f64, f64)> = lines
        .iter()
        .filter(|cells| cells.len() > 1)
        .flatten()
        .map(|cell| (cell.left, cell.right))
        .collect();
    columns.sort_by(|one, other| one.0.total_cmp(&other.0));
    columns.dedup_by(|next, kept| {
        let is_same = next.0 < kept.1;
        if is_same {
            kept.1 = kept.1.max(next.1);
        }
        is_same
    });
    let mut rows = SparseRows::default();
    for (row, cells) in lines.into_iter().enumerate() {
        for cell in cells {
            let column = columns.iter().rposition(|(left, _)| *left <= cell.left + TOLERANCE);
            rows.add((row as u32, column.unwrap_or(0) as u32), cell.text.trim().to_owned())?;
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use crate::adapters::spreadsheets::{ForeignFile, Sheets, SpreadsheetError, read_here};

    fn text(x: f64, y: f64, width: f64, words: &str) -> String {
        format!(
            "<draw:frame svg:x=\"{x}cm\" svg:y=\"{y}cm\" svg:width=\"{width}cm\" \
             svg:height=\"0.5cm\"><draw:text-box>\n <text:p>{words}</text:p></draw:text-box></draw:frame>"
        )
    }

    fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
        format!(
            "<draw:line svg:x1=\"{x1}cm\" svg:y1=\"{y1}cm\" svg:x2=\"{x2}cm\" svg:y2=\"{y2}cm\"/>"
        )
    }

    fn drawing(pages: &[String]) -> Vec<u8> {
        let pages: String =
            pages.iter().map(|page| format!("<draw:page>{page}</draw:page>")).collect();
        format!(
            "<?xml version=\"1.0\"?><office:document office:mimetype=\"application/vnd.oasis.\
             opendocument.graphics\"><office:body>{pages}</office:body></office:document>"
        )
        .into_bytes()
    }

    fn tables(pages: &[String]) -> Vec<(String, Vec<Vec<String>>)> {
        let sheets = read_here(&drawing(pages), Sheets::Visible).unwrap();
        let rows = |s: Vec<super::super::Row>| s.into_iter().map(|row| row.cells).collect();
        sheets.into_iter().map(|sheet| (sheet.name, rows(sheet.rows))).collect()
    }

    /// The lines of a table: columns at 1, 4 and 8 cm.
    fn grid(tops: &[f64]) -> String {
        let (first, last) = (tops[0], tops[tops.len() - 1]);
        let down: String = [1.0, 4.0, 8.0].iter().map(|x| line(*x, first, *x, last)).collect();
        down + &tops.iter().map(|y| line(1.0, *y, 8.0, *y)).collect::<String>()
    }

    #[test]
    fn lines_around_texts_are_cells_and_a_table_goes_on_on_the_next_page() {
        let first = grid(&[3.0, 4.0, 5.5, 6.0])
            + &text(1.2, 1.0, 3.0, "被访者信息登记表")
            + &text(1.2, 3.2, 1.0, "姓名")
            + &text(4.2, 3.2, 1.0, "电话")
            + &text(1.2, 4.2, 0.5, "王")
            + &text(1.7, 4.2, 0.5, "伟")
            // The number is too long for its cell.
            + &text(4.2, 4.2, 3.6, "138 0013 ")
            + &text(4.2, 4.8, 1.0, "8000")
            + &text(1.2, 5.5, 0.5, "刘丽")
            + &text(4.2, 5.5, 3.6, "137 0013 ");
        let second = grid(&[1.0, 1.4, 2.0])
            // The page ended within her number.
            + &text(4.2, 0.9, 1.0, "0000")
            + &text(4.2, 1.5, 3.0, "13900139000")
            + &text(1.2, 1.5, 0.5, "李")
            + &text(1.2, 3.0, 3.0, "填表人：张");
        assert_eq!(
            tables(&[first, second]),
            [
                (
                    "被访者信息登记表".to_owned(),
                    vec![
                        vec!["姓名".to_owned(), "电话".to_owned()],
                        vec!["王伟".to_owned(), "138 0013 8000".to_owned()],
                        vec!["刘丽".to_owned(), "137 0013 0000".to_owned()],
                        vec!["李".to_owned(), "13900139000".to_owned()],
                    ]
                ),
                ("填表人：张".to_owned(), vec![]),
            ]
        );
    }

    #[test]
    fn without_lines_columns_stand_below_each_other() {
        let row =
            |y: f64, name: &str, number: &str| text(1.0, y, 1.0, name) + &text(5.0, y, 3.0, number);
        let page = text(1.0, 0.2, 9.0, "名单")
            + &row(1.0, "姓名", "手机")
            + &row(2.0, "王", "13800138000")
            + &text(5.2, 3.0, 2.0, "13900139000");
        let told = tables(&[page]);
        assert_eq!(
            told[0].1,
            [
                vec!["名单"],
                vec!["姓名", "手机"],
                vec!["王", "13800138000"],
                vec!["", "13900139000"]
            ]
        );
    }

    #[test]
    fn a_page_without_text_is_a_scan() {
        let picture = "<draw:frame svg:x=\"0cm\" svg:y=\"0cm\" svg:width=\"21cm\" svg:height=\"29cm\">\
            <draw:image/></draw:frame>";
        let told = read_here(&drawing(&[picture.to_owned()]), Sheets::Visible);
        assert_eq!(told, Err(SpreadsheetError::Foreign(ForeignFile::ScannedPdf)));
    }
}
