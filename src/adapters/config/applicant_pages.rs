//! Configuration of the applicants' own pages.

use super::Reader;

/// How one-time codes are sent; without it, there are no links for applicants.
#[derive(Debug, Clone)]
pub struct ApplicantPagesConfig {
    pub gateway: String,
    pub signature: String,
    /// How long a link is valid where staff do not say.
    pub link_days: u32,
}

pub(super) fn read_applicant_pages(
    r: &mut Reader<'_>,
    gateways: &[String],
) -> Option<ApplicantPagesConfig> {
    r.section("applicant_pages", |r| {
        let gateway = r.text("gateway").unwrap_or_default();
        let signature = r.text("signature").unwrap_or_default();
        let link_days = u32::try_from(r.number("link_days", 30, 1..=180)).unwrap_or(30);
        if gateway.is_empty() {
            return None;
        }
        if !gateways.contains(&gateway) {
            r.problem("gateway", format!("no gateway is called {gateway}"));
        }
        if signature.trim().is_empty() {
            r.problem("signature", "name the association, as its messages are signed".into());
        }
        Some(ApplicantPagesConfig { gateway, signature: signature.trim().to_owned(), link_days })
    })
}
