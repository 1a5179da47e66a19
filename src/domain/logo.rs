//! The picture on top of respondents' pages. It is shown as it is, so only its frame is read: the
//! kind, the size, and that it is one still picture. Nothing is decoded.

/// A picture that browsers show. SVG is none of them: it is a document that can contain scripts and
/// load other addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    pub kind: LogoKind,
    pub width: u32,
    pub height: u32,
    pub content: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoKind {
    Png,
    Jpeg,
    Webp,
}

impl LogoKind {
    pub fn media_type(self) -> &'static str {
        match self {
            LogoKind::Png => "image/png",
            LogoKind::Jpeg => "image/jpeg",
            LogoKind::Webp => "image/webp",
        }
    }

    pub fn extension(self) -> &'static str {
        match self {
            LogoKind::Png => "png",
            LogoKind::Jpeg => "jpg",
            LogoKind::Webp => "webp",
        }
    }

    /// Returns the kind of a stored logo, by its name.
    pub fn of_name(name: &str) -> Option<LogoKind> {
        let (_, extension) = name.rsplit_once('.')?;
        let all = [LogoKind::Png, LogoKind::Jpeg, LogoKind::Webp];
        all.into_iter().find(|kind| kind.extension() == extension)
    }
}

/// Largest picture in bytes: two seconds on a slow telephone.
pub const MAX_LOGO_BYTES: usize = 150 * 1024;
/// Longest side in pixels. It is shown 40 high.
pub const MAX_LOGO_SIDE: u32 = 2_000;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(prefix = "logo.", serialize_all = "snake_case")]
pub enum LogoError {
    #[error("an SVG can contain scripts and is not taken; save the logo as PNG or WebP")]
    Svg,
    #[error("this is no whole picture in PNG, JPEG or WebP")]
    NotAPicture,
    #[error("the picture has {0} KB; at most {max} KB", max = MAX_LOGO_BYTES / 1024)]
    TooManyBytes(usize),
    #[error("the picture has {0} × {1} pixels; at most {MAX_LOGO_SIDE} on each side")]
    TooManyPixels(u32, u32),
    #[error("a moving picture is not taken; save one frame of it")]
    Moving,
}

impl Logo {
    pub fn parse(content: Vec<u8>) -> Result<Logo, LogoError> {
        if is_svg(&content) {
            return Err(LogoError::Svg);
        }
        if content.len() > MAX_LOGO_BYTES {
            return Err(LogoError::TooManyBytes(content.len().div_ceil(1024)));
        }
        let (kind, frame) = if content.starts_with(b"\x89PNG\r\n\x1a\n") {
            (LogoKind::Png, read_png(&content))
        } else if content.starts_with(&[0xff, 0xd8, 0xff]) {
            (LogoKind::Jpeg, read_jpeg(&content))
        } else if content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP") {
            (LogoKind::Webp, read_webp(&content))
        } else {
            return Err(LogoError::NotAPicture);
        };
        let Frame { width, height, is_moving } = frame.ok_or(LogoError::NotAPicture)?;
        if is_moving {
            return Err(LogoError::Moving);
        }
        if width == 0 || height == 0 {
            return Err(LogoError::NotAPicture);
        }
        if width > MAX_LOGO_SIDE || height > MAX_LOGO_SIDE {
            return Err(LogoError::TooManyPixels(width, height));
        }
        Ok(Logo { kind, width, height, content })
    }
}

struct Frame {
    width: u32,
    height: u32,
    is_moving: bool,
}

fn bytes_at<const N: usize>(content: &[u8], at: usize) -> Option<[u8; N]> {
    content.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn be16(content: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes_at(content, at)?)))
}

fn be32(content: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes_at(content, at)?))
}

fn le16(content: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes(bytes_at(content, at)?)))
}

fn le24(content: &[u8], at: usize) -> Option<u32> {
    let [low, middle, high] = bytes_at(content, at)?;
    Some(u32::from_le_bytes([low, middle, high, 0]))
}

/// Returns whether it is a text of XML or HTML with an `<svg>` near its beginning.
fn is_svg(content: &[u8]) -> bool {
    let head = &content[..content.len().min(4_096)];
    let text: String = head.iter().filter(|byte| **byte != 0).map(|byte| *byte as char).collect();
    let text = text.to_ascii_lowercase();
    text.contains("<svg") || text.contains("<!doctype svg")
}

/// Walks the chunks to `IEND` (PNG, 5.3).
fn read_png(content: &[u8]) -> Option<Frame> {
    if content.get(12..16)? != b"IHDR" {
        return None;
    }
    let (width, height) = (be32(content, 16)?, be32(content, 20)?);
    let (mut at, mut is_moving, mut has_data) = (8, false, false);
    loop {
        let length = usize::try_from(be32(content, at)?).ok()?;
        let kind = content.get(at + 4..at + 8)?;
        let next = at.checked_add(length)?.checked_add(12)?;
        if next > content.len() {
            return None;
        }
        match kind {
            b"acTL" => is_moving = true,
            b"IDAT" => has_data = true,
            b"IEND" => {
                return (has_data && next == content.len()).then_some(Frame {
                    width,
                    height,
                    is_moving,
                });
            }
            _ => {}
        }
        at = next;
    }
}

/// Walks the segments to the frame header (ITU T.81, B.2); the end of the picture is the last thing
/// in the file.
fn read_jpeg(content: &[u8]) -> Option<Frame> {
    if !content.ends_with(&[0xff, 0xd9]) {
        return None;
    }
    let mut at = 2;
    loop {
        if *content.get(at)? != 0xff {
            return None;
        }
        match *content.get(at + 1)? {
            0xff => at += 1,
            // SOF0 to SOF15, without DHT, JPG and DAC.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let (height, width) = (be16(content, at + 5)?, be16(content, at + 7)?);
                return Some(Frame { width, height, is_moving: false });
            }
            // The scan, or the end, before any frame header.
            0xd8..=0xda => return None,
            _ => {
                let length = usize::try_from(be16(content, at + 2)?).ok()?;
                at = at.checked_add(2)?.checked_add(length.max(2))?;
            }
        }
    }
}

/// Reads the first chunk (RFC 9649, 2).
fn read_webp(content: &[u8]) -> Option<Frame> {
    let said = u32::from_le_bytes(bytes_at(content, 4)?);
    let size = usize::try_from(said).ok()?.checked_add(8)?;
    if size != content.len() {
        return None;
    }
    let still = |width, height| Some(Frame { width, height, is_moving: false });
    match content.get(12..16)? {
        b"VP8 " => {
            if content.get(23..26)? != [0x9d, 0x01, 0x2a] {
                return None;
            }
            still(le16(content, 26)? & 0x3fff, le16(content, 28)? & 0x3fff)
        }
        b"VP8L" => {
            if *content.get(20)? != 0x2f {
                return None;
            }
            let bits = u32::from_le_bytes(bytes_at(content, 21)?);
            still((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)
        }
        b"VP8X" => Some(Frame {
            width: le24(content, 24)? + 1,
            height: le24(content, 27)? + 1,
            is_moving: *content.get(20)? & 0x02 != 0,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &[0; 4]].concat()
    }

    fn png(width: u32, height: u32, more: &[u8]) -> Vec<u8> {
        let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
        header.extend([8, 2, 0, 0, 0]);
        [
            b"\x89PNG\r\n\x1a\n".to_vec(),
            chunk(b"IHDR", &header),
            more.to_vec(),
            chunk(b"IDAT", &[0; 20]),
            chunk(b"IEND", &[]),
        ]
        .concat()
    }

    fn webp(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let length = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        let body = [&b"WEBP"[..], kind, &length(data.len()), data].concat();
        [&b"RIFF"[..], &length(body.len()), &body].concat()
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut picture = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 1, 0xff, 0xc2, 0, 8, 8];
        picture.extend(height.to_be_bytes());
        picture.extend(width.to_be_bytes());
        picture.extend([3, 0xff, 0xda, 0, 2, 7, 7, 0xff, 0xd9]);
        picture
    }

    #[test]
    fn the_frame_of_each_kind_is_read() {
        let extended = [0, 0, 0, 0, 0x3f, 1, 0, 0x77, 0, 0];
        for (content, kind, size) in [
            (png(320, 120, &[]), LogoKind::Png, (320, 120)),
            (jpeg(320, 120), LogoKind::Jpeg, (320, 120)),
            (webp(b"VP8X", &extended), LogoKind::Webp, (320, 120)),
            (webp(b"VP8L", &[0x2f, 0x3f, 0xc1, 0x1d, 0]), LogoKind::Webp, (320, 120)),
            (webp(b"VP8 ", &[0, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 120, 0]), LogoKind::Webp, (320, 120)),
        ] {
            let logo = Logo::parse(content).unwrap();
            assert_eq!((logo.kind, (logo.width, logo.height)), (kind, size));
        }
    }

    #[test]
    fn what_is_no_still_picture_of_a_fit_size_is_refused() {
        let moving = [2, 0, 0, 0, 9, 0, 0, 9, 0, 0];
        let mut trailing = png(9, 9, &[]);
        trailing.extend(b"<script>");
        let large = png(9, 9, &chunk(b"tEXt", &vec![b'a'; MAX_LOGO_BYTES]));
        let size = large.len().div_ceil(1024);
        for (content, refused) in [
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), LogoError::Svg),
            (b"\xef\xbb\xbf<?xml version='1.0'?><!-- a --><SVG/>".to_vec(), LogoError::Svg),
            (b"<\0s\0v\0g\0".to_vec(), LogoError::Svg),
            (b"GIF89a".to_vec(), LogoError::NotAPicture),
            (Vec::new(), LogoError::NotAPicture),
            (png(9, 9, &[])[..50].to_vec(), LogoError::NotAPicture),
            (trailing, LogoError::NotAPicture),
            (jpeg(9, 9)[..20].to_vec(), LogoError::NotAPicture),
            (png(0, 9, &[]), LogoError::NotAPicture),
            (png(9, 9, &chunk(b"acTL", &[0; 8])), LogoError::Moving),
            (webp(b"VP8X", &moving), LogoError::Moving),
            (png(50_000, 50_000, &[]), LogoError::TooManyPixels(50_000, 50_000)),
            (large, LogoError::TooManyBytes(size)),
        ] {
            assert_eq!(Logo::parse(content), Err(refused));
        }
    }
}
