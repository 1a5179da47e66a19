//! The numbers of messages that are no steps of the plan: somebody asked for them, or said
//! something that they answer. Each goes out once, like every step.

/// The step under which the confirmation of an opt-out goes out: once for an invitation, like every
/// step.
pub const CONFIRMATION_STEP: u32 = u32::MAX;

/// From here on steps are no steps of the plan, but messages that somebody asked for: each goes out
/// once, like every step.
pub const FIRST_EXTRA_STEP: u32 = 1 << 31;

/// The `nth` (from 0) message with the link that an interviewer sends, before the plan goes on with
/// step `goes_on`.
pub fn link_step(nth: u32, goes_on: u32) -> u32 {
    FIRST_EXTRA_STEP | (nth.min(0xffff) << 8) | goes_on.min(0xff)
}

/// Marks the messages of an interview by SMS.
const INTERVIEW: u32 = 1 << 30;
/// Messages with the link that are asked for by SMS are numbered from here, those that are asked
/// for on the telephone from 0.
pub const LINKS_BY_SMS: u32 = 0x8000;

/// The `nth` (from 0) question of an interview by SMS, before the plan goes on with step `goes_on`.
pub fn interview_step(nth: u32, goes_on: u32) -> u32 {
    FIRST_EXTRA_STEP | INTERVIEW | (nth.min(0xfff) << 9) | goes_on.min(0xff)
}

/// Of an interview's messages every second one asks the question before it once more.
pub fn is_reminder(step: u32) -> bool {
    is_interview_step(step) && !is_acknowledgement(step) && (step >> 8) & 1 == 1
}

/// The message that asks once more what `step` asks.
pub fn reminder_of(step: u32) -> u32 {
    step | 1 << 8
}

/// The message that first asked what `step` asks.
pub fn question_of(step: u32) -> u32 {
    if is_reminder(step) { step & !(1 << 8) } else { step }
}

/// Marks the last words of an interview.
const GOODBYE: u32 = 1 << 29;

/// The last words of an interview by SMS, as its `nth` message.
pub fn goodbye_step(nth: u32, goes_on: u32) -> u32 {
    interview_step(nth, goes_on) | GOODBYE
}

/// Does a message only answer what the respondent said, so that it goes out though the cases are
/// closed?
pub fn is_acknowledgement(step: u32) -> bool {
    step == CONFIRMATION_STEP || (is_interview_step(step) && step & GOODBYE != 0)
}

/// Is this step a message of an interview by SMS?
pub fn is_interview_step(step: u32) -> bool {
    step >= FIRST_EXTRA_STEP && step != CONFIRMATION_STEP && step & INTERVIEW != 0
}

/// The step with which the plan goes on after a message that was asked for; `None` for any other
/// step.
pub fn goes_on_after(step: u32) -> Option<u32> {
    (step >= FIRST_EXTRA_STEP && step != CONFIRMATION_STEP).then_some(step & 0xff)
}
