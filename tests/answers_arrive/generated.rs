//! Random questionnaires, and what people type into them.

use std::fmt::Write;

/// Codes of options as people choose them, some of which programs take for something else.
const CODES: [&str; 13] =
    ["NA", "na", "dk", "refused", "0", "1", "007", "true", "null", "a-b", "Other_1", "N", "99"];

/// Texts as people type them, with the cell that the dataset has of each (white space is one blank
/// in it, and an apostrophe stands before what a program would take for something else).
const TEXTS: [(&str, &str); 20] = [
    ("NA", "NA"),
    ("na", "na"),
    ("dk", "dk"),
    ("不适用", "不适用"),
    ("N/A", "N/A"),
    ("null", "null"),
    (".skipped", "'.skipped"),
    (".not_asked", "'.not_asked"),
    ("=1+1", "'=1+1"),
    ("-好", "'-好"),
    ("＋1 赞", "'＋1 赞"),
    ("@他", "'@他"),
    ("第一行\r\n第二行", "第一行 第二行"),
    ("制表\t符", "制表 符"),
    ("他说“好”，\"很好\"；;,", "他说“好”，\"很好\"；;,"),
    ("😀👨‍👩‍👧 ok", "😀👨‍👩‍👧 ok"),
    ("  前后  ", "前后"),
    ("007", "007"),
    ("TRUE", "TRUE"),
    ("响\u{7}铃\u{202e}反", "响铃反"),
];

/// Texts that are answers by SMS as well.
const SMS_TEXTS: [(&str, &str); 5] = [
    ("很好用，推荐", "很好用，推荐"),
    ("=1+1", "'=1+1"),
    ("第一行\n第二行", "第一行 第二行"),
    ("颜色再多些；\"大\"一点", "颜色再多些；\"大\"一点"),
    ("😀 ok", "😀 ok"),
];

/// An answer as meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A point, a number, a day, a code or a text: one cell.
    One(String),
    Several(Vec<String>),
    /// Codes, the first one first.
    Ranked(Vec<String>),
    NotApplicable,
    DontKnow,
    Refused,
}

/// What somebody gives for an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    Answer(Value),
    /// Nothing.
    Empty,
    /// What cannot be read.
    Nonsense,
}

pub enum Kind {
    Scale(i64, i64),
    One(Vec<&'static str>),
    /// The codes, and how many may be chosen.
    Several(Vec<&'static str>, usize),
    Rank(Vec<&'static str>),
    /// Limits and decimals.
    Number(i64, i64, u32),
    Date,
    Open,
}

pub enum Test {
    AtLeast(i64),
    Is(&'static str),
}

pub struct Question {
    pub id: String,
    pub page: usize,
    pub kind: Kind,
    pub is_required: bool,
    pub is_core: bool,
    pub not_applicable: bool,
    pub dont_know: bool,
    pub refused: bool,
    /// The question of an earlier page that it depends on.
    pub condition: Option<(usize, Test)>,
}

pub struct Generated {
    pub questions: Vec<Question>,
    pub file: String,
}

/// A way to say the same by form and by SMS.
pub struct Typed {
    pub fields: Vec<(String, String)>,
    pub sms: String,
}

fn pick<T: Copy>(rng: &mut fastrand::Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

impl Generated {
    /// `code`: the questionnaire's.
    pub fn new(rng: &mut fastrand::Rng, code: &str) -> Generated {
        let mut questions: Vec<Question> = Vec::new();
        let pages = rng.usize(2..=4);
        for page in 0..pages {
            for _ in 0..rng.usize(1..=3) {
                let id = format!("q{}", questions.len() + 1);
                let is_first = questions.is_empty();
                let question = Question::new(rng, id, page, is_first, &questions);
                questions.push(question);
            }
        }
        let file = file_of(code, &questions, pages);
        Generated { questions, file }
    }
}

impl Question {
    fn new(
        rng: &mut fastrand::Rng,
        id: String,
        page: usize,
        is_first: bool,
        earlier: &[Question],
    ) -> Question {
        let not_applicable = !is_first && rng.u8(..3) == 0;
        let dont_know = !is_first && rng.u8(..3) == 0;
        let refused = !is_first && rng.u8(..3) == 0;
        let mut codes = |count: usize| {
            let mut codes: Vec<&'static str> = Vec::new();
            while codes.len() < count {
                let code = pick(rng, &CODES);
                let is_taken = codes.iter().any(|other| other.eq_ignore_ascii_case(code));
                let is_box = (not_applicable && code.eq_ignore_ascii_case("na"))
                    || (dont_know && code.eq_ignore_ascii_case("dk"))
                    || (refused && code.eq_ignore_ascii_case("refused"));
                if !is_taken && !is_box {
                    codes.push(code);
                }
            }
            codes
        };
        let (three, four) = (codes(3), codes(4));
        let kind = match if is_first { 0 } else { rng.u8(..8) } {
            0 | 1 => {
                let (from, to) = pick(rng, &[(1, 5), (1, 10), (0, 10), (-5, 5), (1, 100)]);
                Kind::Scale(from, to)
            }
            2 => Kind::One(four),
            3 => Kind::Several(four, rng.usize(1..=4)),
            4 => Kind::Rank(three),
            5 => {
                let (min, max) = pick(rng, &[(0, 999), (-500, 500), (0, 999_999), (0, 98)]);
                Kind::Number(min, max, rng.u32(0..=2))
            }
            6 => Kind::Date,
            _ => Kind::Open,
        };
        let deciding: Vec<usize> = (0..earlier.len())
            .filter(|at| earlier[*at].page < page)
            .filter(|at| matches!(earlier[*at].kind, Kind::Scale(..) | Kind::One(_)))
            .collect();
        let condition = (!deciding.is_empty() && rng.u8(..3) == 0).then(|| {
            let at = pick(rng, &deciding);
            let test = match &earlier[at].kind {
                Kind::One(codes) => Test::Is(pick(rng, codes)),
                Kind::Scale(from, to) => Test::AtLeast(rng.i64(from + 1..=*to)),
                _ => unreachable!("only these decide"),
            };
            (at, test)
        });
        let is_required = is_first || rng.u8(..3) > 0;
        let is_core = is_first || is_required && rng.bool();
        Question {
            id,
            page,
            kind,
            is_required,
            is_core,
            not_applicable,
            dont_know,
            refused,
            condition,
        }
    }

    pub fn variable(&self) -> String {
        self.id.to_uppercase()
    }

    /// The columns of the dataset.
    pub fn columns(&self) -> Vec<String> {
        match &self.kind {
            Kind::Several(codes, _) | Kind::Rank(codes) => {
                codes.iter().map(|code| format!("{}_{code}", self.variable())).collect()
            }
            _ => vec![self.variable()],
        }
    }

    /// The cells of an answer.
    pub fn cells(&self, value: &Value) -> Vec<String> {
        let columns = self.columns().len();
        match (value, &self.kind) {
            (Value::NotApplicable, _) => vec![".not_applicable".to_owned(); columns],
            (Value::DontKnow, _) => vec![".dont_know".to_owned(); columns],
            (Value::Refused, _) => vec![".refused".to_owned(); columns],
            (Value::One(cell), _) => vec![cell.clone()],
            (Value::Several(taken), Kind::Several(codes, _)) => codes
                .iter()
                .map(|code| if taken.iter().any(|t| t == code) { "1" } else { "0" }.to_owned())
                .collect(),
            (Value::Ranked(order), Kind::Rank(codes)) => codes
                .iter()
                .map(|code| {
                    let place = order.iter().position(|ranked| ranked == code).expect("a rank");
                    (place + 1).to_string()
                })
                .collect(),
            _ => unreachable!("a value of its question"),
        }
    }

    /// Makes up an answer, and how it is typed.
    pub fn answer(&self, rng: &mut fastrand::Rng, by_sms: bool) -> (Given, Typed) {
        if !self.is_required && rng.u8(..4) == 0 {
            return (Given::Empty, self.typed("", "跳过"));
        }
        let boxes =
            if self.is_open() { (".na", ".dk", ".refused") } else { ("na", "dk", "refused") };
        if self.not_applicable && rng.u8(..5) == 0 {
            return (Given::Answer(Value::NotApplicable), self.typed(boxes.0, "不适用"));
        }
        if self.dont_know && rng.u8(..5) == 0 {
            return (Given::Answer(Value::DontKnow), self.typed(boxes.1, "不知道"));
        }
        if self.refused && rng.u8(..5) == 0 {
            return (Given::Answer(Value::Refused), self.typed(boxes.2, "不想说"));
        }
        let one = |cell: &str, typed: Typed| (Given::Answer(Value::One(cell.to_owned())), typed);
        match &self.kind {
            Kind::Scale(from, to) => {
                let point = rng.i64(*from..=*to).to_string();
                let sms = if rng.bool() { format!("{point}分") } else { point.clone() };
                one(&point, self.typed(&point, &sms))
            }
            Kind::One(codes) => {
                let at = rng.usize(..codes.len());
                one(codes[at], self.typed(codes[at], &(at + 1).to_string()))
            }
            Kind::Several(codes, max) => {
                let mut places: Vec<usize> = (0..codes.len()).collect();
                rng.shuffle(&mut places);
                places.truncate(rng.usize(1..=*max));
                let taken: Vec<String> = places.iter().map(|at| codes[*at].to_owned()).collect();
                let fields = taken.iter().map(|code| (self.id.clone(), code.clone())).collect();
                let sms: Vec<String> = places.iter().map(|at| (at + 1).to_string()).collect();
                (Given::Answer(Value::Several(taken)), Typed { fields, sms: sms.join("，") })
            }
            Kind::Rank(codes) => {
                let mut places: Vec<usize> = (0..codes.len()).collect();
                rng.shuffle(&mut places);
                let order: Vec<String> = places.iter().map(|at| codes[*at].to_owned()).collect();
                let field = |(code, place): (&String, usize)| {
                    (format!("{}.{code}", self.id), place.to_string())
                };
                let fields = order.iter().zip(1..).map(field).collect();
                let sms: Vec<String> = places.iter().map(|at| (at + 1).to_string()).collect();
                (Given::Answer(Value::Ranked(order)), Typed { fields, sms: sms.join(" ") })
            }
            Kind::Number(min, max, decimals) => {
                let scale = 10i64.pow(*decimals);
                let hundredths = rng.i64(min * scale..=max * scale);
                let number = hundredths as f64 / scale as f64;
                let plain = number.to_string();
                let typed = match rng.u8(..5) {
                    0 => plain.chars().map(full_width).collect(),
                    1 => format!("{plain}元"),
                    2 => format!("¥{plain}"),
                    3 => format!("{number:.places$}", places = *decimals as usize),
                    _ => plain.clone(),
                };
                one(&plain, self.typed(&typed, &typed))
            }
            Kind::Date => {
                let (year, month, day) = (rng.u32(2001..=2025), rng.u32(1..=12), rng.u32(1..=28));
                let typed = match rng.u8(..4) {
                    0 => format!("{year}.{month}.{day}"),
                    1 => format!("{year}/{month}/{day}"),
                    2 => format!("{year}年{month}月{day}日"),
                    _ => format!("{year}-{month:02}-{day:02}"),
                };
                one(&format!("{year}-{month:02}-{day:02}"), self.typed(&typed, &typed))
            }
            Kind::Open => {
                let (text, cell) = if by_sms { pick(rng, &SMS_TEXTS) } else { pick(rng, &TEXTS) };
                one(cell, self.typed(text, text))
            }
        }
    }

    /// What no item of the kind can be; `None`: anything can be typed.
    pub fn nonsense(&self) -> Option<Typed> {
        (!self.is_open()).then(|| match self.kind {
            Kind::Rank(_) => Typed {
                fields: vec![(format!("{}.{}", self.id, "zz"), "1".to_owned())],
                sms: "？？".to_owned(),
            },
            _ => self.typed("一点也看不懂", "一点也看不懂"),
        })
    }

    fn is_open(&self) -> bool {
        matches!(self.kind, Kind::Open)
    }

    fn typed(&self, web: &str, sms: &str) -> Typed {
        // A form sends every field that it shows, and an empty one for each rank.
        Typed { fields: vec![(self.id.clone(), web.to_owned())], sms: sms.to_owned() }
    }

    /// Whether an answer makes a condition hold.
    pub fn meets(&self, test: &Test, value: Option<&Value>) -> bool {
        match (test, value) {
            (Test::Is(code), Some(Value::One(given))) => code == given,
            (Test::AtLeast(least), Some(Value::One(given))) => {
                given.parse::<i64>().is_ok_and(|point| point >= *least)
            }
            _ => false,
        }
    }
}

fn full_width(c: char) -> char {
    match c {
        '0'..='9' | '.' | '-' => char::from_u32(c as u32 - 0x21 + 0xff01).expect("a character"),
        other => other,
    }
}

/// The questionnaire as a file.
fn file_of(code: &str, questions: &[Question], pages: usize) -> String {
    let mut file = format!("code = \"{code}\"\n");
    file.push_str(
        "version = 1\ntitle = { zh = \"样例\", en = \"Sample\" }\nintroduction \
         = { zh = \"关于{subject}\", en = \"About {subject}\" }\nscale = { from = 1, to = 5, low = { \
         zh = \"差\", en = \"poor\" }, high = { zh = \"好\", en = \"good\" } }\n",
    );
    for page in 0..pages {
        file += "[[page]]\ntitle = { zh = \"页\", en = \"Page\" }\nitem = [\n";
        for question in questions.iter().filter(|question| question.page == page) {
            file += &line_of(question, questions);
        }
        file += "]\n";
    }
    file
}

fn line_of(question: &Question, questions: &[Question]) -> String {
    let (kind, more) = match &question.kind {
        Kind::Scale(from, to) => (
            "scale",
            format!(
                "latent = \"satisfaction\", scale = {{ from = {from}, to = {to}, low = {{ zh = \
                 \"差\", en = \"poor\" }}, high = {{ zh = \"好\", en = \"good\" }} }}, "
            ),
        ),
        Kind::One(_) => ("single", String::new()),
        Kind::Several(_, max) => ("multiple", format!("max = {max}, ")),
        Kind::Rank(_) => ("rank", String::new()),
        Kind::Number(min, max, decimals) => (
            "number",
            format!(
                "min = {min}, max = {max}, decimals = {decimals}, unit = {{ zh = \"元\", en = \
                 \"yuan\" }}, "
            ),
        ),
        Kind::Date => ("date", "first = \"2000-01-01\", ".to_owned()),
        Kind::Open => ("text", "max_chars = 300, ".to_owned()),
    };
    let mut line = format!(
        "  {{ id = \"{id}\", variable = \"{}\", type = \"{kind}\", {more}required = {}, core = {}, ",
        question.variable(),
        question.is_required,
        question.is_core,
        id = question.id,
    );
    let condition = question.condition.as_ref().map(|(at, test)| match test {
        Test::AtLeast(least) => format!("{} >= {least}", questions[*at].id),
        Test::Is(code) => format!("{} == '{code}'", questions[*at].id),
    });
    // What is written to a string cannot fail.
    if let Some(condition) = condition {
        let _ = write!(line, "show_if = \"{condition}\", ");
    }
    for (key, is_offered) in [
        ("not_applicable", question.not_applicable),
        ("dont_know", question.dont_know),
        ("refused", question.refused),
    ] {
        if is_offered {
            let _ = write!(line, "{key} = true, ");
        }
    }
    if let Kind::One(codes) | Kind::Several(codes, _) | Kind::Rank(codes) = &question.kind {
        let options: Vec<String> = codes
            .iter()
            .zip(["甲", "乙", "丙", "丁"])
            .map(|(code, label)| {
                format!("{{ code = \"{code}\", text = {{ zh = \"{label}\", en = \"{label}\" }} }}")
            })
            .collect();
        let _ = write!(line, "options = [{}], ", options.join(", "));
    }
    let _ = writeln!(line, "text = {{ zh = \"问{id}\", en = \"Ask {id}\" }} }},", id = question.id);
    line
}
