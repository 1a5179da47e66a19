//! The people behind the numbers: they get messages, open links in a browser's way, and answer, refuse, stop half-way or stay silent.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use super::carrier::{PUSHES, draw};
use super::script::Script;
use super::{Event, Shared};
use crate::domain::time::Timestamp;

// Fixed patterns that compile; every simulated interview runs them.
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"https?://[0-9a-z.:\[\]-]+/i/[0-9a-z]+").expect("a fixed pattern"));
// The place of a question in an interview by SMS; fixed patterns too.
static QUESTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\((\d+/\d+)\)").expect("a fixed pattern"));
static FORM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?s)<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>"#).expect("a fixed pattern"));
static FIELD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"<(?:input|textarea)[^>]*>").expect("a fixed pattern"));
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"([a-z-]+)="([^"]*)""#).expect("a fixed pattern"));

/// By these words of a message people know that they may answer by SMS.
const OFFERS: [&str; 2] = ["回复1", "Reply 1"];

/// Most are on a phone.
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36 MicroMessenger/8.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) ArkWeb/4.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Answers to this message, counted from 0.
    Completes(u32),
    StopsHalfWay,
    /// Asks to be reminded, and answers to that.
    PutsOff,
    WantsCall,
    /// Agrees to be asked by SMS.
    AnswersBySms,
    RepliesOptOut,
    RefusesOnPage,
    IsNoUser,
    RepliesSomething,
    Silent,
}

pub(super) struct Person {
    kind: Kind,
    rng: fastrand::Rng,
    /// Where this person's answers lie, between 0 (bad) and 1 (good).
    level: f64,
    reads_english: bool,
    hurries: bool,
    /// What the browser calls itself.
    agent: &'static str,
    /// Messages got with each link, and where the browser stands there.
    links: HashMap<String, Visit>,
    replied: bool,
    puzzled: f64,
    /// Shares of replies that are pushed twice, come late, or come after the next one.
    faults: (f64, f64, f64),
    words: u32,
    /// The last word on each question by SMS, by its place in the interview.
    pub said: BTreeMap<String, String>,
}

#[derive(Default)]
struct Visit {
    messages: u32,
    pages_done: u32,
    under_way: bool,
    wished: bool,
    address: Option<String>,
}

impl Person {
    pub fn drawn(script: &Script, number: &str) -> Person {
        let mut rng = draw(script.seed, "person", number, 0);
        let people = &script.people;
        let kinds = [
            (people.completes[0], Kind::Completes(0)),
            (people.completes[1], Kind::Completes(1)),
            (people.completes[2], Kind::Completes(2)),
            (people.stops_half_way, Kind::StopsHalfWay),
            (people.replies_opt_out, Kind::RepliesOptOut),
            (people.refuses_on_page, Kind::RefusesOnPage),
            (people.is_no_user, Kind::IsNoUser),
            (people.replies_something, Kind::RepliesSomething),
            (people.puts_off, Kind::PutsOff),
            (people.wants_call, Kind::WantsCall),
            (people.answers_by_sms, Kind::AnswersBySms),
        ];
        let mut left = rng.f64();
        let mut kind = Kind::Silent;
        for (share, candidate) in kinds {
            if left < share {
                kind = candidate;
                break;
            }
            left -= share;
        }
        let (level, reads_english) = (0.45 + 0.5 * rng.f64(), rng.f64() < 0.05);
        let hurries = rng.f64() < people.hurries;
        let agent = AGENTS[(rng.f64() * 1.25 * AGENTS.len() as f64) as usize % AGENTS.len()];
        let faults = (script.doubled_replies, script.delayed_replies, script.reordered_replies);
        let (puzzled, said) = (people.puzzled, BTreeMap::new());
        Person { kind, rng, level, reads_english, hurries, agent, links: HashMap::new(), replied: false, puzzled, faults, words: 0, said }
    }

    /// A message arrives; returns what this person is going to do because of it.
    pub fn receives(&mut self, at: Timestamp, number: &str, text: &str, replies_url: &str) -> Vec<(Timestamp, Event)> {
        if let (Kind::AnswersBySms, Some(place)) = (self.kind, QUESTION.captures(text)) {
            return self.is_asked(at, number, (&place[1], text), replies_url);
        }
        let Some(link) = LINK.find(text).map(|found| found.as_str().to_owned()) else { return Vec::new() };
        let number = number.to_owned();
        let visit = self.links.entry(link.clone()).or_default();
        let message = visit.messages;
        visit.messages += 1;
        // Most look within the hour, some in the evening or the next day.
        let minutes = 1.0 + 600.0 * self.rng.f64() * self.rng.f64() * self.rng.f64() + if self.rng.f64() < 0.1 { 900.0 } else { 0.0 };
        let then = at + Duration::from_secs_f64(minutes * 60.0);
        let reply = |text: &str| Event::Reply {
            from: number.clone(),
            text: text.to_owned(),
            url: replies_url.to_owned(),
            id: format!("up-{}-{}", link.rsplit('/').next().unwrap_or_default(), message),
            sent_at: then,
            pushes_left: PUSHES,
        };
        match self.kind {
            Kind::Completes(answers_to) if answers_to <= message && !visit.under_way => {
                visit.under_way = true;
                vec![(then, Event::Visit { number, link })]
            }
            Kind::PutsOff if message <= 1 => {
                visit.address = None;
                vec![(then, Event::Visit { number, link })]
            }
            Kind::StopsHalfWay | Kind::WantsCall | Kind::RefusesOnPage | Kind::IsNoUser if !visit.under_way => {
                visit.under_way = true;
                vec![(then, Event::Visit { number, link })]
            }
            Kind::AnswersBySms if !self.replied && OFFERS.iter().any(|offer| text.contains(offer)) => {
                self.replied = true;
                vec![(then, reply(["1", "好的", "同意。", "１"][self.rng.usize(..4)]))]
            }
            Kind::RepliesOptOut if !self.replied => {
                self.replied = true;
                let words = ["R", "退订", "ｒ", "TD.", "请不要再发了，退订"];
                vec![(then, reply(words[self.rng.usize(..words.len())]))]
            }
            Kind::RepliesSomething if !self.replied => {
                self.replied = true;
                let words = ["你们是谁？", "已经填过纸质问卷了", "请打电话给我"];
                vec![(then, reply(words[self.rng.usize(..words.len())]))]
            }
            _ => Vec::new(),
        }
    }
}

impl Person {
    /// A question by SMS: an answer, now and then something else first, another word after it, or late, or twice.
    fn is_asked(&mut self, at: Timestamp, number: &str, (place, text): (&str, &str), replies_url: &str) -> Vec<(Timestamp, Event)> {
        let seconds = 20.0 + 240.0 * self.rng.f64();
        let then = at + Duration::from_secs_f64(seconds);
        self.words += 1;
        let words = self.words;
        let event = |text: String, sent_at: Timestamp, word: u32| Event::Reply {
            from: number.to_owned(),
            text,
            url: replies_url.to_owned(),
            id: format!("sms-{number}-{words}-{word}"),
            sent_at,
            pushes_left: PUSHES,
        };
        // Whatever is said to an open question is an answer.
        let is_open = text.contains("直接回复") || text.contains("Just write");
        if !text.contains("没看懂") && !text.contains("Sorry") && !is_open && self.rng.f64() < self.puzzled {
            return vec![(then, event("这是什么意思呀".into(), then, 0))];
        }
        let answer = |rng: &mut fastrand::Rng| match text {
            text if text.contains("回复序号") || text.contains("Reply a number:") => "1".to_owned(),
            text if text.contains("直接回复") => "无".to_owned(),
            text if text.contains("Just write") => "none".to_owned(),
            _ => (6 + rng.u32(0..5)).to_string(),
        };
        let spelt = |answer: &str, rng: &mut fastrand::Rng| match rng.u32(0..4) {
            0 if answer.chars().all(|c| c.is_ascii_digit()) => format!("{answer}分"),
            1 => answer.chars().map(|c| char::from_u32(c as u32 + 0xfee0).filter(|_| c.is_ascii_digit()).unwrap_or(c)).collect(),
            _ => answer.to_owned(),
        };
        let first = answer(&mut self.rng);
        let mut events = Vec::new();
        let mut said = first.clone();
        let late = if self.rng.f64() < self.faults.1 { Duration::from_secs(3_600 + self.rng.u64(0..7_200)) } else { Duration::ZERO };
        let word = event(spelt(&first, &mut self.rng), then, 0);
        if self.rng.f64() < self.faults.2 {
            // Another word two seconds later, which comes before the first one.
            let second = answer(&mut self.rng);
            let at = then + Duration::from_secs(2);
            events.push((at, event(spelt(&second, &mut self.rng), at, 1)));
            events.push((then + Duration::from_secs(30) + late, word));
            said = second;
        } else {
            if self.rng.f64() < self.faults.0 {
                events.push((then + late + Duration::from_secs(1 + self.rng.u64(0..900)), event(spelt(&first, &mut self.rng), then, 0)));
            }
            events.push((then + late, word));
        }
        self.said.insert(place.to_owned(), said);
        events
    }
}

/// A form of a page, as a browser sees it.
struct Form {
    action: String,
    /// Hidden fields.
    fixed: Vec<(String, String)>,
    /// Radio buttons: the choices by name, in the page's order.
    choices: Vec<(String, Vec<String>)>,
    texts: Vec<String>,
}

fn forms_of(page: &str) -> Vec<Form> {
    let form = |found: regex::Captures<'_>| {
        let mut form = Form { action: found[1].replace("&amp;", "&"), fixed: Vec::new(), choices: Vec::new(), texts: Vec::new() };
        for field in FIELD.find_iter(found.get(2).map_or("", |m| m.as_str())) {
            let attributes: HashMap<&str, &str> =
                ATTRIBUTE.captures_iter(field.as_str()).map(|c| (c.get(1).map_or("", |m| m.as_str()), c.get(2).map_or("", |m| m.as_str()))).collect();
            let Some(&name) = attributes.get("name") else { continue };
            let value = attributes.get("value").copied().unwrap_or_default().to_owned();
            match attributes.get("type").copied() {
                Some("hidden") => form.fixed.push((name.to_owned(), value)),
                Some("radio") => match form.choices.iter_mut().find(|(known, _)| known == name) {
                    Some((_, values)) => values.push(value),
                    None => form.choices.push((name.to_owned(), vec![value])),
                },
                None => form.texts.push(name.to_owned()),
                Some(_) => {}
            }
        }
        form
    };
    FORM.captures_iter(page).map(form).collect()
}

impl Person {
    /// Chooses what to send on a page, if anything; `number` is this person's own.
    fn choose(&mut self, page: &str, link: &str, number: &str) -> Option<(String, Vec<(String, String)>)> {
        let forms = forms_of(page);
        let find = |end: &str| forms.iter().find(|form| form.action.split('?').next().is_some_and(|path| path.ends_with(end)));
        let visit = self.links.get_mut(link)?;
        let form = match self.kind {
            // Some only after the first look at the questions.
            Kind::RefusesOnPage if self.level < 0.7 || find("/begin").is_none() => find("/refuse")?,
            Kind::PutsOff if visit.messages == 1 => return wish(find("/later")?, visit, "tomorrow"),
            Kind::WantsCall => return wish(find("/call-me")?, visit, "evening"),
            Kind::IsNoUser if find("/begin").is_none() => find("/not-a-user")?,
            Kind::StopsHalfWay if visit.pages_done >= 1 => return None,
            _ => find("/begin").or_else(|| find("/answers"))?,
        };
        if form.action.contains("/answers") {
            visit.pages_done += 1;
        }
        let mut fields = form.fixed.clone();
        for (name, values) in &form.choices {
            if self.hurries {
                let middle = values.iter().filter(|v| v.parse::<i64>().is_ok()).nth(6).or(values.first());
                fields.extend(middle.map(|value| (name.clone(), value.clone())));
                continue;
            }
            let numbers: Vec<&String> = values.iter().filter(|v| v.parse::<i64>().is_ok()).collect();
            let chosen = if numbers.is_empty() {
                self.rng.choice(values)
            } else if numbers.len() < values.len() && self.rng.f64() < 0.04 {
                values.iter().find(|v| v.parse::<i64>().is_err())
            } else {
                let place = (self.level + 0.3 * (self.rng.f64() - 0.5)).clamp(0.0, 0.999);
                numbers.get((place * numbers.len() as f64) as usize).copied()
            };
            fields.extend(chosen.map(|value| (name.clone(), value.clone())));
        }
        for name in form.texts.iter().filter(|_| !self.hurries) {
            let words = ["服务很好，继续保持。", "希望售后回电快一些。", "Fine, thank you.", "有问题请联系我"];
            let text = match self.rng.usize(..12) {
                n @ 0..=2 => words[n].to_owned(),
                // Some people leave their number where none was asked for.
                3 => format!("{} {}", words[3], number.trim_start_matches("+86")),
                _ => String::new(),
            };
            fields.push((name.clone(), text));
        }
        Some((form.action.clone(), fields))
    }
}

/// Presses one of a form's buttons, once.
fn wish(form: &Form, visit: &mut Visit, when: &str) -> Option<(String, Vec<(String, String)>)> {
    let is_first = !std::mem::replace(&mut visit.wished, true);
    is_first.then(|| (form.action.clone(), vec![("when".to_owned(), when.to_owned())]))
}

impl Shared {
    /// Looks at the page where the browser stands, and sends something of it when it has been read.
    pub(super) async fn visit(&self, number: String, link: String) {
        let (address, agent) = {
            let state = self.lock();
            let Some(person) = state.people.get(&number) else { return };
            let Some(visit) = person.links.get(&link) else { return };
            let first = if person.reads_english { format!("{link}?lang=en") } else { link.clone() };
            (visit.address.clone().unwrap_or(first), person.agent)
        };
        if !is_on_loopback(&link) {
            return;
        }
        self.lock().record.visits += 1;
        let Ok(page) = self.client.get(&address).header("user-agent", agent).send().await else { return };
        let Ok(page) = page.text().await else { return };
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(person) = state.people.get_mut(&number) else { return };
        let Some(form) = person.choose(&page, &link, &number) else { return };
        let reading = if person.hurries { 1 + person.rng.u64(..3) } else { 8 + person.rng.u64(..40) };
        state.plan(now + Duration::from_secs(reading), Event::Send { number, link, form });
    }

    /// Sends a form, and looks where it leads.
    pub(super) async fn send(&self, number: String, link: String, (action, fields): (String, Vec<(String, String)>)) {
        let origin = link.split("/i/").next().unwrap_or_default().to_owned();
        let Some(agent) = self.lock().people.get(&number).map(|person| person.agent) else { return };
        let body: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.client.post(format!("{origin}{action}")).header("content-type", "application/x-www-form-urlencoded");
        let Ok(answer) = request.header("user-agent", agent).body(body).send().await else { return };
        let next = answer.headers().get("location").and_then(|v| v.to_str().ok()).map(|path| format!("{origin}{path}"));
        let Some(next) = next else { return };
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(visit) = state.people.get_mut(&number).and_then(|person| person.links.get_mut(&link)) {
            visit.address = Some(next);
        }
        state.plan(now + Duration::from_secs(1), Event::Visit { number, link });
    }
}

fn is_on_loopback(link: &str) -> bool {
    ["http://127.0.0.1", "http://[::1]", "http://localhost"].iter().any(|loopback| link.starts_with(loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_like_a_browser_reads_it() {
        let page = r#"<form method="post" action="/i/x/answers?lang=zh"><input type="hidden" name="page" value="0">
            <input type="radio" name="q1" value="1"><input type="radio" name="q1" value="2"><textarea name="open"></textarea>
            <input type="submit" value="ok"></form>"#;
        let forms = forms_of(page);
        assert_eq!(forms.len(), 1);
        assert_eq!(forms[0].fixed, [("page".to_owned(), "0".to_owned())]);
        assert_eq!(forms[0].choices, [("q1".to_owned(), vec!["1".to_owned(), "2".to_owned()])]);
        assert_eq!(forms[0].texts, ["open"]);
    }
}
