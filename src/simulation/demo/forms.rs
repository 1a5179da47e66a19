//! An application as its applicant hands it in: the association's form as a Word document, with a
//! list of people. It is read as staff would see it, and not registered.

use std::io::{Cursor, Write};

use anyhow::{Context, Result};

use super::fixture::Fixture;
use crate::services::application_forms::{Document, draft};

/// What was read of the form.
pub struct FormReading {
    pub line: String,
    pub applications: u64,
    pub people: u64,
    /// Fields that the categories require and the form does not have.
    pub missing: u64,
}

const FORM: &[&[&str]] = &[
    &["企业/机构名称", "远帆电器有限公司", "法人代表", "方远"],
    &["经办人", "程帆", "电子信箱", "office@example.org"],
    &["申请类别", "□企业/机构  ☑品牌  [√]产品  □工程  □服务"],
    &["申报品牌名称", "1、远帆"],
    &["申报产品名称", "1、远帆燃气热水器 型号H3 规格16L\n2、远帆洗衣机 型号X1"],
];
const LIST: &[&[&str]] = &[
    &["序号", "被访者姓名", "单位/住址", "联系电话", "备注"],
    &["1", "样例一", "某小区", "138 0013 8000", ""],
    &["2", "样例二", "某小区", "李先生13900139000", ""],
    &["填表人：程帆    填表日期：2026年3月1日"],
];

impl Fixture {
    /// Reads the form.
    pub async fn read_form(&self) -> Result<FormReading> {
        let form = Document { name: "申请书.docx".into(), content: word_document()? };
        let programme = "credit-2026";
        let read = draft::create(&self.context, "demo", programme, vec![form], true).await?;
        let reading = &read.first().context("the form names an applicant")?.reading;
        let missing: usize = reading.applications.iter().map(|a| a.missing().len()).sum();
        let people: usize = reading.lists.iter().map(|list| list.people).sum();
        Ok(FormReading {
            line: format!(
                "申请书.docx of {} (Word): {} applications with {missing} fields to ask for, a list of \
                    {people}; a draft for staff, nothing is registered by itself",
                reading.applicant,
                reading.applications.len()
            ),
            applications: reading.applications.len() as u64,
            people: people as u64,
            missing: missing as u64,
        })
    }
}

fn word_document() -> Result<Vec<u8>> {
    let paragraphs = |text: &str| -> String {
        text.lines().map(|line| format!("<w:p><w:r><w:t>{line}</w:t></w:r></w:p>")).collect()
    };
    let table = |rows: &[&[&str]]| -> String {
        let row = |row: &&[&str]| {
            let cells: String =
                row.iter().map(|cell| format!("<w:tc>{}</w:tc>", paragraphs(cell))).collect();
            format!("<w:tr>{cells}</w:tr>")
        };
        format!("<w:tbl>{}</w:tbl>", rows.iter().map(row).collect::<String>())
    };
    let body = [
        paragraphs("附件1\n市场质量信用等级评价申请书"),
        table(FORM),
        paragraphs("被访者信息登记表（产品类）"),
        table(LIST),
    ]
    .concat();
    let namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    let xml = format!("<w:document xmlns:w=\"{namespace}\"><w:body>{body}</w:body></w:document>");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default())?;
    zip.write_all(xml.as_bytes())?;
    Ok(zip.finish()?.into_inner())
}
