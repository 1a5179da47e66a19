//! The documents that an applicant hands in: files, folders, and the ZIP of an e-mail's attachments.

use std::io::{Cursor, Read};

use crate::adapters::spreadsheets::{self, ForeignFile, MAX_BYTES, Sheet, Sheets, is_spreadsheet};
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
    pub is_pdf: bool,
}

/// The documents after unpacking.
#[derive(Default)]
pub struct Unpacked {
    pub documents: Vec<Document>,
    /// Archives, and files in them, that could not be unpacked.
    pub unread: Vec<(String, TableError)>,
    /// Documents that are the same as another, and the name of that.
    pub same: Vec<(String, String)>,
}

/// Archives in archives are unpacked so deep.
const MAX_DEPTH: u32 = 3;

/// Unpacks archives among the documents, and those in archives. A document that comes twice is kept
/// once.
pub fn unpack(documents: Vec<Document>) -> Result<Unpacked, TableError> {
    let mut all = Unpacked::default();
    let mut left = MAX_UNPACKED;
    for document in documents {
        add(document, 0, &mut left, &mut all)?;
    }
    all.documents.sort_by(|one, other| one.name.cmp(&other.name));
    let mut kept: Vec<Document> = Vec::new();
    for document in std::mem::take(&mut all.documents) {
        match kept.iter().find(|known| known.content == document.content) {
            Some(known) => all.same.push((document.name, known.name.clone())),
            None => kept.push(document),
        }
    }
    all.documents = kept;
    Ok(all)
}

/// Adds a document, or what is packed in it.
fn add(
    document: Document,
    depth: u32,
    left: &mut u64,
    all: &mut Unpacked,
) -> Result<(), TableError> {
    // What a system adds to folders and archives is none.
    let name = document.name.rsplit('/').next().unwrap_or_default();
    if name.starts_with('.') || name.starts_with("~$") || document.name.contains("__MACOSX") {
        return Ok(());
    }
    if all.documents.len() >= MAX_DOCUMENTS {
        return Err(TableError::TooLarge(format!("{MAX_DOCUMENTS} documents at once")));
    }
    if depth >= MAX_DEPTH {
        all.documents.push(document);
        return Ok(());
    }
    match attachments(&document, left, all) {
        Ok(None) => all.documents.push(document),
        Ok(Some(inner)) => {
            for file in inner {
                add(file, depth + 1, left, all)?;
            }
        }
        Err(error @ TableError::TooLarge(_)) => return Err(error),
        Err(error) => all.unread.push((document.name, error)),
    }
    Ok(())
}

/// Returns the files of an archive; `None`: it is none, but a document or a spreadsheet.
fn attachments(
    document: &Document,
    left: &mut u64,
    all: &mut Unpacked,
) -> Result<Option<Vec<Document>>, TableError> {
    let content = &document.content;
    if !content.starts_with(b"PK\x03\x04") {
        return Ok(None);
    }
    let unreadable = |_: zip::result::ZipError| TableError::Foreign(ForeignFile::Archive);
    let mut archive = zip::ZipArchive::new(Cursor::new(content)).map_err(unreadable)?;
    let is_office = |name: &str| {
        matches!(name, "[Content_Types].xml" | "content.xml" | "mimetype" | "word/document.xml")
    };
    let mut files = Vec::new();
    for place in 0..archive.len() {
        if files.len() >= MAX_DOCUMENTS {
            return Err(TableError::TooLarge(format!("{MAX_DOCUMENTS} documents at once")));
        }
        // A name can be read where the file has a password.
        let name = zip_name(archive.by_index_raw(place).map_err(unreadable)?.name_raw());
        if is_office(&name) {
            return Ok(None);
        }
        let Ok(file) = archive.by_index(place) else {
            all.unread.push((name, TableError::Foreign(ForeignFile::Archive)));
            continue;
        };
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
    let is_pdf = start.starts_with(b"%PDF");
    ReadDocument { name: document.name.clone(), tables, is_pdf }
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
            ("again.csv", b"a,b"),
            ("inner.zip", &pack(&[("deep.csv", b"c,d")])),
        ]);
        let document = |name: &str, content: Vec<u8>| Document { name: name.to_owned(), content };
        let all = unpack(vec![document("mail.zip", mail), document("one.docx", word)]).unwrap();
        let names: Vec<&str> = all.documents.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["again.csv", "deep.csv", "one.docx"]);
        let same = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(all.same, [same("list.csv", "again.csv"), same("附件/申请书.docx", "one.docx")]);
        // A damaged archive takes nothing else along.
        let broken = document("broken.zip", b"PK\x03\x04 and no more".to_vec());
        let all = unpack(vec![broken, document("list.csv", b"a,b".to_vec())]).unwrap();
        assert_eq!((all.documents.len(), all.unread[0].0.as_str()), (1, "broken.zip"));
    }
}
