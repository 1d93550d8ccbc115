//! The scenario's questions with their answers.

use incast_core::record::Record;

use crate::html::Html;

/// Each question and, under it, the lines of its answer.
pub(super) fn show(html: &mut Html, record: &Record, level: usize) {
    if record.answers.is_empty() {
        return;
    }
    html.heading(level, "Questions and answers");
    html.tag("dl").class("answers").holds(|html| {
        for answer in &record.answers {
            html.tag("dt").text(&answer.question);
            let unanswered = vec!["not answered".to_owned()];
            let lines = if answer.answer.is_empty() { &unanswered } else { &answer.answer };
            for line in lines {
                html.tag("dd").text(line);
            }
        }
    });
}
