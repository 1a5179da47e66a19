//! Downloads: names for browsers, files in chunks, and folders as one ZIP archive that is written
//! while it is sent. Nothing is written to the disk, and no file is in memory as a whole.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::mpsc;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Bytes read and sent at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that may wait for the receiver.
const MAX_WAITING: usize = 4;

/// All but the characters that RFC 8187, 3.2.1 leaves as they are, reduced to those that every
/// browser takes.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// Returns the header of a download (RFC 6266). Browsers take the UTF-8 name; what does not know it
/// gets a name in ASCII, with `_` for other characters.
pub fn content_disposition(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._ ()".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if plain == name {
        return format!("attachment; filename=\"{name}\"");
    }
    let encoded = utf8_percent_encode(name, NAME);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
}

/// Returns the media type of a file of a version.
fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("csv") => "text/csv; charset=utf-8",
        Some("json") => "application/json",
        Some("html") => "text/html; charset=utf-8",
        Some("xml") => "application/xml",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

/// Whether a text is a plain file name; a path could leave the folder.
pub fn is_plain_name(name: &str) -> bool {
    !name.starts_with('.')
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Sends a file in chunks, as `name`.
///
/// # Errors
/// The file cannot be opened. A file that breaks off later breaks the response off.
pub async fn file(path: &Path, name: &str) -> io::Result<Response> {
    let opened = tokio::fs::File::open(path).await?;
    let length = opened.metadata().await?.len();
    let chunks = stream::unfold(opened, async |mut file| {
        use tokio::io::AsyncReadExt;
        let mut chunk = vec![0; CHUNK_BYTES];
        match file.read(&mut chunk).await {
            Ok(0) => None,
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(chunk), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    let headers = [
        (header::CONTENT_TYPE, media_type(&path.to_string_lossy()).to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, content_disposition(name)),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// Returns the files of a folder with their sizes in bytes, by name.
pub async fn files_of(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let metadata = entry.metadata().await?;
        if metadata.is_file() {
            files.push((entry.file_name().to_string_lossy().into_owned(), metadata.len()));
        }
    }
    files.sort();
    Ok(files)
}

/// Sends the files of a folder as one ZIP archive named `name`, in the archive's folder `inside`.
/// A receiver that goes away ends the work; a file that cannot be read breaks the response off, so
/// that no archive looks complete that is not.
pub async fn zip(folder: PathBuf, inside: String, name: &str) -> io::Result<Response> {
    let files = files_of(&folder).await?;
    let (chunks, receiver) = mpsc::channel::<io::Result<Bytes>>(MAX_WAITING);
    tokio::task::spawn_blocking(move || {
        let sent = write_zip(&folder, &inside, &files, ChunkWriter(chunks.clone()));
        if let Err(error) = sent {
            // Whoever has gone away meanwhile needs no error.
            let _ = chunks.blocking_send(Err(error));
        }
    });
    let body = stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_DISPOSITION, content_disposition(name)),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

fn write_zip(
    folder: &Path,
    inside: &str,
    files: &[(String, u64)],
    writer: ChunkWriter,
) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(io::BufWriter::with_capacity(CHUNK_BYTES, writer));
    for (file, _) in files {
        // These are compressed themselves.
        let is_compressed = [".xlsx", ".parquet"].iter().any(|end| file.ends_with(end));
        let method =
            if is_compressed { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::default().compression_method(method).large_file(true);
        archive.start_file(format!("{inside}/{file}"), options)?;
        io::copy(&mut io::BufReader::new(std::fs::File::open(folder.join(file))?), &mut archive)?;
    }
    archive.finish()?.into_inner().flush()
}

/// Hands what is written to the response, and waits while the receiver is behind.
struct ChunkWriter(mpsc::Sender<io::Result<Bytes>>);

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Bytes::copy_from_slice(bytes);
        self.0.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Public reports: jshttp/content-disposition#30 (Chinese names came out as question marks),
    /// supabase/storage#1385 (apostrophes and brackets in the encoded name), kemalcr/kemal#813
    /// (quotation marks and line breaks).
    #[test]
    fn names_reach_browsers_as_they_are_and_break_no_header() {
        for (name, header) in [
            ("A1-v1.zip", "attachment; filename=\"A1-v1.zip\""),
            (
                "数据.xlsx",
                "attachment; filename=\"__.xlsx\"; filename*=UTF-8''%E6%95%B0%E6%8D%AE.xlsx",
            ),
            ("a'b\".csv", "attachment; filename=\"a_b_.csv\"; filename*=UTF-8''a%27b%22.csv"),
            ("a\r\nX: 1", "attachment; filename=\"a__X_ 1\"; filename*=UTF-8''a%0D%0AX%3A%201"),
        ] {
            assert_eq!(content_disposition(name), header);
            assert!(axum::http::HeaderValue::from_str(&content_disposition(name)).is_ok());
        }
    }

    #[test]
    fn a_path_is_no_file_name() {
        for (name, is_plain) in [
            ("dataset.xlsx", true),
            ("../key", false),
            (".hidden", false),
            ("a/b", false),
            ("", false),
        ] {
            assert_eq!(is_plain_name(name), is_plain, "{name}");
        }
    }
}
