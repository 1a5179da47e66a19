//! The documents that an applicant hands in: files, folders, and the ZIP of an e-mail's attachments.

use std::io::{Cursor, Read};

use crate::adapters::spreadsheets::{self, MAX_BYTES, Sheet, Sheets, is_spreadsheet};
use crate::services::list_import::TableError;

/// The most documents at once, and their size when they are unpacked.
const MAX_DOCUMENTS: usize = 100;
const MAX_UNPACKED: u64 = 128 * 1024 * 1024;

/// A document by its name.
pub struct Document {
    pub name: String,
    pub content: Vec<u8>,
}

/// The tables of a document, or why it has none.
pub struct ReadDocument {
    pub name: String,
    pub tables: Result<Vec<Sheet>, TableError>,
}

/// Unpacks archives among the documents, once: what is packed in them twice is handed in by itself.
pub fn unpack(documents: Vec<Document>) -> Result<Vec<Document>, TableError> {
    let mut all = Vec::new();
    let mut left = MAX_UNPACKED;
    for document in documents {
        match attachments(&document.content, &mut left)? {
            Some(inner) => all.extend(inner),
            None => all.push(document),
        }
        if all.len() > MAX_DOCUMENTS {
            return Err(TableError::TooLarge(format!("{MAX_DOCUMENTS} documents at once")));
        }
    }
    // What a system adds to folders and archives is none.
    all.retain(|document| {
        let name = document.name.rsplit('/').next().unwrap_or_default();
        !name.starts_with('.') && !name.starts_with("~$") && !document.name.contains("__MACOSX")
    });
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Returns the files of an archive; `None`: it is none, but a document or a spreadsheet.
fn attachments(content: &[u8], left: &mut u64) -> Result<Option<Vec<Document>>, TableError> {
    if !content.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let unreadable = |error: zip::result::ZipError| TableError::Spreadsheet(error.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(content)).map_err(unreadable)?;
    let is_office = |name: &str| {
        matches!(name, "[Content_Types].xml" | "content.xml" | "mimetype" | "word/document.xml")
    };
    let mut files = Vec::new();
    for place in 0..archive.len() {
        if files.len() >= MAX_DOCUMENTS {
            return Err(TableError::TooLarge(format!("{MAX_DOCUMENTS} documents at once")));
        }
        let file = archive.by_index(place).map_err(unreadable)?;
        let name = zip_name(file.name_raw());
        if is_office(&name) {
            return Ok(None);
        }
        if file.is_dir() {
            continue;
        }
        let mut content = Vec::new();
        let most = (*left).min(MAX_BYTES) + 1;
        file.take(most).read_to_end(&mut content)?;
        *left = left
            .checked_sub(content.len() as u64)
            .filter(|_| content.len() as u64 <= MAX_BYTES)
            .ok_or_else(|| TableError::TooLarge("128 MB when it is unpacked".into()))?;
        files.push(Document { name, content });
    }
    Ok(Some(files))
}

/// A name in an archive: UTF-8, or the code page of Windows in China.
fn zip_name(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => encoding_rs::GB18030.decode(raw).0.into_owned(),
    }
}

/// Reads the tables of a document.
pub fn read(document: &Document) -> ReadDocument {
    let start = &document.content[..document.content.len().min(spreadsheets::START)];
    let tables = if document.content.is_empty() {
        Err(TableError::Empty)
    } else if is_spreadsheet(start) {
        spreadsheets::read(&document.content, Sheets::Visible).map_err(TableError::from)
    } else {
        crate::services::list_import::read_table(&document.content)
            .map(|rows| vec![Sheet { rows, ..Sheet::default() }])
    };
    ReadDocument { name: document.name.clone(), tables }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn attachments_are_unpacked_and_documents_are_not() {
        let pack = |files: &[(&str, &[u8])]| {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for (name, content) in files {
                zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
                zip.write_all(content).unwrap();
            }
            zip.finish().unwrap().into_inner()
        };
        let word = pack(&[("[Content_Types].xml", b"x"), ("word/document.xml", b"x")]);
        let mail = pack(&[
            ("附件/申请书.docx", &word),
            ("__MACOSX/._x", b"x"),
            ("附件/~$申请书.docx", b"x"),
            ("list.csv", b"a,b"),
        ]);
        let document = |name: &str, content: Vec<u8>| Document { name: name.to_owned(), content };
        let all = unpack(vec![document("mail.zip", mail), document("one.docx", word)]).unwrap();
        let names: Vec<&str> = all.iter().map(|document| document.name.as_str()).collect();
        assert_eq!(names, ["list.csv", "one.docx", "附件/申请书.docx"]);
    }
}
