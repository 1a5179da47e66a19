//! What respondents see of a programme's organiser: name, contact, colour, thanks and logo.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::Failure;
use super::super::auth::{FormFields, Staff};
use super::super::page_layout::{PageLayout, render_page};
use super::super::state::AppState;
use super::super::upload::UploadedFile;
use super::conflict::{Conflict, expected_version};
use crate::adapters::database::programmes;
use crate::domain::language::{Language, LocalizedText};
use crate::domain::organiser::{Colour, Organiser};
use crate::domain::programme::{Programme, ProgrammeError};
use crate::domain::role::Permission;
use crate::interfaces::errors::LocalizedError;
use crate::services::programmes::{RegistrationError, put_programme, set_logo};
use crate::services::versions::version_of;

/// A text field of the form: its name, its label in Chinese and English, whether it is long.
type FieldSpec = (&'static str, (&'static str, &'static str), bool);

const FIELDS: [FieldSpec; 7] = [
    ("name_zh", ("名称（中文）", "Name in Chinese"), false),
    ("name_en", ("名称（英文）", "Name in English"), false),
    ("phone", ("咨询电话", "Telephone for questions"), false),
    ("email", ("咨询邮箱", "E-mail for questions"), false),
    ("colour", ("颜色（如 #8a1c1c）", "Colour (such as #8a1c1c)"), false),
    ("thanks_zh", ("感谢语（中文）", "Thanks in Chinese"), true),
    ("thanks_en", ("感谢语（英文）", "Thanks in English"), true),
];

struct FieldView {
    name: &'static str,
    label: &'static str,
    is_long: bool,
    value: String,
}

#[derive(Template)]
#[template(path = "console/organiser.html")]
struct OrganiserPage<'a> {
    layout: PageLayout<'a>,
    flash: Option<&'static str>,
    problem: Option<String>,
    conflict: Option<Conflict>,
    code: &'a str,
    name: &'a str,
    version: String,
    fields: Vec<FieldView>,
    /// What a dark page shows instead of the colour.
    dark: Option<String>,
    logo: Option<&'a str>,
    may_change_logo: bool,
}

fn values(organiser: &Organiser) -> BTreeMap<&'static str, String> {
    let text = |text: &Option<LocalizedText>, language| {
        text.as_ref().and_then(|text| text.get(language)).unwrap_or_default().to_owned()
    };
    BTreeMap::from([
        ("name_zh", text(&organiser.name, Language::ZH)),
        ("name_en", text(&organiser.name, Language::EN)),
        ("phone", organiser.phone.clone().unwrap_or_default()),
        ("email", organiser.email.clone().unwrap_or_default()),
        ("colour", organiser.colour.map(|colour| colour.to_string()).unwrap_or_default()),
        ("thanks_zh", text(&organiser.thanks, Language::ZH)),
        ("thanks_en", text(&organiser.thanks, Language::EN)),
    ])
}

/// Reads the form over what is stored: texts in languages that the form does not have stay.
fn entered(form: &FormFields, stored: &Organiser) -> Result<Organiser, ProgrammeError> {
    let text = |field: &str| {
        Some(form.text(field).trim().replace("\r\n", "\n")).filter(|text| !text.is_empty())
    };
    let localized = |zh: &str, en: &str, stored: &Option<LocalizedText>| {
        let own = [(Language::ZH, text(zh)), (Language::EN, text(en))];
        let own = own.into_iter().filter_map(|(language, text)| Some((language, text?)));
        let others = stored.iter().flat_map(|stored| stored.iter());
        let others = others
            .filter(|(language, _)| ![Language::ZH, Language::EN].contains(language))
            .map(|(language, text)| (language, text.to_owned()));
        LocalizedText::new(own.chain(others))
    };
    Ok(Organiser {
        name: localized("name_zh", "name_en", &stored.name),
        phone: text("phone"),
        email: text("email"),
        colour: text("colour").map(|raw| Colour::parse(&raw)).transpose()?,
        thanks: localized("thanks_zh", "thanks_en", &stored.thanks),
        logo: stored.logo.clone(),
    })
}

struct Shown {
    status: StatusCode,
    flash: Option<&'static str>,
    problem: Option<String>,
    conflict: Option<Conflict>,
    /// The form as it was sent.
    form: Option<BTreeMap<String, String>>,
}

impl Shown {
    fn refused(problem: String, form: Option<BTreeMap<String, String>>) -> Shown {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Shown { status, flash: None, problem: Some(problem), conflict: None, form }
    }
}

async fn find(app: &AppState, code: &str) -> Result<Programme, Failure> {
    let found = programmes::find(&mut *app.context.database.read().await?, code).await?;
    found.map(|(_, programme)| programme).ok_or(Failure::NotFound)
}

async fn render(
    app: &AppState,
    staff: &Staff,
    code: &str,
    shown: Shown,
) -> Result<Response, Failure> {
    let programme = find(app, code).await?;
    let organiser = &programme.organiser;
    let mut stored = values(organiser);
    let field = |(name, label, is_long): FieldSpec| FieldView {
        name,
        label: staff.tr.pair(label),
        is_long,
        value: match &shown.form {
            Some(form) => form.get(name).cloned().unwrap_or_default(),
            None => stored.remove(name).unwrap_or_default(),
        },
    };
    let template = OrganiserPage {
        layout: PageLayout::for_staff(staff),
        flash: shown.flash,
        problem: shown.problem,
        conflict: shown.conflict,
        code: &programme.code,
        name: staff.tr.t(programme.name.zh(), programme.name.en()),
        version: version_of(&programme),
        fields: FIELDS.map(field).into_iter().collect(),
        dark: organiser.colour.map(|colour| colour.on_dark().to_string()),
        logo: organiser.logo.as_deref(),
        may_change_logo: staff.may(Permission::ManageAccounts),
    };
    Ok(render_page(shown.status, &template))
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Failure> {
    let saved = staff.tr.t(
        "已保存，受访者的页面即时更新。",
        "It is saved; respondents' pages show it from now on.",
    );
    let flash = query.contains_key("noted").then_some(saved);
    let shown = Shown { status: StatusCode::OK, flash, problem: None, conflict: None, form: None };
    render(&app, &staff, &code, shown).await
}

pub async fn save(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Extension(form): Extension<FormFields>,
) -> Result<Response, Failure> {
    let stored = find(&app, &code).await?;
    let saved = match entered(&form, &stored.organiser) {
        Ok(organiser) => {
            let programme = Programme { organiser, ..stored.clone() };
            put_programme(&app.context, programme, &expected_version(&form)).await
        }
        Err(error) => Err(error.into()),
    };
    let shown = match saved {
        Ok(_) => return Ok(back(&code)),
        Err(RegistrationError::Version(_)) => {
            let label = |name: &str| {
                let known = FIELDS.iter().find(|(field, ..)| *field == name);
                known.map_or("", |(_, label, _)| staff.tr.pair(*label)).to_owned()
            };
            let theirs: Vec<(String, String)> = values(&stored.organiser)
                .into_iter()
                .map(|(name, value)| (label(name), value))
                .collect();
            let mine: Vec<(String, String)> =
                FIELDS.iter().map(|(name, ..)| (label(name), form.text(name).to_owned())).collect();
            Shown {
                status: StatusCode::CONFLICT,
                flash: None,
                problem: None,
                conflict: Some(Conflict::between(&mine, &theirs)),
                form: Some(form.0),
            }
        }
        Err(RegistrationError::Database(error)) => return Err(error.into()),
        Err(error) => Shown::refused(error.localized(staff.tr.0), Some(form.0)),
    };
    render(&app, &staff, &code, shown).await
}

fn back(code: &str) -> Response {
    Redirect::to(&format!("/programmes/{code}/organiser?noted=saved")).into_response()
}

pub async fn upload_logo(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
    Extension(uploaded): Extension<UploadedFile>,
) -> Result<Response, Failure> {
    change_logo(&app, &staff, &code, Some(uploaded.content.to_vec())).await
}

pub async fn remove_logo(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    change_logo(&app, &staff, &code, None).await
}

async fn change_logo(
    app: &AppState,
    staff: &Staff,
    code: &str,
    content: Option<Vec<u8>>,
) -> Result<Response, Failure> {
    match set_logo(&app.context, code, content).await {
        Ok(()) => Ok(back(code)),
        Err(RegistrationError::UnknownProgramme(_)) => Err(Failure::NotFound),
        Err(RegistrationError::Database(error)) => Err(error.into()),
        Err(error) => {
            let shown = Shown::refused(error.localized(staff.tr.0), None);
            render(app, staff, code, shown).await
        }
    }
}
