//! Respondents on the web and interviewers on the telephone, page by page.

use std::collections::BTreeMap;

use super::crashes::CrashingServer;
use super::generated::{Generated, Given};
use super::model::{Respondent, Sending, State, path};
use crate::common::browser::Browser;
use crate::common::{CONSENT_FORM, TestApp};

/// A filled page.
struct FilledPage {
    page: usize,
    given: BTreeMap<usize, Given>,
    fields: Vec<(String, String)>,
}

impl FilledPage {
    /// Fills the questions that the first possible state shows on a page.
    fn of(
        rng: &mut fastrand::Rng,
        generated: &Generated,
        state: &State,
        page: usize,
        with_nonsense: bool,
    ) -> FilledPage {
        let mut filled = FilledPage {
            page,
            given: BTreeMap::new(),
            fields: vec![("case".into(), "0".into()), ("page".into(), page.to_string())],
        };
        let on_page: Vec<usize> = path(generated, &state.answers)
            .into_iter()
            .filter(|at| generated.questions[*at].page == page)
            .collect();
        let spoiled = if with_nonsense && !on_page.is_empty() {
            Some(on_page[rng.usize(..on_page.len())])
        } else {
            None
        };
        for at in on_page {
            let question = &generated.questions[at];
            let nonsense = question.nonsense().filter(|_| spoiled == Some(at));
            let (given, typed) = match nonsense {
                Some(typed) => (Given::Nonsense, typed),
                None => question.answer(rng, false),
            };
            filled.given.insert(at, given);
            filled.fields.extend(typed.fields);
        }
        filled
    }

    fn sent<'a>(
        &'a self,
        generated: &'a Generated,
        sending: Sending,
    ) -> impl Fn(&State) -> (State, bool) + 'a {
        move |state| state.after(generated, self.page, &self.given, sending)
    }
}

/// Answers on the web until the end, or until the person has had enough.
pub async fn on_the_web(
    rng: &mut fastrand::Rng,
    app: &TestApp,
    server: &mut CrashingServer,
    generated: &Generated,
    link: &str,
) -> Respondent {
    let mut respondent = Respondent::default();
    let path_of_link = link.strip_prefix(&app.base).expect("a link of the installation").to_owned();
    let begun = app.post(&format!("{link}/begin"), CONSENT_FORM).await;
    assert_eq!(begun.0, 303, "{begun:?}");
    respondent.states[0].has_begun = true;
    let mut page = 0;
    for _ in 0..12 {
        let state = respondent.states[0].clone();
        let pages: Vec<usize> = path(generated, &state.answers)
            .iter()
            .map(|at| generated.questions[*at].page)
            .collect();
        // The page itself, or the next that is asked.
        let Some(shown) = pages.iter().copied().find(|on_path| *on_path >= page) else { break };
        page = shown;
        let language = ["zh", "en"][rng.usize(..2)];
        // Looked at in either language, reloaded, looked at without being opened: it changes nothing.
        for _ in 0..rng.usize(..2) {
            let (status, _) = app.get(&format!("{link}?lang={language}&page={page}")).await;
            assert_eq!(status, 200);
            assert_eq!(app.http.head(link).send().await.unwrap().status().as_u16(), 200);
        }
        let act = rng.u8(..20);
        let filled = FilledPage::of(rng, generated, &state, page, act == 0);
        let mut fields: Vec<(&str, &str)> =
            filled.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let to = format!("{link}/answers?lang=zh");
        respondent.log.push(format!("{act}: page {page} {:?}", filled.given));
        match act {
            // Had enough.
            1 => break,
            // Typed, and read in the other language: nothing is saved.
            2 => {
                fields.push(("in-language", "en"));
                let (status, ..) = app.post(&to, &fields).await;
                assert_eq!(status, 200);
            }
            // Back, with what is typed.
            3 if page > 0 => {
                let before = pages.iter().copied().rfind(|before| *before < page).unwrap_or(0);
                let number = before.to_string();
                fields.push(("back-to", &number));
                let (status, ..) = app.post(&to, &fields).await;
                respondent.sent(filled.sent(generated, Sending::Back), status != 303);
                page = before;
            }
            // In two tabs at once, with different answers.
            4 => {
                let other = FilledPage::of(rng, generated, &state, page, false);
                let others: Vec<(&str, &str)> = other
                    .fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                tokio::join!(app.post(&to, &fields), app.post(&to, &others));
                let (one, two) = (
                    filled.sent(generated, Sending::Submit),
                    other.sent(generated, Sending::Submit),
                );
                let mut states = Vec::new();
                for state in &respondent.states {
                    states.push(two(&one(state).0).0);
                    states.push(one(&two(state).0).0);
                }
                respondent.states = states;
                page += 1;
            }
            // The daemon dies while the page is under way; some send it again.
            5 => {
                let url = format!("{}{path_of_link}/answers?lang=zh", server.base());
                let body: String =
                    form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
                let sending = app
                    .http
                    .post(url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(body)
                    .send();
                let answer = server.crash_during(sending, rng.u64(..4_000)).await;
                let sent = filled.sent(generated, Sending::Submit);
                match answer {
                    Some(status) => respondent.sent(sent, status != 303),
                    None => respondent.sent_into_the_void(sent),
                }
                respondent.log.push(format!("the daemon died, answered {answer:?}"));
                if rng.bool() {
                    let (status, ..) = app.post(&to, &fields).await;
                    respondent.sent(filled.sent(generated, Sending::Submit), status != 303);
                    page += 1;
                }
            }
            // An older page again, in another tab.
            6 if page > 0 => {
                let older = pages[rng.usize(..pages.len())].min(page);
                let filled = FilledPage::of(rng, generated, &state, older, false);
                let fields: Vec<(&str, &str)> = filled
                    .fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                let (status, ..) = app.post(&to, &fields).await;
                respondent.log.push(format!("page {older} {:?}: {status}", filled.given));
                respondent.sent(filled.sent(generated, Sending::Submit), status != 303);
            }
            _ => {
                for _ in 0..1 + usize::from(act == 7) {
                    let (status, ..) = app.post(&to, &fields).await;
                    respondent.log.push(format!("{status}"));
                    respondent.sent(filled.sent(generated, Sending::Submit), status != 303);
                    if status != 303 {
                        break;
                    }
                }
                page += 1;
            }
        }
        let is_complete = respondent.states.iter().all(|state| state.is_complete);
        if is_complete {
            assert!(app.get(link).await.1.contains("感谢您的评价"), "{respondent:#?}");
        }
    }
    respondent
}

/// Asks the person of the interviewer's screen until the end, or until the line breaks.
pub async fn on_the_telephone(
    rng: &mut fastrand::Rng,
    browser: &Browser<'_>,
    token: &str,
    call: &str,
    generated: &Generated,
) -> Respondent {
    let mut respondent = Respondent::default();
    let notice = CONSENT_FORM[0];
    let begun =
        browser.post(&format!("/interview/{call}/begin"), &[notice, ("token", token)]).await;
    assert_eq!(begun.0, 303, "{begun:?}");
    respondent.states[0].has_begun = true;
    let mut page = 0;
    for _ in 0..12 {
        let state = respondent.states[0].clone();
        let shown = path(generated, &state.answers)
            .iter()
            .map(|at| generated.questions[*at].page)
            .find(|on_path| *on_path >= page);
        let Some(shown) = shown else { break };
        page = shown;
        let act = rng.u8(..20);
        if act == 0 {
            break;
        }
        let filled = FilledPage::of(rng, generated, &state, page, act == 1);
        let mut fields: Vec<(&str, &str)> =
            filled.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        fields.push(("token", token));
        for _ in 0..1 + usize::from(act == 2) {
            let (status, to, _) =
                browser.post(&format!("/interview/{call}/answers"), &fields).await;
            respondent.log.push(format!("page {page} {:?}: {status} {to}", filled.given));
            respondent.sent(filled.sent(generated, Sending::Submit), status != 303);
            if status != 303 || to.contains("interviewed") {
                break;
            }
        }
        page = if act == 3 { 0 } else { page + 1 };
        if respondent.states[0].is_complete {
            return respondent;
        }
    }
    let outcome = [("outcome", "no_answer"), ("token", token)];
    let (status, to, page) = browser.post(&format!("/interview/{call}/outcome"), &outcome).await;
    assert!(status == 303 && to.contains("noted="), "{status} {to} {page}");
    respondent
}
