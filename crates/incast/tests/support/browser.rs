//! A real browser without a screen: what it makes of a page, and how that looks.
//!
//! Every start has a profile of its own and may reach nothing but this host. A page is looked at
//! through a frame of a chosen width, in a page of the test's, whose script measures it: the page
//! itself has none, and a window cannot be as narrow as a telephone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where a browser is found, or `None` after it was said that the test did not run. CI must have one.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut candidates = names.iter().flat_map(|name| directories.iter().map(move |dir| dir.join(name)));
    let found = candidates.find(|candidate| candidate.is_file());
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "tests of reports need Chromium, and CI must run them"
    );
    if found.is_none() {
        super::program::say_not_run("a test of reports in a browser needs Chromium (Debian's chromium)");
    }
    found
}

/// What a page measures, shown `width` units wide; see [`MEASURE`].
pub(crate) fn measure(browser: &Path, page: &Path, width: u32) -> Value {
    let dir = tempfile::tempdir().expect("make a directory");
    let wrapper = dir.path().join("wrapper.html");
    let frame = format!("<iframe src=\"file://{}\" width={width} height=2000></iframe>", page.display());
    let style = "<style>body { margin: 0 } iframe { border: 0 }</style>";
    fs::write(&wrapper, format!("<!doctype html>{style}{frame}<pre></pre><script>{MEASURE}</script>"))
        .expect("write the page around the page");
    let dom = run(browser, &wrapper, &["--allow-file-access-from-files", "--dump-dom"]);
    let found = dom.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>")).map(|(text, _)| text);
    let text = found.unwrap_or_default().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("nothing was measured: {error}\n{dom}"))
}

/// The document after it was loaded, as the browser has it.
pub(crate) fn dom(browser: &Path, page: &Path) -> String {
    run(browser, page, &["--dump-dom"])
}

/// A picture of the page; its width and height as the picture says.
pub(crate) fn screenshot(browser: &Path, page: &Path, to: &Path, size: (u32, u32)) -> (u32, u32) {
    let (window, file) =
        (format!("--window-size={},{}", size.0, size.1), format!("--screenshot={}", to.display()));
    run(browser, page, &[&window, &file]);
    let picture = fs::read(to).expect("a picture was made");
    assert!(picture.starts_with(b"\x89PNG"), "it is a PNG");
    let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}

fn run(browser: &Path, page: &Path, words: &[&str]) -> String {
    let profile = tempfile::tempdir().expect("make a directory");
    let mut command = Command::new(browser);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(QUIET).args(words);
    let ended = command.arg(format!("file://{}", page.display())).output().expect("start the browser");
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?}: {}: {complaint}", ended.status);
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// No screen, no sandbox (tests run as root in containers), and no talk with anybody.
const QUIET: [&str; 9] = [
    "--headless",
    "--hide-scrollbars",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--timeout=20000",
];

/// Measures the page in the frame: its width, what sticks out of it, what it loaded, and whether its
/// text is drawn. What scrolls in a box of its own does not stick out.
const MEASURE: &str = r#"
addEventListener("load", () => {
  const frame = document.querySelector("iframe");
  const page = frame.contentDocument, root = page.documentElement;
  const boxed = element => element.closest(".scroll, pre, svg, details:not([open])");
  const wide = [...page.body.querySelectorAll("*")].filter(element =>
    !boxed(element.parentElement) && element.getBoundingClientRect().right > root.clientWidth + 0.5);
  const boxes = [...page.querySelectorAll(".scroll")];
  document.querySelector("pre").textContent = JSON.stringify({
    width: root.clientWidth,
    scroll: root.scrollWidth,
    wide: wide.map(element => element.outerHTML.slice(0, 200)),
    scrolling: boxes.filter(box => box.scrollWidth > box.clientWidth).length,
    loaded: frame.contentWindow.performance.getEntriesByType("resource").map(entry => entry.name),
    scripts: page.scripts.length,
    pictures: page.images.length,
    plots: page.querySelectorAll("svg.area").length,
    headings: [...page.querySelectorAll("h1, h2, h3")].map(element => element.textContent),
  });
});
"#;
