//! `simulator`: runs the gateway simulator alone, in real time, to try a daemon out.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;

use crate::adapters::clock::SystemClock;
use crate::simulation::{DishonestApplicant, Scenario, Simulator};

#[derive(Args)]
pub struct SimulatorArguments {
    /// Loopback address to listen on
    #[arg(long, default_value = "127.0.0.1:9700")]
    listen: SocketAddr,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Submits accepted per second; more are answered with 429
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Be a CMPP gateway (2.0 and 3.0) on this port of loopback as well
    #[arg(long, value_name = "PORT")]
    cmpp: Option<u16>,
    /// An applicant whose staff answer for silent people from one office computer: words that
    /// stand in the messages of its campaign only. Everybody then has an address in
    /// X-Forwarded-For, which the daemon reads with web.proxies = ["127.0.0.1"]
    #[arg(long, value_name = "NAME")]
    dishonest: Option<String>,
    /// Simulate no faults and no answers
    #[arg(long)]
    silent: bool,
}

pub async fn run(arguments: SimulatorArguments) -> Result<()> {
    let build = if arguments.silent { Scenario::faultless } else { Scenario::realistic };
    let mut scenario = build(arguments.seed, arguments.rate);
    if let Some(name) = arguments.dishonest {
        scenario.people.has_addresses = true;
        scenario.people.dishonest = Some(DishonestApplicant { name, share: 0.5 });
    }
    let simulator = Simulator::start(arguments.listen, scenario, Arc::new(SystemClock))
        .await
        .with_context(|| {
            format!(
                "the simulator cannot listen on {}; choose another address with --listen",
                arguments.listen
            )
        })?;
    print_line!(
        "the gateway simulator answers at http://{}; stop it with Ctrl-C",
        simulator.address()
    );
    if let Some(port) = arguments.cmpp {
        let address = simulator.listen_cmpp(port).await.with_context(|| {
            format!("the simulator cannot listen on port {port}; choose another one with --cmpp")
        })?;
        print_line!("and over CMPP 2.0 and 3.0 at {address}");
    }
    tokio::select! {
        () = simulator.run() => Ok(()),
        stopped = tokio::signal::ctrl_c() => Ok(stopped?),
    }
}
