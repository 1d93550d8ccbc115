//! `bench lab`: how fast a lab of 32 hosts stands and is gone, beside the same by `ip` and `tc`.
//!
//! The shell's lab has what ours has of namespaces, cables and shaped queues, and no static neighbours,
//! control network or settings: it does less. Medians of several rounds, in turn. Needs root.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::project::{self, Project};

const ROUNDS: usize = 5;
const HOSTS: usize = 32;
/// What we go for: seconds until it stands, and until it is gone.
const GOALS: [f64; 2] = [2.0, 1.0];

/// Builds and takes down labs, in turn, and prints the medians.
pub(crate) fn run(project: &Project) -> Result<()> {
    ensure!(project::output(Command::new("id").arg("-u"))?.trim() == "0", "bench lab needs root");
    project::run(&mut project.cargo(&["build", "--release", "--locked", "-p", "incast"]))?;
    let program = project.target()?.join("release/incast");
    let dir = std::env::temp_dir().join(format!("incast-bench-lab-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let file = dir.join("lab.toml");
    std::fs::write(&file, scenario())?;
    let (mut ours, mut shells) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(stand(Command::new(&program).args(["lab", "stand"]).arg(&file)));
        shells.push(by_shell());
    }
    std::fs::remove_dir_all(&dir)?;
    let (ours, shells) = (medians(ours)?, medians(shells)?);
    println!("{HOSTS} hosts, medians of {ROUNDS} rounds   stands        gone");
    println!("incast lab                    {:>8.0} ms {:>8.0} ms", ours[0] * 1e3, ours[1] * 1e3);
    println!("ip and tc, in one script      {:>8.0} ms {:>8.0} ms", shells[0] * 1e3, shells[1] * 1e3);
    println!("ratio                         {:>8.1} x  {:>8.1} x", shells[0] / ours[0], shells[1] / ours[1]);
    for (seconds, goal) in ours.iter().zip(GOALS) {
        if *seconds > goal {
            bail!("missed: {seconds:.2} s, the goal is {goal} s");
        }
    }
    Ok(())
}

fn scenario() -> String {
    format!(
        "incast = 1\nname = \"bench-lab\"\n[[host]]\nname = \"x\"\n[[host]]\nname = \"y\"\ncount = {}\n\
         [[switch]]\nname = \"main\"\nwhen_full = \"drop\"\nrate = \"1Gbit/s\"\n\
         [[cable]]\nfrom = [\"x\", \"y\"]\nto = \"main\"\n\
         [[flow]]\nname = \"f\"\nfrom = \"y\"\nto = \"x\"\ntransport = \"udp\"\n",
        HOSTS - 1
    )
}

/// Seconds from the start until it says that it stands, and from being asked until it has ended.
fn stand(command: &mut Command) -> Result<[f64; 2]> {
    let started = Instant::now();
    let mut lab = command.stderr(Stdio::piped()).spawn().context("start incast lab stand")?;
    let mut lines = BufReader::new(lab.stderr.take().context("its standard error")?);
    let mut line = String::new();
    while !line.contains("stands") {
        line.clear();
        ensure!(lines.read_line(&mut line)? > 0, "the lab did not stand: {}", lab.wait()?);
    }
    let stood = started.elapsed().as_secs_f64();
    let asked = Instant::now();
    project::run_quietly(Command::new("kill").args(["-INT", &lab.id().to_string()]))?;
    let ended = lab.wait()?;
    ensure!(ended.success(), "incast lab stand: {ended}");
    Ok([stood, asked.elapsed().as_secs_f64()])
}

/// The same by a script that a teacher would write.
fn by_shell() -> Result<[f64; 2]> {
    let name = format!("incast-bench-{}", std::process::id());
    let up = format!(
        "set -e; ip netns add {name}-sw; ip -n {name}-sw link add br0 type bridge; ip -n {name}-sw link set br0 up\n\
         for i in $(seq {HOSTS}); do n={name}-$i; ip netns add $n\n\
         ip -n {name}-sw link add p$i type veth peer name e0 netns $n\n\
         ip -n {name}-sw link set p$i master br0; ip -n {name}-sw link set p$i up\n\
         ip -n $n addr add 10.77.0.$i/16 dev e0; ip -n $n link set lo up; ip -n $n link set e0 up\n\
         tc -n {name}-sw qdisc add dev p$i root tbf rate 1gbit burst 64kb limit 131072\n\
         tc -n $n qdisc add dev e0 root tbf rate 1gbit burst 64kb limit 4mb; done\n"
    );
    let down = format!("for i in $(seq {HOSTS}); do ip netns del {name}-$i; done; ip netns del {name}-sw\n");
    let mut seconds = [0.0; 2];
    for (script, seconds) in [up, down].iter().zip(&mut seconds) {
        let started = Instant::now();
        let mut shell = Command::new("sh").stdin(Stdio::piped()).spawn().context("start sh")?;
        shell.stdin.take().context("its standard input")?.write_all(script.as_bytes())?;
        let ended = shell.wait()?;
        ensure!(ended.success(), "the script of ip and tc: {ended}");
        *seconds = started.elapsed().as_secs_f64();
    }
    Ok(seconds)
}

fn medians(rounds: Vec<Result<[f64; 2]>>) -> Result<[f64; 2]> {
    let rounds = rounds.into_iter().collect::<Result<Vec<_>>>()?;
    let median = |which: usize| {
        let mut values: Vec<f64> = rounds.iter().map(|round| round[which]).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok([median(0), median(1)])
}
