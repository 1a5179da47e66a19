//! A spreadsheet of applications: one row each, under a header.

use std::collections::BTreeMap;

use super::subjects::label;
use crate::adapters::spreadsheets::Sheet;
use crate::domain::category::Category;

/// An application of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationRow {
    pub row: u32,
    pub applicant: String,
    pub category: Category,
    /// The subject in words; empty where only its fields are given.
    pub subject: String,
    pub fields: BTreeMap<String, String>,
    pub contact: BTreeMap<String, String>,
}

/// The columns, by what they are: the applicant, the category, the subject, a field of the subject or
/// of the contact.
const COLUMNS: [(&str, &[&str]); 17] = [
    (
        "applicant",
        &["申请单位", "申报单位", "企业名称", "单位名称", "企业/机构名称", "申请企业", "applicant"],
    ),
    ("category", &["类别", "申报类别", "申请类别", "category"]),
    ("subject", &["申报名称", "名称", "申报对象", "评价对象", "申报项目", "subject"]),
    ("brand", &["品牌", "品牌名称", "商标", "brand"]),
    ("product", &["产品", "产品名称", "product"]),
    ("model", &["型号", "产品型号", "model"]),
    ("specification", &["规格", "产品规格", "specification"]),
    ("name", &["工程名称", "楼盘名称", "name"]),
    ("place", &["地点", "工程地点", "工程地址", "place"]),
    ("number", &["楼号", "楼栋号", "number"]),
    ("service", &["服务", "服务名称", "service"]),
    ("contact", &["经办人", "联系人", "contact"]),
    ("mobile", &["手机", "联系手机", "mobile"]),
    ("phone", &["电话", "联系电话", "phone"]),
    ("email", &["邮箱", "电子邮箱", "电子信箱", "email"]),
    ("address", &["联系地址", "地址", "address"]),
    ("remark", &["备注", "remark"]),
];
const OF_CONTACT: [&str; 5] = ["contact", "mobile", "phone", "email", "address"];
/// The rows among which the header is looked for.
const HEADER_ROWS: usize = 10;

/// Returns the applications of a table; empty: it is none of applications.
pub fn read(table: &Sheet) -> Vec<ApplicationRow> {
    let column = |cell: &String| {
        let folded = label(cell);
        COLUMNS.iter().find(|(_, words)| words.contains(&folded.as_str())).map(|(name, _)| *name)
    };
    let header = table.rows.iter().take(HEADER_ROWS).enumerate().find_map(|(at, row)| {
        let columns: Vec<Option<&str>> = row.cells.iter().map(column).collect();
        let has = |name| columns.contains(&Some(name));
        // A list of people has no category of applications beside an applicant.
        (has("category") && has("applicant")).then_some((at, columns))
    });
    let Some((at, columns)) = header else { return Vec::new() };
    let mut applications = Vec::new();
    for row in table.rows.iter().skip(at + 1) {
        let cell = |name: &str| -> String {
            let place = columns.iter().position(|column| *column == Some(name));
            let cell = place.and_then(|place| row.cells.get(place));
            cell.map(|cell| cell.trim().to_owned()).unwrap_or_default()
        };
        let Some(category) = Category::parse(cell("category").trim_end_matches('类')) else {
            continue;
        };
        let of = |names: &[&str]| -> BTreeMap<String, String> {
            let filled = names.iter().map(|name| ((*name).to_owned(), cell(name)));
            filled.filter(|(_, value)| !value.is_empty()).collect()
        };
        let required = crate::domain::subject::required_fields(category);
        let names: Vec<&str> = required.iter().map(|(name, ..)| *name).collect();
        applications.push(ApplicationRow {
            row: row.number,
            applicant: cell("applicant"),
            category,
            subject: cell("subject"),
            fields: of(&names),
            contact: of(&OF_CONTACT),
        });
    }
    applications
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::spreadsheets::Row;

    #[test]
    fn each_row_is_an_application() {
        let rows = [
            &["申报汇总表"][..],
            &["序号", "申请单位", "申报类别", "申报名称", "型号", "规格", "联系人", "手机"],
            &["1", "山海医院", "企业/机构", "山海医院", "", "", "李磊", "13800138000"],
            &["2", "山海电器", "产品类", "远帆牌热水器", "H3", "16L", "", ""],
            &["合计", "", "", "2"],
        ];
        let row = |(cells, number): (&&[&str], u32)| Row {
            number,
            cells: cells.iter().map(|cell| (*cell).to_owned()).collect(),
        };
        let table = Sheet { rows: rows.iter().zip(1..).map(row).collect(), ..Sheet::default() };
        let read = read(&table);
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].row, read[0].category), (3, Category::Organisation));
        assert_eq!(read[0].contact["mobile"], "13800138000");
        assert_eq!(
            (read[1].subject.as_str(), read[1].fields["model"].as_str()),
            ("远帆牌热水器", "H3")
        );
    }
}
