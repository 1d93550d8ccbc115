//! `incast host check`: the settings of this host, and of those of agents, judged by a rate.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::unbounded;
use incast_core::tune::{Asked, Finding, HostCheck};
use incast_host::settings;

use crate::cli::CheckArgs;
use crate::endpoint::key;
use crate::output::width;
use crate::run::agent_link::AgentLink;
use crate::run::lines::{Assignment, CheckAssignment, Part, RoleLine};
use crate::run::player::Word;
use crate::run::telling::tell;

/// Longest wait for an agent's answer: it reads some hundred files.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Carries out `incast host check`.
pub(crate) fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let asked = args.asked.asked()?;
    let mut checks = vec![here(&args.interface, &asked)?];
    for agent in &args.agent {
        let check = there(agent, args, &asked);
        checks.push(check.with_context(|| format!("check the host of the agent {agent}"))?);
    }
    let cells = width(args.json);
    let tables: Vec<String> =
        checks.iter().map(|check| incast_view::terminal::host_check(check, cells)).collect();
    if args.json {
        let _ = write!(anstream::stderr(), "{}", tables.join("\n"));
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &checks)?;
        writeln!(out).context("write to standard output")?;
    } else {
        write!(anstream::stdout().lock(), "{}", tables.join("\n")).context("write to standard output")?;
    }
    let is_wrong = asked.rate.is_some() && checks.iter().any(|check| check.count(Finding::Wrong) > 0);
    Ok(ExitCode::from(u8::from(is_wrong)))
}

/// The check of this host: of the interfaces of these names, or of all.
pub(crate) fn here(interfaces: &[String], asked: &Asked) -> anyhow::Result<HostCheck> {
    let all = settings::interfaces();
    if let Some(unknown) = interfaces.iter().find(|name| !all.contains(name)) {
        anyhow::bail!("there is no interface {unknown} here; there are {}", all.join(", "));
    }
    let others = || all.iter().filter(|name| *name != "lo").cloned().collect::<Vec<_>>();
    let wanted = if interfaces.is_empty() { others() } else { interfaces.to_vec() };
    Ok(HostCheck::of(settings::read(&wanted), asked))
}

/// The check of an agent's host, which a role there makes.
fn there(agent: &str, args: &CheckArgs, asked: &Asked) -> anyhow::Result<HostCheck> {
    let (heard, words) = unbounded();
    let link = AgentLink::open(agent, &key(args.key_file.as_deref())?, heard)?;
    link.spawn(0, 0);
    // Interfaces have other names there: all of them are looked at.
    let part = Part::Check(CheckAssignment { interfaces: Vec::new(), asked: asked.numbers() });
    link.say(0, serde_json::to_string(&Assignment { namespace: None, part })? + "\n");
    let deadline = Instant::now() + ANSWER_MAX;
    loop {
        let word = words.recv_deadline(deadline).context("it does not answer")?.what;
        match word {
            Word::Line(line) => match *line {
                RoleLine::Checked(check) => return Ok(*check),
                RoleLine::Failed { reason } => anyhow::bail!("{reason}"),
                _ => {}
            },
            Word::Gone(how) => {
                anyhow::bail!("{}", how.unwrap_or_else(|| "it ended without an answer".into()))
            }
        }
    }
}

/// The role at an agent: checks its host and tells.
pub(crate) fn tell_check(plan: &CheckAssignment) -> anyhow::Result<()> {
    let check = here(&plan.interfaces, &Asked::from(&plan.asked))?;
    tell(&RoleLine::Checked(Box::new(check)));
    Ok(())
}
