//! The plainest request and response: blocking sockets, whole reads and writes, nothing counted but time.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{Found, pinned, start};
use crate::project;

const REQUEST_BYTES: usize = 64;
const LASTS: Duration = Duration::from_secs(2);

/// One round of it, each end a process on its core.
pub(super) fn measure(response_bytes: usize) -> Result<Found> {
    let program = std::env::current_exe().context("find this program's own file")?;
    let bytes = response_bytes.to_string();
    let words = ["bench", "ask-plain"];
    let (_server, address) = start(pinned("1", &program).args(words).args(["answer", &bytes]))?;
    let said = project::output(pinned("0", &program).args(words).args(["ask", &bytes, address.trim()]))?;
    let mut numbers = said.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(us_p50)), Some(Ok(per_s))) => Ok(Found { us_p50, per_s }),
        _ => bail!("the plain loop said: {said}"),
    }
}

/// One end of it, as `measure` starts it.
pub(crate) fn peer(words: &[&str]) -> Result<()> {
    match words {
        ["answer", bytes] => answer(bytes.parse()?),
        ["ask", bytes, address] => ask(bytes.parse()?, address),
        _ => bail!("ask-plain is started by `bench ask`, people do not"),
    }
}

fn answer(response_bytes: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    eprintln!("{}", listener.local_addr()?);
    let (mut connection, _) = listener.accept()?;
    connection.set_nodelay(true)?;
    let (mut request, response) = ([0; REQUEST_BYTES], vec![0; response_bytes]);
    while connection.read_exact(&mut request).is_ok() {
        connection.write_all(&response)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "for printing")]
fn ask(response_bytes: usize, address: &str) -> Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    let (request, mut response) = ([0; REQUEST_BYTES], vec![0; response_bytes]);
    let mut times: Vec<Duration> = Vec::new();
    let start = Instant::now();
    while start.elapsed() < LASTS {
        let asked = Instant::now();
        connection.write_all(&request)?;
        connection.read_exact(&mut response)?;
        times.push(asked.elapsed());
    }
    let per_s = times.len() as f64 / start.elapsed().as_secs_f64();
    times.sort_unstable();
    let median = times.get(times.len() / 2).context("no response came")?;
    println!("{} {per_s}", median.as_secs_f64() * 1e6);
    Ok(())
}
