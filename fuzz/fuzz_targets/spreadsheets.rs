//! Spreadsheets and Word documents of strangers, through the real reader: whole files, and the XML inside of them, which
//! a fuzzer would never get through the packing. Run it with a memory limit:
//! `cargo +nightly fuzz run spreadsheets -- -rss_limit_mb=1024 -malloc_limit_mb=512`.
#![no_main]

use std::io::{Cursor, Write};

use fieldworkd::adapters::spreadsheets::{Sheets, read};
use libfuzzer_sys::fuzz_target;
use zip::write::SimpleFileOptions;

const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

fn zip_of(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in parts {
        let _ = zip.start_file(*name, SimpleFileOptions::default());
        let _ = zip.write_all(content);
    }
    zip.finish().map(Cursor::into_inner).unwrap_or_default()
}

fn xlsx(sheet: &[u8], strings: &[u8]) -> Vec<u8> {
    let root = format!(
        "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/officeDocument\" \
         Target=\"xl/workbook.xml\"/></Relationships>"
    );
    let workbook = format!(
        "<workbook xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"r1\"/></sheets>\
         </workbook>"
    );
    let relations = format!(
        "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"r1\" Type=\"{OFFICE}/worksheet\" \
         Target=\"worksheets/sheet1.xml\"/><Relationship Id=\"r2\" Type=\"{OFFICE}/sharedStrings\" \
         Target=\"sharedStrings.xml\"/></Relationships>"
    );
    zip_of(&[
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", relations.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", strings),
    ])
}

fuzz_target!(|data: &[u8]| {
    let Some((&kind, content)) = data.split_first() else { return };
    let file = match kind % 4 {
        // XLS of before 2007: its reader believes the size that a sheet says of itself. The child
        // process's memory limit ends it; tests/hostile.rs has the case.
        0 if content.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) => return,
        0 => content.to_vec(),
        1 => zip_of(&[("content.xml", content)]),
        2 => {
            let (document, numbering) = content.split_at(content.len() / 2);
            zip_of(&[("word/document.xml", document), ("word/numbering.xml", numbering)])
        }
        _ => {
            let (sheet, strings) = content.split_at(content.len() / 2);
            xlsx(sheet, strings)
        }
    };
    let _ = read(&file, Sheets::All);
});
