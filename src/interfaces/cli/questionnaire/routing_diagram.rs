//! The routing diagram: the items of each page in order, and an arrow from each item that a
//! condition reads to the items that it controls.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::domain::language::Language;
use crate::domain::questionnaire::{Item, Questionnaire};

const LEFT: i32 = 20;
const WIDTH: i32 = 560;
const ROW: i32 = 34;
const HEAD: i32 = 30;

/// Renders a questionnaire as SVG.
pub fn render_svg(questionnaire: &Questionnaire, language: Language) -> String {
    let (mut boxes, mut arrows, mut rows) = (String::new(), String::new(), BTreeMap::new());
    let mut y = 50;
    for (number, page) in questionnaire.pages.iter().enumerate() {
        let condition =
            page.show_if.as_ref().map(|c| format!("  ⟨{}⟩", c.source())).unwrap_or_default();
        push_text(
            &mut boxes,
            LEFT,
            y + 20,
            "page",
            &format!("{} {}{condition}", number + 1, page.title.in_language(language)),
        );
        y += HEAD;
        for item in &page.items {
            rows.insert(item.id.as_str(), y + ROW / 2 - 3);
            draw_item(&mut boxes, item, y, language);
            y += ROW;
        }
        y += 10;
    }
    let mut arrow_count = 0;
    for item in questionnaire.items() {
        let names: BTreeSet<String> = questionnaire
            .conditions_of(item)
            .flat_map(|condition| condition.names().iter().cloned())
            .collect();
        for from in names.iter().filter_map(|name| rows.get(name.as_str())) {
            let (to, curve_x) =
                (rows[item.id.as_str()], LEFT + WIDTH + 30 + 14 * (arrow_count % 8));
            let right = LEFT + WIDTH;
            _ = writeln!(
                arrows,
                r#"<path class="arrow" d="M{right} {from} C{curve_x} {from} {curve_x} {to} {} {to}" marker-end="url(#tip)"/>"#,
                right + 6
            );
            arrow_count += 1;
        }
    }
    let (height, width) = (y + 20, LEFT + WIDTH + 170);
    let title = escape_xml(&format!(
        "{} · {} v{}",
        questionnaire.title.in_language(language),
        questionnaire.code,
        questionnaire.version
    ));
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{title}">
<style>text{{font:14px system-ui,"Noto Sans CJK SC",sans-serif;fill:#1b1b1f}}.title{{font-size:18px;font-weight:600}}.page{{font-weight:600;fill:#0b57a4}}.small{{font-size:11px;fill:#555}}
rect{{fill:#f1f3f7;stroke:#767c89}}.asked-if{{fill:#fff6e0}}.arrow{{fill:none;stroke:#0b57a4;stroke-width:1.5}}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M8 0 L0 4 L8 8 z" fill="#0b57a4"/></marker></defs>
<rect x="0" y="0" width="{width}" height="{height}" style="fill:#fff;stroke:none"/>
<text x="{LEFT}" y="30" class="title">{title}</text>
{boxes}{arrows}</svg>
"##
    )
}

fn draw_item(boxes: &mut String, item: &Item, y: i32, language: Language) {
    let class = if item.show_if.is_some() { " class=\"asked-if\"" } else { "" };
    _ = writeln!(
        boxes,
        r#"<rect{class} x="{LEFT}" y="{y}" width="{WIDTH}" height="{}" rx="5"/>"#,
        ROW - 6
    );
    let question = item.text.in_language(language);
    let short: String = if question.chars().count() > 30 {
        question.chars().take(29).chain(['…']).collect()
    } else {
        question.to_owned()
    };
    push_text(boxes, LEFT + 8, y + 18, "item", &format!("{} · {short}", item.id));
    let conditions = item.show_if.iter().map(|c| format!("⟨{}⟩", c.source()));
    let conditions: Vec<String> = conditions
        .chain(item.screen_out_if.iter().map(|c| format!("4.1 ⟨{}⟩", c.source())))
        .collect();
    if !conditions.is_empty() {
        push_text(boxes, LEFT + 350, y + 18, "small", &conditions.join(" "));
    }
}

fn push_text(out: &mut String, x: i32, y: i32, class: &str, text: &str) {
    _ = writeln!(out, r#"<text x="{x}" y="{y}" class="{class}">{}</text>"#, escape_xml(text));
}

fn escape_xml(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
