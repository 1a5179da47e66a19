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

/// The first mobile gets the messages; the others are the interviewer's, unless one is known to be
/// invalid. An opt-out of any number is of the person, and ends all calls (tests/erasure.rs).
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
            reason: SuppressionReason::Invalid,
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

/// importcsv/importcsv#15 (a header that only contains the word is taken for the column). Lists of shops,
/// hospitals, schools and housing companies name others beside the person.
#[tokio::test]
async fn columns_of_other_people_are_told_and_not_taken() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    let kinds = [
        (
            "业务员姓名,业务员手机,客户姓名,客户手机\n王销,13900139000,甲,13800138000\n王销,13900139000,乙,13800138001\n",
            2,
        ),
        ("姓名,家属手机,手机\n甲,13900139000,13800138000\n乙,13900139000,13800138001\n", 2),
        ("姓名,紧急联系人,紧急联系人电话,本人手机\n甲,丙,13900139000,13800138000\n", 1),
        ("户主姓名,户主电话,租户姓名,租户电话\n甲,13800138000,丙,13900139000\n", 1),
        ("姓名,第二联系人电话,联系电话\n甲,13900139000,13800138000\n", 1),
        ("学生姓名,家长姓名,家长手机,手机\n甲,丙,13900139000,13800138000\n", 1),
        ("姓名,銷售顧問手機,手機號碼\n甲,13900139000,13800138000\n", 1),
    ];
    for (list, people) in kinds {
        let outcome = import(&app, "x", list.as_bytes(), ListOptions::default()).await.unwrap();
        assert_eq!(outcome.accepted, people, "{list}: {:#?}", outcome.findings);
        let codes: Vec<&str> = outcome.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, ["list_note.others_columns"], "{list}");
    }
    // What sounds alike and is the person's.
    for list in [
        "销售商名称,联系人,手机\n甲,王,13800138000\n",
        "被推荐人姓名,被推荐人电话\n甲,13800138000\n",
        "姓名,业主姓名,业主电话\n甲,乙,13800138000\n",
        "学生姓名,家长姓名,家长手机\n甲,丙,13800138000\n",
        "姓名,备用手机,联系电话\n甲,13900139000,13800138000\n",
        "Name,Mobile consent,Phone\n甲,13900139000,13800138000\n",
    ] {
        let outcome = import(&app, "x", list.as_bytes(), ListOptions::default()).await.unwrap();
        assert_eq!((outcome.accepted, outcome.findings.len()), (1, 0), "{list}");
    }
    let only = "姓名,业务员手机\n甲,13900139000\n乙,13900139001\n丙,13900139002\n";
    let refused = import(&app, "x", only.as_bytes(), ListOptions::default()).await.unwrap_err();
    assert!(refused.to_string().contains("业务员手机"), "{refused}");
    let said = ListOptions::parse(None, None, None, &["mobile=2".to_owned()]).unwrap();
    assert_eq!(import(&app, "x", only.as_bytes(), said).await.unwrap().accepted, 3);
}

/// docling-project/docling#2976 and ArtifexSoftware/pdf2docx#231 (a table that goes on is another one),
/// nextcloud/contacts#3807 (the extension is lost). Tables stand beside each other, go on without a
/// header, or hold several people in a row.
#[tokio::test]
async fn nobody_is_lost_however_the_table_is_laid_out() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    let head: &[&[&str]] = &[
        &["序号", "姓名", "手机", "备注"],
        &["1", "甲", "13800138000", "a"],
        &["2", "乙", "13800138001"],
    ];
    let rest: &[&[&str]] = &[&["3", "丙", "13800138002"], &["4", "丁", "13800138003"]];
    let form: &[&[&str]] = &[&["经办人", "李磊", "电话", "020-83300464"]];
    let odd: &[&[&str]] = &[
        &["一", "二", "三", "四", "五", "13900139000"],
        &["一", "二", "三", "四", "五", "13900139001"],
        &["一", "二", "三", "四", "五", "13900139002"],
    ];
    let beside: &[&[&str]] = &[
        &["序号", "姓名", "手机", "序号", "姓名", "手机"],
        &["1", "甲", "13800138000", "3", "丙", "13800138002"],
        &["2", "乙", "13800138001", "", "", ""],
    ];
    let kinds: Vec<(&str, Vec<u8>, Counts)> = vec![
        ("side by side", "姓名,手机,姓名,手机\n甲,13800138000,乙,13800138001\n丙,13800138002,,\n".into(), (3, 0, 0)),
        ("side by side with a gap", "姓名,手机,,姓名,手机\n甲,13800138000,,乙,13800138001\n".into(), (2, 0, 0)),
        ("three, numbered", "单位,姓名1,电话1,姓名2,电话2,姓名3,电话3\n厂,甲,13800138000,乙,13800138001,,\n".into(), (2, 0, 0)),
        ("side by side in Word", document(&[("登记表", beside)]), (3, 0, 0)),
        ("two numbers of one", "姓名,电话1,电话2\n甲,13800138000,13800138001\n".into(), (1, 0, 0)),
        ("a table that goes on", document(&[("登记表（品牌类）", head), ("", rest)]), (4, 0, 0)),
        ("it goes on after a word", document(&[("登记表（品牌类）", head), ("接上表", rest)]), (4, 0, 0)),
        ("a form after the list", document(&[("登记表（品牌类）", head), ("申请书", form)]), (2, 0, 0)),
        ("several people by lines", "姓名,手机\n\"甲一\n乙二\",\"13800138000\n13800138001\"\n".into(), (2, 0, 0)),
        ("several people by commas", "姓名,手机\n甲一、乙二,13800138000、13800138001\n".into(), (2, 0, 0)),
        ("several people by blanks", "姓名,手机\n甲一 乙二,13800138000 13800138001\n".into(), (2, 0, 0)),
        ("a blank in a name", "姓名,手机\n王 小明,13800138000 13800138001\n".into(), (1, 0, 0)),
        ("more numbers than names", "姓名,手机\n甲一、乙二,13800138000/13800138001/13800138002\n丙,13800138003\n".into(), (1, 1, 0)),
        ("one person with two numbers", "姓名,手机\n甲一,\"13800138000\n13800138001\"\n".into(), (1, 0, 0)),
        ("a name in two lines", "姓名,手机\n\"王\n小明\",\"13800138000\n020-83300464\"\n".into(), (1, 0, 0)),
        ("behind one switchboard", "姓名,电话\n甲,020-88881234-801\n乙,020-88881234转802\n丙,020-88881234*803\n".into(), (3, 0, 0)),
        ("who filled it in", "姓名,手机\n填表人：张三,13900139000\n甲,13800138000\n,填表人：张,电话：,13900139001\n填表人,张丽,联系电话,13900139002\n".into(), (1, 0, 3)),
        ("a person with such a name", "姓名,手机\n经办人,13800138000\n制表,13800138001\n".into(), (2, 0, 0)),
        ("one known word", "顾客,业主手机号码(必填)\n甲,13800138000\n".into(), (1, 0, 0)),
        ("no known word", "顾问,联系号段\n甲一,13800138000\n乙二,13800138001\n".into(), (2, 0, 0)),
        ("a header far down", format!("{}姓名,手机\n甲,13800138000\n", "说明文字,第一条\n".repeat(60)).into(), (1, 0, 0)),
        ("a page without and one with a header", "甲,13800138000\n乙,13800138001\n丙,13800138002\n姓名,手机\n丁,13800138003\n".into(), (4, 0, 1)),
        ("Hong Kong", "姓名,香港手机\n甲,62345678\n乙,(852)62345679\n丙,13800138000\n".into(), (3, 0, 0)),
    ];
    for (kind, content, expected) in &kinds {
        let outcome = import(&app, kind, content, ListOptions::default()).await;
        let outcome = outcome.unwrap_or_else(|e| panic!("{kind}: {e}"));
        let counts = (outcome.accepted, outcome.rejected, outcome.not_people);
        assert_eq!(counts, *expected, "{kind}: {:#?}", outcome.findings);
    }
    let file = document(&[("登记表（品牌类）", head), ("附表", odd), ("登记表（产品类）", head)]);
    let outcome = import(&app, "x", &file, ListOptions::default()).await.unwrap();
    let codes: Vec<&str> = outcome.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(outcome.accepted, 2);
    assert_eq!(codes, ["list_note.table_not_read", "list_note.other_categories"]);
    let other = document(&[("登记表（产品类）", head)]);
    let refused = import(&app, "x", &other, ListOptions::default()).await.unwrap_err().to_string();
    assert!(refused.contains("no list for 品牌, only for 产品"), "{refused}");
    let list = "姓名,手机\n甲一、乙二,13800138000、13800138001\n";
    let said = ListOptions::parse(None, None, None, &["unused=1".to_owned()]).unwrap();
    let outcome = import(&app, "x", list.as_bytes(), said).await.unwrap();
    assert_eq!(outcome.accepted, 1, "without names it is one person's row");
}

/// dfinke/ImportExcel#762, SheetJS/sheetjs#630, saulpw/visidata#1398: rows that are "deleted" by hiding
/// them are imported. Rows that a sender does not see are no people; the finding says which they are, and of which sheet.
#[tokio::test]
async fn hidden_rows_are_told_with_their_sheet() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    app.register_brand("A1", "a", "").await;
    let mut book = Workbook::new();
    let notes = book.add_worksheet();
    notes.set_name("说明").unwrap();
    notes.write(0, 0, "请如实填写").unwrap();
    let sheet = book.add_worksheet();
    sheet.set_name("名单").unwrap();
    for (row, name) in (0..).zip(["姓名", "甲", "乙", "丙", "丁"]) {
        sheet.write(row, 0, name).unwrap();
        let number = if row == 0 { "手机".to_owned() } else { format!("1380013800{row}") };
        sheet.write(row, 1, number).unwrap();
    }
    sheet.write(5, 1, "1380013800").unwrap();
    sheet.set_row_hidden(2).unwrap();
    sheet.set_row_hidden(3).unwrap();
    let file = book.save_to_buffer().unwrap();
    let outcome = import(&app, "x", &file, ListOptions::default()).await.unwrap();
    assert_eq!((outcome.accepted, outcome.rejected), (2, 1));
    let told: Vec<(u32, &str, &str)> = outcome
        .findings
        .iter()
        .map(|finding| (finding.row, finding.column.as_str(), finding.code))
        .collect();
    assert_eq!(
        told,
        [(3, "名单", "list_note.hidden_rows"), (6, "名单!手机", "phone.invalid")],
        "{:#?}",
        outcome.findings
    );
    assert!(outcome.findings[0].message.contains("3-4"), "{}", outcome.findings[0].message);
}
