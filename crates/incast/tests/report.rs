//! `incast report` from outside: real and crafted records made into a report that a real browser
//! shows, and into tables that other programs read.
//!
//! What is asserted of the page is what people rely on: everything is there, it fits on a telephone,
//! it loads nothing, and no record can make it do anything. The browser and pyarrow may be missing;
//! then that is said, and in CI it is a failure.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/coordinator.rs"]
mod coordinator;
#[path = "support/lab_record.rs"]
mod lab_record;
#[path = "support/program.rs"]
mod program;

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use incast_core::record::Record;
use tempfile::TempDir;

use coordinator::{directory, incast, scenario};
use lab_record::{star, switch_test};

/// A directory with a record in it, as a run leaves it.
fn keep(dir: &TempDir, name: &str, record: &Record) -> PathBuf {
    let place = dir.path().join(name);
    fs::create_dir(&place).expect("make a directory");
    fs::write(place.join("record.json"), serde_json::to_vec(record).expect("a record is JSON"))
        .expect("write a record");
    place
}

/// Makes a report; it must succeed, and says where it is.
fn report<'a>(words: impl IntoIterator<Item = &'a Path>) {
    let words: Vec<&Path> = std::iter::once(Path::new("report")).chain(words).collect();
    incast(words).ends_with(0).says(&["report: ", "report.html"]);
}

/// A record that was really measured.
fn measured() -> Record {
    coordinator::run(&scenario(1, &[("one", "tcp"), ("two", "udp")], "")).record(0)
}

#[test]
fn a_real_run_has_a_report_beside_its_record() {
    let dir = directory(&[]);
    let run = keep(&dir, "run", &measured());
    report([run.as_path()]);
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    for words in
        ["of-one", "of-two", "Over time", "goodput of each flow", "Where the messages went", "incast = 1"]
    {
        assert!(page.contains(words), "{words} is missing");
    }
    assert_eq!(fs::read_dir(&run).unwrap().count(), 2, "nothing is left beside the report");
    // It is written anew, and twice the same.
    fs::write(run.join("report.html"), "old").unwrap();
    report([run.as_path()]);
    assert!(fs::read_to_string(run.join("report.html")).unwrap() == page, "the same bytes");
    // By the name of the file it is the same place.
    fs::remove_file(run.join("report.html")).unwrap();
    report([run.join("record.json").as_path()]);
    assert!(run.join("report.html").exists());
}

#[test]
fn a_browser_shows_all_of_it_and_it_fits_on_a_telephone() {
    let Some(browser) = browser::find() else { return };
    let dir = directory(&[]);
    let records =
        [("measured", measured()), ("two", star(2)), ("many", star(31)), ("tested", switch_test(1))];
    let runs: Vec<PathBuf> = records.iter().map(|(name, record)| keep(&dir, name, record)).collect();
    let all = dir.path().join("all.html");
    for run in &runs {
        report([run.as_path()]);
    }
    incast(
        [
            &[Path::new("report")][..],
            &runs.iter().map(PathBuf::as_path).collect::<Vec<_>>(),
            &[Path::new("--out"), &all],
        ]
        .concat(),
    )
    .ends_with(0);
    let pages = runs.iter().map(|run| run.join("report.html")).chain([all]);
    for page in pages {
        for width in [400, 1200] {
            let found = browser::measure(&browser, &page, width);
            assert_eq!(found["width"], width, "{found}");
            assert_eq!(found["scroll"], width, "{} scrolls sideways: {found:#}", page.display());
            assert_eq!(found["wide"], serde_json::json!([]), "{}: {found:#}", page.display());
            assert_eq!(found["loaded"], serde_json::json!([]), "it loads nothing: {found:#}");
            assert_eq!((&found["scripts"], &found["pictures"]), (&0.into(), &0.into()));
            assert!(found["plots"].as_u64() >= Some(1), "{found:#}");
            assert!(
                width > 400 || found["scrolling"].as_u64() > Some(0),
                "wide tables scroll in their boxes"
            );
        }
    }
}

#[test]
fn a_switch_test_has_a_section_and_a_column() {
    let dir = directory(&[]);
    let [tested, other] = [("tested", switch_test(1)), ("other", star(1))]
        .map(|(name, record)| keep(&dir, name, &record).join("record.json"));
    let both = dir.path().join("both.html");
    report([tested.as_path()]);
    incast([Path::new("report"), &tested, &other, Path::new("--out"), &both]).ends_with(0);
    let shown = |page: &Path| fs::read_to_string(page).unwrap();
    let page = shown(&tested.with_file_name("report.html"));
    for words in [
        "Switch test",
        "60.0 % of the full load",
        "56.00 Mbit/s of payload",
        "RFC 2544 asks for 60 s",
        "half by at most 86.02 us",
        "213 of 214 answered",
        "level line: loss that passes, 0.100 %",
        "loss rate at 60.0 %: lost 5 of 1 000 000; passed: yes",
        "no: the load was not offered",
        "Round trips of tagged messages",
    ] {
        assert!(page.contains(words), "{words} is missing");
    }
    let page = shown(&both);
    assert!(page.contains(">of full load</th>") && page.contains(">56.00 Mbit/s</td>"));
    report([other.as_path()]);
    let page = shown(&other.with_file_name("report.html"));
    assert!(!page.contains("Switch test") && !page.contains(">throughput<"));
}

#[test]
fn a_doubt_that_only_a_newer_incast_knows_is_shown() {
    let known = serde_json::to_string(&star(1)).unwrap();
    let newer = known.replacen("\"host_busy\"", "\"moon_too_bright\"", 1);
    assert_ne!(newer, known);
    let mut started = coordinator::incast_in(directory(&[("newer.json", &newer)]), ["report", "newer.json"]);
    started.ends_with(0);
    let page = started.text("report.html");
    assert!(page.contains("other work took a core") && page.contains("advice: stop other programs"));
    assert_eq!(started.text("newer.json"), newer, "the record is as it was");
    // Read and written again it is what the schema allows, and can be read by everyone.
    let read: Record = serde_json::from_str(&newer).unwrap();
    let again = serde_json::to_value(&read).unwrap();
    assert_eq!(again["caveats"][0]["kind"], "other");
    assert_eq!(coordinator::schema_faults(&again), [""; 0]);
}

#[test]
fn a_browser_draws_it_wide_and_narrow() {
    let Some(browser) = browser::find() else { return };
    let dir = directory(&[]);
    let run = keep(&dir, "lab", &star(31));
    report([run.as_path()]);
    // They stay, for people to look at.
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for width in [1200, 500] {
        let picture = pictures.join(format!("report-{width}.png"));
        let size = browser::screenshot(&browser, &run.join("report.html"), &picture, (width, 3000));
        assert_eq!(size, (width, 3000));
        let bytes = fs::metadata(&picture).unwrap().len();
        assert!(bytes > 50_000, "{width}: {bytes} bytes are an empty page");
    }
}

/// A record whose every name is markup that calls `port`.
fn hostile(port: u16) -> Record {
    let markup = format!(
        "\"></title></style></pre></svg><script src=http://127.0.0.1:{port}/s></script>\
         <img src=http://127.0.0.1:{port}/i onerror=document.title='ran'><style>@import \
         'http://127.0.0.1:{port}/c';</style>"
    );
    let text = serde_json::to_string(&switch_test(3)).expect("a record is JSON");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON is read again");
    poison(&mut value, &markup);
    serde_json::from_value(value).expect("it is still a record")
}

/// Puts `markup` in the place of every text that is free.
fn poison(value: &mut serde_json::Value, markup: &str) {
    // These are words of a closed list, or say what the document is.
    const FIXED: [&str; 4] = ["schema", "verdict", "kind", "transport"];
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields.iter_mut().filter(|(name, _)| !FIXED.contains(&name.as_str())) {
                // Hosts keep their cables: names stay different.
                let markup = if name == "from" { format!("{value}{markup}") } else { markup.to_owned() };
                poison(value, &markup);
            }
        }
        serde_json::Value::Array(list) => list.iter_mut().for_each(|value| poison(value, markup)),
        serde_json::Value::String(text) => *text = format!("{text}{markup}"),
        _ => {}
    }
}

/// Who has called since the last time, and how many bytes each of them said.
fn callers(listener: &TcpListener) -> Vec<usize> {
    listener.set_nonblocking(true).expect("a socket that does not wait");
    let mut callers = Vec::new();
    while let Ok((mut caller, _)) = listener.accept() {
        caller.set_nonblocking(true).expect("a socket that does not wait");
        callers.push(caller.read(&mut [0; 1000]).unwrap_or(0));
    }
    callers
}

#[test]
fn no_record_can_make_a_browser_run_or_load_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dir = directory(&[]);
    let run = keep(&dir, "hostile", &hostile(port));
    report([run.as_path()]);
    let page = run.join("report.html");
    let text = fs::read_to_string(&page).unwrap();
    for markup in ["<script", "<img", "<iframe", "<link", "<object", "http-equiv=\"refresh"] {
        assert!(!text.contains(markup), "{markup}");
    }
    let Some(browser) = browser::find() else { return };
    let found = browser::measure(&browser, &page, 400);
    assert_eq!((&found["scripts"], &found["pictures"]), (&0.into(), &0.into()), "{found:#}");
    assert_eq!(found["scroll"], 400, "long names do not widen the page: {found:#}");
    assert_eq!(callers(&listener), [0; 0], "nobody has so much as connected");

    // Were there a way through, the policy of the page would still forbid it. Without the policy it is obeyed.
    let calls = format!(
        "<script>document.title = 'ran'</script><img src=http://127.0.0.1:{port}/i><link rel=stylesheet \
         href=http://127.0.0.1:{port}/c><iframe src=http://127.0.0.1:{port}/f></iframe>"
    );
    let with_way_through = text.replace("</main>", &format!("{calls}</main>"));
    let policy = "default-src &#39;none&#39;";
    assert!(with_way_through.contains(policy) && with_way_through.contains(&calls));
    for (text, obeyed) in
        [(with_way_through.clone(), false), (with_way_through.replace(policy, "default-src *"), true)]
    {
        let page = dir.path().join("through.html");
        fs::write(&page, text).unwrap();
        let dom = browser::dom(&browser, &page);
        assert!(!dom.contains("<title>ran"), "no inline script runs in either");
        // Chromium opens a connection for a frame before it reads the policy, and then asks nothing.
        assert_eq!(callers(&listener).iter().any(|bytes| *bytes > 0), obeyed);
    }
}

#[test]
fn other_programs_read_the_tables() {
    let dir = directory(&[]);
    let records =
        [keep(&dir, "measured", &measured()), keep(&dir, "lab", &star(5))].map(|run| run.join("record.json"));
    let file = |name: &str| dir.path().join(name);
    let (csv, parquet) = (file("intervals.csv"), file("intervals.parquet"));
    let out = file("report.html");
    let words = ["report", "--out", "--csv", "--parquet"].map(Path::new);
    let [report, to, to_csv, to_parquet] = words;
    let mut started =
        incast([report, &records[0], &records[1], to, &out, to_csv, &csv, to_parquet, &parquet]);
    started.ends_with(0).says(&["intervals: ", ".csv", ".parquet"]);
    let rows = fs::read_to_string(&csv).unwrap().lines().count() - 1;
    assert!(rows > 25, "{rows}");
    for (table, python) in [(csv, Some(PathBuf::from("python3"))), (parquet, python_with_pyarrow())] {
        let Some(python) = python else { continue };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tables.py");
        let ended =
            Command::new(&python).arg(script).arg(&table).args(&records).output().expect("start Python 3");
        let complaint = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{}: {complaint}", table.display());
        assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), rows.to_string());
    }
}

/// The Python that `cargo xtask test` makes, or any other that has pyarrow.
fn python_with_pyarrow() -> Option<PathBuf> {
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a directory in the target directory");
    let has_it = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import pyarrow.parquet"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    let found = [target.join("test-python/bin/python3"), PathBuf::from("python3")].into_iter().find(has_it);
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "tests of Parquet need pyarrow, and CI must run them"
    );
    if found.is_none() {
        program::say_not_run("a test that reads Parquet needs pyarrow (cargo xtask test installs it)");
    }
    found
}

#[test]
fn what_is_no_record_is_refused_by_its_name_and_leaves_nothing() {
    let other_schema =
        serde_json::to_string(&Record { schema: "incast.record/9".into(), ..star(1) }).unwrap();
    let good = serde_json::to_string(&star(1)).unwrap();
    let wrong_field = good.replacen("\"seed\":0", "\"seed\":\"none\"", 1);
    assert_ne!(wrong_field, good);
    let files = [
        ("text", "not JSON at all"),
        ("list.json", "[1, 2]"),
        ("other.json", "{\"a\": 1}"),
        ("other-schema.json", other_schema.as_str()),
        ("wrong-field.json", &wrong_field),
        ("good.json", &good),
    ];
    let cases: [(&[&str], &[&str]); 10] = [
        (&["text"], &["read the record text", "it is not a record", "record.json that incast run"]),
        (&["list.json"], &["read the record list.json", "it is not a record"]),
        (&["other.json"], &["other.json", "it has no \"schema\""]),
        (
            &["other-schema.json"],
            &["incast.record/9", "reads incast.record/1", "use the incast that wrote it"],
        ),
        (&["wrong-field.json"], &["wrong-field.json", "written by a newer incast", "line 1"]),
        (&["none.json"], &["read the record none.json", "No such file", "name a record.json"]),
        (&["good.json", "."], &["read the record ./record.json", "the directory holds no record"]),
        (&["good.json", "--out", "good.json"], &["good.json: it is one of the records", "--out"]),
        (&["good.json", "--out", "a", "--csv", "a"], &["write a: it is named twice"]),
        (
            &["good.json", "--out", "none/a.html"],
            &["write the report none/a.html", "No such file", "choose another"],
        ),
    ];
    for (words, said) in cases {
        let mut started = coordinator::incast_in(directory(&files), [&["report"], words].concat());
        let ended = started.ends_with(2);
        ended.says(said);
        for name in ["report.html", "a"] {
            assert_eq!(started.text(name), "", "{words:?} leaves nothing");
        }
        assert_eq!(started.text("good.json"), good, "the record is as it was");
    }
}

#[test]
fn of_several_files_none_is_written_when_one_cannot_be() {
    let good = serde_json::to_string(&star(1)).unwrap();
    let words = ["report", "good.json", "--csv", "a.csv", "--parquet", "none/a.parquet"];
    let mut started = coordinator::incast_in(directory(&[("good.json", &good)]), words);
    started.ends_with(2).says(&["write the intervals none/a.parquet"]);
    for name in ["report.html", "a.csv"] {
        assert_eq!(started.text(name), "", "{name}");
    }
}
