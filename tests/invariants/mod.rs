//! The promises of the README, one module for each: the tests that fail when it is broken. The
//! header of each names a line of the program to break on purpose.

mod i1_never_twice;
mod i2_never_against_the_rules;
mod i3_never_too_fast;
mod i4_never_over_quota;
mod i5_never_lose_an_answer;
mod i6_never_late_unseen;
mod i7_never_leak;
mod i8_time_is_a_parameter;
mod i9_never_deaf;
