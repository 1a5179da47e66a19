//! An application as its applicant hands it in: the association's form as a Word document, with a
//! list of people; a list that is too long and has mistakes; and one on the applicant's own page. They
//! are read as staff would see them, and neither registered nor imported.

use std::io::{Cursor, Write};

use anyhow::{Context, Result};

use super::fixture::Fixture;
use crate::services::applicant_pages::{links, lists};
use crate::services::application_forms::{Document, draft};
use crate::services::drafts;
use crate::services::list_import::{self, ImportRequest, Selection, correction_sheet};

/// What was read of the form.
pub struct FormReading {
    pub line: String,
    pub applications: u64,
    pub people: u64,
    /// Fields that the categories require and the form does not have.
    pub missing: u64,
}

/// What a list over the category's limit comes to.
pub struct LongList {
    pub line: String,
    pub drawn_from: u64,
    pub drawn: u64,
    /// Rows that go back to the applicant, marked.
    pub to_correct: u64,
}

/// What came of an applicant's own page.
pub struct HandedIn {
    pub line: String,
    pub lists: u64,
    pub sent_back: u64,
}

/// A list of 130 people and two rows that only the applicant can correct.
fn long_list() -> String {
    let person = |n: u32| format!("样例{n},1381{:07}\n", 3_000_000 + n);
    let people: String = (1..=130).map(person).collect();
    format!("姓名,手机\n{people}样例甲,1381000\n样例乙,1.38E+10\n")
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

impl Fixture {
    /// Reads a list that is too long for its application.
    pub async fn read_long_list(&self) -> Result<LongList> {
        let (codes, list) = (["QH-FIRM".to_owned()], long_list());
        let request = ImportRequest {
            selection: Selection::parse("", true, Some(7))?,
            dry_run: true,
            ..ImportRequest::of(&codes, "qinghe-all.csv", list.as_bytes().into())
        };
        let outcome = list_import::import_list(&self.context, &request, &mut |_, _| {}).await?;
        let draw = outcome.drawn.context("the list is over the limit")?;
        let marked = correction_sheet::marked_lists(&self.context, &request, &outcome).await?;
        let to_correct = marked.iter().map(|list| list.rows.len()).sum::<usize>() as u64;
        Ok(LongList {
            line: format!(
                "qinghe-all.csv (tried): {} names are too many, {} are drawn by the seed {}; {to_correct} \
                    rows go back to the applicant, marked",
                draw.from, draw.kept, draw.seed
            ),
            drawn_from: draw.from,
            drawn: draw.kept,
            to_correct,
        })
    }
}

impl Fixture {
    /// An applicant uploads a list on its own page and hands it in; staff send it back.
    pub async fn hand_in_a_list(&self) -> Result<HandedIn> {
        let (context, code) = (&self.context, "QH-FIRM");
        let address = links::create(context, "demo", code, "13600136000", None).await?;
        let token = address.reveal().rsplit('/').next().unwrap_or_default().to_owned();
        let link = links::open(context, &token).await?;
        let list = "姓名,手机\n样例丙,13813000001\n样例丁,1381300\n";
        let codes = [code.to_owned()];
        let id = lists::upload(context, &link, &codes, "用户.csv", list.as_bytes()).await?;
        lists::hand_in(context, &link, id, "程帆", true).await?;
        lists::send_back(context, id, "第 3 行号码少几位").await?;
        let own = lists::own_lists(context, &link).await?;
        let sent_back = own.iter().filter(|list| list.word.is_some()).count() as u64;
        drafts::lists::discard_draft(context, id).await?;
        Ok(HandedIn {
            line: format!(
                "用户.csv of {}, on its own page: handed in with its declaration, and sent back with a word \
                    about row 3",
                link.applicant_name
            ),
            lists: own.len() as u64,
            sent_back,
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
