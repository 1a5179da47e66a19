//! Forms with a file.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use futures_util::stream;
use multer::{Constraints, Multipart, SizeLimit};

use super::auth::FormFields;

/// Maximum size of an upload in bytes. A list of 100,000 people has 8 MB as XLSX and 12 MB as CSV.
pub(super) const MAX_UPLOAD: usize = 32 * 1024 * 1024;
const MAX_FIELD: u64 = 256 * 1024;

/// The most files of a form.
pub(super) const MAX_FILES: usize = 100;

/// The file of a form; of several, the last.
#[derive(Clone, Default)]
pub struct UploadedFile {
    /// File name reported by the browser, without folders.
    pub name: String,
    pub content: Bytes,
}

/// All files of a form, in its order.
#[derive(Clone, Default)]
pub struct UploadedFiles(pub Vec<UploadedFile>);

/// Why a form with files is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadError {
    Unreadable,
    TooMany,
}

impl From<multer::Error> for UploadError {
    fn from(_: multer::Error) -> UploadError {
        UploadError::Unreadable
    }
}

/// Reads a multipart form (RFC 7578): its fields and its files, whose sizes are bounded together by
/// that of the body.
pub(super) async fn read_upload(
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(FormFields, UploadedFiles), UploadError> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .ok_or(UploadError::Unreadable)?;
    let boundary = multer::parse_boundary(kind)?;
    let limits = SizeLimit::new()
        .whole_stream(MAX_UPLOAD as u64)
        .per_field(MAX_FIELD)
        .for_field("file", MAX_UPLOAD as u64);
    let chunks = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form =
        Multipart::with_constraints(chunks, boundary, Constraints::new().size_limit(limits));
    let (mut fields, mut files) = (BTreeMap::new(), Vec::new());
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(file_name_of) {
            Some(name) => {
                let content = field.bytes().await?;
                // A browser sends such a file where none was chosen.
                if name.is_empty() && content.is_empty() {
                    continue;
                }
                if files.len() >= MAX_FILES {
                    return Err(UploadError::TooMany);
                }
                files.push(UploadedFile { name, content });
            }
            None => {
                fields.insert(name, field.text().await?);
            }
        }
    }
    Ok((FormFields(fields), UploadedFiles(files)))
}

/// Strips folders from a file name, with separators of any system.
fn file_name_of(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(files: &[(&str, &str)]) -> (HeaderMap, Bytes) {
        let part = |disposition: String, content: &str| {
            format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
        };
        let file = |(name, content): &(&str, &str)| {
            part(format!("name=\"file\"; filename=\"{name}\""), content)
        };
        let body = part("name=\"token\"".to_owned(), "t")
            + &files.iter().map(file).collect::<String>()
            + "--x--\r\n";
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; boundary=x".parse().unwrap());
        (headers, Bytes::from(body))
    }

    #[tokio::test]
    async fn files_come_in_their_order_without_their_folders() {
        let (headers, body) =
            form(&[("../../etc/名单.csv", "a,b"), ("申请书.docx", "c"), ("", "")]);
        let (form, UploadedFiles(files)) = read_upload(&headers, body).await.ok().unwrap();
        let told: Vec<(&str, &[u8])> =
            files.iter().map(|file| (file.name.as_str(), &file.content[..])).collect();
        assert_eq!(form.text("token"), "t");
        assert_eq!(told, [("名单.csv", &b"a,b"[..]), ("申请书.docx", b"c")]);
        assert_eq!(
            (file_name_of("C:\\lists\\a.xlsx"), file_name_of("..")),
            ("a.xlsx".into(), "..".into())
        );
        assert!(read_upload(&HeaderMap::new(), Bytes::new()).await.is_err());
    }

    #[tokio::test]
    async fn the_files_of_a_form_are_bounded() {
        let (headers, body) = form(&[("a", "b"); MAX_FILES]);
        assert_eq!(read_upload(&headers, body).await.ok().unwrap().1.0.len(), MAX_FILES);
        let (headers, body) = form(&[("a", "b"); MAX_FILES + 1]);
        assert_eq!(read_upload(&headers, body).await.err(), Some(UploadError::TooMany));
    }
}
