//! Simulated people: they receive messages, open links with a browser, and answer, refuse, break
//! off or stay silent.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::carrier::{MAX_PUSH_ATTEMPTS, rng_for};
use super::scenario::{DishonestApplicant, Scenario};
use super::{Event, Shared};
use crate::domain::questionnaire::Answer;
use crate::domain::time::Timestamp;

// The pattern is fixed and compiles; every simulated interview uses it.
static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"https?://[0-9a-z.:\[\]-]+/i/[0-9a-z]+").expect("a fixed pattern")
});
// The position of a question in an SMS interview; also a fixed pattern.
static QUESTION_NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\((\d+/\d+)\)").expect("a fixed pattern"));
static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?s)<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>"#).expect("a fixed pattern")
});
// These patterns are fixed, too.
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<(?:input|textarea)[^>]*>").expect("a fixed pattern"));
// Fixed as well.
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"([a-z-]+)="([^"]*)""#).expect("a fixed pattern"));

/// Words of a message that offer an SMS interview.
const SMS_INTERVIEW_OFFERS: [&str; 2] = ["回复1", "Reply 1"];

/// Most people use a phone. `{n}` is a number of the model or the version.
const USER_AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Linux; Android 14; V2{n}A) AppleWebKit/537.36 (KHTML, like Gecko) \
        Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{n} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
        Gecko) Mobile/15E148",
    "Mozilla/5.0 (Phone; OpenHarmony 5.{n}) AppleWebKit/537.36 (KHTML, like Gecko) ArkWeb/4.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
        Chrome/1{n}.0 Safari/537.36",
];
/// How many models or versions of each there are among people.
const MODELS: [u32; 4] = [60, 6, 20, 20];

/// The computer in the office of a dishonest applicant.
const OFFICE_BROWSER: &str = "Mozilla/5.0 (Windows NT 6.1; Win64; x64) AppleWebKit/537.36 (KHTML, \
    like Gecko) Chrome/109.0 Safari/537.36";
const OFFICE_ADDRESS: &str = "198.19.7.21";

/// Half of the people come through the few networks of mobile carriers, the others from their own.
fn address_of(seed: u64, number: &str) -> String {
    let mut rng = rng_for(seed, "address", number, 0);
    let (network, host) = (rng.u32(0..256), 1 + rng.u32(0..254));
    if rng.bool() {
        format!("198.18.{}.{host}", network % 8)
    } else {
        format!("198.19.{}.{host}", 8 + network % 248)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum ResponseKind {
    /// Answers after this message, counted from 0.
    Completes(u32),
    BreaksOff,
    /// Asks for a reminder, and answers after it.
    Postpones,
    RequestsCall,
    /// Agrees to an SMS interview.
    AnswersBySms,
    RepliesOptOut,
    RefusesOnPage,
    NotAUser,
    RepliesOther,
    Silent,
}

pub(super) struct Person {
    kind: ResponseKind,
    rng: fastrand::Rng,
    /// Position of this person's answers between 0 (bad) and 1 (good).
    satisfaction: f64,
    reads_english: bool,
    speeds: bool,
    /// User agent of the browser, and its address if people have any.
    user_agent: String,
    address: Option<String>,
    dishonest: Option<DishonestApplicant>,
    /// Messages received with each link, and the page that the browser has reached.
    links: HashMap<String, LinkProgress>,
    has_replied: bool,
    misunderstands: f64,
    /// Shares of replies that are pushed twice, arrive late, or arrive after the next one.
    reply_faults: (f64, f64, f64),
    asked_count: u32,
    /// The last reply to each question of an SMS interview, by its position.
    pub sms_answers: BTreeMap<String, String>,
}

#[derive(Default)]
struct LinkProgress {
    message_count: u32,
    answered_pages: u32,
    is_started: bool,
    has_requested: bool,
    current_url: Option<String>,
}

impl Person {
    pub fn random(scenario: &Scenario, number: &str) -> Person {
        let mut rng = rng_for(scenario.seed, "person", number, 0);
        let people = &scenario.people;
        let kinds = [
            (people.completes[0], ResponseKind::Completes(0)),
            (people.completes[1], ResponseKind::Completes(1)),
            (people.completes[2], ResponseKind::Completes(2)),
            (people.breaks_off, ResponseKind::BreaksOff),
            (people.replies_opt_out, ResponseKind::RepliesOptOut),
            (people.refuses_on_page, ResponseKind::RefusesOnPage),
            (people.not_a_user, ResponseKind::NotAUser),
            (people.replies_other, ResponseKind::RepliesOther),
            (people.postpones, ResponseKind::Postpones),
            (people.requests_call, ResponseKind::RequestsCall),
            (people.answers_by_sms, ResponseKind::AnswersBySms),
        ];
        let mut left = rng.f64();
        let mut kind = ResponseKind::Silent;
        for (share, candidate) in kinds {
            if left < share {
                kind = candidate;
                break;
            }
            left -= share;
        }
        let (satisfaction, reads_english) = (0.45 + 0.5 * rng.f64(), rng.f64() < 0.05);
        let speeds = rng.f64() < people.speeds;
        let kind_of_browser =
            (rng.f64() * 1.25 * USER_AGENTS.len() as f64) as usize % USER_AGENTS.len();
        let model = rng_for(scenario.seed, "model", number, 0).u32(..MODELS[kind_of_browser]);
        let user_agent = USER_AGENTS[kind_of_browser].replace("{n}", &model.to_string());
        let reply_faults =
            (scenario.duplicate_replies, scenario.delayed_replies, scenario.reordered_replies);
        let (misunderstands, sms_answers) = (people.misunderstands, BTreeMap::new());
        Person {
            kind,
            rng,
            satisfaction,
            reads_english,
            speeds,
            user_agent,
            address: people.has_addresses.then(|| address_of(scenario.seed, number)),
            dishonest: people.dishonest.clone(),
            links: HashMap::new(),
            has_replied: false,
            misunderstands,
            reply_faults,
            asked_count: 0,
            sms_answers,
        }
    }

    /// Staff of the applicant answer from now on, for somebody who would have stayed silent.
    /// Returns whether they do.
    fn is_answered_for(&mut self, number: &str, text: &str) -> bool {
        let is_of_applicant = |dishonest: &mut DishonestApplicant| text.contains(&dishonest.name);
        let Some(dishonest) = self.dishonest.take_if(is_of_applicant) else { return false };
        let is_meant = self.kind == ResponseKind::Silent
            && rng_for(0, "answered for", number, 0).f64() < dishonest.share;
        if is_meant {
            self.kind = ResponseKind::Completes(0);
            (self.satisfaction, self.speeds) = (0.93, false);
            self.user_agent = OFFICE_BROWSER.to_owned();
            self.address = self.address.as_ref().map(|_| OFFICE_ADDRESS.to_owned());
        }
        is_meant
    }

    /// Receives a message and returns this person's actions that follow from it, and whether
    /// somebody else answers it.
    pub fn receive_message(
        &mut self,
        at: Timestamp,
        number: &str,
        text: &str,
        replies_url: &str,
    ) -> (Vec<(Timestamp, Event)>, bool) {
        let is_answered_for = self.is_answered_for(number, text);
        (self.react(at, number, text, replies_url), is_answered_for)
    }

    fn react(
        &mut self,
        at: Timestamp,
        number: &str,
        text: &str,
        replies_url: &str,
    ) -> Vec<(Timestamp, Event)> {
        if let (ResponseKind::AnswersBySms, Some(place)) =
            (self.kind, QUESTION_NUMBER.captures(text))
        {
            return self.answer_sms_question(at, number, (&place[1], text), replies_url);
        }
        let Some(link) = LINK.find(text).map(|found| found.as_str().to_owned()) else {
            return Vec::new();
        };
        let number = number.to_owned();
        let progress = self.links.entry(link.clone()).or_default();
        let message = progress.message_count;
        progress.message_count += 1;
        // Most people open the link within the hour, some in the evening or on the next day.
        let minutes = 1.0
            + 600.0 * self.rng.f64() * self.rng.f64() * self.rng.f64()
            + if self.rng.f64() < 0.1 { 900.0 } else { 0.0 };
        let action_at = at + Duration::from_secs_f64(minutes * 60.0);
        let reply = |text: &str| Event::Reply {
            from: number.clone(),
            text: text.to_owned(),
            url: replies_url.to_owned(),
            id: format!("up-{}-{}", link.rsplit('/').next().unwrap_or_default(), message),
            sent_at: action_at,
            pushes_left: MAX_PUSH_ATTEMPTS,
        };
        match self.kind {
            ResponseKind::Completes(answers_to)
                if answers_to <= message && !progress.is_started =>
            {
                progress.is_started = true;
                vec![(action_at, Event::OpenPage { number, link })]
            }
            ResponseKind::Postpones if message <= 1 => {
                progress.current_url = None;
                vec![(action_at, Event::OpenPage { number, link })]
            }
            ResponseKind::BreaksOff
            | ResponseKind::RequestsCall
            | ResponseKind::RefusesOnPage
            | ResponseKind::NotAUser
                if !progress.is_started =>
            {
                progress.is_started = true;
                vec![(action_at, Event::OpenPage { number, link })]
            }
            ResponseKind::AnswersBySms
                if !self.has_replied
                    && SMS_INTERVIEW_OFFERS.iter().any(|offer| text.contains(offer)) =>
            {
                self.has_replied = true;
                vec![(action_at, reply(["1", "好的", "同意。", "１"][self.rng.usize(..4)]))]
            }
            ResponseKind::RepliesOptOut if !self.has_replied => {
                self.has_replied = true;
                let reply_words = ["R", "退订", "ｒ", "TD.", "请不要再发了，退订"];
                vec![(action_at, reply(reply_words[self.rng.usize(..reply_words.len())]))]
            }
            ResponseKind::RepliesOther if !self.has_replied => {
                self.has_replied = true;
                let reply_words = ["你们是谁？", "已经填过纸质问卷了", "请打电话给我"];
                vec![(action_at, reply(reply_words[self.rng.usize(..reply_words.len())]))]
            }
            _ => Vec::new(),
        }
    }
}

impl Person {
    /// Answers a question by SMS: usually with an answer; sometimes with something else first, with
    /// a second reply after it, late, or twice.
    fn answer_sms_question(
        &mut self,
        at: Timestamp,
        number: &str,
        (place, text): (&str, &str),
        replies_url: &str,
    ) -> Vec<(Timestamp, Event)> {
        let seconds = 20.0 + 240.0 * self.rng.f64();
        let action_at = at + Duration::from_secs_f64(seconds);
        self.asked_count += 1;
        let asked_count = self.asked_count;
        let event = |text: String, sent_at: Timestamp, word: u32| Event::Reply {
            from: number.to_owned(),
            text,
            url: replies_url.to_owned(),
            id: format!("sms-{number}-{asked_count}-{word}"),
            sent_at,
            pushes_left: MAX_PUSH_ATTEMPTS,
        };
        // Any reply to an open question is an answer.
        let is_open = text.contains("直接回复") || text.contains("Just write");
        if !text.contains("没看懂")
            && !text.contains("Sorry")
            && !is_open
            && self.rng.f64() < self.misunderstands
        {
            return vec![(action_at, event("这是什么意思呀".into(), action_at, 0))];
        }
        let is_choice = text.contains("回复序号") || text.contains("Reply a number:");
        let answer = |rng: &mut fastrand::Rng| match text {
            // Of two, most people have not complained.
            text if is_choice => if text.contains(" 3") { "1" } else { "2" }.to_owned(),
            text if text.contains("直接回复") => "无".to_owned(),
            text if text.contains("Just write") => "none".to_owned(),
            _ => (6 + rng.u32(0..5)).to_string(),
        };
        let written = |answer: &str, rng: &mut fastrand::Rng| match rng.u32(0..4) {
            0 if is_choice => format!("选{answer}"),
            0 if answer.chars().all(|c| c.is_ascii_digit()) => format!("{answer}分"),
            1 => answer
                .chars()
                .map(|c| {
                    char::from_u32(c as u32 + 0xfee0).filter(|_| c.is_ascii_digit()).unwrap_or(c)
                })
                .collect(),
            _ => answer.to_owned(),
        };
        let first = answer(&mut self.rng);
        let mut events = Vec::new();
        let mut sms_answers = first.clone();
        let delay = if self.rng.f64() < self.reply_faults.1 {
            Duration::from_secs(3_600 + self.rng.u64(0..7_200))
        } else {
            Duration::ZERO
        };
        let word = event(written(&first, &mut self.rng), action_at, 0);
        if self.rng.f64() < self.reply_faults.2 {
            // A second reply two seconds later, which arrives before the first one.
            let second = answer(&mut self.rng);
            let at = action_at + Duration::from_secs(2);
            events.push((at, event(written(&second, &mut self.rng), at, 1)));
            events.push((action_at + Duration::from_secs(30) + delay, word));
            sms_answers = second;
        } else {
            if self.rng.f64() < self.reply_faults.0 {
                events.push((
                    action_at + delay + Duration::from_secs(1 + self.rng.u64(0..900)),
                    event(written(&first, &mut self.rng), action_at, 0),
                ));
            }
            events.push((action_at + delay, word));
        }
        self.sms_answers.insert(place.to_owned(), sms_answers);
        events
    }
}

/// A form of a page, as seen by a browser.
struct Form {
    action: String,
    /// Hidden fields.
    hidden_fields: Vec<(String, String)>,
    /// Radio buttons: the choices by name, in page order.
    radio_groups: Vec<(String, Vec<String>)>,
    text_fields: Vec<String>,
}

fn parse_forms(page: &str) -> Vec<Form> {
    let form = |found: regex::Captures<'_>| {
        let mut form = Form {
            action: found[1].replace("&amp;", "&"),
            hidden_fields: Vec::new(),
            radio_groups: Vec::new(),
            text_fields: Vec::new(),
        };
        for field in FIELD.find_iter(found.get(2).map_or("", |m| m.as_str())) {
            let attributes: HashMap<&str, &str> = ATTRIBUTE
                .captures_iter(field.as_str())
                .map(|c| (c.get(1).map_or("", |m| m.as_str()), c.get(2).map_or("", |m| m.as_str())))
                .collect();
            let Some(&name) = attributes.get("name") else { continue };
            let value = attributes.get("value").copied().unwrap_or_default().to_owned();
            match attributes.get("type").copied() {
                Some("hidden") => form.hidden_fields.push((name.to_owned(), value)),
                Some("radio") => {
                    match form.radio_groups.iter_mut().find(|(known, _)| known == name) {
                        Some((_, values)) => values.push(value),
                        None => form.radio_groups.push((name.to_owned(), vec![value])),
                    }
                }
                None => form.text_fields.push(name.to_owned()),
                Some(_) => {}
            }
        }
        form
    };
    FORM.captures_iter(page).map(form).collect()
}

/// The values of a form that say why there is no answer.
const NO_ANSWERS: [&str; 3] = [Answer::NOT_APPLICABLE, Answer::DONT_KNOW, Answer::REFUSED];

impl Person {
    /// Chooses one of the options of a question. Who is less satisfied says «yes» more often where
    /// that is the question (a complaint); few do not know or do not say.
    fn choose_option<'v>(&mut self, values: &'v [String]) -> Option<&'v String> {
        let (none, options): (Vec<&String>, Vec<&String>) =
            values.iter().partition(|value| NO_ANSWERS.contains(&value.as_str()));
        if !none.is_empty() && self.rng.f64() < 0.04 {
            return self.rng.choice(none);
        }
        match options[..] {
            [yes, no] if yes == "yes" && no == "no" => {
                Some(if self.rng.f64() < 0.5 * (1.0 - self.satisfaction) { yes } else { no })
            }
            _ => self.rng.choice(options),
        }
    }

    /// Chooses the form to submit on a page, if any; `number` is this person's own.
    fn choose_form(
        &mut self,
        page: &str,
        link: &str,
        number: &str,
    ) -> Option<(String, Vec<(String, String)>)> {
        let forms = parse_forms(page);
        let find = |end: &str| {
            forms
                .iter()
                .find(|form| form.action.split('?').next().is_some_and(|path| path.ends_with(end)))
        };
        let progress = self.links.get_mut(link)?;
        let form = match self.kind {
            // Some people refuse only after they have seen the questions.
            ResponseKind::RefusesOnPage if self.satisfaction < 0.7 || find("/begin").is_none() => {
                find("/refuse")?
            }
            ResponseKind::Postpones if progress.message_count == 1 => {
                return press_once(find("/later")?, progress, "tomorrow");
            }
            ResponseKind::RequestsCall => {
                return press_once(find("/call-me")?, progress, "evening");
            }
            ResponseKind::NotAUser if find("/begin").is_none() => find("/not-a-user")?,
            ResponseKind::BreaksOff if progress.answered_pages >= 1 => return None,
            _ => find("/begin").or_else(|| find("/answers"))?,
        };
        if form.action.contains("/answers") {
            progress.answered_pages += 1;
        }
        let mut fields = form.hidden_fields.clone();
        for (name, values) in &form.radio_groups {
            if self.speeds {
                let middle =
                    values.iter().filter(|v| v.parse::<i64>().is_ok()).nth(6).or(values.first());
                fields.extend(middle.map(|value| (name.clone(), value.clone())));
                continue;
            }
            let numbers: Vec<&String> =
                values.iter().filter(|v| v.parse::<i64>().is_ok()).collect();
            let chosen = if numbers.is_empty() {
                self.choose_option(values)
            } else if numbers.len() < values.len() && self.rng.f64() < 0.04 {
                values.iter().find(|v| v.parse::<i64>().is_err())
            } else {
                let place = (self.satisfaction + 0.3 * (self.rng.f64() - 0.5)).clamp(0.0, 0.999);
                numbers.get((place * numbers.len() as f64) as usize).copied()
            };
            fields.extend(chosen.map(|value| (name.clone(), value.clone())));
        }
        for name in form.text_fields.iter().filter(|_| !self.speeds) {
            let reply_words = [
                "服务很好，继续保持。",
                "希望售后回电快一些。",
                "Fine, thank you.",
                "有问题请联系我",
            ];
            let text = match self.rng.usize(..9) {
                n @ 0..=2 => reply_words[n].to_owned(),
                // Some people enter their number where none was requested.
                3 => format!("{} {}", reply_words[3], number.trim_start_matches("+86")),
                _ => String::new(),
            };
            fields.push((name.clone(), text));
        }
        Some((form.action.clone(), fields))
    }
}

/// Presses a form's button once.
fn press_once(
    form: &Form,
    progress: &mut LinkProgress,
    when: &str,
) -> Option<(String, Vec<(String, String)>)> {
    let is_first = !std::mem::replace(&mut progress.has_requested, true);
    is_first.then(|| (form.action.clone(), vec![("when".to_owned(), when.to_owned())]))
}

impl Shared {
    /// Opens the page that the browser has reached, and schedules the form to submit after reading
    /// it.
    pub(super) async fn open_page(&self, number: String, link: String) {
        let (current_url, user_agent, address) = {
            let state = self.lock();
            let Some(person) = state.people.get(&number) else { return };
            let Some(progress) = person.links.get(&link) else { return };
            let first = if person.reads_english { format!("{link}?lang=en") } else { link.clone() };
            let url = progress.current_url.clone().unwrap_or(first);
            (url, person.user_agent.clone(), person.address.clone())
        };
        if !is_on_loopback(&link) {
            return;
        }
        self.lock().record.visits += 1;
        let request = with_browser(self.client.get(&current_url), user_agent, address);
        let Ok(page) = request.send().await else {
            return;
        };
        let Ok(page) = page.text().await else { return };
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(person) = state.people.get_mut(&number) else { return };
        let Some(form) = person.choose_form(&page, &link, &number) else { return };
        let reading_seconds =
            if person.speeds { 1 + person.rng.u64(..3) } else { 8 + person.rng.u64(..40) };
        state.schedule(
            now + Duration::from_secs(reading_seconds),
            Event::SubmitForm { number, link, form },
        );
    }

    /// Submits a form, and follows the response.
    pub(super) async fn submit_form(
        &self,
        number: String,
        link: String,
        (action, fields): (String, Vec<(String, String)>),
    ) {
        let origin = link.split("/i/").next().unwrap_or_default().to_owned();
        let browser = self
            .lock()
            .people
            .get(&number)
            .map(|person| (person.user_agent.clone(), person.address.clone()));
        let Some((user_agent, address)) = browser else { return };
        let body: String =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self
            .client
            .post(format!("{origin}{action}"))
            .header("content-type", "application/x-www-form-urlencoded");
        let request = with_browser(request, user_agent, address);
        let Ok(answer) = request.body(body).send().await else {
            return;
        };
        let next = answer
            .headers()
            .get("location")
            .and_then(|v| v.to_str().ok())
            .map(|path| format!("{origin}{path}"));
        let Some(next) = next else { return };
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(progress) =
            state.people.get_mut(&number).and_then(|person| person.links.get_mut(&link))
        {
            progress.current_url = Some(next);
        }
        state.schedule(now + Duration::from_secs(1), Event::OpenPage { number, link });
    }
}

/// Says what the person's browser says of itself, and what a reverse proxy adds.
fn with_browser(
    request: reqwest::RequestBuilder,
    user_agent: String,
    address: Option<String>,
) -> reqwest::RequestBuilder {
    let request = request.header("user-agent", user_agent);
    match address {
        Some(address) => request.header("x-forwarded-for", address),
        None => request,
    }
}

fn is_on_loopback(link: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]", "http://localhost"]
        .iter()
        .any(|loopback| link.starts_with(loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_like_a_browser_reads_it() {
        let page = r#"<form method="post" action="/i/x/answers?lang=zh"><input type="hidden" name="page" value="0">
            <input type="radio" name="q1" value="1"><input type="radio" name="q1" value="2"><textarea name="open"></textarea>
            <input type="submit" value="ok"></form>"#;
        let forms = parse_forms(page);
        assert_eq!(forms.len(), 1);
        assert_eq!(forms[0].hidden_fields, [("page".to_owned(), "0".to_owned())]);
        assert_eq!(
            forms[0].radio_groups,
            [("q1".to_owned(), vec!["1".to_owned(), "2".to_owned()])]
        );
        assert_eq!(forms[0].text_fields, ["open"]);
    }
}
