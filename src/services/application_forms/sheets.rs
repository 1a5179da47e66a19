//! Information sheets (信息表): the fields of the subjects of one category, as labels with values or as
//! columns with a subject in each row; and a cell with both model and specification taken apart.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::form::{MODEL_AND_SPECIFICATION, ReadCell, ReadForm, SUBJECT_FIELDS, category_in};
use super::subjects::{self, label};
use crate::adapters::spreadsheets::{Row, Sheet};
use crate::domain::category::Category;

/// The category that a table is an information sheet for: its heading says so, or its first row.
pub fn category_of_sheet(table: &Sheet) -> Option<Category> {
    let title = table.rows.first().map(|row| {
        let mut filled = row.cells.iter().filter(|cell| !cell.trim().is_empty());
        filled.next().filter(|_| filled.next().is_none()).cloned().unwrap_or_default()
    });
    let is_sheet = |heading: &&str| heading.contains("信息表") && !heading.contains("被访者");
    let title = title.unwrap_or_default();
    let mut headings = table.name.lines().rev().chain([title.as_str()]).filter(is_sheet);
    headings.find_map(category_in)
}

/// Reads the rows under a header that names fields in several columns: each is a subject. Returns the
/// rows that are none, which may be labels with values.
pub fn read_columns<'a>(
    document: &str,
    table: &'a Sheet,
    category: Category,
    form: &mut ReadForm,
) -> &'a [Row] {
    let field = |cell: &String| {
        let folded = label(cell);
        let mut known = SUBJECT_FIELDS.iter().filter(|(of, ..)| *of == category);
        known.find(|(.., words)| words.contains(&folded.as_str())).map(|(_, field, _)| *field)
    };
    let filled = |row: &Row| row.cells.iter().filter(|cell| !cell.trim().is_empty()).count();
    // A label with its value beside it is no header, whose fields stand side by side.
    let header = table.rows.iter().position(|row| {
        let named = row.cells.iter().filter(|cell| field(cell).is_some()).count();
        let is_beside = row.cells.windows(2).any(|two| two.iter().all(|c| field(c).is_some()));
        let is_numbered = row.cells.first().is_some_and(|cell| label(cell) == "序号");
        is_beside || is_numbered && named > 1
    });
    let Some(header) = header else { return &table.rows };
    let columns: Vec<Option<&str>> = table.rows[header].cells.iter().map(field).collect();
    let mut end = header + 1;
    for row in &table.rows[header + 1..] {
        if row.cells.iter().any(|cell| field(cell).is_some()) || filled(row) < 2 {
            break;
        }
        end += 1;
        let mut sheet = BTreeMap::new();
        for (place, cell) in row.cells.iter().enumerate() {
            let value = cell.trim();
            if value.is_empty() {
                continue;
            }
            let field = columns.get(place).copied().flatten();
            if let Some(field) = field {
                sheet.insert(field.to_owned(), value.to_owned());
            }
            form.cells.push(ReadCell {
                document: document.to_owned(),
                label: format!(
                    "{} · {}",
                    row.number,
                    table.rows[header].cells.get(place).map(|cell| cell.trim()).unwrap_or_default()
                ),
                value: value.to_owned(),
                field: field.map(|field| format!("subject.{field}")).unwrap_or_default(),
            });
        }
        if !sheet.is_empty() {
            form.sheets.push((category, sheet));
        }
    }
    // What stands above the header and below the rows is read as labels.
    if header > 0 { &table.rows[..header] } else { &table.rows[end..] }
}

/// The subjects of an information sheet: one, or several of which each has its own value.
pub fn subjects_of(
    category: Category,
    sheet: &BTreeMap<String, String>,
) -> Vec<BTreeMap<String, String>> {
    let main = match category {
        Category::Organisation | Category::Project => "name",
        Category::Brand => "brand",
        Category::Product => "product",
        Category::Service => "service",
    };
    let parts: Vec<(&String, Vec<String>)> =
        sheet.iter().map(|(field, value)| (field, subjects::split(value))).collect();
    let count = parts.iter().find(|(field, _)| *field == main).map_or(1, |(_, all)| all.len());
    // The values belong to their subjects one by one, or one to all.
    let is_told = parts.iter().all(|(_, values)| values.len() == count || values.len() == 1);
    if count < 2 || !is_told {
        return vec![sheet.clone()];
    }
    let of = |place: usize| {
        let value = |(field, values): &(&String, Vec<String>)| {
            let value = if values.len() == count { &values[place] } else { &values[0] };
            ((*field).clone(), value.clone())
        };
        parts.iter().map(value).collect()
    };
    (0..count).map(of).collect()
}

/// Takes a cell with model and specification apart. `Err`: it cannot be told which is which; it goes
/// into the model as a whole.
pub fn take_apart(fields: &mut BTreeMap<String, String>) -> Result<(), String> {
    let Some(whole) = fields.remove(MODEL_AND_SPECIFICATION) else { return Ok(()) };
    let marked = subjects::fields(Category::Product, &whole, None);
    let of_marks = (marked.get("model"), marked.get("specification"));
    let parts: Vec<&str> = SEPARATOR.split(whole.trim()).filter(|p| !p.is_empty()).collect();
    let (model, specification) = match (of_marks, parts.as_slice()) {
        ((Some(model), Some(specification)), _) => (model.clone(), specification.clone()),
        (_, [one, other]) if is_model(one) && is_specification(other) => {
            ((*one).to_owned(), (*other).to_owned())
        }
        (_, [one, other]) if is_specification(one) && is_model(other) => {
            ((*other).to_owned(), (*one).to_owned())
        }
        (_, [only]) if is_specification(only) => {
            fields.entry("specification".to_owned()).or_insert_with(|| (*only).to_owned());
            return Ok(());
        }
        (_, [only]) if is_model(only) => {
            fields.entry("model".to_owned()).or_insert_with(|| (*only).to_owned());
            return Ok(());
        }
        _ => {
            fields.entry("model".to_owned()).or_insert_with(|| whole.trim().to_owned());
            return Err(whole);
        }
    };
    fields.entry("model".to_owned()).or_insert(model);
    fields.entry("specification".to_owned()).or_insert(specification);
    Ok(())
}

static SEPARATOR: LazyLock<Regex> = LazyLock::new(|| {
    // Fixed patterns, which the tests below run. «250g/盒» and «GW/A1» are one part.
    Regex::new(r"\s*[，,；;、]\s*|\s+/\s+|\s*／\s*|\s+").expect("a fixed pattern")
});
static MODEL: LazyLock<Regex> = LazyLock::new(|| {
    // A fixed pattern.
    Regex::new(r"^[A-Za-z][A-Za-z0-9]*[-_/.+()A-Za-z0-9]*\d[-_/.+()A-Za-z0-9]*$|^[A-Za-z]{1,4}-[A-Za-z0-9-]+$")
        .expect("a fixed pattern")
});
static SPECIFICATION: LazyLock<Regex> = LazyLock::new(|| {
    let unit = "毫升|升|千克|公斤|克|吨|匹|英寸|寸|瓦|千瓦|伏|毫米|厘米|米|平方米|立方米|片|支|盒|袋|包|粒|双|件|套|瓶|抽|只|卷|斤|枚|张|桶|罐|箱|码|个|mL|ML|ml|L|l|kg|KG|Kg|mg|g|G|t|W|w|KW|kW|kw|V|mm|cm|m|GB|TB|GHz|Hz|寸|°|%|度|孔|座|人|层|级|目";
    let measure = format!(r"[φΦ]?\d+(?:\.\d+)?(?:[-~～至]\d+(?:\.\d+)?)?\s*(?:{unit})?");
    let pattern = format!(
        r"^(?:{measure}(?:\s*[×xX*]\s*{measure})+(?:/\S+)?|[φΦ]?\d+(?:\.\d+)?(?:[-~～至]\d+(?:\.\d+)?)?\s*(?:{unit})(?:/\S+|装)?|DN\d+|[φΦ]\d+)$"
    );
    // A fixed pattern.
    Regex::new(&pattern).expect("a fixed pattern")
});

/// The field of a word that says by itself what it is.
pub fn bare_field(word: &str) -> Option<&'static str> {
    let is_told = [("specification", is_specification(word)), ("model", is_model(word))];
    is_told.into_iter().find(|(_, is_it)| *is_it).map(|(field, _)| field)
}

/// Whether a word is a model: letters with a number.
pub fn is_model(word: &str) -> bool {
    MODEL.is_match(word) && !is_specification(word)
}

/// Whether a word is a measure: «60L», «250g/盒», «DN15», «30×40cm».
pub fn is_specification(word: &str) -> bool {
    SPECIFICATION.is_match(word)
}

#[cfg(test)]
mod tests {
    use super::super::sheet_of;
    use super::*;

    #[test]
    fn model_and_specification_in_one_cell_are_taken_apart_where_it_can_be_told() {
        let of = |cell: &str| {
            let mut fields =
                BTreeMap::from([(MODEL_AND_SPECIFICATION.to_owned(), cell.to_owned())]);
            let is_whole = take_apart(&mut fields).is_err();
            let of = |field: &str| fields.get(field).cloned().unwrap_or_default();
            format!("{}|{}{}", of("model"), of("specification"), if is_whole { "?" } else { "" })
        };
        for (cell, expected) in [
            ("GZ60 60L", "GZ60|60L"),
            ("60L GZ60", "GZ60|60L"),
            ("YT-1，250g/盒", "YT-1|250g/盒"),
            ("SL-1 / DN15", "SL-1|DN15"),
            ("型号：LW-9 规格：指纹款", "LW-9|指纹款"),
            ("KFR-35GW/A1，1.5匹", "KFR-35GW/A1|1.5匹"),
            ("H3、30×40cm", "H3|30×40cm"),
            ("LW-9", "LW-9|"),
            ("250g/盒", "|250g/盒"),
            // Not told: whole, and shown.
            ("LW-9 指纹款", "LW-9 指纹款|?"),
            ("A1、A2、A3", "A1、A2、A3|?"),
            ("标准型", "标准型|?"),
        ] {
            assert_eq!(of(cell), expected, "{cell}");
        }
    }

    #[test]
    fn a_sheet_with_columns_has_a_subject_in_each_row() {
        let table = sheet_of(
            "产品信息表",
            &[
                &["序号", "产品名称", "品牌", "规格型号"],
                &["1", "门锁", "蓝湾", "LW-9 指纹款"],
                &["2", "水龙头", "绿洲", "SL-1 DN15"],
            ],
        );
        let mut form = ReadForm::default();
        assert!(read_columns("x", &table, Category::Product, &mut form).is_empty());
        assert_eq!(form.sheets.len(), 2);
        assert_eq!(form.sheets[1].1["product"], "水龙头");
        assert_eq!(form.cells[0].field, "");
        // Labels with values beside them are none.
        for rows in [
            &[&["产品名称", "热水器", "商标", "远帆"][..], &["型号", "H3", "规格", "16L"]][..],
            &[&["产品名称", "热水器"], &["品牌", "远帆"]],
        ] {
            let mut form = ReadForm::default();
            let table = sheet_of("产品信息表", rows);
            assert_eq!(read_columns("x", &table, Category::Product, &mut form).len(), 2);
            assert!(form.sheets.is_empty());
        }
    }

    #[test]
    fn several_subjects_of_one_sheet_are_told_apart() {
        let of = |category, fields: &[(&str, &str)]| {
            let sheet = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let all = subjects_of(category, &sheet);
            let one = |fields: BTreeMap<String, String>| {
                fields.into_values().collect::<Vec<_>>().join("+")
            };
            all.into_iter().map(one).collect::<Vec<_>>()
        };
        assert_eq!(
            of(Category::Service, &[("service", "物业服务\n保洁服务")]),
            ["物业服务", "保洁服务"]
        );
        assert_eq!(
            of(
                Category::Product,
                &[("brand", "蓝湾"), ("product", "1、锁 2、灯"), ("model", "1、A1 2、B2")]
            ),
            ["蓝湾+A1+锁", "蓝湾+B2+灯"]
        );
        assert_eq!(
            of(Category::Project, &[("name", "海风苑"), ("number", "3#、5#")]),
            ["海风苑+3#、5#"]
        );
    }
}
