//! Where a list is read from: it is read twice, once to know it and once to take it, and never held whole.

use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

/// The content of a list.
#[derive(Clone)]
pub enum Source {
    Bytes(Arc<[u8]>),
    File(PathBuf),
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Source {
        Source::Bytes(bytes.into())
    }
}

impl Source {
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Source::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
            Source::File(path) => Box::new(std::fs::File::open(path)?),
        })
    }

    pub fn bytes(&self) -> io::Result<u64> {
        Ok(match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::File(path) => std::fs::metadata(path)?.len(),
        })
    }

    /// All of it, where it has at most so many bytes.
    pub fn whole(&self, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        self.open()?.take(most + 1).read_to_end(&mut content)?;
        Ok((content.len() as u64 <= most).then_some(content))
    }

    /// Hands its bytes on in pieces, until one says that it has seen enough.
    pub fn each_piece(&self, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
        let mut reader = self.open()?;
        let mut piece = vec![0u8; 256 * 1024];
        loop {
            match reader.read(&mut piece)? {
                0 => return Ok(()),
                n if take(&piece[..n]) => {}
                _ => return Ok(()),
            }
        }
    }
}
