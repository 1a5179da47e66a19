//! QR codes as SVG.

use qrcode::QrCode;
use qrcode::render::svg;

/// Returns the QR code of a text as an SVG element; `None`: the text is too long.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::new(text.as_bytes()).ok()?;
    let svg = code
        .render::<svg::Color<'_>>()
        .min_dimensions(200, 200)
        .dark_color(svg::Color("#000"))
        .light_color(svg::Color("#fff"))
        .build();
    Some(svg.split_once("?>").map_or(svg.as_str(), |(_, svg)| svg).to_owned())
}
