//! What people mean by a reply: a corpus of replies (tests/fixtures/replies.tsv), written from public
//! reports and from how people write, each with the question that was open and its meaning.

use fieldworkd::domain::reply::{ReplyMeaning, ReplyWords};

/// A line of the corpus.
struct Example {
    meaning: &'static str,
    asked: &'static str,
    text: String,
}

fn corpus(text: &'static str) -> Vec<Example> {
    text.lines()
        .skip(1)
        .map(|line| {
            let mut columns = line.split('\t');
            let mut next = || columns.next().expect("a column");
            let (meaning, asked, text) = (next(), next(), next());
            Example { meaning, asked, text: text.replace("\\n", "\n") }
        })
        .collect()
}

/// What the program makes of it. An answer that is looked for is not judged here, only that it is
/// taken for nothing else.
fn judge(words: &ReplyWords, example: &Example) -> &'static str {
    // An offer of an interview is no question yet.
    let is_asked = !["-", "agree"].contains(&example.asked);
    match words.meaning(&example.text, is_asked) {
        ReplyMeaning::Other if words.is_upset(&example.text, is_asked) => "stop_maybe",
        meaning => meaning.as_str(),
    }
}

/// Opt-outs that are found, missed and only thought to be ones; the lines of the latter two are
/// printed.
#[test]
fn no_opt_out_of_the_corpus_is_missed() {
    let words = ReplyWords::shipped();
    let corpus = corpus(include_str!("fixtures/replies.tsv"));
    let (mut found, mut missed, mut wrongly) = (0, 0, 0);
    let mut other_meanings = 0;
    for example in &corpus {
        let said = judge(words, example);
        let is_opt_out = example.meaning == "opt_out";
        match (is_opt_out, said == "opt_out") {
            (true, true) => found += 1,
            (false, false) => {
                let is_told = ["resubscribe", "call_me", "wrong_number"].contains(&example.meaning);
                other_meanings += usize::from(is_told && said != example.meaning);
            }
            (is_missed, _) => {
                missed += usize::from(is_missed);
                wrongly += usize::from(!is_missed);
                println!("[{}] {} → {said}: {}", example.asked, example.meaning, example.text);
            }
        }
    }
    let share = |part: usize| f64::from(part as u32) / f64::from((found + part) as u32);
    let (recall, precision) = (1.0 - share(missed), 1.0 - share(wrongly));
    println!(
        "{} replies: opt-outs {}, recall {recall:.3}, precision {precision:.3}; other meanings \
         left to a person: {other_meanings}",
        corpus.len(),
        found + missed
    );
    assert!(corpus.len() >= 900 && found >= 400, "{} {found}", corpus.len());
    assert_eq!(missed, 0, "somebody's no is lost");
    assert!(precision >= 0.97, "{precision}");
    assert!(other_meanings <= 4, "{other_meanings}");
}

/// The examples that the issue names, and their neighbours.
#[test]
fn opt_outs_as_people_write_them() {
    let words = ReplyWords::shipped();
    for text in [
        "Stop. Thank you",
        "please stop sending text reminders",
        "REVOKE",
        "OPTOUT",
        "opt out",
        "END",
        "ARRET",
        "arrêt",
        "别发了",
        "不用再发了",
        "取消",
        "拒绝",
        "骚扰",
        "TD",
        "td.",
        "Ｔ",
        " T ",
        "t!",
        "N",
        "n。",
        "R",
        "【R】",
        "回复R",
        "我要ＴＤ！",
        "TD 谢谢",
        "退訂",
        "UNSUBSCRIBE",
        "Quit",
    ] {
        assert_eq!(words.meaning(text, false), ReplyMeaning::OptOut, "{text}");
    }
    for text in [
        "Count me in! We have got to STOP this",
        "T恤不错",
        "T恤质量不错，但是物流太慢了，希望改进",
        "8",
        "thanks",
        "Tom",
        "R u a bot",
        "你们是谁",
        "好的",
        "",
    ] {
        assert_eq!(words.meaning(text, false), ReplyMeaning::Other, "{text}");
    }
    for text in ["START", "UNSTOP", "恢复", "订阅", "取消退订"] {
        assert_eq!(words.meaning(text, false), ReplyMeaning::Resubscribe, "{text}");
    }
    assert_eq!(words.meaning("请打电话给我", false), ReplyMeaning::CallMe);
}
