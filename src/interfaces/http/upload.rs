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

/// The file of a form.
#[derive(Clone, Default)]
pub struct UploadedFile {
    /// File name reported by the browser, without folders.
    pub name: String,
    pub content: Bytes,
}

/// The form cannot be read.
pub(super) struct UnreadableUpload;

impl From<multer::Error> for UnreadableUpload {
    fn from(_: multer::Error) -> UnreadableUpload {
        UnreadableUpload
    }
}

/// Reads a multipart form (RFC 7578): its fields and one file.
pub(super) async fn read_upload(
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(FormFields, UploadedFile), UnreadableUpload> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .ok_or(UnreadableUpload)?;
    let boundary = multer::parse_boundary(kind)?;
    let limits = SizeLimit::new()
        .whole_stream(MAX_UPLOAD as u64)
        .per_field(MAX_FIELD)
        .for_field("file", MAX_UPLOAD as u64);
    let chunks = stream::iter([Ok::<_, std::convert::Infallible>(body)]);
    let mut form =
        Multipart::with_constraints(chunks, boundary, Constraints::new().size_limit(limits));
    let (mut fields, mut uploaded) = (BTreeMap::new(), UploadedFile::default());
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(file_name_of) {
            Some(file) => uploaded = UploadedFile { name: file, content: field.bytes().await? },
            None => {
                fields.insert(name, field.text().await?);
            }
        }
    }
    Ok((FormFields(fields), uploaded))
}

/// Strips folders from a file name, with separators of any system.
fn file_name_of(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_comes_without_its_folders() {
        let body = "--x\r\nContent-Disposition: form-data; \
            name=\"token\"\r\n\r\nt\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; \
            filename=\"../../etc/名单.csv\"\r\n\r\na,b\r\n--x--\r\n";
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; boundary=x".parse().unwrap());
        let (form, uploaded) = read_upload(&headers, Bytes::from(body)).await.ok().unwrap();
        assert_eq!(
            (form.text("token"), uploaded.name.as_str(), &uploaded.content[..]),
            ("t", "名单.csv", &b"a,b"[..])
        );
        assert_eq!(
            (file_name_of("C:\\lists\\a.xlsx"), file_name_of("..")),
            ("a.xlsx".into(), "..".into())
        );
        assert!(read_upload(&HeaderMap::new(), Bytes::new()).await.is_err());
    }
}
