//! What the simulator is told to do. Shares are between 0 and 1.

/// The carrier's behaviour, and the people's.
#[derive(Debug, Clone)]
pub struct Script {
    pub seed: u64,
    /// More submits than this in a sliding second are answered with 429.
    pub rate_per_second: u32,
    /// The password that submits must bring (`authorization: Bearer …`); empty: any.
    pub secret: String,
    /// How long an answer takes, in milliseconds of the machine's own time.
    pub latency_millis: u64,
    /// Submits answered with 429 out of the blue.
    pub throttled: f64,
    /// Submits answered with a failure that says «not taken».
    pub unavailable: f64,
    /// Submits taken whose answer is lost.
    pub answer_lost: f64,
    /// Submits not taken whose answer is lost too.
    pub request_lost: f64,
    /// Numbers that do not exist any more.
    pub dead_numbers: f64,
    /// Submits to a number that its frequency limit defers.
    pub number_frequency: f64,
    /// Messages never delivered.
    pub undelivered: f64,
    /// Messages without any receipt.
    pub no_receipt: f64,
    /// Receipts pushed twice.
    pub doubled_receipts: f64,
    /// Receipts pushed before the submit is answered.
    pub early_receipts: f64,
    /// Replies that are pushed twice, that come hours late, and that are followed by another word and come after it.
    pub doubled_replies: f64,
    pub delayed_replies: f64,
    pub reordered_replies: f64,
    pub people: PeopleScript,
}

/// How people behave; each person is drawn once, from the seed and the number.
#[derive(Debug, Clone)]
pub struct PeopleScript {
    /// Who answers to the first, second and third message; the rest up to the other kinds never does.
    pub completes: [f64; 3],
    pub stops_half_way: f64,
    pub replies_opt_out: f64,
    pub refuses_on_page: f64,
    pub is_no_user: f64,
    pub replies_something: f64,
    /// Asks on the page to be reminded tomorrow, and answers then.
    pub puts_off: f64,
    /// Asks on the page to be called.
    pub wants_call: f64,
    /// Of those who answer, who hurries through with the same point everywhere.
    pub hurries: f64,
    /// Agrees to be asked by SMS where that is offered, and answers.
    pub answers_by_sms: f64,
    /// Of the questions by SMS, those that are answered with something else first.
    pub puzzled: f64,
}

impl Script {
    /// A carrier without faults and people who never answer: the base that tests build on.
    pub fn faultless(seed: u64, rate_per_second: u32) -> Script {
        Script {
            seed,
            rate_per_second,
            secret: String::new(),
            latency_millis: 0,
            throttled: 0.0,
            unavailable: 0.0,
            answer_lost: 0.0,
            request_lost: 0.0,
            dead_numbers: 0.0,
            number_frequency: 0.0,
            undelivered: 0.0,
            no_receipt: 0.0,
            doubled_receipts: 0.0,
            early_receipts: 0.0,
            doubled_replies: 0.0,
            delayed_replies: 0.0,
            reordered_replies: 0.0,
            people: PeopleScript::silent(),
        }
    }

    /// A carrier and people as one meets them.
    pub fn lifelike(seed: u64, rate_per_second: u32) -> Script {
        Script {
            throttled: 0.004,
            unavailable: 0.01,
            answer_lost: 0.008,
            request_lost: 0.004,
            dead_numbers: 0.03,
            number_frequency: 0.005,
            undelivered: 0.02,
            no_receipt: 0.03,
            doubled_receipts: 0.05,
            early_receipts: 0.03,
            doubled_replies: 0.05,
            delayed_replies: 0.03,
            reordered_replies: 0.03,
            people: PeopleScript {
                completes: [0.38, 0.18, 0.1],
                stops_half_way: 0.07,
                replies_opt_out: 0.03,
                refuses_on_page: 0.02,
                is_no_user: 0.02,
                replies_something: 0.02,
                puts_off: 0.03,
                wants_call: 0.01,
                hurries: 0.06,
                answers_by_sms: 0.05,
                puzzled: 0.1,
            },
            ..Script::faultless(seed, rate_per_second)
        }
    }
}

impl PeopleScript {
    pub fn silent() -> PeopleScript {
        PeopleScript {
            completes: [0.0; 3],
            stops_half_way: 0.0,
            replies_opt_out: 0.0,
            refuses_on_page: 0.0,
            is_no_user: 0.0,
            replies_something: 0.0,
            puts_off: 0.0,
            wants_call: 0.0,
            hurries: 0.0,
            answers_by_sms: 0.0,
            puzzled: 0.0,
        }
    }
}
