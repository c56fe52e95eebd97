//! `tarifa run`: the service, wired together.
//!
//! Knows nothing of how it works. Invariant: told to stop, the process has ended ten seconds later.

mod logging;
pub(crate) mod stopping;

use std::{path::PathBuf, sync::Arc, time::Duration};

use kafka::{Cluster, Member, MemberSettings};
use pipeline::service::{
    self, Metrics, ServiceError, ServiceOptions, Topics,
    ports::{Broker, EventLog, PortError},
};

use server::Server;

use self::{logging::LogFormat, stopping::Stopping};
use crate::{
    commands::{
        broker::KafkaArgs,
        directory::{AdoptArgs, DataArgs, failure as pipeline_failure},
    },
    config::{CHECKPOINT_RECORDS, Config, INTERVAL_MS, SESSION_TIMEOUT_MS},
    failure::Failure,
    output::Out,
};

const APP_DEFAULT: &str = "tarifa";
/// Folded again within four seconds on two cores, so that a restart takes no longer than five.
const CHECKPOINT_RECORDS_DEFAULT: u64 = 3_000_000;

/// Run the service: read events from Kafka, bill them, and publish what was booked, each entry exactly once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: tarifa run --config tarifa.toml
  tarifa run --brokers localhost:9092 --data ./service

Several instances share the partitions; each has a data directory of its own, and all have the same secret (--secret).
It ends within ten seconds of SIGTERM or Ctrl-C, and carries on where it was when it is started again.")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    adopt: AdoptArgs,
    /// File with the installation's secret, the same for all instances; made if it is not there
    /// [default: the file `secret` in the data directory]
    #[arg(long, env = "TARIFA_SECRET", hide_env_values = true, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Name of the installation, the same for all instances and for good: consumer group and transactional ids
    /// [default: tarifa]
    #[arg(long, env = "TARIFA_APP", hide_env_values = true, value_name = "NAME")]
    app: Option<String>,
    /// Name of this instance, the same after a restart, so that a short one moves no partitions
    /// [default: one that its data directory keeps]
    #[arg(long, env = "TARIFA_INSTANCE", hide_env_values = true, value_name = "NAME")]
    instance: Option<String>,
    /// Address on which /healthz, /readyz and /metrics are answered, such as 0.0.0.0:9464
    #[arg(long, env = "TARIFA_LISTEN", hide_env_values = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// How often what was booked is published, in ms [default: 200]
    #[arg(
        long,
        env = "TARIFA_PUBLISH_INTERVAL_MS",
        hide_env_values = true,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(INTERVAL_MS)
    )]
    publish_interval_ms: Option<u64>,
    /// How often each partition gets a tick, in ms [default: 60000]
    #[arg(
        long,
        env = "TARIFA_TICK_INTERVAL_MS",
        hide_env_values = true,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(INTERVAL_MS)
    )]
    tick_interval_ms: Option<u64>,
    /// Without a sign of life for so long, an instance's partitions go to the others, in ms [default: 10000]
    #[arg(
        long,
        env = "TARIFA_SESSION_TIMEOUT_MS",
        hide_env_values = true,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(SESSION_TIMEOUT_MS)
    )]
    session_timeout_ms: Option<u64>,
    /// Records that a restart may have to fold again, of all partitions together: with so many, the state of one is
    /// written [default: 3000000]
    #[arg(
        long,
        env = "TARIFA_CHECKPOINT_RECORDS",
        hide_env_values = true,
        value_name = "COUNT",
        value_parser = clap::value_parser!(u64).range(CHECKPOINT_RECORDS)
    )]
    checkpoint_records: Option<u64>,
    /// Folder that all instances share, for snapshots: an empty machine that takes a partition over folds a short tail
    #[arg(long, env = "TARIFA_SNAPSHOTS", hide_env_values = true, value_name = "DIR")]
    snapshots: Option<PathBuf>,
    /// How often a snapshot of a partition is written, in ms [default: 300000]
    #[arg(
        long,
        env = "TARIFA_SNAPSHOT_INTERVAL_MS",
        hide_env_values = true,
        value_name = "MS",
        value_parser = clap::value_parser!(u64).range(INTERVAL_MS)
    )]
    snapshot_interval_ms: Option<u64>,
    /// Write a ledger topic that has lost its end again from this directory, with the same numbers; without it the service
    /// refuses to go on
    #[arg(long)]
    republish_ledger: bool,
    /// Form of the log on standard error
    #[arg(long, env = "TARIFA_LOG_FORMAT", hide_env_values = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// The least that is logged: error, warn, info, debug or trace
    #[arg(long, env = "TARIFA_LOG", hide_env_values = true, value_name = "LEVEL", default_value = "info")]
    log_level: tracing_subscriber::filter::LevelFilter,
}

/// Runs until it is told to stop.
pub(crate) fn run(args: &RunArgs, config: &Config, _out: &mut Out) -> Result<(), Failure> {
    logging::start(args.log_format, args.log_level);
    let client = args.kafka.client(config)?;
    let names = args.kafka.topics(config);
    let settings = &config.service;
    let ms = |option: Option<u64>, file: Option<u64>, default| {
        Duration::from_millis(option.or(file).unwrap_or(default))
    };
    let app = args.app.clone().or_else(|| settings.app.clone()).unwrap_or_else(|| APP_DEFAULT.to_owned());
    let options = ServiceOptions {
        app: app.clone(),
        data: args.data.path(config)?,
        secret: args.secret.clone().or_else(|| settings.secret.clone()),
        topics: Topics {
            ledger: names.ledger.clone(),
            charges: names.charges.clone(),
            dead_letter: names.deadletter.clone(),
        },
        commit_interval: ms(None, settings.commit_interval_ms, 50),
        publish_interval: ms(args.publish_interval_ms, settings.publish_interval_ms, 200),
        tick_interval: ms(args.tick_interval_ms, settings.tick_interval_ms, 60_000),
        checkpoint_records: args
            .checkpoint_records
            .or(settings.checkpoint_records)
            .unwrap_or(CHECKPOINT_RECORDS_DEFAULT),
        snapshots: args.snapshots.clone().or_else(|| settings.snapshots.clone()),
        snapshot_interval: ms(args.snapshot_interval_ms, settings.snapshot_interval_ms, 300_000),
        configuration: args.adopt.configuration(config)?,
        configuration_is_explicit: args.adopt.is_explicit(config),
        republish_ledger: args.republish_ledger,
    };
    let instance = args.instance.clone().or_else(|| settings.instance.clone());
    let member = MemberSettings {
        group: app.clone(),
        instance,
        session_timeout: ms(args.session_timeout_ms, settings.session_timeout_ms, 10_000),
        topic: names.input.clone(),
    };
    let stopping = Stopping::on_signals()?;
    let metrics = Arc::new(Metrics::default());
    let listen = args.listen.as_ref().or(settings.listen.as_ref());
    let server = listen.map(|address| serve(address, &metrics)).transpose()?;
    let broker: Arc<dyn Broker> = Arc::new(Cluster::new(client.clone(), names, app));
    let join = |ownership, own_name: &str| {
        let member =
            MemberSettings { instance: member.instance.or_else(|| Some(own_name.to_owned())), ..member };
        let joined = Member::join(&client, &member, ownership)?;
        Ok::<Box<dyn EventLog>, PortError>(Box::new(joined))
    };
    service::run(&options, &broker, join, &metrics, stopping.flag()).map_err(failure)?;
    drop(server);
    tracing::info!("stopped");
    Ok(())
}

/// Answers on an address until what it gives is dropped.
fn serve(address: &str, metrics: &Arc<Metrics>) -> Result<Server, Failure> {
    let parsed = address.parse().map_err(|error: std::net::AddrParseError| {
        Failure::usage(format!("`{address}` is no address to listen on"))
            .caused_by(error)
            .hint("give a number and a port, such as 127.0.0.1:9464")
    })?;
    let numbers = Arc::clone(metrics);
    let server = Server::start(parsed, Arc::new(move || numbers.snapshot()));
    server.map_err(|error| Failure::unavailable("health and metrics cannot be shown").caused_by(error))
}

/// The exit code of what went wrong in the service.
pub(crate) fn failure(error: ServiceError) -> Failure {
    let message = error.to_string();
    match error {
        ServiceError::Pipeline(error) => pipeline_failure(error),
        ServiceError::Port(PortError::Settings(_))
        | ServiceError::Pinned { .. }
        | ServiceError::EmbeddedDirectory { .. }
        | ServiceError::OtherConfiguration { .. } => Failure::usage(message),
        ServiceError::OtherLedger { .. }
        | ServiceError::LedgerLost { .. }
        | ServiceError::LedgerCut { .. }
        | ServiceError::ForeignLedger { .. }
        | ServiceError::RestoreUnfinished { .. }
        | ServiceError::InputCut { .. }
        | ServiceError::OtherInput { .. } => Failure::bad_data(message),
        ServiceError::Port(_) | ServiceError::ThreadEnded(_) => Failure::unavailable(message),
    }
}
