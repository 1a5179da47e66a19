//! Lists as applicants hand them in: whatever Excel, WPS, Word or an old system has saved. Each kind
//! names where it was reported; the files are made here.

use std::io::{Cursor, Write};

use crate::common::interviewers::{add_interviewer, mixed_plan, next_call};
use crate::common::{TestApp, local};
use fieldworkd::adapters::database::cases::DispositionSource;
use fieldworkd::domain::phone::Phone;
use fieldworkd::domain::suppression::SuppressionReason;
use fieldworkd::services::list_import::{
    ImportOutcome, ImportRequest, ListImportError, ListOptions, RowDecision, import_list,
};
use fieldworkd::services::suppressions::{self, SuppressionRequest};
use fieldworkd::simulation::Scenario;
use rust_xlsxwriter::{Format, Workbook};

async fn import(
    app: &TestApp,
    file: &str,
    content: &[u8],
    options: ListOptions,
) -> Result<ImportOutcome, ListImportError> {
    let codes = ["A1".to_owned()];
    let content = content.into();
    let request =
        ImportRequest { options, dry_run: true, ..ImportRequest::of(&codes, file, content) };
    import_list(&app.context, &request, &mut |_, _| {}).await
}

fn workbook(sheets: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let mut workbook = Workbook::new();
    for (name, rows) in sheets {
        let sheet = workbook.add_worksheet();
        sheet.set_name(*name).unwrap();
        for (row, number) in rows.iter().zip(0..) {
            for (cell, column) in row.iter().zip(0..) {
                sheet.write_string(number, column, *cell).unwrap();
            }
        }
    }
    workbook.save_to_buffer().unwrap()
}

/// A Word document with a heading before each table.
fn document(tables: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let text = |text: &str| format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>");
    let cell = |cell: &&str| format!("<w:tc>{}</w:tc>", text(cell));
    let row = |row: &&[&str]| format!("<w:tr>{}</w:tr>", row.iter().map(cell).collect::<String>());
    let table = |(heading, rows): &(&str, &[&[&str]])| {
        let rows: String = rows.iter().map(row).collect();
        format!("{}<w:tbl>{rows}</w:tbl>", text(heading))
    };
    let body: String = tables.iter().map(table).collect();
    let xml = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(xml.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}

fn big5(text: &str) -> Vec<u8> {
    encoding_rs::BIG5.encode(text).0.into_owned()
}

fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

/// People taken, rows rejected, rows that are no people.
type Counts = (u64, u64, u64);

#[tokio::test]
async fn lists_go_in_as_they_come() {
    let merged: &[&[&str]] = &[
        &["被访者信息登记表（品牌类）"],
        &["企业名称：（加盖公章）"],
        &["序号", "被访者姓名", "被访者信息", "", "", "备注"],
        &["", "", "单位", "联系电话", "手机", ""],
        &["1", "刘娜", "某厂", "020-83301230", "13800138000", ""],
        &["2", "张伟", "某厂", "", "13900139000", ""],
        &["3", "", "", "", "", ""],
        &["填表人：李某 13900139001", "", "", "", "", "填表日期：2020年8月1日"],
    ];
    let people: &[&[&str]] =
        &[&["姓名", "联系电话"], &["王", "13800138000"], &["李", "13900139000"], &["合计", "2"]];
    let notes: &[&[&str]] = &[&["请如实填写，联系电话必填"]];
    let more: &[&[&str]] = &[&["电话", "姓名"], &["13700137000", "赵"]];
    let form: &[&[&str]] =
        &[&["经办人", "李磊", "电话", "020-83300464"], &["部门", "质量部", "手机", "15869074391"]];
    let kinds: Vec<(&str, Vec<u8>, Counts)> = vec![
        // SpartnerNL/Laravel-Excel#2526, ImportExcel#1092: a title, a header over two rows.
        ("a merged header, numbered empty rows and a signature", workbook(&[("S", merged)]), (2, 0, 2)),
        // lsfusion/platform#1537: each sheet has its own header.
        ("the list on the second sheet", workbook(&[("填写说明", notes), ("名单", people)]), (2, 0, 1)),
        ("lists on two sheets", workbook(&[("一", people), ("二", more)]), (3, 0, 1)),
        ("a Word form with its list", document(&[("申请书", form), ("被访者信息登记表（品牌类）", people)]), (2, 0, 1)),
        (
            "a Word document with lists for two categories",
            document(&[("登记表（品牌类）", people), ("登记表（工程类）", more)]),
            (2, 0, 1),
        ),
        // readxl#480, xlrd#350, SheetJS#419: a web page named .xls, here with a layout before it.
        (
            "a web page",
            gbk("<div>\r\n\t<html><meta charset=gbk><table border=1><tr><td>姓名<td>手机\
                 <tr><td>王<td>13800138000<tr><td>李<td style=\"mso-number-format:'\\@'\">13900139000</table>"),
            (2, 0, 0),
        ),
        ("bars", "姓名|手机\n王|13800138000\n李|13900139000\n".into(), (2, 0, 0)),
        ("wide commas", "姓名，手机\n王，13800138000\n李，13900139000\n".into(), (2, 0, 0)),
        ("blanks, from a message", "王小明 13800138000\n李四  13900139000\n".into(), (2, 0, 0)),
        ("Big5 with traditional headers", big5("姓名,手機號碼\n陳先生,+85261234567\n李小姐,13800138000\n"), (2, 0, 0)),
        ("GBK", gbk("姓名,手机号码\n陈,13800138000\n"), (1, 0, 0)),
        // Laravel-Excel#2129: the same heading twice.
        ("numbered headers", "客户名称,联系人,电话1,电话2\n甲,王,020-83301234,13800138000\n乙,李,13900139000,\n".into(), (2, 0, 0)),
        ("a heading on every page", "姓名,手机\n王,13800138000\n姓名,手机\n李,13900139000\n".into(), (2, 0, 1)),
        // owncloud-archive/contacts#818, #817, janimo/textsecure-qml#10: several numbers of one person.
        (
            "numbers among words and other numbers",
            "姓名,手机\n甲,13800138000/13900139000\n乙,13800138001、13900139001\n丙,李总13800138002\n\
             丁,13800138003（妻子）\n戊,13800138004 13900139004\n己,13800138005 ::: 13900139005\n".into(),
            (6, 0, 0),
        ),
        // react-spreadsheet-import#136, rapidpro#389: numbers in the notation of spreadsheets.
        ("numbers that a spreadsheet has rounded", "姓名,手机\n甲,1.3850281E+10\n乙,1.3836111E+10\n丙,1.3842293E+10\n".into(), (0, 3, 0)),
        ("a number without digits lost", "姓名,手机\n甲,1.3850281234E+10\n乙,13836111001.0\n".into(), (2, 0, 0)),
        ("a name without a number is a person", "姓名,手机\n甲,13800138000\n乙,\nSummer Li,\nTotal: 3,\n".into(), (1, 2, 1)),
    ];
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        app.register_brand("A1", "a", "").await;
        for (kind, content, expected) in &kinds {
            let outcome = import(&app, kind, content, ListOptions::default()).await;
            let outcome = outcome.unwrap_or_else(|e| panic!("{}: {kind}: {e}", app.engine));
            let counts = (outcome.accepted, outcome.rejected, outcome.not_people);
            assert_eq!(counts, *expected, "{}: {kind}: {:#?}", app.engine, outcome.findings);
        }
        // FastCSV#173, OpenRefine#690, jexp/batch-import#50: a quotation mark that is never closed.
        let quote = "姓名,手机\n甲,13800138000\n\"乙,13900139000\n丙,13700137000\n";
        let refused = import(&app, "quote", quote.as_bytes(), ListOptions::default()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("row 3") && refused.contains("quotation mark"), "{refused}");
        // SheetJS#1110: a page without a table; pictures, PDF and old documents.
        for (content, told) in [
            (&b"<html><body>no table</body></html>"[..], "empty"),
            (b"%PDF-1.7\n", "it is a PDF"),
            (b"\x89PNG\r\n\x1a\n", "it is a picture"),
            (b"MIME-Version: 1.0\n", "web archive"),
        ] {
            let refused = import(&app, "x", content, ListOptions::default()).await.unwrap_err();
            assert!(refused.to_string().contains(told), "{refused}");
        }
    }
}

/// Where columns have no name or the wrong one, somebody says what they are.
#[tokio::test]
async fn what_cannot_be_found_is_said() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    let text = "甲,乙,丙\n王小明,x13800138000x,021-61234567\n李四,x13900139000x,\n";
    let refused = import(&app, "x", text.as_bytes(), ListOptions::default()).await;
    assert!(refused.unwrap_err().to_string().contains("say which one it is"));
    let columns = ["name=A".to_owned(), "mobile=2".into(), "phone=C".into()];
    let said = ListOptions::parse(None, None, Some(1), &columns).unwrap();
    let outcome = import(&app, "x", text.as_bytes(), said).await.unwrap();
    assert_eq!((outcome.accepted, outcome.fixed_lines), (2, 0), "{:#?}", outcome.findings);
    let sheets = workbook(&[
        ("旧", &[&["姓名", "手机"], &["王", "13800138000"]]),
        ("新", &[&["姓名", "手机"], &["李", "13900139000"], &["赵", "13700137000"]]),
    ]);
    for (sheet, people) in [("新", 2), ("1", 1)] {
        let said = ListOptions::parse(None, Some(sheet), None, &[]).unwrap();
        assert_eq!(import(&app, "x", &sheets, said).await.unwrap().accepted, people, "{sheet}");
    }
    let said = ListOptions::parse(None, Some("3"), None, &[]).unwrap();
    let refused = import(&app, "x", &sheets, said).await.unwrap_err().to_string();
    assert!(refused.contains("旧, 新"), "{refused}");
    // A text that reads both ways.
    let said = ListOptions::parse(Some("big5"), None, None, &[]).unwrap();
    let text = big5("姓名,行動電話\n陳,0912345678\n");
    assert_eq!(
        import(&app, "x", &text, said).await.unwrap().rejected,
        1,
        "no number of the mainland"
    );
}

/// The first mobile gets the messages; the others are the interviewer's, unless somebody opted out
/// of them.
#[tokio::test]
async fn further_numbers_are_for_calls() {
    let mut scenario = Scenario::faultless(1, 1_000);
    scenario.people = fieldworkd::simulation::PeopleScenario::silent();
    for app in TestApp::on_each_engine(scenario, &[]).await {
        app.register_brand("A1", "a", "").await;
        let list = "姓名,性别,固定电话,手机,邮箱\n王,女士,021-61234567/13700137000,13800138000/13900139000,w@example.org\n";
        let outcome = app.import(&["A1"], list.as_bytes()).await.unwrap();
        let noted = outcome.findings.iter().map(|f| f.decision).collect::<Vec<_>>();
        assert_eq!(noted, [RowDecision::AcceptedWithNotice], "{:?}", outcome.findings);
        app.launch("C1", &["A1"], &mixed_plan(3)).await.unwrap();
        let out = Phone::parse("13900139000", phonenumber::country::CN).unwrap();
        let request = SuppressionRequest {
            phone_hash: &app.context.keys.hasher().phone_hash(&out),
            programme: None,
            reason: SuppressionReason::OptOut,
            expires_at: None,
        };
        let mut tx = app.context.database.write().await.unwrap();
        let source = DispositionSource::Reply;
        suppressions::suppress(&mut tx, &request, source, app.clock_now()).await.unwrap();
        tx.commit().await.unwrap();
        let wu = add_interviewer(&app, "wu").await;
        app.advance_until(local("2026-03-05T15:00:00")).await;
        let screen = next_call(&app, &wu).await.unwrap();
        let others: Vec<&str> = screen.other_phones.iter().map(Phone::e164).collect();
        assert_eq!(screen.phone.e164(), "+8613800138000", "{}", app.engine);
        assert_eq!(others, ["+862161234567", "+8613700137000"], "{}", app.engine);
        assert_eq!(screen.person.salutation.reveal(), "女士", "{}", app.engine);
        assert_eq!(screen.person.email.reveal(), "w@example.org", "{}", app.engine);
    }
}

/// Headings that are bold and centred are headings all the same.
#[tokio::test]
async fn a_file_of_excel_with_formats_is_read() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let bold = Format::new().set_bold();
    sheet.merge_range(0, 0, 0, 2, "名单", &bold).unwrap();
    sheet.merge_range(1, 0, 2, 0, "姓名", &bold).unwrap();
    sheet.merge_range(1, 1, 1, 2, "联系方式", &bold).unwrap();
    sheet.write_with_format(2, 1, "手机", &bold).unwrap();
    sheet.write_with_format(2, 2, "固定电话", &bold).unwrap();
    sheet.write(3, 0, "王").unwrap();
    sheet.write(3, 1, 13_800_138_000f64).unwrap();
    sheet.write(3, 2, "021-61234567").unwrap();
    let file = workbook.save_to_buffer().unwrap();
    let outcome = import(&app, "x", &file, ListOptions::default()).await.unwrap();
    assert_eq!((outcome.accepted, outcome.fixed_lines, outcome.findings.len()), (1, 0, 0));
}
