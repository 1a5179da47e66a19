//! Applications as applicants hand them in: Word forms, lists beside them, the ZIP of an e-mail, a
//! spreadsheet of applications. From the documents to the registered application with its list.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use crate::common::TestApp;
use crate::common::browser::{Browser, add_account};
use fieldworkd::adapters::database::applications;
use fieldworkd::domain::category::Category;
use fieldworkd::domain::language::Language;
use fieldworkd::domain::role::Role;
use fieldworkd::services::application_forms::draft::{self, CreatedDraft};
use fieldworkd::services::application_forms::{ApplicationFormError, Document, DocumentProblem};
use fieldworkd::services::drafts::lists;
use fieldworkd::services::erasure;
use fieldworkd::simulation::Scenario;

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

type Table<'a> = (&'a str, &'a [&'a [&'a str]]);

/// A Word document: a heading before each table.
fn word(tables: &[Table<'_>]) -> Vec<u8> {
    let text = |text: &str| {
        let lines = text.split('\n');
        let line = |line| format!("<w:p><w:r><w:t>{line}</w:t></w:r></w:p>");
        lines.map(line).collect::<String>()
    };
    let cell = |cell: &&str| format!("<w:tc>{}</w:tc>", text(cell));
    let row = |row: &&[&str]| format!("<w:tr>{}</w:tr>", row.iter().map(cell).collect::<String>());
    let table = |(heading, rows): &Table<'_>| {
        let rows: String = rows.iter().map(row).collect();
        format!("{}<w:tbl>{rows}</w:tbl>", text(heading))
    };
    let body: String = tables.iter().map(table).collect();
    let xml = format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>");
    zip(&[("[Content_Types].xml", b"x"), ("word/document.xml", xml.as_bytes())])
}

const LIST: &[&[&str]] = &[
    &["序号", "被访者姓名", "单位/住址", "职务", "联系电话", "备注"],
    &["1", "吴伟", "某单位", "经理", "138 0013 8000", ""],
    &["2", "刘丽", "某单位", "", "139 0013 9000", ""],
    &["3", "", "", "", "", ""],
    &["填表人：张丽    联系电话：13700137000    填表日期：2020年8月15日"],
];

/// A form that ticks two categories: a product with its brand, and a project without its number.
/// An application form and its information sheet, as Word documents.
pub fn form() -> Vec<u8> {
    let rows: &[&[&str]] = &[
        &["企业/机构名称", "山海电器有限公司", "", "", "法人代表", "黄敏"],
        &["经办人", "李磊", "电话", "020-83300464", "手机", "13600136000"],
        &["申请类别", "□企业/机构  □品牌  ☑产品  [√]工程  □服务*说明：可勾选一个或多个类别"],
        &["申报品牌名称", "1、远帆"],
        &["申报产品名称", "1、远帆燃气热水器 型号H3 规格16L\n2、远帆洗衣机"],
        &["申报工程名称", "1、市民中心（滨江路1号）"],
        &["如达到AAA级，拟申请称号", "☑用户满意  □用户满意标杆", "是否申请公示", "☑是 □否"],
    ];
    word(&[
        ("附件1\n市场质量信用等级评价申请书", rows),
        ("被访者信息登记表（产品类）\n企业/机构名称：（加盖公章）山海电器有限公司", LIST),
    ])
}

fn document(name: &str, content: Vec<u8>) -> Document {
    Document { name: name.to_owned(), content }
}

async fn create(app: &TestApp, documents: Vec<Document>) -> Vec<CreatedDraft> {
    draft::create(&app.context, "qian", "p26", documents, false).await.unwrap()
}

#[tokio::test]
async fn a_form_becomes_a_draft_that_is_looked_through_and_registered() {
    for app in TestApp::on_each_engine(Scenario::faultless(1, 50), &[]).await {
        let created = create(&app, vec![document("申请书.docx", form())]).await;
        assert_eq!(created.len(), 1, "{}", app.engine);
        let (id, reading) = (created[0].id.unwrap(), &created[0].reading);
        let told: Vec<String> = reading
            .applications
            .iter()
            .map(|a| format!("{} {} {:?} {}", a.category, a.subject, a.missing(), a.is_ticked))
            .collect();
        assert_eq!(
            told,
            [
                "brand 远帆 [] false",
                "product 远帆燃气热水器 型号H3 规格16L [] true",
                r#"product 远帆洗衣机 ["model", "specification"] true"#,
                r#"project 市民中心（滨江路1号） ["number"] true"#,
            ],
            "{}",
            app.engine
        );
        assert_eq!(reading.applications[1].fields["brand"], "远帆", "{}", app.engine);
        assert_eq!((reading.lists.len(), reading.lists[0].people), (1, 2), "{}", app.engine);
        assert_eq!(reading.lists[0].categories, [Category::Product], "{}", app.engine);
        assert_eq!((reading.title.as_str(), reading.publicity), ("用户满意", Some(true)));
        // Nothing is registered by itself, and the same document again changes nothing.
        let all = async || {
            let mut connection = app.context.database.read().await.unwrap();
            let all = applications::all(&mut connection).await.unwrap();
            all.into_iter().map(|a| (a.code, a.subject.title())).collect::<Vec<_>>()
        };
        assert!(all().await.is_empty(), "{}", app.engine);
        let again = create(&app, vec![document("申请书（1）.docx", form())]).await;
        assert_eq!((again[0].id, again[0].known.clone()), (Some(id), Some(None)), "{}", app.engine);
        // What is missing is named; it is written in, or the application is left out.
        let refused = draft::register(&app.context, "qian", id).await.unwrap_err();
        assert!(matches!(refused, ApplicationFormError::Missing { .. }), "{refused}");
        let corrections = [
            ("out-0", "on"),
            ("out-3", "on"),
            ("subject-2-model", "X1"),
            ("subject-2-specification", "10kg"),
            ("list-0-product", "on"),
            ("contact-mobile", "13600136001"),
        ];
        let corrections: BTreeMap<String, String> =
            corrections.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        draft::correct(&app.context, id, &corrections).await.unwrap();
        let view = draft::view(&app.context, id).await.unwrap();
        assert_eq!(view.codes.applicant, "SHDQYXGS", "{}", app.engine);
        assert_eq!(view.reading.contact["mobile"], "13600136001", "{}", app.engine);
        let registered = draft::register(&app.context, "qian", id).await.unwrap();
        assert_eq!(registered.applications, ["SHDQYXGS-2", "SHDQYXGS-3"], "{}", app.engine);
        assert_eq!(all().await.len(), 2, "{}: {:?}", app.engine, all().await);
        // Its list waits to be checked, for both products, and its people are those of the form.
        let preview = lists::preview(&app.context, registered.lists[0]).await.unwrap();
        assert_eq!(preview.draft.applications, "SHDQYXGS-2,SHDQYXGS-3", "{}", app.engine);
        let outcome = lists::import_list_draft(&app.context, registered.lists[0]).await.unwrap();
        assert_eq!((outcome.accepted, outcome.rejected, outcome.not_people), (2, 0, 2));
        // The draft is over, its content and its key are gone, and it is still known.
        let gone = draft::view(&app.context, id).await.err().unwrap();
        assert!(matches!(gone, ApplicationFormError::NotFound), "{}: {gone}", app.engine);
        let known = create(&app, vec![document("申请书.docx", form())]).await;
        assert_eq!(known[0].known, Some(Some("registered".to_owned())), "{}", app.engine);
        // The applicant keeps its code for what it hands in later.
        let more = word(&[(
            "申请书",
            &[
                &["企业/机构名称", "山海电器有限公司"],
                &["申请类别", "☑服务"],
                &["申报服务名称", "1、上门维修"],
            ],
        )]);
        let later = create(&app, vec![document("补充.docx", more)]).await;
        let view = draft::view(&app.context, later[0].id.unwrap()).await.unwrap();
        assert_eq!(view.codes.applications, ["SHDQYXGS-1"], "{}", app.engine);
    }
}

/// A list that a conversion has torn apart is named; nobody is left out unseen.
#[tokio::test]
async fn a_list_that_has_lost_its_cells_is_said() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let form: (&str, &[&[&str]]) = (
        "申请书",
        &[&["企业/机构名称", "甲公司"], &["申请类别", "☑品牌"], &["申报品牌名称", "1、远帆"]],
    );
    let torn = "被访者信息登记表（品牌类）\n序号姓名联系电话1陈磊158 6697 25102张磊138 4646 8695";
    let read = async |tables: &[(&str, &[&[&str]])]| {
        let created = create(&app, vec![document("a.docx", word(tables))]).await;
        created[0].reading.documents[0].1.clone()
    };
    assert_eq!(read(&[form, ("被访者信息登记表", &[])]).await, None);
    let problem = read(&[form, (torn, &[])]).await.unwrap();
    for (language, words) in [(Language::ZH, "请另存为 .docx"), (Language::EN, "save it as .docx")]
    {
        assert!(problem.in_language(language).contains(words), "{problem:?}");
    }
    // Drafts from before hold one text.
    let kept: DocumentProblem = serde_json::from_str("\"text\"").unwrap();
    assert_eq!(kept.in_language(Language::ZH), "text");
}

#[tokio::test]
async fn the_attachments_of_an_e_mail_are_put_together() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let only_list = word(&[("被访者信息登记表（工程类）", LIST)]);
    let mail = zip(&[
        ("申请书.docx", &form()),
        ("名单.docx", &only_list),
        ("扫描件.jpg", b"\xff\xd8\xff\xe0"),
        ("盖章.pdf", b"%PDF-1.4"),
    ]);
    let created = create(&app, vec![document("mail.zip", mail)]).await;
    assert_eq!(created.len(), 1);
    let reading = &created[0].reading;
    let lists: Vec<_> = reading.lists.iter().map(|list| list.categories.clone()).collect();
    assert_eq!(lists, [vec![Category::Product], vec![Category::Project]]);
    let unread: Vec<&str> = reading
        .documents
        .iter()
        .filter(|(_, problem)| problem.is_some())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(unread, ["扫描件.jpg", "盖章.pdf"]);
    // What is discarded, or lies about for a month, is gone, and can be read again.
    draft::discard(&app.context, created[0].id.unwrap()).await.unwrap();
    let again = create(&app, vec![document("申请书.docx", form())]).await;
    assert_eq!(again[0].known, None);
    app.clock.advance_to(app.clock_now() + std::time::Duration::from_secs(31 * 86_400));
    erasure::remove_expired(&app.context).await.unwrap();
    let gone = draft::view(&app.context, again[0].id.unwrap()).await.err().unwrap();
    assert!(matches!(gone, ApplicationFormError::NotFound), "{gone}");
    // Of pictures alone, one line says what to do.
    let picture = vec![document("扫描件.jpg", b"\xff\xd8\xff\xe0".to_vec())];
    let refused = draft::create(&app.context, "qian", "p26", picture, false).await.err().unwrap();
    assert!(refused.to_string().contains("扫描件.jpg: it is a picture"), "{refused}");
    let text = vec![document("x.csv", b"a,b\n1,2\n".to_vec())];
    let refused = draft::create(&app.context, "qian", "p26", text, false).await.err().unwrap();
    assert!(matches!(refused, ApplicationFormError::NoForm(_)), "{refused}");
}

/// A form with these categories and subjects.
fn form_of(categories: &str, subjects: &[(&str, &str)]) -> Vec<u8> {
    let mut rows = vec![vec!["企业/机构名称", "甲公司"], vec!["申请类别", categories]];
    rows.extend(subjects.iter().map(|(label, subject)| vec![*label, *subject]));
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    word(&[("申请书", &rows)])
}

/// Where a tick may belong to either word, nothing is ticked, no application is invented, and the
/// draft says what is to be compared.
#[tokio::test]
async fn a_doubtful_tick_is_said_and_invents_nothing() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let told = async |categories: &str| -> Vec<String> {
        let subjects = [("申报品牌名称", "远帆"), ("申报服务名称", "门诊服务")];
        let form = form_of(categories, &subjects);
        let created = create(&app, vec![document("申请书.docx", form)]).await;
        let applications = created[0].reading.applications.iter();
        applications.map(|a| format!("{} {} {}", a.category, a.is_ticked, a.is_doubtful)).collect()
    };
    for categories in ["企业/机构 √品牌 产品 工程 √服务", "企业/机构 品牌√ 产品 工程 服务√"]
    {
        assert_eq!(told(categories).await, ["brand true false", "service true false"]);
    }
    let doubtful = told("企业/机构 √ 品牌 产品 工程 服务").await;
    assert_eq!(doubtful, ["brand false true", "service false false"]);
    let qian = Browser::signed_in(&app, "qian").await;
    let (_, _, page) = qian.get("/application-drafts/3").await;
    for told in ["存疑", "看不出属于哪一项", "企业/机构、品牌"] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

/// Whatever is not read of a form or a spreadsheet is named: beside the draft, with its row.
#[tokio::test]
async fn what_is_not_read_is_named() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let csv = "申报单位,申报类别,申报名称,品牌,规格型号,联系电话,年产量\n\
        绿洲电器厂,产品,热水器,绿洲,GZ60 60L,13917363362,3000\n\
        绿洲电器厂,品牌/服务,绿洲,,,,\n绿洲电器厂,其它,x,,,,\n合计,,2 项,,,,\n";
    let created = create(&app, vec![document("汇总.csv", csv.as_bytes().to_vec())]).await;
    let reading = &created[0].reading;
    let categories: Vec<&str> = reading.applications.iter().map(|a| a.category.as_str()).collect();
    assert_eq!(categories, ["product", "brand", "service"]);
    assert!(reading.applications[0].missing().is_empty(), "{:?}", reading.applications[0]);
    assert_eq!(reading.contact["mobile"], "13917363362");
    let notes: Vec<&str> =
        reading.notes.iter().map(|(_, note)| note.in_language(Language::EN)).collect();
    for told in ["row 3 has several categories", "row 4 was not read", "row 5 was not read"] {
        assert!(notes.iter().any(|note| note.contains(told)), "{told}: {notes:?}");
    }
    let qian = Browser::signed_in(&app, "qian").await;
    let (_, _, page) = qian.get("/application-drafts/1").await;
    for told in ["第 4 行未读取", "4 · 申报类别", "其它", "2 · 规格型号", "GZ60 60L", "3000"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    // A heading of a list without one, a cell beside the subjects, and a list without a header.
    let rows: &[&[&str]] = &[
        &["企业/机构名称", "甲公司"],
        &["申请类别", "☑品牌"],
        &["申报品牌名称", "远帆", "近帆"],
        &["年产量", "3000"],
    ];
    let people: &[&[&str]] = &[&["甲", "13800138000"], &["乙", "13900139000"]];
    let form = word(&[("申请书", rows), ("接上表", people), ("被访者信息登记表（品牌类）", &[])]);
    let created = create(&app, vec![document("a.docx", form)]).await;
    let reading = &created[0].reading;
    let notes: Vec<&str> =
        reading.notes.iter().map(|(_, note)| note.in_language(Language::ZH)).collect();
    for told in
        ["未读取：近帆", "含 2 行手机号码的表格", "“被访者信息登记表（品牌类）”之后没有读到名单"]
    {
        assert!(notes.iter().any(|note| note.contains(told)), "{told}: {notes:?}");
    }
    let unused = reading.cells.iter().find(|cell| cell.label == "年产量").unwrap();
    assert_eq!((unused.value.as_str(), unused.field.as_str()), ("3000", ""));
}

/// Two lists in one table are two, and a document that comes twice is read once.
#[tokio::test]
async fn lists_are_told_apart_and_taken_once() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let header: &[&str] = &["序号", "被访者姓名", "联系电话"];
    let rows: &[&[&str]] = &[
        &["被访者信息登记表（品牌类）"],
        header,
        &["1", "甲", "13917300001"],
        &["被访者信息登记表（产品类）"],
        header,
        &["1", "乙", "13917300002"],
        &["2", "丙", "13917300003"],
    ];
    let form = form_of("☑品牌 ☑产品", &[("申报品牌名称", "远帆")]);
    let both = word(&[("", rows)]);
    let mail = zip(&[("附件/名单.docx", &both), ("再压一层.zip", &zip(&[("申请书.docx", &form)]))]);
    let created = create(&app, vec![document("mail.zip", mail), document("名单.docx", both)]).await;
    assert_eq!(created.len(), 1);
    let reading = &created[0].reading;
    let lists: Vec<_> =
        reading.lists.iter().map(|list| (list.categories.clone(), list.people)).collect();
    assert_eq!(lists, [(vec![Category::Brand], 1), (vec![Category::Product], 2)]);
    assert!(
        reading.notes.iter().any(|(_, note)| note.in_language(Language::ZH).contains("内容相同")),
        "the one that was left out is said"
    );
}

/// A mail, or an archive of another kind, says what to do with it.
#[tokio::test]
async fn mails_and_other_archives_say_what_to_do() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let mail = "Return-Path: <a@example.com>\r\nReceived: from b\r\nSubject: x\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n";
    // The streams of a message of Outlook.
    let mut message = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    message.resize(600, 0);
    message.extend("__properties_version1.0".encode_utf16().flat_map(u16::to_le_bytes));
    let rar = b"Rar!\x1a\x07\x01\x00".to_vec();
    let seven = b"7z\xbc\xaf\x27\x1c".to_vec();
    let deep = (0..5).fold(zip(&[("x.txt", b"x")]), |inner, _| zip(&[("inner.zip", &inner)]));
    let documents = [
        ("来信.eml", mail.as_bytes().to_vec(), "save its attachments"),
        ("来信.msg", message, "save its attachments"),
        ("材料.rar", rar, "unpack it and hand in its files"),
        ("材料.7z", seven, "unpack it and hand in its files"),
        ("材料.zip", deep, "unpack it and hand in its files"),
    ];
    for (name, content, told) in documents {
        let documents = vec![document(name, content)];
        let refused = draft::create(&app.context, "qian", "p26", documents, true).await;
        let refused = refused.err().unwrap().to_string();
        assert!(refused.contains(told), "{name}: {refused}");
    }
}

#[tokio::test]
async fn the_files_of_an_upload_are_read_together() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let qian = Browser::signed_in(&app, "qian").await;
    let list = word(&[("被访者信息登记表（工程类）", LIST)]);
    let form = form();
    let files: [(&str, &[u8]); 3] =
        [("名单.docx", &list), ("扫描件.jpg", b"\xff\xd8\xff\xe0"), ("申请书.docx", &form)];
    let (status, to, _) =
        qian.upload_all("/application-drafts", &[("programme", "p26")], &files).await;
    assert_eq!((status, to.as_str()), (303, "/application-drafts/1"));
    let reading = draft::view(&app.context, 1).await.unwrap().reading;
    assert_eq!((reading.applications.len(), reading.lists.len()), (4, 2));
    let names: Vec<&str> = reading.documents.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    // The files are bounded, in number and together in size, and nothing of them is read.
    let many: Vec<(&str, &[u8])> = vec![("a.csv", b"a"); 101];
    let refused = qian.upload_all("/application-drafts", &[("programme", "p26")], &many).await;
    assert!(refused.0 == 413 && refused.2.contains("最多 100 个文件"), "{refused:?}");
    let half = vec![b'a'; 17 * 1024 * 1024];
    let large: [(&str, &[u8]); 2] = [("a.csv", &half), ("b.csv", &half)];
    let refused = qian.upload_all("/application-drafts", &[("programme", "p26")], &large).await;
    assert!(refused.0 == 413 && refused.2.contains("32 MB"), "{refused:?}");
    assert!(draft::view(&app.context, 2).await.is_err());
}

#[tokio::test]
async fn a_spreadsheet_has_one_application_a_row_and_a_draft_for_each_applicant() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    let csv = "申请单位,申报类别,申报名称,型号,规格,手机\n山海医院,企业/机构,山海医院,,,13600136000\n\
        山海医院,服务,门诊服务,,,\n远帆电器,产品,远帆牌热水器,H3,16L,\n";
    let created = create(&app, vec![document("汇总.csv", csv.as_bytes().to_vec())]).await;
    let told: Vec<(&str, usize)> = created
        .iter()
        .map(|c| (c.reading.applicant.as_str(), c.reading.applications.len()))
        .collect();
    assert_eq!(told, [("山海医院", 2), ("远帆电器", 1)]);
    assert!(created[1].reading.applications[0].missing().is_empty());
    for created in &created {
        draft::register(&app.context, "qian", created.id.unwrap()).await.unwrap();
    }
    let mut connection = app.context.database.read().await.unwrap();
    let codes: Vec<String> =
        applications::all(&mut connection).await.unwrap().into_iter().map(|a| a.code).collect();
    assert_eq!(codes, ["SHYY-1", "SHYY-2", "YFDQ-1"]);
}

#[tokio::test]
async fn staff_do_it_on_the_console() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let qian = Browser::signed_in(&app, "qian").await;
    let programme = [("programme", "p26")];
    let refused = qian.upload("/application-drafts", &programme, "x.pdf", b"%PDF-1.4").await;
    assert!(refused.0 == 422 && refused.2.contains("这是 PDF"), "{refused:?}");
    let (status, to, _) =
        qian.upload("/application-drafts", &programme, "申请书.docx", &form()).await;
    assert_eq!((status, to.as_str()), (303, "/application-drafts/1"));
    let (status, _, page) = qian.get(&to).await;
    assert_eq!(status, 200);
    for told in [
        "山海电器有限公司",
        "远帆燃气热水器 型号H3 规格16L",
        "表中未勾选此类别",
        "缺",
        "拟申请称号：用户满意",
        "SHDQYXGS-2",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(page.contains("<button disabled>登记</button>"), "{page}");
    let saved =
        [("out-0", "on"), ("out-2", "on"), ("subject-3-number", "1号楼"), ("list-0-product", "on")];
    let (status, _, page) = qian.submit("/application-drafts/1", &saved).await;
    assert!(status == 200 && page.contains("<button>登记</button>"), "{page}");
    let (status, to, _) = qian.submit("/application-drafts/1/register", &[]).await;
    assert_eq!((status, to.as_str()), (303, "/lists/1"));
    assert!(qian.get("/application-drafts/1").await.0 == 404);
    let (_, _, log) = qian.get("/setup").await;
    assert!(!log.contains("/application-drafts/1"), "{log}");
}

/// The code of an applicant that is there already is not silently that of another one.
#[tokio::test]
async fn a_known_code_under_another_name_is_asked_about() {
    let app = TestApp::on_sqlite(Scenario::faultless(1, 50), &[]).await;
    add_account(&app, "qian", Role::Operator).await;
    let qian = Browser::signed_in(&app, "qian").await;
    let register = async |fields: &[(&str, &str)]| {
        let brand =
            [("programme", "p26"), ("category", "brand"), ("brand-brand", "山海"), ("target", "")];
        qian.submit("/applications", &[&brand[..], fields].concat()).await
    };
    // Codes are made from the name; the same name is the same applicant.
    let made = register(&[("applicant_name", "山海电器"), ("applicant", ""), ("code", "")]).await;
    assert_eq!(made.1, "/applications/SHDQ-1", "{made:?}");
    let second =
        register(&[("applicant_name", " 山海 电器"), ("applicant", ""), ("code", "")]).await;
    assert_eq!(second.1, "/applications/SHDQ-2", "{second:?}");
    let other = [("applicant_name", "上海电池"), ("applicant", "SHDQ"), ("code", "X1")];
    let refused = register(&other).await;
    assert!(
        refused.0 == 422
            && refused.2.contains("已登记为“山海电器”")
            && refused.2.contains("value=\"上海电池\""),
        "{refused:?}"
    );
    // Another applicant with the same initials gets a code of its own.
    let third = register(&[("applicant_name", "上海电池"), ("applicant", ""), ("code", "")]).await;
    assert_eq!(third.1, "/applications/SHDC-1", "{third:?}");
    // It has a new name.
    let renamed = register(&[&other[..], &[("rename", "on")]].concat()).await;
    assert_eq!(renamed.1, "/applications/X1", "{renamed:?}");
    assert!(qian.get("/applications/SHDQ-1").await.2.contains("上海电池"));
}
