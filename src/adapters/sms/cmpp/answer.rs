//! What the answer to a submit says about its messages.

use super::link::NoAnswer;
use super::pdu::{Answer, Pdu};
use crate::adapters::sms::SubmitOutcome;

/// Returns the id given to a submit, or the outcome of its failure. 7.4.3.2: a result other than 0
/// says that the message was not accepted.
///
/// 2.0 names the results up to 8 and leaves the others to the gateway; those from 9 to 13 are named
/// by 3.0. Gateways have more of their own, which pass or not: the message is tried again, and
/// given up in time.
pub fn classify(answer: &Result<Pdu, NoAnswer>) -> Result<String, SubmitOutcome> {
    let answer = match answer {
        Ok(Pdu::SubmitResp(answer)) => answer,
        Ok(_) => return Err(SubmitOutcome::InDoubt { code: "answer_unreadable".into() }),
        Err(NoAnswer::NotSent) => {
            return Err(SubmitOutcome::TemporaryFailure { code: "no_connection".into() });
        }
        // It may have been written before the connection was closed.
        Err(NoAnswer::Lost) => {
            return Err(SubmitOutcome::InDoubt { code: "connection_lost".into() });
        }
        Err(NoAnswer::TimedOut) => return Err(SubmitOutcome::InDoubt { code: "timeout".into() }),
    };
    let code = format!("result_{}", answer.result);
    Err(match answer.result {
        0 => return Ok(answer.msg_id.to_string()),
        // Structure, command: as wrong for every message. Fee code, service, Src_Id, Msg_src and
        // Fee_terminal_Id stand in the gateway's file.
        1 | 2 | 5 | 7 | 10 | 11 | 12 => SubmitOutcome::AccountFailure { code },
        // Its length.
        4 | 6 => SubmitOutcome::RefusedMessage { code },
        8 => SubmitOutcome::Throttled { code, retry_after: None },
        13 => SubmitOutcome::RefusedNumber { code },
        _ => SubmitOutcome::TemporaryFailure { code },
    })
}

/// The outcome of each of several messages in one submit, which has one answer: a number that is
/// refused is one of them, so each goes alone.
pub fn outcome_of_batch(outcome: SubmitOutcome) -> SubmitOutcome {
    match outcome {
        SubmitOutcome::RefusedNumber { .. } => SubmitOutcome::BatchRefused,
        other => other,
    }
}

/// For the gateway log.
pub fn describe_answer(answer: &Result<Pdu, NoAnswer>) -> String {
    match answer {
        Ok(Pdu::SubmitResp(Answer { msg_id, result })) => {
            format!("CMPP_SUBMIT_RESP result {result}, Msg_Id {msg_id}")
        }
        Ok(_) => "an answer to something else".into(),
        Err(NoAnswer::TimedOut) => "no answer in time".into(),
        Err(NoAnswer::NotSent | NoAnswer::Lost) => "the connection was lost".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{
        account, in_doubt, refused, refused_message, temporary, throttled,
    };
    use super::*;

    fn answer(result: u32) -> Result<Pdu, NoAnswer> {
        Ok(Pdu::SubmitResp(Answer { msg_id: u64::MAX, result }))
    }

    #[test]
    fn answers_to_a_submit() {
        for (answer, expected) in [
            (answer(0), Ok("18446744073709551615".to_owned())),
            (answer(1), Err(account("result_1"))),
            (answer(2), Err(account("result_2"))),
            (answer(3), Err(temporary("result_3"))),
            (answer(4), Err(refused_message("result_4"))),
            (answer(5), Err(account("result_5"))),
            (answer(6), Err(refused_message("result_6"))),
            (answer(7), Err(account("result_7"))),
            (answer(8), Err(throttled("result_8"))),
            (answer(9), Err(temporary("result_9"))),
            (answer(10), Err(account("result_10"))),
            (answer(11), Err(account("result_11"))),
            (answer(12), Err(account("result_12"))),
            (answer(13), Err(refused("result_13"))),
            (answer(14), Err(temporary("result_14"))),
            (answer(255), Err(temporary("result_255"))),
            (answer(70_000), Err(temporary("result_70000"))),
            (Ok(Pdu::ActiveTestResp), Err(in_doubt("answer_unreadable"))),
            (Err(NoAnswer::NotSent), Err(temporary("no_connection"))),
            (Err(NoAnswer::Lost), Err(in_doubt("connection_lost"))),
            (Err(NoAnswer::TimedOut), Err(in_doubt("timeout"))),
        ] {
            let log_text = describe_answer(&answer);
            assert_eq!(classify(&answer), expected, "{log_text}");
        }
    }

    #[test]
    fn a_refused_number_among_several_is_looked_for() {
        assert_eq!(outcome_of_batch(refused("result_13")), SubmitOutcome::BatchRefused);
        for other in [throttled("result_8"), account("result_10"), in_doubt("timeout")] {
            assert_eq!(outcome_of_batch(other.clone()), other);
        }
    }
}
