//! The conspicuous responses of an application: staff accept or exclude them. Cases stand there
//! under their pseudonyms; nothing on the page tells who somebody is.

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
use crate::domain::origin::SharedPlace;
use crate::domain::quality::ReviewVerdict;
use crate::domain::role::Permission;
use crate::interfaces::errors::LocalizedError;
use crate::services::response_quality::{
    self, ConspicuousResponse, ConspicuousResponses, ResponseQualityError, ReviewOutcome,
};

#[derive(Template)]
#[template(path = "console/responses.html")]
struct ResponsesPage<'a> {
    layout: PageLayout<'a>,
    application: String,
    flash: Option<&'static str>,
    problem: Option<String>,
    found: ConspicuousResponses,
    may_operate: bool,
}

impl ResponsesPage<'_> {
    fn shared(&self, shared: &SharedPlace) -> &'static str {
        match shared {
            SharedPlace::Device => self.layout.tr.t("同一设备", "one device"),
            SharedPlace::Network => self.layout.tr.t("同一网络", "one network"),
        }
    }

    /// What is conspicuous about a response, in words.
    fn reasons(&self, response: &ConspicuousResponse) -> String {
        let tr = &self.layout.tr;
        let mut reasons = Vec::new();
        if let Some((number, shared)) = &response.cluster {
            reasons.push(format!("{} {number} ({})", tr.t("聚集", "cluster"), self.shared(shared)));
        }
        let flags = [
            (response.is_speeding, tr.t("作答过快", "speeding")),
            (response.is_straight_lined, tr.t("直线作答", "straight line")),
            (response.is_duplicate, tr.t("答案雷同", "same answers as another")),
        ];
        reasons.extend(flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()));
        reasons.join(" · ")
    }

    fn mode(&self, mode: &str) -> &'static str {
        match mode {
            "web" => self.layout.tr.t("网页", "web"),
            "telephone" => self.layout.tr.t("电话", "telephone"),
            _ => self.layout.tr.t("短信", "SMS"),
        }
    }

    /// What was decided, and by whom.
    fn decision(&self, response: &ConspicuousResponse) -> String {
        let Some(review) = &response.review else { return String::new() };
        let tr = &self.layout.tr;
        let verdict = match review.verdict {
            ReviewVerdict::Accepted => tr.t("已保留", "accepted"),
            ReviewVerdict::Excluded if review.decided_at.is_none() => {
                tr.t("待第二人确认剔除", "exclusion waits for a second person")
            }
            ReviewVerdict::Excluded => tr.t("已剔除", "excluded"),
        };
        let mut people = vec![review.requested_by.clone()];
        people.extend(review.decided_by.clone().filter(|by| *by != review.requested_by));
        format!("{verdict} ({}): {}", people.join(", "), review.reason)
    }

    /// Whether a second person has to confirm what somebody else asked for.
    fn waits(&self, response: &ConspicuousResponse) -> bool {
        response.review.as_ref().is_some_and(|review| review.decided_at.is_none())
    }
}

#[derive(serde::Deserialize)]
pub struct Noted {
    #[serde(default)]
    noted: String,
}

async fn render(
    app: &AppState,
    staff: &Staff,
    application: String,
    (status, flash, problem): (StatusCode, Option<&'static str>, Option<String>),
) -> Result<Response, Failure> {
    match response_quality::conspicuous(&app.context, &application).await {
        Ok(found) => Ok(render_page(
            status,
            &ResponsesPage {
                layout: PageLayout::for_staff(staff),
                application,
                flash,
                problem,
                found,
                may_operate: staff.session.account.role.may(Permission::Operate),
            },
        )),
        Err(ResponseQualityError::UnknownApplication(_)) => Err(Failure::NotFound),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

pub async fn show(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Path(application): Path<String>,
    Query(query): Query<Noted>,
) -> Result<Response, Failure> {
    let flash = match query.noted.as_str() {
        "decided" => Some(staff.tr.t("已记录。", "Your decision is recorded.")),
        "waiting" => Some(staff.tr.t(
            "已记录，待第二人确认后剔除。",
            "Recorded; it is excluded when a second person agrees.",
        )),
        _ => None,
    };
    render(&app, &staff, application, (StatusCode::OK, flash, None)).await
}

/// Accepts or excludes a response.
pub async fn decide(
    State(app): State<Arc<AppState>>,
    Extension(staff): Extension<Staff>,
    Extension(form): Extension<FormFields>,
    Path((application, case)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let Some(verdict) = ReviewVerdict::parse(form.text("verdict")) else {
        return Err(Failure::BadRequest("the form has no verdict".to_owned()));
    };
    let actor = staff.session.actor();
    let reason = form.text("reason");
    match response_quality::decide(&app.context, &actor, &application, &case, verdict, reason).await
    {
        Ok(outcome) => {
            let noted = if outcome == ReviewOutcome::Decided { "decided" } else { "waiting" };
            Ok(Redirect::to(&format!("/applications/{application}/responses?noted={noted}"))
                .into_response())
        }
        Err(ResponseQualityError::Database(error)) => Err(error.into()),
        Err(error) => {
            let problem = error.localized(staff.tr.0);
            let shown = (StatusCode::UNPROCESSABLE_ENTITY, None, Some(problem));
            render(&app, &staff, application, shown).await
        }
    }
}
