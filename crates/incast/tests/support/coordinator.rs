//! Starts incast as tests of whole runs need it, knows every process of a run, and reads its records.
//!
//! Each start carries a mark in its environment, which children inherit: so the processes of a run
//! are found wherever they hang in the tree, also when their parent has been killed. Output goes to
//! files, since a pipe would stay open in whatever outlives the program. Every wait has a deadline,
//! and what is still there when a test ends is killed. Every record that is read is held against
//! what `incast schema` says.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use incast_core::caveat::{Caveat, CaveatKind};
use incast_core::record::{Flow, Record};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take. Generous: it is there to end a hang, not to measure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const MARK: &str = "INCAST_TEST_RUN";

/// A program under way in a directory of its own. Dropping it kills all its processes.
pub(crate) struct Started {
    shown: String,
    child: Child,
    mark: String,
    dir: TempDir,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// One process; a later one with the same number is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    /// Ticks of the kernel's clock since it was booted.
    started: u64,
    pid: i32,
}

/// A directory for a program to work in, with these files.
pub(crate) fn directory(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().expect("make a directory");
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("write a file of the test");
    }
    dir
}

/// Starts `incast` with these words, in an empty directory.
pub(crate) fn incast<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> Started {
    incast_in(directory(&[]), words)
}

/// Starts `incast` with these words in `dir`.
pub(crate) fn incast_in<S: AsRef<OsStr>>(dir: TempDir, words: impl IntoIterator<Item = S>) -> Started {
    let mut command = Command::new(env!("CARGO_BIN_EXE_incast"));
    command.args(words);
    start(dir, command)
}

/// Starts `incast run` with this scenario; its records go to [`Started::records`], and to standard output.
pub(crate) fn run(scenario: &str) -> Started {
    incast_in(directory(&[("scenario.toml", scenario)]), RUN)
}

/// How scenarios are run here.
pub(crate) const RUN: [&str; 5] = ["run", "scenario.toml", "--json", "--out", "out"];

/// Starts any program in `dir`. What the command says of standard output holds, else it is kept.
pub(crate) fn start(dir: TempDir, command: Command) -> Started {
    let file = |name| File::create(dir.path().join(name)).expect("a file for the output").into();
    let (stdout, stderr) = (file("stdout"), file("stderr"));
    start_into(dir, command, stdout, stderr)
}

/// Starts a program whose output goes where the caller says.
pub(crate) fn start_into(dir: TempDir, mut command: Command, stdout: Stdio, stderr: Stdio) -> Started {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    let shown = format!("{command:?}");
    let mark = format!("{}-{}", std::process::id(), STARTS.fetch_add(1, Relaxed));
    command.current_dir(dir.path()).env(MARK, &mark).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    // What a terminal's user has set must not decide what a test sees.
    for name in ["CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS", "RUST_BACKTRACE"] {
        if !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
    let child = command.spawn().unwrap_or_else(|error| panic!("start {shown}: {error}"));
    Started { shown, child, mark, dir }
}

impl Started {
    /// Standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.text("stdout")
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.text("stderr")
    }

    /// A file in the program's directory; empty when there is none.
    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.path().join(name)).unwrap_or_default()).into_owned()
    }

    /// Where it writes records, when it is told `--out out`.
    pub(crate) fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// Waits until `look` finds something; panics with what was waited for and what the program said.
    pub(crate) fn until<T>(&self, what: &str, patience: Duration, look: impl FnMut() -> Option<T>) -> T {
        until(patience, look).unwrap_or_else(|| {
            let (said, left) = (self.stderr(), self.processes());
            panic!("{}: {what}: not within {patience:?}; processes {left:?}; it said:\n{said}", self.shown)
        })
    }

    /// Waits for a line on standard error that `wanted` makes something of.
    pub(crate) fn line<T>(&self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        self.until(what, PATIENCE, || self.stderr().lines().find_map(&wanted))
    }

    /// The word after `before` in the first line of standard error that has it.
    pub(crate) fn word_after(&self, before: &str) -> String {
        self.line(before, |line| {
            let word = line.split_once(before)?.1.split([' ', ';']).next()?;
            Some(word.to_owned())
        })
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal to the program itself.
    pub(crate) fn signal(&self, signal: Signal) {
        send(i32::try_from(self.child.id()).expect("a pid fits"), signal);
    }

    /// Waits until it has a thread of this name.
    pub(crate) fn until_thread(&self, name: &str) {
        let tasks = format!("/proc/{}/task", self.child.id());
        self.until(&format!("a thread `{name}`"), PATIENCE, || {
            let tasks = fs::read_dir(&tasks).into_iter().flatten().flatten();
            let mut names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
            names.any(|found| found.trim_end() == name).then_some(())
        });
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("ask for the state of a child").is_none()
    }

    /// Waits for its end. Whatever it said was said without colour: there is no terminal.
    pub(crate) fn wait(&mut self) -> Ended {
        self.wait_within(PATIENCE)
    }

    /// Waits for its end, for so long.
    pub(crate) fn wait_within(&mut self, patience: Duration) -> Ended {
        let ended = until(patience, || self.child.try_wait().expect("ask for the state of a child"));
        let (stdout, stderr) = (self.stdout(), self.stderr());
        let Some(status) = ended else {
            panic!("{} has not ended after {patience:?}; it said:\n{stderr}", self.shown);
        };
        for text in [&stdout, &stderr] {
            assert!(!text.contains('\u{1b}'), "{}: colour without a terminal:\n{text}", self.shown);
        }
        assert!(!stderr.contains("panicked at"), "{} panicked:\n{stderr}", self.shown);
        Ended { status, stdout, stderr }
    }

    /// Waits for its end, which must be with this code.
    pub(crate) fn ends_with(&mut self, code: i32) -> Ended {
        let ended = self.wait();
        assert_eq!(
            ended.status.code(),
            Some(code),
            "{} ended with {}; it said:\n{}",
            self.shown,
            ended.status,
            ended.stderr
        );
        ended
    }

    /// Waits for its end, with this code; gives the record, the same on standard output and on disk.
    pub(crate) fn record(&mut self, code: i32) -> Record {
        let ended = self.ends_with(code);
        let on_disk = self.records();
        assert_eq!(on_disk.len(), 1, "{}: one run leaves one record; it said:\n{}", self.shown, ended.stderr);
        assert_eq!(
            on_disk[0], ended.stdout,
            "{}: the record on disk is the one on standard output",
            self.shown
        );
        self.assert_nothing_left();
        read_record(&ended.stdout)
    }

    /// The texts of all records on disk.
    pub(crate) fn records(&self) -> Vec<String> {
        let runs = fs::read_dir(self.out()).into_iter().flatten();
        let files = runs.map(|run| run.expect("read the directory of records").path().join("record.json"));
        files.filter_map(|file| fs::read_to_string(file).ok()).collect()
    }

    /// Waits until the record that is written while the run lasts shows messages received in every flow.
    pub(crate) fn until_data_flows(&self) {
        let moves = |flow: &Flow| flow.messages.received.is_some_and(|received| received > 0);
        self.until("messages received in every flow", PATIENCE, || {
            let record = self.records().first().map(|text| read_record(text))?;
            (!record.flows.is_empty() && record.flows.iter().all(moves)).then_some(())
        });
    }

    /// Every living process of this program, itself included, in the order of their starts.
    pub(crate) fn processes(&self) -> Vec<Process> {
        let wanted = format!("{MARK}={}", self.mark).into_bytes();
        let is_ours = |process: &Process| {
            let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == wanted)
        };
        let numbers = fs::read_dir("/proc").expect("read /proc").flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut found: Vec<Process> = numbers.filter_map(Process::find).filter(is_ours).collect();
        found.sort();
        found
    }

    /// The living roles, here and at agents that this program is, in the order of their starts.
    pub(crate) fn roles(&self) -> Vec<Process> {
        self.processes().into_iter().filter(Process::is_role).collect()
    }

    /// The roles that have a port open for others to connect to.
    pub(crate) fn receivers(&self) -> Vec<Process> {
        self.roles().into_iter().filter(Process::listens).collect()
    }

    /// The other roles.
    pub(crate) fn senders(&self) -> Vec<Process> {
        self.roles().into_iter().filter(|role| !role.listens()).collect()
    }

    /// Asserts that no process of this program is left. The kernel ends them; that takes a moment.
    pub(crate) fn assert_nothing_left(&self) {
        self.until("no process is left", Duration::from_secs(3), || {
            self.processes().is_empty().then_some(())
        });
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // In the good case all are gone. A process may be starting another while it is looked for.
        let _ = self.child.kill().and_then(|()| self.child.wait());
        let _ = until(Duration::from_secs(5), || {
            let left = self.processes();
            left.iter().for_each(|process| process.signal(Signal::KILL));
            left.is_empty().then_some(())
        });
    }
}

impl Process {
    /// The process with this number, if it lives; one that waits to be reaped does not.
    fn find(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in brackets, may hold anything; after it come the state (3) and the start (22), proc(5).
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let (state, started) = (*fields.first()?, fields.get(19)?.parse().ok()?);
        (!matches!(state, "Z" | "X")).then_some(Self { started, pid })
    }

    /// Whether it lives.
    pub(crate) fn is_alive(self) -> bool {
        Self::find(self.pid) == Some(self)
    }

    /// Sends it a signal; one that has just ended does not mind.
    pub(crate) fn signal(self, signal: Signal) {
        if self.is_alive() {
            send(self.pid, signal);
        }
    }

    fn is_role(&self) -> bool {
        let words = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        words.split(|byte| *byte == 0).nth(1) == Some(b"role")
    }

    /// Whether one of its sockets is a listening TCP socket (state 0A, Linux `include/net/tcp_states.h`).
    fn listens(&self) -> bool {
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.pid)).unwrap_or_default();
        let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let listening: Vec<String> = fields
            .filter(|fields| fields.get(3) == Some(&"0A"))
            .filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
            .collect();
        let files = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| listening.iter().any(|socket| target.as_os_str() == OsStr::new(socket)))
    }
}

fn send(pid: i32, signal: Signal) {
    // A child that we have not waited for keeps its number, so this cannot hit another.
    let _ = kill_process(Pid::from_raw(pid).expect("a pid is not 0"), signal);
}

/// Waits until `look` finds something.
pub(crate) fn until<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        let found = look();
        if found.is_some() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

impl Ended {
    /// Asserts that standard error has all of these words.
    pub(crate) fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in what it said:\n{}", self.stderr);
        }
    }

    /// Whether a signal killed it.
    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal().is_some()
    }
}

/// The caveats of one kind; each has its text and its advice.
pub(crate) fn caveats(record: &Record, kind: CaveatKind) -> Vec<&Caveat> {
    let of_kind: Vec<&Caveat> = record.caveats.iter().filter(|caveat| caveat.kind == kind).collect();
    assert!(of_kind.iter().all(|caveat| !caveat.text.is_empty() && !caveat.advice.is_empty()), "{of_kind:?}");
    of_kind
}

/// A scenario of hosts that send to `sink`, each with a flow of its own, and what more it says.
pub(crate) fn scenario(seconds: u32, hosts: &[(&str, &str)], more: &str) -> String {
    let mut text = format!("incast = 1\nname = \"test\"\ninterval = \"250ms\"\nduration = \"{seconds}s\"\n");
    if !more.contains("name = \"sink\"") {
        text.push_str("[[host]]\nname = \"sink\"\n");
    }
    for (host, transport) in hosts {
        let load = if *transport == "tcp" { "20Mbit/s" } else { "2Mbit/s" };
        let flow =
            format!("from = \"{host}\"\nto = \"sink\"\ntransport = \"{transport}\"\nload = \"{load}\"\n");
        if !more.contains(&format!("name = \"{host}\"")) {
            let _ = write!(text, "[[host]]\nname = \"{host}\"\n");
        }
        let _ = write!(text, "[[flow]]\nname = \"of-{host}\"\n{flow}");
    }
    text + more
}

/// The record in `text`, which is nothing else, and is what the schema says.
pub(crate) fn read_record(text: &str) -> Record {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON: {error}\n{text}"));
    let faults = schema_faults(&value);
    assert!(faults.is_empty(), "not what `incast schema` says:\n{}\n{text}", faults.join("\n"));
    serde_json::from_value(value).expect("what the schema allows can be read")
}

/// Where `record` is not what `incast schema` says.
pub(crate) fn schema_faults(record: &Value) -> Vec<String> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let said = incast(["schema"]).ends_with(0).stdout;
        serde_json::from_str(&said).expect("the schema is JSON")
    });
    let mut faults = Vec::new();
    Check { root: schema }.value(schema, record, "record", &mut faults);
    faults
}

/// The part of JSON Schema (2020-12) that `incast schema` uses; any other word in it is a panic, so
/// that nothing is left unchecked.
struct Check<'s> {
    root: &'s Value,
}

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        let words = schema.as_object().expect("a schema is an object");
        for (word, rule) in words {
            match word.as_str() {
                "$schema" | "$defs" | "title" | "description" | "default" => {}
                // Widths of integers and floats; `minimum` says what matters.
                "format" => assert!(
                    ["uint8", "uint16", "uint32", "uint64", "int64", "double"]
                        .iter()
                        .any(|known| rule == known),
                    "{rule}"
                ),
                "$ref" => self.value(self.definition(rule), value, place, faults),
                "type" => {
                    let one_of = rule.as_array().map_or_else(|| std::slice::from_ref(rule), Vec::as_slice);
                    if !one_of.iter().any(|kind| is_of(kind, value)) {
                        faults.push(format!("{place}: {value} is not {rule}"));
                    }
                }
                "const" if rule != value => faults.push(format!("{place}: {value} is not {rule}")),
                "enum" if !rule.as_array().is_some_and(|all| all.contains(value)) => {
                    faults.push(format!("{place}: {value} is not one of {rule}"))
                }
                "const" | "enum" => {}
                "minimum" => {
                    if value.as_f64().is_some_and(|number| number < rule.as_f64().expect("a number")) {
                        faults.push(format!("{place}: {value} is less than {rule}"));
                    }
                }
                "maximum" => {
                    if value.as_f64().is_some_and(|number| number > rule.as_f64().expect("a number")) {
                        faults.push(format!("{place}: {value} is more than {rule}"));
                    }
                }
                "anyOf" | "oneOf" => self.choice(word, rule, value, place, faults),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.value(rule, item, &format!("{place}[{index}]"), faults);
                    }
                }
                "required" => {
                    let missing = |key: &&Value| {
                        key.as_str().is_some_and(|key| {
                            value.as_object().is_some_and(|fields| !fields.contains_key(key))
                        })
                    };
                    faults.extend(
                        rule.as_array()
                            .into_iter()
                            .flatten()
                            .filter(missing)
                            .map(|key| format!("{place}: {key} is missing")),
                    );
                }
                "properties" | "additionalProperties" => {}
                other => panic!("the schema says `{other}`, which this check does not know"),
            }
        }
        self.fields(schema, value, place, faults);
    }

    /// The fields of an object; one that the schema does not have is a fault of the schema.
    fn fields(&self, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        let (known, others) = (schema.get("properties"), schema.get("additionalProperties"));
        let (Some(fields), true) = (value.as_object(), known.is_some() || others.is_some()) else { return };
        for (key, field) in fields {
            let inside = format!("{place}.{key}");
            match known.and_then(|known| known.get(key)).or(others) {
                Some(rule) => self.value(rule, field, &inside, faults),
                None => faults.push(format!("{inside}: the schema does not have it")),
            }
        }
    }

    fn choice(&self, word: &str, rule: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        let choices = rule.as_array().expect("a list of schemas");
        let fits = |schema: &&Value| {
            let mut inner = Vec::new();
            self.value(schema, value, place, &mut inner);
            inner.is_empty()
        };
        let fitting = choices.iter().filter(fits).count();
        if fitting == 0 || word == "oneOf" && fitting > 1 {
            faults.push(format!("{place}: fits {fitting} of {}", choices.len()));
        }
    }

    fn definition(&self, name: &Value) -> &Value {
        let path = name.as_str().and_then(|name| name.strip_prefix('#'));
        path.and_then(|path| self.root.pointer(path)).unwrap_or_else(|| panic!("the schema has no {name}"))
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => panic!("the schema says type {kind}"),
    }
}
