//! The source of a list. It is read twice, first to detect its form and then to import it, and
//! never loaded as a whole.

use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// The content of a list.
#[derive(Clone)]
pub enum ListSource {
    Bytes(Arc<[u8]>),
    File(PathBuf),
}

impl From<&[u8]> for ListSource {
    fn from(bytes: &[u8]) -> ListSource {
        ListSource::Bytes(bytes.into())
    }
}

impl ListSource {
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            ListSource::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
            ListSource::File(path) => Box::new(std::fs::File::open(path)?),
        })
    }

    pub fn byte_len(&self) -> io::Result<u64> {
        Ok(match self {
            ListSource::Bytes(bytes) => bytes.len() as u64,
            ListSource::File(path) => std::fs::metadata(path)?.len(),
        })
    }

    /// Reads the whole content if it has at most `max_bytes`; `None` if it is larger.
    pub fn read_up_to(&self, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        self.open()?.take(max_bytes + 1).read_to_end(&mut content)?;
        Ok((content.len() as u64 <= max_bytes).then_some(content))
    }

    /// Passes the content to `take` in chunks until `take` returns `false`.
    pub fn for_each_chunk(&self, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        let mut reader = self.open()?;
        let mut chunk = vec![0u8; 256 * 1024];
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok(()),
                n if take(&chunk[..n]) => {}
                _ => return Ok(()),
            }
        }
    }
}
