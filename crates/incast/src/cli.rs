//! The command line: what can be said, with help that teaches by example.

mod answer;
mod ask;
mod campaign;
mod events;
mod flood;
mod host;
mod lab;
mod ladder;
mod probe;
mod raw;
mod report;
mod serve;
mod sim;
mod stamp;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use answer::AnswerArgs;
pub(crate) use ask::AskArgs;
pub(crate) use campaign::{CampaignArgs, World};
pub(crate) use events::{
    ConvertArgs, DumpArgs, EventFilesArgs, EventsAction, EventsArgs, FilterArgs, Format, RunsArgs,
};
pub(crate) use flood::{FloodArgs, message_bytes};
pub(crate) use host::{CheckArgs, HostAction, HostArgs, TuneArgs};
pub(crate) use lab::{LabAction, LabArgs};
pub(crate) use ladder::LadderArgs;
pub(crate) use probe::ProbeArgs;
pub(crate) use report::ReportArgs;
pub(crate) use serve::ServeArgs;
pub(crate) use sim::SimArgs;
pub(crate) use stamp::{ReflectArgs, StampArgs};

/// Measure many-to-one networks of data acquisition, exactly.
#[derive(Parser, Debug)]
#[command(
    name = "incast",
    version,
    max_term_width = 100,
    after_help = "Examples:
  incast run scenarios/first-light.toml        several senders, one receiver, on this machine
  incast lab scenarios/lab-sheet/12-udp-sharing.toml   three computers and a switch, on this machine
  incast sim scenarios/lhcb-2003/level1.toml   the readout network of 2003, in virtual time
  incast serve --barrier 3                     on host X: wait for three senders, start them together
  incast flood X --load 1Gbit/s                on hosts Y, Z, ...: send, and be told what arrived
  incast ask X --response 2MB                  request and response: how long each answer takes
  incast probe X --message 64B..1472B --gap 10us..100us   delay, order and loss at many sizes and gaps
  incast serve --plain --transport udp         count what a program written from the lab sheet sends
  incast report runs/*                         what the records show, side by side, in one HTML file
  incast events check sink-0/*.mdf             verify what a sink has stored

Exit codes: 0 done and as expected; 1 measured, but something expected was missed; 2 could not run."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What incast can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Receive from any number of senders on one port
    Serve(ServeArgs),
    /// Send to a server and be told, exactly, what arrived
    Flood(FloodArgs),
    /// Ask one answerer or many, in rounds, and time their answers
    Ask(AskArgs),
    /// Answer any number of askers on one port
    Answer(AnswerArgs),
    /// Time paced messages to a server at many sizes and gaps: delay, order, loss, what a message costs
    Probe(ProbeArgs),
    /// Run a scenario file: every host a process on this machine, or an agent on another
    Run(RunArgs),
    /// Test what is between hosts as a switch: throughput, delay at it, loss beyond it (RFC 2544, RFC 2889)
    BenchSwitch(RunArgs),
    /// Build the network of a scenario on this machine (as root), run it there, and take it away
    Lab(LabArgs),
    /// Measure what each optimisation is worth: rungs in turn, round after round, in a lab (as root)
    Ladder(LadderArgs),
    /// Simulate a scenario: the same machines in virtual time, over modelled links, switches and hosts
    Sim(SimArgs),
    /// Play a scenario many times: how its loss is spread, how sure the mean is, where messages died
    Campaign(CampaignArgs),
    /// Ask a reflector: loss by direction, round trips and delays of a path, once or for ever (STAMP, RFC 8762)
    Stamp(StampArgs),
    /// Answer the tests of STAMP and TWAMP Light senders
    Reflect(ReflectArgs),
    /// Take part in other hosts' runs: wait for a coordinator and play the roles it gives
    Agent(AgentArgs),
    /// Check this host's settings against a rate, tune them, and put them back
    Host(HostArgs),
    /// Pause, resume or stop a readout that is going on, or ask how it is
    Control(ControlArgs),
    /// Make a report of records: one HTML file, and tables for analysis
    Report(ReportArgs),
    /// List, check, dump, filter and convert event files: those of sinks, and LHCb's
    Events(EventsArgs),
    /// List the runs of a catalogue, with their verdicts and files
    Runs(RunsArgs),
    /// Print a new random key for --key-file
    #[command(after_help = "Example:\n  incast key run.key     and copy it to every host of the run")]
    Key {
        /// File to write it to, readable by you alone; standard output otherwise
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema of the record, or of what a campaign came to
    #[command(
        after_help = "Examples:\n  incast schema > record.schema.json\n  incast schema campaign > campaign.schema.json"
    )]
    Schema {
        /// Of which document
        #[arg(value_enum, default_value_t = Document::Record)]
        of: Document,
    },
    /// Print the completion script of a shell
    #[command(
        after_help = "Example:\n  incast completions bash > ~/.local/share/bash-completion/completions/incast"
    )]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a directory
    #[command(after_help = "Example:\n  incast man ~/.local/share/man/man1")]
    Man {
        /// Where to
        dir: PathBuf,
    },
    /// Play one role of a run, told on standard input (used by `run` and `agent`)
    #[command(hide = true)]
    Role,
}

/// A document that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Document {
    /// The record of a run
    Record,
    /// What many runs came to
    Campaign,
}

/// `incast run`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast run scenarios/first-light.toml
  incast run scenarios/first-light.toml --json > record.json
  incast run scenarios/balance/slow-node.toml  every variant of the scenario, then compare
  incast run SCENARIO.toml --variant tokens    one of its variants (`base`: the scenario as it stands)
  incast run SCENARIO.toml --set builder.policy=round-robin,tokens   one run for each value, then compare
  incast run many.toml --key-file run.key      hosts of the file have `agent = \"10.0.0.2:7700\"`

Each run's record is written to runs/<time>-<name>/record.json, with report.html beside the first.
Ctrl-C ends the run early and keeps what
was measured; a second one ends it at once.")]
pub(crate) struct RunArgs {
    /// The scenario file (TOML); see scenarios/first-light.toml
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) variants: VariantArgs,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    /// Key shared with the agents of the scenario (make one with `incast key`)
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}

/// `incast control`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast control runs/20261121T093000Z-readout status
  incast control runs/20261121T093000Z-readout pause
  incast control runs/20261121T093000Z-readout resume

At the terminal of the run itself, type pause, resume, stop or status and press Enter.")]
pub(crate) struct ControlArgs {
    /// Directory of the run: where its record goes
    pub(crate) dir: PathBuf,
    /// What to tell it
    #[arg(value_enum)]
    pub(crate) command: crate::readout::control::Command,
}

/// `incast agent`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  incast agent --bind 10.0.0.2:7700 --key-file run.key
  incast agent                                 loopback only, for trying out")]
pub(crate) struct AgentArgs {
    /// Where to wait for coordinators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7700")]
    pub(crate) bind: String,
    /// Key that coordinators must have; without one, only this host's are served
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Serve coordinators from other hosts though there is no key
    #[arg(long)]
    pub(crate) open: bool,
}

/// Which runs a scenario makes.
#[derive(Args, Debug, Clone)]
pub(crate) struct VariantArgs {
    /// Replace a value of the scenario, or of the variants named; several values with commas make several runs
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Run only this variant of the scenario (`base` is the scenario as it stands)
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Vec<String>,
}

/// Who a client is, and whom it trusts.
#[derive(Args, Debug)]
pub(crate) struct ClientArgs {
    /// Key that the other end must have
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Name of this host in the record (its hostname otherwise)
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Who a server is, and whom it serves.
#[derive(Args, Debug)]
pub(crate) struct ServerArgs {
    /// Pin the threads that serve to a core
    #[arg(long, value_name = "N")]
    pub(crate) core: Option<u32>,
    /// Key that clients must have; without one, only this host's are served
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Serve clients from other hosts though there is no key
    #[arg(long)]
    pub(crate) open: bool,
    /// Name of this host in the record (its hostname otherwise)
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Whether each dropped packet is asked for its reason.
#[derive(Args, Debug, Clone, Copy)]
pub(crate) struct TraceArgs {
    /// Ask the kernel for the reason of every dropped packet, beside the counters (needs root)
    #[arg(long, value_enum, default_value = "auto", value_name = "auto|on|off", hide_possible_values = true)]
    pub(crate) drop_trace: crate::drop_trace::Wish,
}

/// Where results go.
#[derive(Args, Debug, Clone)]
pub(crate) struct OutputArgs {
    /// Print the record as JSON on standard output, and everything else on standard error
    #[arg(long)]
    pub(crate) json: bool,
    /// Directory for records: each goes to `DIR/<time>-<name>/record.json`
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
