//! The form of a page, read so that what was typed can be shown again whatever is wrong with it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::super::items::merge_form_fields;
use super::unreadable_page;
use crate::domain::language::Language;

/// Largest form in bytes. A Chinese character takes nine of them, so it holds more than 100,000
/// characters, of whatever language: beyond what a page asks for.
const MAX_FORM: usize = 1024 * 1024;

/// Names that no item has, as an item's name has no hyphen: another language for the page, and the
/// page to go back to.
const LANGUAGE_FIELD: &str = "in-language";
const BACK_FIELD: &str = "back-to";

/// A form as it was sent.
pub struct PageForm {
    /// By item, as [`merge_form_fields`] makes them.
    pub fields: BTreeMap<String, String>,
    /// The pairs as they were sent, for sending them again.
    pub sent: Vec<(String, String)>,
    /// More was sent than is read.
    pub is_cut: bool,
    /// The other end of the connection.
    pub peer: Option<SocketAddr>,
}

/// What the respondent wants with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageIntent {
    Submit,
    /// Show it in another language, with what is typed.
    ReadIn(Language),
    /// Keep it, and go back to this page.
    Back(usize),
}

impl PageForm {
    fn of(body: &[u8], is_cut: bool) -> PageForm {
        // A pair that is cut off in the middle of a character ends before it.
        let end = if is_cut { whole_end(body) } else { body.len() };
        let sent: Vec<(String, String)> = form_urlencoded::parse(&body[..end])
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        PageForm { fields: merge_form_fields(sent.iter().cloned()), sent, is_cut, peer: None }
    }

    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field).map(String::as_str)
    }

    pub fn number(&self, field: &str) -> Option<usize> {
        self.text(field)?.parse().ok()
    }

    pub fn intent(&self) -> PageIntent {
        if let Some(language) = self.text(LANGUAGE_FIELD).and_then(Language::parse) {
            return PageIntent::ReadIn(language);
        }
        self.number(BACK_FIELD).map_or(PageIntent::Submit, PageIntent::Back)
    }

    /// Returns the pairs to be sent again, without what was wanted with them at first.
    pub fn carried(&self) -> Vec<(&str, &str)> {
        let is_answer =
            |name: &str| ![LANGUAGE_FIELD, BACK_FIELD, "notice", "when"].contains(&name);
        self.sent
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| is_answer(name))
            .collect()
    }
}

/// Returns where the last whole character of an encoded form ends.
fn whole_end(body: &[u8]) -> usize {
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    let mut end = body.len();
    // An escape of which the end is missing.
    if let Some(at) = body.iter().rposition(|byte| *byte == b'%')
        && end - at < 3
    {
        end = at;
    }
    // The bytes of an unfinished character, from its first one on.
    let mut start = end;
    while start >= 3 && body[start - 3] == b'%' && body[start - 2..start].iter().all(is_hex) {
        start -= 3;
        let byte = std::str::from_utf8(&body[start + 1..start + 3])
            .ok()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .unwrap_or_default();
        match byte {
            0x80..=0xbf => {}
            0xc0.. => {
                let (sent, needed) = ((end - start) / 3, byte.leading_ones() as usize);
                return if sent < needed { start } else { end };
            }
            _ => return end,
        }
    }
    end
}

impl<S: Send + Sync> FromRequest<S> for PageForm {
    type Rejection = Response;

    /// Reads as much as a form may have, and leaves the rest. A form of which the connection lost
    /// the end is not taken for what was meant.
    async fn from_request(request: Request, _: &S) -> Result<PageForm, Response> {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_form =
            kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let length = request.headers().get(header::CONTENT_LENGTH);
        if !is_form && length.is_none_or(|length| length != "0") {
            return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, unreadable_page()).into_response());
        }
        let mut frames = request.into_body().into_data_stream();
        let mut body = Vec::new();
        while let Some(frame) = frames.next().await {
            let Ok(frame) = frame else {
                return Err((StatusCode::BAD_REQUEST, unreadable_page()).into_response());
            };
            let room = MAX_FORM - body.len();
            body.extend_from_slice(&frame[..frame.len().min(room)]);
            if frame.len() > room {
                return Ok(PageForm { peer, ..PageForm::of(&body, true) });
            }
        }
        Ok(PageForm { peer, ..PageForm::of(&body, false) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_is_cut_keeps_its_whole_characters() {
        for (body, kept) in [
            ("open=%E4%BD%A0%E5%A5%BD", "你好"),
            ("open=%E4%BD%A0%E5%A5%B", "你"),
            ("open=%E4%BD%A0%E5%A5", "你"),
            ("open=%E4%BD%A0%E5", "你"),
            ("open=%E4%BD%A0%", "你"),
            ("open=%F0%9F%98%80%F0%9F%98", "😀"),
            ("open=ab", "ab"),
            ("open=a%2", "a"),
            ("open=%0D%0A", "\r\n"),
        ] {
            let form = PageForm::of(body.as_bytes(), true);
            assert_eq!(form.text("open"), Some(kept), "{body}");
        }
    }

    #[test]
    fn the_button_says_what_is_wanted() {
        for (body, intent) in [
            ("case=0&page=1", PageIntent::Submit),
            ("case=0&page=1&in-language=en", PageIntent::ReadIn(Language::EN)),
            ("case=0&page=1&in-language=?", PageIntent::Submit),
            ("back-to=0&page=1", PageIntent::Back(0)),
        ] {
            assert_eq!(PageForm::of(body.as_bytes(), false).intent(), intent, "{body}");
        }
    }
}
