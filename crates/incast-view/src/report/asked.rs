//! What was asked: the scenario file as it was read, or the settings of a command.

use incast_core::record::ScenarioSummary;

use crate::html::Html;

/// The text, folded: it is long, and it is needed to do the run again.
pub(super) fn show(html: &mut Html, scenario: &ScenarioSummary, level: usize) {
    let texts = [("The scenario file", &scenario.text), ("The settings of the command", &scenario.command)];
    let known: Vec<(&str, &String)> =
        texts.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?))).collect();
    if known.is_empty() {
        return;
    }
    html.heading(level, "What was asked");
    for (what, text) in known {
        html.tag("details").holds(|html| {
            html.tag("summary").text(what);
            html.tag("pre").set("tabindex", "0").lines(text);
        });
    }
}
