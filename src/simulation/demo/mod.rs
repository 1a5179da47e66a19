//! `demo`: a whole programme on loopback, in virtual time, from the lists in `config/demo/`.
//!
//! The daemon's own web server and the gateway simulator run on loopback ports; the lists are imported, the campaigns launched, and three months
//! are played as fast as the machine goes. What the table says of the invariants is counted from what the simulator saw and from the cases
//! themselves, not from what the daemon says about itself.

mod after_the_field;
mod console;
mod interview;
mod interviewers;
mod invariant_report;
mod webhook_receiver;
mod simulate;
mod fixture;

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use fixture::World;
pub use invariant_report::{ApplicationReport, Report};

/// Hears how the demo goes on.
pub trait Narrator {
    fn line(&mut self, line: &str);
    /// Virtual days gone by, and all of them; both 0 when they are over.
    fn days(&mut self, gone: u64, of: u64);
}

/// A demo that has been played, with its servers still up.
pub struct Demo {
    world: World,
    pub report: Report,
}

/// Plays the whole programme in a folder.
pub async fn play(folder: &Path, seed: u64, narrator: &mut dyn Narrator) -> Result<Demo> {
    let began = Instant::now();
    let world = World::make(folder, seed).await?;
    narrator.line(&format!("fieldworkd demo, seed {seed}: everything on loopback, in {}", folder.display()));
    let listener = webhook_receiver::listen(&world).await?;
    narrator.line("\nLists come in:");
    for line in world.import_lists().await? {
        narrator.line(&format!("  {line}"));
    }
    narrator.line("\nCampaigns are launched:");
    for line in world.launch_campaigns().await? {
        narrator.line(&format!("  {line}"));
    }
    narrator.line("\nThree months pass:");
    let played = simulate::play(&world, seed, &mut |day, of| narrator.days(day, of)).await?;
    narrator.days(0, 0);
    after_the_field::one_withdraws(&world).await?;
    let scored = after_the_field::scoring_takes_them(&world).await?;
    let at_the_console = console::look_around(&world).await?;
    let heard = listener.heard(&world).await?;
    let forgotten = after_the_field::a_year_later(&world).await?;
    let report = invariant_report::judge(&world, seed, &played, (&scored, &forgotten, &at_the_console, &heard), began).await?;
    Ok(Demo { world, report })
}

impl Demo {
    /// One completed interview in words.
    pub async fn one_interview(&self) -> Result<Option<String>> {
        interview::tell_one(&self.world).await
    }

    /// Where to look while the servers are up: personal links whose field is open, and the console.
    pub async fn links(&self) -> Result<Vec<String>> {
        let mut lines = interview::open_links(&self.world).await?;
        let (address, password) = console::administrator(&self.world).await?;
        lines.push(format!("  the console: {address}, as demo, with the password {}", password.reveal()));
        Ok(lines)
    }
}
