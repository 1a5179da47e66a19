//! Markdown to a page. The text is ours; links stay inside of the program.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A heading of the table of contents.
pub struct Heading {
    pub anchor: String,
    pub text: String,
}

pub struct RenderedDocument {
    pub title: String,
    /// Of the second level, with an anchor before them.
    pub headings: Vec<Heading>,
    /// Without the title.
    pub html: String,
}

pub fn render(text: &str) -> RenderedDocument {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES);
    let mut title = String::new();
    let mut headings: Vec<Heading> = Vec::new();
    let mut level = None;
    let mut anchor = String::new();
    let mut events = Vec::new();
    let mut is_outside = false;
    for event in parser {
        match event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => {
                level = Some(HeadingLevel::H1);
                continue;
            }
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => {
                level = None;
                continue;
            }
            Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                level = Some(HeadingLevel::H2);
                headings.push(Heading { anchor: std::mem::take(&mut anchor), text: String::new() });
            }
            Event::End(TagEnd::Heading(HeadingLevel::H2)) => level = None,
            Event::Text(ref text) | Event::Code(ref text) => match (level, headings.last_mut()) {
                (Some(HeadingLevel::H1), _) => {
                    title.push_str(text);
                    continue;
                }
                (Some(HeadingLevel::H2), Some(heading)) => heading.text.push_str(text),
                _ => {}
            },
            Event::InlineHtml(ref raw) | Event::Html(ref raw) => {
                if let Some(id) = raw.split("<a id=\"").nth(1) {
                    id.split('"').next().unwrap_or_default().clone_into(&mut anchor);
                }
            }
            // A link out of the program is not followed here: its address is told.
            Event::Start(Tag::Link { ref dest_url, .. }) if is_external(dest_url) => {
                is_outside = true;
                events.push(Event::InlineHtml(CowStr::from("<span>")));
                continue;
            }
            Event::End(TagEnd::Link) if is_outside => {
                is_outside = false;
                events.push(Event::InlineHtml(CowStr::from("</span>")));
                continue;
            }
            _ => {}
        }
        let event = match event {
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => Event::Start(Tag::Link {
                link_type,
                dest_url: CowStr::from(inside(&dest_url)),
                title,
                id,
            }),
            Event::Start(Tag::Image { link_type, dest_url, title, id }) => {
                let name = dest_url.trim_start_matches("pictures/").trim_end_matches(".webp");
                let dest_url = CowStr::from(format!("/help/pictures/{name}"));
                Event::Start(Tag::Image { link_type, dest_url, title, id })
            }
            // A wide table scrolls by itself, also with the keyboard.
            Event::Start(Tag::Table(alignments)) => {
                events.push(Event::Html(CowStr::from(
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"表\">",
                )));
                Event::Start(Tag::Table(alignments))
            }
            Event::End(TagEnd::Table) => {
                events.push(Event::End(TagEnd::Table));
                Event::Html(CowStr::from("</div>"))
            }
            other => other,
        };
        events.push(event);
    }
    let mut body = String::with_capacity(text.len() * 2);
    html::push_html(&mut body, events.into_iter());
    headings.retain(|heading| !heading.anchor.is_empty());
    RenderedDocument { title, headings, html: body }
}

fn is_external(address: &str) -> bool {
    address.contains("://") || (!address.starts_with('#') && inside(address) == address)
}

/// `administrator.md#keys` is a page here.
fn inside(address: &str) -> String {
    let (file, anchor) = match address.split_once('#') {
        Some((file, anchor)) => (file, format!("#{anchor}")),
        None => (address, String::new()),
    };
    match file.strip_suffix(".md").filter(|name| super::document(name).is_some()) {
        Some(name) => format!("/help/{name}{anchor}"),
        None => address.to_owned(),
    }
}
