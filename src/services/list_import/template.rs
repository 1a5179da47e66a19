//! The list template (被访者信息登记表): an empty list in the association's form, to be filled in by an
//! applicant, with what may stand in each column.

use rust_xlsxwriter::{
    Color, DataValidation, DataValidationErrorStyle, Format, FormatAlign, FormatBorder, Formula,
    Note, Workbook, Worksheet, XlsxError,
};

use super::ListImportError;
use crate::adapters::database::{applications, programmes};
use crate::domain::category::Category;
use crate::services::context::AppContext;

/// With which the row of an example begins: it is no person.
pub const EXAMPLE: &str = "示例";

/// What a template is for.
pub struct TemplateOf<'a> {
    /// Who fills it in; empty: whoever it is.
    pub applicant: &'a str,
    pub categories: &'a [Category],
    /// The most names that the list may have.
    pub cap: u32,
    /// Further columns that the applications keep.
    pub list_fields: &'a [String],
}

struct Column {
    header: String,
    width: f64,
    note: &'static str,
    example: &'static str,
    rule: Option<Rule>,
}

enum Rule {
    Number,
    OneOf(&'static [&'static str]),
}

/// The first row of people, counted from 0: below the title, the applicant, the header and the
/// example.
const FIRST_ROW: u32 = 4;
const HEADER_ROW: u32 = 2;

/// Writes the template for the lists of these applications, or of categories alone.
pub async fn of_applications(
    context: &AppContext,
    codes: &[String],
    categories: &[Category],
) -> Result<Vec<u8>, ListImportError> {
    let mut connection = context.database.read().await?;
    let mut categories = categories.to_vec();
    let mut caps: Vec<u32> = categories.iter().map(|category| category.default_cap()).collect();
    let (mut applicant, mut list_fields) = (String::new(), Vec::new());
    for code in codes {
        let application = applications::find(&mut connection, code)
            .await?
            .ok_or_else(|| ListImportError::UnknownApplication(code.clone()))?;
        let programme = programmes::get(&mut connection, application.programme_id).await?;
        caps.push(programme.cap(application.category));
        if !categories.contains(&application.category) {
            categories.push(application.category);
        }
        // The word that heads its column, and not the name that conditions use.
        list_fields
            .extend(application.list_fields.values().filter_map(|words| words.first()).cloned());
        applicant = application.applicant_name;
    }
    list_fields.sort();
    list_fields.dedup();
    let most = Category::ALL.iter().map(|category| category.default_cap()).max();
    let cap = caps.into_iter().min().or(most).unwrap_or(1);
    write(&TemplateOf {
        applicant: &applicant,
        categories: &categories,
        cap,
        list_fields: &list_fields,
    })
}

/// Writes the workbook (Office Open XML): the list, and how to fill it in.
pub fn write(template: &TemplateOf<'_>) -> Result<Vec<u8>, ListImportError> {
    write_book(template).map_err(|error| ListImportError::Stopped(error.to_string()))
}

fn write_book(template: &TemplateOf<'_>) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    write_list(book.add_worksheet(), template)?;
    write_guide(book.add_worksheet(), template)?;
    book.save_to_buffer()
}

fn columns(template: &TemplateOf<'_>) -> Vec<Column> {
    let column = |header: &str, width, note, example| Column {
        header: header.to_owned(),
        width,
        note,
        example,
        rule: None,
    };
    let mut columns = vec![
        column("序号", 8.0, "", EXAMPLE),
        column("被访者姓名", 14.0, "请填真实姓名，邀请短信以此称呼。", "王小明"),
        Column {
            rule: Some(Rule::OneOf(&["先生", "女士"])),
            ..column("称呼", 8.0, "先生或女士；不填则只用姓名。", "先生")
        },
        column("单位/住址", 26.0, "工作单位；个人用户填住址。", "某某有限公司"),
        column("职务", 12.0, "", "经理"),
        Column {
            rule: Some(Rule::Number),
            ..column(
                "手机",
                18.0,
                "11 位手机号，每格一个。本列为文本格式，请勿更改。",
                "138××××××××",
            )
        },
        Column {
            rule: Some(Rule::Number),
            ..column("固定电话", 18.0, "没有手机时填写，请加区号，如 020-8333 0000。", "")
        },
        column("电子邮箱", 22.0, "可不填。", ""),
    ];
    if template.categories.contains(&Category::Project) {
        columns.push(Column {
            rule: Some(Rule::OneOf(&["大业主", "小业主"])),
            ..column("用户类型", 12.0, "大业主：建设单位、开发商；小业主：住户、使用者。", "小业主")
        });
    }
    for field in template.list_fields {
        columns.push(column(field, 14.0, "", ""));
    }
    columns.push(column("备注", 20.0, "", "请删去本行"));
    columns
}

fn write_list(sheet: &mut Worksheet, template: &TemplateOf<'_>) -> Result<(), XlsxError> {
    let named: Vec<&str> = template.categories.iter().map(|category| category.chinese()).collect();
    let of =
        if named.is_empty() { String::new() } else { format!("（{}类）", named.join("类、")) };
    let title = Format::new().set_bold().set_font_size(14).set_align(FormatAlign::Center);
    let head = Format::new()
        .set_bold()
        .set_background_color(Color::RGB(0xE7_EC_F3))
        .set_border(FormatBorder::Thin)
        .set_align(FormatAlign::Center);
    let text = Format::new().set_num_format("@");
    let example = text.clone().set_italic().set_font_color(Color::RGB(0x6B_72_80));
    let columns = columns(template);
    let last = u16::try_from(columns.len() - 1).unwrap_or(u16::MAX);
    let last_row = FIRST_ROW + template.cap.max(1) - 1;
    sheet.set_name("被访者信息登记表")?;
    sheet.merge_range(0, 0, 0, last, &format!("被访者信息登记表{of}"), &title)?;
    sheet.merge_range(1, 0, 1, last, &format!("申报单位：{}", template.applicant), &text)?;
    for (place, column) in (0..).zip(&columns) {
        sheet.set_column_width(place, column.width)?;
        sheet.set_column_format(place, &text)?;
        sheet.write_string_with_format(HEADER_ROW, place, &column.header, &head)?;
        if !column.note.is_empty() {
            let note = Note::new(column.note).add_author_prefix(false);
            sheet.insert_note(HEADER_ROW, place, &note)?;
        }
        sheet.write_string_with_format(FIRST_ROW - 1, place, column.example, &example)?;
        if let Some(rule) = &column.rule {
            let validation = validation(rule, place)?;
            sheet.add_data_validation(FIRST_ROW, place, last_row, place, &validation)?;
        }
    }
    // Drawn as it is on paper, so that it can be filled in there as well.
    let cell = text.clone().set_border(FormatBorder::Thin).set_border_color(Color::RGB(0xB8_C0_CC));
    for row in FIRST_ROW..=last_row {
        for place in 0..=last {
            sheet.write_blank(row, place, &cell)?;
        }
    }
    sheet.set_freeze_panes(FIRST_ROW - 1, 2)?;
    sheet.set_landscape();
    sheet.set_print_fit_to_pages(1, 0);
    sheet.set_repeat_rows(HEADER_ROW, HEADER_ROW)?;
    Ok(())
}

fn validation(rule: &Rule, place: u16) -> Result<DataValidation, XlsxError> {
    let validation = match rule {
        Rule::OneOf(words) => {
            DataValidation::new().allow_list_strings(words)?.set_error_title("请从列表中选择")?
        }
        Rule::Number => {
            // Letters of columns end long before Z.
            let cell =
                format!("{}{}", char::from(b'A' + u8::try_from(place).unwrap_or(0)), FIRST_ROW + 1);
            // Seven digits at least, when what people write between them is taken out.
            let bare = ["-", " ", "(", ")", "+"]
                .iter()
                .fold(cell.clone(), |text, sign| format!("SUBSTITUTE({text},\"{sign}\",\"\")"));
            let formula = format!(
                "=AND(ISTEXT({cell}),LEN({bare})>=7,LEN({bare})<=15,ISNUMBER(VALUE({bare})))"
            );
            DataValidation::new()
                .allow_custom(Formula::new(formula))
                .set_error_title("请检查号码")?
                .set_error_message("每格一个号码，只填数字；固定电话请加区号。")?
        }
    };
    Ok(validation.set_error_style(DataValidationErrorStyle::Warning))
}

fn write_guide(sheet: &mut Worksheet, template: &TemplateOf<'_>) -> Result<(), XlsxError> {
    let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    sheet.set_name("填写说明")?;
    sheet.set_column_width(0, 90)?;
    let most = format!("至多 {} 人；多出的由协会随机抽取。", template.cap);
    let lines = [
        "请填写真正的用户：用过本次申报对象、能作出评价的人。",
        most.as_str(),
        "每人一行，每格一个号码；号码列为文本格式，粘贴时请选择“只保留文本”。",
        "请事先告知名单上的人：其姓名和电话将提供给协会，用于一次满意度调查。",
        "表头请勿改动；可以增加列，多出的列不会读取。以“示例”开头的行不会读取。",
        "填好后请直接发回本文件（.xlsx），不要转成图片或 PDF。",
    ];
    for (row, line) in (0..).zip(lines) {
        sheet.write_string_with_format(row, 0, line, &wrapped)?;
    }
    Ok(())
}
