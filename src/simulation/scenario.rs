//! Scenarios of the simulator. Shares are between 0 and 1.

/// The behaviour of the carrier and of the people.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub seed: u64,
    /// Submits above this rate in a sliding second are answered with 429.
    pub rate_per_second: u32,
    /// Required password of submits (`authorization: Bearer …`); empty: any.
    pub secret: String,
    /// Response time in milliseconds of real time.
    pub latency_millis: u64,
    /// Submits answered with 429 without a reason.
    pub throttled: f64,
    /// Submits answered with a failure that says «not taken».
    pub unavailable: f64,
    /// Accepted submits whose response is lost.
    pub response_lost: f64,
    /// Submits that are not accepted and whose response is also lost.
    pub request_lost: f64,
    /// Numbers that no longer exist.
    pub invalid_numbers: f64,
    /// Submits deferred by the number's frequency limit.
    pub number_frequency: f64,
    /// Messages that are never delivered.
    pub undelivered: f64,
    /// Messages without any receipt.
    pub no_receipt: f64,
    /// Receipts pushed twice.
    pub duplicate_receipts: f64,
    /// Receipts pushed before the response to the submit.
    pub early_receipts: f64,
    /// Replies that are pushed twice, that arrive hours late, and that arrive after the reply which
    /// follows them.
    pub duplicate_replies: f64,
    pub delayed_replies: f64,
    pub reordered_replies: f64,
    pub people: PeopleScenario,
}

/// The behaviour of people; each person is drawn once, from the seed and the number.
#[derive(Debug, Clone)]
pub struct PeopleScenario {
    /// Shares that answer after the first, second and third message. The people in none of the
    /// kinds never answer.
    pub completes: [f64; 3],
    pub breaks_off: f64,
    pub replies_opt_out: f64,
    pub refuses_on_page: f64,
    pub not_a_user: f64,
    pub replies_other: f64,
    /// Requests a reminder for the next day on the page, and answers then.
    pub postpones: f64,
    /// Requests a call on the page.
    pub requests_call: f64,
    /// Share of those who answer that rushes through with the same point everywhere.
    pub speeds: f64,
    /// Agrees to an SMS interview where it is offered, and answers.
    pub answers_by_sms: f64,
    /// Share of SMS questions that are first answered with something else.
    pub misunderstands: f64,
    /// Whether everybody has an address of their own (198.18.0.0/15), told as by a reverse proxy.
    pub has_addresses: bool,
    /// An applicant whose staff answer for people who would not.
    pub dishonest: Option<DishonestApplicant>,
}

/// Staff of an applicant who answer, from one computer in their office, for users on their list:
/// unhurried, and nearly always with the best points.
#[derive(Debug, Clone)]
pub struct DishonestApplicant {
    /// What stands in the messages of its campaign only, such as its name.
    pub name: String,
    /// The share of the people who would stay silent for whom they answer.
    pub share: f64,
}

impl Scenario {
    /// A carrier without faults and people who never answer: the base of test scenarios.
    pub fn faultless(seed: u64, rate_per_second: u32) -> Scenario {
        Scenario {
            seed,
            rate_per_second,
            secret: String::new(),
            latency_millis: 0,
            throttled: 0.0,
            unavailable: 0.0,
            response_lost: 0.0,
            request_lost: 0.0,
            invalid_numbers: 0.0,
            number_frequency: 0.0,
            undelivered: 0.0,
            no_receipt: 0.0,
            duplicate_receipts: 0.0,
            early_receipts: 0.0,
            duplicate_replies: 0.0,
            delayed_replies: 0.0,
            reordered_replies: 0.0,
            people: PeopleScenario::silent(),
        }
    }

    /// A realistic carrier and realistic people.
    pub fn realistic(seed: u64, rate_per_second: u32) -> Scenario {
        Scenario {
            throttled: 0.004,
            unavailable: 0.01,
            response_lost: 0.008,
            request_lost: 0.004,
            invalid_numbers: 0.03,
            number_frequency: 0.005,
            undelivered: 0.02,
            no_receipt: 0.03,
            duplicate_receipts: 0.05,
            early_receipts: 0.03,
            duplicate_replies: 0.05,
            delayed_replies: 0.03,
            reordered_replies: 0.03,
            people: PeopleScenario {
                completes: [0.38, 0.18, 0.1],
                breaks_off: 0.07,
                replies_opt_out: 0.03,
                refuses_on_page: 0.02,
                not_a_user: 0.02,
                replies_other: 0.02,
                postpones: 0.03,
                requests_call: 0.01,
                speeds: 0.06,
                answers_by_sms: 0.05,
                misunderstands: 0.1,
                ..PeopleScenario::silent()
            },
            ..Scenario::faultless(seed, rate_per_second)
        }
    }
}

impl PeopleScenario {
    pub fn silent() -> PeopleScenario {
        PeopleScenario {
            completes: [0.0; 3],
            breaks_off: 0.0,
            replies_opt_out: 0.0,
            refuses_on_page: 0.0,
            not_a_user: 0.0,
            replies_other: 0.0,
            postpones: 0.0,
            requests_call: 0.0,
            speeds: 0.0,
            answers_by_sms: 0.0,
            misunderstands: 0.0,
            has_addresses: false,
            dishonest: None,
        }
    }
}
