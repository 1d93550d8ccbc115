//! The rivals of `bench readout`: made, if they can be, and run.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::bench::flood::Running;
use crate::project;

/// Compiles the builder over ZeroMQ; `None` when the library or the compiler is not there.
pub(super) fn zeromq_program(root: &Path, target: &Path) -> Result<Option<String>> {
    let can = project::find_program("c++").is_some()
        && Command::new("c++")
            .args(["-E", "-include", "zmq.h", "-x", "c++", "-"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?
            .success();
    if !can {
        return Ok(None);
    }
    let program = target.join("bench-readout-zeromq");
    let source = root.join("xtask/src/bench/readout/zeromq.cpp");
    let mut compile = Command::new("c++");
    compile.args(["-O3", "-march=native", "-std=c++17", "-o"]).arg(&program).arg(source);
    project::run(compile.args(["-lzmq", "-lpthread"]))?;
    Ok(Some(program.display().to_string()))
}

/// The student's builder, fed by the sender that costs the least.
pub(super) fn student(root: &Path, feeder: &str, shape: &[String; 3]) -> Result<Value> {
    let [sources, bytes, _] = shape;
    let script = root.join("xtask/src/bench/readout/student.py");
    let mut python = Command::new("python3");
    let mut python = Running(
        python.arg(script).args([sources, bytes]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?,
    );
    let mut lines = BufReader::new(python.0.stdout.take().context("its standard output")?);
    let mut port = String::new();
    lines.read_line(&mut port)?;
    let mut feed = Command::new(feeder);
    feed.arg("feed").args(shape).arg(format!("127.0.0.1:{}", port.trim()));
    project::output(&mut feed)?;
    let mut result = String::new();
    lines.read_to_string(&mut result)?;
    let ended = python.0.wait()?;
    ensure!(ended.success(), "the builder in Python: {ended}");
    serde_json::from_str(&result).context("read what the builder in Python says")
}
