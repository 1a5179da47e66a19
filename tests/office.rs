//! Documents that only an office program reads, from the file to its tables; and the folder, limits
//! and processes of a conversion, with a stand-in for LibreOffice.
//!
//! The real one is used where FIELDWORKD_TEST_SOFFICE names it (`tests/run` installs it). Cases from
//! public bug reports name their source: `owner/repository#number`.

use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use fieldworkd::adapters::spreadsheets::{
    ConversionProblem, Converter, ForeignFile, OfficeProgram, Sheet, Sheets, Source,
    SpreadsheetError, read_or_convert, sweep_leftovers,
};

use crate::common;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fieldworkd");

/// A place for conversions: a folder for their folders, and an office program.
struct Place {
    scratch: tempfile::TempDir,
    converter: Converter,
}

impl Place {
    fn new(soffice: PathBuf) -> Place {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("tmp with blanks, 名");
        std::fs::create_dir(&folder).unwrap();
        let converter = Converter {
            program: PROGRAM.into(),
            argument: "convert-document",
            soffice,
            folder,
            time_limit: Duration::from_secs(60),
        };
        Place { scratch, converter }
    }

    /// With the real one; `None`: it is not installed.
    fn with_office() -> Option<Place> {
        match std::env::var("FIELDWORKD_TEST_SOFFICE") {
            Ok(soffice) => Some(Place::new(soffice.into())),
            Err(_) => {
                eprintln!("FIELDWORKD_TEST_SOFFICE is not set: no office program (use tests/run)");
                None
            }
        }
    }

    /// With a script in place of LibreOffice. In it, $OUT is the folder of results, and $NOTES a
    /// file outside of the conversion's folder.
    fn with_script(script: &str) -> Place {
        let mut place = Place::new(PathBuf::new());
        place.converter.soffice = place.write_script(script);
        place
    }

    fn write_script(&self, script: &str) -> PathBuf {
        let path = self.scratch.path().join("soffice");
        let notes = self.notes();
        let text = format!(
            "#!/bin/sh\nNOTES='{}'\nwhile [ \"$1\" != --outdir ]; do shift; done\nOUT=$2\nIN=$3\n{script}\n",
            notes.display()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        path
    }

    fn notes(&self) -> PathBuf {
        self.scratch.path().join("notes")
    }

    fn noted(&self) -> Vec<u32> {
        let text = std::fs::read_to_string(self.notes()).unwrap_or_default();
        text.lines().map(|line| line.trim().parse().unwrap()).collect()
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.converter.folder).unwrap().next().is_none()
    }

    fn convert(&self) -> Result<Vec<u8>, SpreadsheetError> {
        self.converter.convert(b"{\\rtf1 x}", Source::RichText)
    }

    fn read(&self, content: &[u8]) -> Result<Vec<Sheet>, SpreadsheetError> {
        read_or_convert(content, Sheets::Visible, Some(&self.converter))
    }

    /// Saves a file as another kind, as its sender would.
    fn save_as(&self, content: &[u8], ending: &str, kind: &str) -> Vec<u8> {
        let (from, out) = (self.scratch.path().join("file").with_extension(ending), "saved");
        std::fs::write(&from, content).unwrap();
        let profile = self.scratch.path().join("profile");
        let saved = Command::new("timeout")
            .args(["120", self.converter.soffice.to_str().unwrap(), "--headless"])
            .arg(format!("-env:UserInstallation=file://{}", profile.display()))
            .args(["--convert-to", kind, "--outdir", out])
            .arg(&from)
            .current_dir(self.scratch.path())
            .output()
            .unwrap();
        let file = self.scratch.path().join(out).join("file").with_extension(kind);
        std::fs::read(&file)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&saved.stderr)))
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A dead process that nobody has taken away yet is none.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A Word document with this body, and a list whose paragraphs are numbered «1.» by Word.
fn word(body: &str) -> Vec<u8> {
    const W: &str = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";
    const KINDS: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml";
    const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    let relations = |parts: &[(&str, &str)]| {
        let part = |(number, (kind, target)): (usize, &(&str, &str))| {
            format!(
                "<Relationship Id=\"r{number}\" Type=\"{RELATIONS}/{kind}\" Target=\"{target}\"/>"
            )
        };
        let parts: String = parts.iter().enumerate().map(part).collect();
        format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{parts}</Relationships>")
    };
    let kinds = format!(
        "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" \
         ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Override PartName=\"/word/document.xml\" ContentType=\"{KINDS}.document.main+xml\"/>\
         <Override PartName=\"/word/numbering.xml\" ContentType=\"{KINDS}.numbering+xml\"/></Types>"
    );
    let numbering = format!(
        "<w:numbering xmlns:w=\"{W}\"><w:abstractNum w:abstractNumId=\"0\"><w:lvl w:ilvl=\"0\">\
         <w:start w:val=\"1\"/><w:numFmt w:val=\"decimal\"/><w:lvlText w:val=\"%1.\"/></w:lvl>\
         </w:abstractNum><w:num w:numId=\"1\"><w:abstractNumId w:val=\"0\"/></w:num></w:numbering>"
    );
    let document = format!("<w:document xmlns:w=\"{W}\"><w:body>{body}</w:body></w:document>");
    zip(&[
        ("[Content_Types].xml", &kinds),
        ("_rels/.rels", &relations(&[("officeDocument", "word/document.xml")])),
        ("word/_rels/document.xml.rels", &relations(&[("numbering", "numbering.xml")])),
        ("word/document.xml", &document),
        ("word/numbering.xml", &numbering),
    ])
}

fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

fn numbered(text: &str) -> String {
    format!(
        "<w:p><w:pPr><w:numPr><w:ilvl w:val=\"0\"/><w:numId w:val=\"1\"/></w:numPr></w:pPr>\
         <w:r><w:t>{text}</w:t></w:r></w:p>"
    )
}

/// A table with borders; the cells are paragraphs with their properties before them.
fn table(widths: &[u32], rows: &[Vec<String>]) -> String {
    let border = |side: &str| format!("<w:{side} w:val=\"single\" w:sz=\"4\"/>");
    let borders: String =
        ["top", "left", "bottom", "right", "insideH", "insideV"].map(border).concat();
    let grid: String = widths.iter().map(|w| format!("<w:gridCol w:w=\"{w}\"/>")).collect();
    let cell = |(cell, width): (&String, &u32)| {
        let width = format!("<w:tcW w:w=\"{width}\" w:type=\"dxa\"/>");
        match cell.split_once("<w:tcPr>") {
            Some((_, rest)) => format!("<w:tc><w:tcPr>{width}{rest}</w:tc>"),
            None => format!("<w:tc><w:tcPr>{width}</w:tcPr>{cell}</w:tc>"),
        }
    };
    let row = |row: &Vec<String>| {
        format!("<w:tr>{}</w:tr>", row.iter().zip(widths).map(cell).collect::<String>())
    };
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<w:tbl><w:tblPr><w:tblW w:w=\"0\" w:type=\"auto\"/><w:tblBorders>{borders}</w:tblBorders>\
         </w:tblPr><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>"
    )
}

/// An application form and a list, whose organisation stands once beside two people.
fn form() -> Vec<u8> {
    let cells = |cells: &[&str]| cells.iter().map(|cell| paragraph(cell)).collect::<Vec<_>>();
    let merged = |restart: &str, text: &str| {
        format!("<w:tcPr><w:vMerge{restart}/></w:tcPr>{}", paragraph(text))
    };
    let restart = " w:val=\"restart\"";
    let form = [
        cells(&["企业/机构名称", "山海电器有限公司"]),
        cells(&["申请类别", "□企业/机构  □品牌  ☑产品  □工程  □服务"]),
        vec![
            paragraph("申报产品名称"),
            [numbered("远帆燃气热水器"), paragraph("型号H3 规格16L"), numbered("远帆洗衣机")]
                .concat(),
        ],
    ];
    let person = |organisation: String, name: &str, number: &str| {
        vec![organisation, paragraph(name), paragraph(number)]
    };
    let list = [
        cells(&["单位", "被访者姓名", "联系电话"]),
        person(merged(restart, "某单位"), "吴伟", "138 0013 8000"),
        person(merged("", ""), "刘丽", "139 0013 9000"),
    ];
    word(&format!(
        "{}{}{}{}{}",
        paragraph("市场质量信用等级评价申请书"),
        table(&[2600, 6400], &form),
        paragraph("被访者信息登记表（产品类）"),
        table(&[2600, 2600, 3800], &list),
        paragraph("填表人：张丽"),
    ))
}

fn told(sheets: &[Sheet]) -> Vec<Vec<String>> {
    sheets.iter().flat_map(|sheet| sheet.rows.iter().map(|row| row.cells.clone())).collect()
}

/// unoserver#14: a PDF needs a filter of its own. loeclipse#174, docling#3819, unoconv#225: several
/// conversions at once disturb each other in one profile.
#[test]
fn old_documents_rich_text_open_documents_and_pdf_files_are_read_side_by_side() {
    let Some(place) = Place::with_office() else { return };
    let form = form();
    let expected = told(&place.read(&form).unwrap());
    assert_eq!(
        expected[2..],
        [
            vec!["申报产品名称", "1. 远帆燃气热水器\n型号H3 规格16L\n2. 远帆洗衣机"],
            vec!["单位", "被访者姓名", "联系电话"],
            vec!["某单位", "吴伟", "138 0013 8000"],
            vec!["某单位", "刘丽", "139 0013 9000"],
        ]
    );
    let saved: Vec<(&str, Vec<u8>)> =
        ["doc", "rtf", "odt", "pdf"].map(|kind| (kind, place.save_as(&form, "docx", kind))).into();
    std::thread::scope(|scope| {
        for (kind, content) in &saved {
            let (place, expected) = (&place, &expected);
            scope.spawn(move || {
                let sheets =
                    place.read(content).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
                assert_eq!(&told(&sheets), expected, "{kind}");
                let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
                assert!(names.iter().any(|name| name.contains("（产品类）")), "{kind}: {names:?}");
            });
        }
    });
    assert!(place.is_empty());
    // A spreadsheet of LibreOffice's own, and one of before 2007, need no conversion.
    let csv = "姓名,手机\n王伟,13800138000\n".as_bytes();
    for kind in ["ods", "xls"] {
        let content = place.save_as(csv, "csv", kind);
        let sheets = read_or_convert(&content, Sheets::Visible, None).unwrap();
        assert_eq!(told(&sheets)[1][1], "13800138000", "{kind}");
    }
}

/// samvera/hydra-derivatives#116, dangerzone#370: LibreOffice ends well although it could not read
/// the file, or asks for a password.
#[test]
fn what_libreoffice_cannot_read_is_one_line_and_a_scan_is_called_one() {
    let Some(place) = Place::with_office() else { return };
    let refused = Err(SpreadsheetError::NotConverted(ConversionProblem::Refused));
    assert_eq!(place.read(b"%PDF-1.4 and then nothing"), refused);
    let locked = zip(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", "x"),
        (
            "META-INF/manifest.xml",
            "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\">\
             <manifest:file-entry manifest:full-path=\"content.xml\" manifest:size=\"1\">\
             <manifest:encryption-data manifest:checksum-type=\"SHA1\" manifest:checksum=\"AA==\"/>\
             </manifest:file-entry></manifest:manifest>",
        ),
    ]);
    assert_eq!(place.read(&locked), refused);
    let blank = place.save_as(&word("<w:p/>"), "docx", "pdf");
    assert_eq!(place.read(&blank), Err(SpreadsheetError::Foreign(ForeignFile::ScannedPdf)));
    // A picture is never given to it.
    let pictures: [&[u8]; 4] =
        [b"\xff\xd8\xff\xe0", b"MM\0*", b"\0\0\0\x18ftypheic", b"RIFF\0\0\0\0WEBPVP8 "];
    for picture in pictures {
        let told = place.read(picture);
        assert_eq!(told, Err(SpreadsheetError::Foreign(ForeignFile::Picture)), "{picture:?}");
    }
    assert!(place.is_empty());
}

/// A document that names a picture elsewhere would tell its sender who opens it.
#[test]
fn nothing_is_fetched_for_a_document() {
    let Some(place) = Place::with_office() else { return };
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let content = format!(
        "<office:document-content xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" \
         xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" \
         xmlns:draw=\"urn:oasis:names:tc:opendocument:xmlns:drawing:1.0\" \
         xmlns:xlink=\"http://www.w3.org/1999/xlink\" office:version=\"1.2\"><office:body><office:text>\
         <text:p>王伟<text:tab/>13800138000<draw:frame><draw:image \
         xlink:href=\"http://{}/x.png\" xlink:type=\"simple\" xlink:show=\"embed\" \
         xlink:actuate=\"onLoad\"/></draw:frame></text:p></office:text></office:body>\
         </office:document-content>",
        server.local_addr().unwrap()
    );
    let manifest = "<manifest:manifest xmlns:manifest=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\">\
        <manifest:file-entry manifest:full-path=\"/\" manifest:media-type=\"application/vnd.oasis.opendocument.text\"/>\
        <manifest:file-entry manifest:full-path=\"content.xml\" manifest:media-type=\"text/xml\"/></manifest:manifest>";
    let document = zip(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", &content),
        ("META-INF/manifest.xml", manifest),
    ]);
    let sheets = place.read(&document).unwrap();
    assert_eq!(told(&sheets), [["王伟", "13800138000"]]);
    assert!(server.accept().is_err(), "LibreOffice has asked for the picture");
}

/// ether/etherpad#4499, unoserver#19, elwerene/libreoffice-convert#103: a document lets LibreOffice
/// run for ever, and its processes outlive it. bigbluebutton#9022: they stay as dead ones.
#[test]
fn a_conversion_that_takes_too_long_ends_with_all_of_its_processes() {
    let mut place = Place::with_script(
        "sleep 300 &\necho $! >>\"$NOTES\"\nsetsid sleep 300 &\necho $! >>\"$NOTES\"\n\
         echo $$ >>\"$NOTES\"\ntrap '' TERM INT\nsleep 300",
    );
    place.converter.time_limit = Duration::from_secs(1);
    let began = Instant::now();
    let told = place.convert();
    assert_eq!(told, Err(SpreadsheetError::NotConverted(ConversionProblem::TimeLimit)));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let processes = place.noted();
    assert_eq!(processes.len(), 3);
    wait_until("its processes end", || !processes.iter().any(|pid| is_alive(*pid)));
    assert!(place.is_empty());
}

#[test]
fn what_an_office_program_does_wrong_is_said_and_leaves_nothing() {
    let problem = |problem| Err(SpreadsheetError::NotConverted(problem));
    for (script, expected) in [
        ("exit 0", ConversionProblem::Refused),
        ("echo x >\"$OUT/in.docx\"; exit 1", ConversionProblem::Refused),
        (": >\"$OUT/in.docx\"", ConversionProblem::Refused),
        ("ln -s /etc/hostname \"$OUT/in.docx\"", ConversionProblem::Refused),
        ("head -c 34000000 /dev/zero >\"$OUT/in.docx\"", ConversionProblem::TooLarge),
        // More than it may write at all.
        ("head -c 300000000 /dev/zero >\"$OUT/in.docx\"", ConversionProblem::Refused),
        ("kill -9 $$", ConversionProblem::Refused),
    ] {
        let place = Place::with_script(script);
        assert_eq!(place.convert(), problem(expected), "{script}");
        assert!(place.is_empty(), "{script}");
    }
    // Something that it leaves running does not hold up the answer.
    let place = Place::with_script("echo it >\"$OUT/in.docx\"\nsleep 300 &\necho $! >>\"$NOTES\"");
    assert_eq!(place.convert().unwrap(), b"it\n");
    let left = place.noted();
    wait_until("what it left ends", || !is_alive(left[0]));
    let gone = Place::new("/nowhere/soffice".into());
    let told = gone.convert();
    let Err(SpreadsheetError::NotConverted(ConversionProblem::NotStarted(_))) = told else {
        panic!("{told:?}");
    };
    assert!(gone.is_empty());
}

#[test]
fn an_office_program_sees_a_folder_of_its_own_and_nothing_else() {
    let place = Place::with_script(
        "{ env; stat -c 'mode=%a' \"$HOME\"; cat \"$HOME/profile/user/registrymodifications.xcu\"; \
         echo core=$(ulimit -c) cpu=$(ulimit -t) nice=$(nice); \
         echo devices=$(tail -n +3 /proc/net/dev | cut -d: -f1); } >\"$OUT/in.docx\"",
    );
    let text = String::from_utf8(place.convert().unwrap()).unwrap();
    for line in ["mode=700", "core=0 cpu=61 nice=10", "LC_ALL=C.UTF-8"] {
        assert!(text.lines().any(|told| told == line), "{line}: {text}");
    }
    for setting in ["MacroSecurityLevel\" oor:op=\"fuse\"><value>3<", "BlockUntrustedRefererLinks"]
    {
        assert!(text.contains(setting), "{setting}: {text}");
    }
    assert!(!text.contains("CARGO") && !text.contains("FIELDWORKD_"), "{text}");
    // Where users may have namespaces of their own, it has a network without anything in it.
    let may = Command::new("unshare").args(["--user", "--net", "true"]).status();
    if may.is_ok_and(|status| status.success()) {
        assert!(text.lines().any(|line| line.replace(' ', "") == "devices=lo"), "{text}");
    }
}

#[test]
fn the_office_program_is_found_or_named_or_never_used() {
    let place = Place::with_script("exit 0");
    let script = place.converter.soffice.clone();
    assert_eq!(OfficeProgram::At(script.clone()).find(), Some(script.clone()));
    assert_eq!(OfficeProgram::Never.find(), None);
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(OfficeProgram::At(script).find(), None);
    assert_eq!(OfficeProgram::At("/nowhere".into()).find(), None);
    let told = read_or_convert(b"{\\rtf1 x}", Sheets::Visible, None);
    assert_eq!(told, Err(SpreadsheetError::Foreign(ForeignFile::RichText)));
}

/// The command line with its own database, and an office program.
struct CommandLine {
    folder: tempfile::TempDir,
    soffice: String,
    tmp: PathBuf,
}

impl CommandLine {
    fn new(soffice: &Path) -> CommandLine {
        let folder = tempfile::tempdir().unwrap();
        let tmp = folder.path().join("tmp");
        std::fs::create_dir(&tmp).unwrap();
        std::fs::write(folder.path().join("programme.toml"), common::PROGRAMME).unwrap();
        let soffice = soffice.to_str().unwrap().to_owned();
        let line = CommandLine { folder, soffice, tmp };
        assert!(line.run(&["programme", "apply", "programme.toml"]).status.success());
        line
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("FIELDWORKD_DOCUMENTS__SOFFICE", &self.soffice)
            .env("TMPDIR", &self.tmp)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(&self.tmp).unwrap().next().is_none()
    }
}

const IMPORT: [&str; 5] = ["application", "import", "--programme", "p26", "--json"];

#[test]
fn application_documents_of_word_97_and_wps_are_read_by_the_command_line() {
    let Some(place) = Place::with_office() else { return };
    let line = CommandLine::new(&place.converter.soffice);
    line.write("申请书.wps", &place.save_as(&form(), "docx", "doc"));
    line.write("盖章.pdf", b"%PDF-1.4 x");
    let output = line.run(&[&IMPORT[..], &["申请书.wps", "盖章.pdf"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let told: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| {
        panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
    });
    assert_eq!(told["applicant"], "山海电器有限公司", "{told:#}");
    let subjects: Vec<&str> = told["applications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|application| application["subject"].as_str().unwrap())
        .collect();
    assert_eq!(subjects, ["远帆燃气热水器 型号H3 规格16L", "远帆洗衣机"], "{told:#}");
    assert_eq!(told["lists"][0]["people"], 2, "{told:#}");
    let problem = told["documents"][1]["problem"].as_str().unwrap();
    assert!(problem.starts_with("LibreOffice cannot open it"), "{told:#}");
    assert!(line.is_empty());
    let doctor = String::from_utf8(line.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("ok      documents are converted by "), "{doctor}");
}

#[test]
fn without_an_office_program_one_line_names_both_ways() {
    let line = CommandLine::new(Path::new(""));
    line.write("list.doc", b"{\\rtf1 x}");
    let output = line.run(&[&IMPORT[..], &["list.doc"]].concat());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.lines().count() == 1
            && error.contains("save it as .docx, or install libreoffice-writer on the server"),
        "{error}"
    );
    let wrong = CommandLine { soffice: "/nowhere/soffice".into(), ..line };
    let doctor = String::from_utf8(wrong.run(&["doctor"]).stdout).unwrap();
    assert!(doctor.contains("PROBLEM documents are converted by LibreOffice: "), "{doctor}");
    let wrong = CommandLine { soffice: "soffice".into(), ..wrong };
    let refused = String::from_utf8(wrong.run(&["check-config"]).stderr).unwrap();
    assert!(refused.contains("documents.soffice"), "{refused}");
}

/// Starts an import whose office program hangs, and waits until it does.
fn hanging(line: &CommandLine, place: &Place) -> Child {
    line.write("form.rtf", b"{\\rtf1 x}");
    let _ = std::fs::remove_file(place.notes());
    let child = line.command(&[&IMPORT[..], &["form.rtf"]].concat()).spawn().unwrap();
    wait_until("the office program runs", || place.noted().len() == 1);
    child
}

/// The keeper of a conversion: a child of the program that asked.
fn keeper_of(parent: u32) -> u32 {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent_of =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parent_of == Some(parent)
    };
    pids.into_iter().find(is_child).unwrap()
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_conversion_ends_with_the_program_that_asked_and_leftovers_are_swept() {
    let place = Place::with_script("echo $$ >>\"$NOTES\"\nwhile :; do sleep 0.1; done");
    let line = CommandLine::new(&place.converter.soffice);
    // The program that asked is gone.
    let mut child = hanging(&line, &place);
    kill(child.id());
    child.wait().unwrap();
    let office = place.noted()[0];
    wait_until("the office program ends", || !is_alive(office));
    wait_until("its folder goes", || line.is_empty());
    // And its keeper with it: the next conversion ends the one that was left.
    let mut child = hanging(&line, &place);
    let keeper = keeper_of(child.id());
    kill(keeper);
    kill(child.id());
    child.wait().unwrap();
    let office = place.noted()[0];
    assert!(is_alive(office) && !line.is_empty());
    place.write_script("exit 0");
    line.run(&[&IMPORT[..], &["form.rtf"]].concat());
    wait_until("the office program ends", || !is_alive(office));
    assert!(line.is_empty());
}

#[test]
fn only_folders_of_dead_keepers_are_swept() {
    let place = Place::with_script("echo $$ >>\"$NOTES\"\nwhile :; do sleep 0.1; done");
    let line = CommandLine::new(&place.converter.soffice);
    let mut child = hanging(&line, &place);
    std::fs::create_dir(line.tmp.join("fieldworkd-office-new")).unwrap();
    std::fs::create_dir(line.tmp.join("others")).unwrap();
    sweep_leftovers(&line.tmp);
    let left = std::fs::read_dir(&line.tmp).unwrap().count();
    assert!(left == 3 && is_alive(place.noted()[0]), "{left}");
    kill(child.id());
    child.wait().unwrap();
}
