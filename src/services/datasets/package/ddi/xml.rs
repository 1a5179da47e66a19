//! Writes XML, one element a line.

use quick_xml::escape::escape;

use crate::domain::language::LocalizedText;

/// The name and the value of an attribute.
pub type Attribute<'a> = (&'a str, &'a str);

pub struct Xml {
    text: String,
}

/// Returns the text without what XML 1.0 does not allow (section 2.2), escaped.
fn escaped(text: &str) -> String {
    let is_allowed =
        |c: &char| !(c.is_control() && !"\t\n\r".contains(*c) || "\u{fffe}\u{ffff}".contains(*c));
    escape(text.chars().filter(is_allowed).collect::<String>()).into_owned()
}

impl Xml {
    pub fn begin() -> Xml {
        Xml { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() }
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn tag(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        self.text.push_str(&format!("<{name}"));
        for (attribute, value) in attributes {
            self.text.push_str(&format!(" {attribute}=\"{}\"", escaped(value)));
        }
    }

    /// Writes an element around what `inside` writes.
    pub fn element(
        &mut self,
        name: &str,
        attributes: &[Attribute<'_>],
        inside: impl FnOnce(&mut Xml),
    ) {
        self.tag(name, attributes);
        self.text.push_str(">\n");
        inside(self);
        self.text.push_str(&format!("</{name}>\n"));
    }

    /// Writes an element with a text.
    pub fn leaf(&mut self, name: &str, attributes: &[Attribute<'_>], text: &str) {
        self.tag(name, attributes);
        match text.is_empty() {
            true => self.text.push_str("/>\n"),
            false => self.text.push_str(&format!(">{}</{name}>\n", escaped(text))),
        }
    }

    /// Writes the element once in each language of the text.
    pub fn both(&mut self, name: &str, attributes: &[Attribute<'_>], text: &LocalizedText) {
        for (language, text) in text.iter() {
            let attributes = [&[("xml:lang", language.tag())], attributes].concat();
            self.leaf(name, &attributes, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_can_be_anything() {
        let mut xml = Xml::begin();
        xml.leaf("a", &[("b", "\"<&'")], "<\u{b}&]]>\u{0}😀");
        let text = xml.finish();
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line, "<a b=\"&quot;&lt;&amp;&apos;\">&lt;&amp;]]&gt;😀</a>");
    }
}
