//! What a page shows of its organiser: name, logo and colour on top, and whom to ask at the end.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::Path;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use sha2::{Digest, Sha256};
use std::sync::Arc;

use super::super::Failure;
use super::super::state::AppState;
use super::content_security_policy;
use crate::adapters::database::programmes;
use crate::domain::language::Language;
use crate::domain::logo::LogoKind;
use crate::domain::organiser::{Colour, Organiser};
use crate::domain::time::Timestamp;
use crate::services::programmes::organisers;

/// What a page shows of its organiser; by default nothing.
#[derive(Default)]
pub struct Brand {
    pub name: String,
    pub logo: Option<LogoView>,
    /// The rules of its colour, in a style sheet of their own.
    pub colours: Option<String>,
    pub contacts: Vec<ContactView>,
    /// What a shared page is called: the organiser, and never what somebody rates.
    pub share_title: String,
}

pub struct LogoView {
    pub name: String,
    pub width: u32,
    pub height: u32,
}

pub struct ContactView {
    pub name: String,
    pub phone: Option<(String, String)>,
    pub email: Option<String>,
}

/// The height at which a logo is shown, in CSS pixels, and its greatest width.
const LOGO_HEIGHT: u32 = 40;
const LOGO_WIDTH: u32 = 240;
/// At most so many organisers are named on a page that belongs to none.
const MAX_CONTACTS: usize = 3;

impl Brand {
    pub fn of(organiser: &Organiser, language: Language) -> Brand {
        let name = organiser.name_in(language).to_owned();
        Brand {
            logo: organiser.logo.as_deref().and_then(LogoView::of),
            colours: organiser.colour.map(colour_rules),
            contacts: contact(organiser, language).into_iter().collect(),
            share_title: name.clone(),
            name,
        }
    }

    /// The brand of a page that belongs to no programme: that of the only organiser, or the contacts
    /// of all.
    pub fn of_all(organisers: &[Organiser], language: Language) -> Brand {
        match organisers {
            [only] => Brand::of(only, language),
            several => Brand {
                contacts: several
                    .iter()
                    .filter_map(|organiser| contact(organiser, language))
                    .take(MAX_CONTACTS)
                    .collect(),
                ..Brand::default()
            },
        }
    }

    /// Returns the policy of a page with this brand; `None`: that of all pages. The logo comes from
    /// the daemon itself, and the colours are one more style sheet with its hash.
    pub fn policy(&self) -> Option<HeaderValue> {
        if self.logo.is_none() && self.colours.is_none() {
            return None;
        }
        let mut policy = content_security_policy().to_owned();
        if let Some(colours) = &self.colours {
            let hash = BASE64.encode(&Sha256::digest(colours.as_bytes()));
            policy = policy.replace("style-src ", &format!("style-src 'sha256-{hash}' "));
        }
        if self.logo.is_some() {
            policy.push_str("; img-src 'self'");
        }
        HeaderValue::from_str(&policy).ok()
    }

    /// Adds its policy to a page.
    pub fn protect(&self, mut response: Response) -> Response {
        if let Some(policy) = self.policy() {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

impl LogoView {
    /// Reads the size from a stored logo's name, such as `320x120-0123456789abcdef0123.png`.
    fn of(name: &str) -> Option<LogoView> {
        let (size, _) = name.split_once('-')?;
        let (width, height) = size.split_once('x')?;
        let (width, height): (u64, u64) = (width.parse().ok()?, height.parse().ok()?);
        let scaled = width * u64::from(LOGO_HEIGHT) / height.max(1);
        let (width, height) = match u32::try_from(scaled).unwrap_or(u32::MAX) {
            fits @ ..=LOGO_WIDTH => (fits.max(1), LOGO_HEIGHT),
            _ => {
                let height = height * u64::from(LOGO_WIDTH) / width.max(1);
                (LOGO_WIDTH, u32::try_from(height).unwrap_or(LOGO_HEIGHT).max(1))
            }
        };
        Some(LogoView { name: name.to_owned(), width, height })
    }
}

fn contact(organiser: &Organiser, language: Language) -> Option<ContactView> {
    organiser.has_contact().then(|| ContactView {
        name: organiser.name_in(language).to_owned(),
        phone: organiser.phone.clone().zip(organiser.phone_digits()),
        email: organiser.email.clone(),
    })
}

/// Only screens have the colour: on paper all is black.
fn colour_rules(colour: Colour) -> String {
    let dark = colour.on_dark();
    format!(
        "@media screen{{:root{{--lead:{colour};--on-lead:#fff}}}}@media screen and \
         (prefers-color-scheme:dark){{:root{{--lead:{dark};--on-lead:#16171b}}}}"
    )
}

/// The organisers of all programmes, for pages that belong to none. They are kept, so that a page
/// that says that the database does not answer still says whom to ask.
#[derive(Default)]
pub struct OrganiserCache(Mutex<(Option<Timestamp>, Arc<Vec<Organiser>>)>);

const CACHE_PERIOD: Duration = Duration::from_secs(60);
/// So long a page of an error waits for the database.
const MAX_WAIT: Duration = Duration::from_millis(500);

impl OrganiserCache {
    pub async fn get(&self, app: &AppState) -> Arc<Vec<Organiser>> {
        let now = app.context.clock.now();
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut kept = lock();
            if kept.0.is_some_and(|at| now < at + CACHE_PERIOD) {
                return kept.1.clone();
            }
            // Others do not wait for the same answer.
            kept.0 = Some(now);
        }
        let read = tokio::time::timeout(MAX_WAIT, organisers(&app.context)).await;
        let mut kept = lock();
        if let Ok(Ok(all)) = read {
            kept.1 = Arc::new(all);
        }
        kept.1.clone()
    }
}

/// A logo. Its name changes with its bytes, so browsers keep it.
pub async fn logo(
    State(app): State<Arc<AppState>>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let kind = LogoKind::of_name(&name).ok_or(Failure::NotFound)?;
    let found = programmes::logo(&mut *app.context.database.read().await?, &name).await?;
    let content = found.ok_or(Failure::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, kind.media_type()),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    Ok((headers, content).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_keeps_its_shape() {
        for (name, width, height) in [
            ("320x160-00.png", 80, 40),
            ("2000x100-00.png", 240, 12),
            ("40x2000-00.webp", 1, 40),
            ("2000x1-00.png", 240, 1),
        ] {
            let view = LogoView::of(name).unwrap();
            assert_eq!((view.width, view.height), (width, height), "{name}");
        }
        assert!(LogoView::of("logo.png").is_none());
    }
}
