//! `cargo xtask kafka up|down`: a real Apache Kafka on this machine, without containers, for tests and trials.
//!
//! Knows nothing of what is sent through it. Invariant: a broker that was named as up has answered.

mod ask;
pub(crate) mod days;
mod jars;
mod node;
pub(crate) mod service;
pub(crate) mod trial;
mod verifier;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::{python, shell};

pub(crate) use self::{node::Node, verifier::Verifier};

/// Names a broker to use in place of one of our own.
pub(crate) const BROKERS_VARIABLE: &str = "TARIFA_TEST_BROKERS";

#[derive(Debug, Args)]
pub(crate) struct KafkaArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts a broker, or finds it running, and prints where it is once it answers.
    Up {
        /// The port of the broker; the one after it is for its controller. A free one by default.
        #[arg(long)]
        port: Option<u16>,
        /// The port that it tells its clients to come to, such as that of a proxy.
        #[arg(long, value_name = "PORT")]
        advertise: Option<u16>,
        /// Several brokers, each a cluster of its own, can stand side by side.
        #[arg(long, value_name = "NAME", default_value = "default")]
        node: String,
    },
    /// Stops it and removes its data.
    Down {
        #[arg(long, value_name = "NAME", default_value = "default")]
        node: String,
        /// Leave the data; the next `up` carries on with it.
        #[arg(long)]
        keep: bool,
        /// End it at once, as a power cut would.
        #[arg(long)]
        kill: bool,
    },
    /// Lets a broker fall silent without ending it, as if it could not be reached.
    Freeze {
        #[arg(long, value_name = "NAME", default_value = "default")]
        node: String,
    },
    /// Lets it go on.
    Thaw {
        #[arg(long, value_name = "NAME", default_value = "default")]
        node: String,
    },
    /// Goes the whole way once: service, traffic, book, invoice, verifier, compared with the ledger without Kafka.
    Trial,
    /// Checks what is on the billing topics with the verifier in Python, which shares no code with Tarifa.
    Verify {
        /// Of which broker; the one that is up by default.
        #[arg(long, value_name = "LIST", env = BROKERS_VARIABLE)]
        brokers: Option<String>,
        /// What stands before the names of the topics.
        #[arg(long, value_name = "TEXT", default_value = "")]
        topic_prefix: String,
        /// A lost ledger topic was written again: charges may be there twice, under the same numbers.
        #[arg(long)]
        republished: bool,
    },
}

/// Runs the command.
pub(crate) fn run(arguments: &KafkaArguments) -> Result<bool> {
    match &arguments.command {
        Command::Up { port, advertise, node } => {
            let address = Node::named(node)?.up(*port, *advertise)?;
            println!("{BROKERS_VARIABLE}={address}");
        }
        Command::Down { node, keep, kill } => {
            let node = Node::named(node)?;
            if *kill {
                node.kill()?;
            }
            if !node.down(*keep)? {
                eprintln!("no broker was there");
            }
        }
        Command::Freeze { node } => Node::named(node)?.freeze()?,
        Command::Thaw { node } => Node::named(node)?.thaw()?,
        Command::Trial => {
            if let Some(what) = python::missing() {
                anyhow::bail!("{what}");
            }
            return match Broker::find()? {
                Broker::Given(brokers) | Broker::Own(brokers) => trial::run(&brokers),
                Broker::Missing(what) => anyhow::bail!("{what}"),
            };
        }
        Command::Verify { brokers, topic_prefix, republished } => {
            let brokers = match brokers {
                Some(brokers) => brokers.clone(),
                None => Node::named("default")?.up(None, None)?.to_string(),
            };
            if let Some(what) = python::missing() {
                anyhow::bail!("{what}");
            }
            let mut verify = Verifier::prepare()?.command(&brokers, topic_prefix);
            if *republished {
                verify.arg("--republished");
            }
            return shell::passes(&mut verify);
        }
    }
    Ok(true)
}

/// A broker that the tests of this run can use.
#[derive(Debug)]
pub(crate) enum Broker {
    /// Named by whoever runs this.
    Given(String),
    /// Started here, or found running.
    Own(String),
    /// None, and why.
    Missing(&'static str),
}

impl Broker {
    /// The one named by the variable, or else our own, started if need be.
    pub(crate) fn find() -> Result<Self> {
        if let Some(named) = std::env::var(BROKERS_VARIABLE).ok().filter(|named| !named.is_empty()) {
            return Ok(Self::Given(named));
        }
        if let Some(what) = jars::missing() {
            return Ok(Self::Missing(what));
        }
        let address = Node::named("default")?.up(None, None).context("Kafka could not be started")?;
        Ok(Self::Own(address.to_string()))
    }
}
