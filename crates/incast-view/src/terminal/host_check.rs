//! The settings of a host as they were judged: what is wrong first, with its reason and what would mend it.

use incast_core::tune::{Finding, HostCheck, Judgement};

use crate::page::{BAD, DOUBTFUL, FAINT, GOOD, Label, PLAIN, Page};
use crate::said;
use crate::text::{clean, cut};
use crate::units::{UNKNOWN, rate};

/// The check in lines of at most `width` cells (40 at least), with colours.
#[must_use]
pub fn show(check: &HostCheck, width: usize) -> String {
    let mut page = Page::new(width);
    heading(&mut page, check);
    let groups = [
        (Finding::Wrong, "wrong: it cannot carry that", BAD),
        (Finding::Advice, "advice: it could be better", DOUBTFUL),
        (Finding::Unknown, "unknown: nobody tells", PLAIN),
        (Finding::Stated, "stated: as it is", PLAIN),
        (Finding::Good, "good", GOOD),
    ];
    for (finding, title, style) in groups {
        let mut found = check.judgements.iter().filter(|one| one.finding == finding).peekable();
        if found.peek().is_some() {
            page.line("");
            page.heading(title, style);
        }
        let explains = matches!(finding, Finding::Wrong | Finding::Advice);
        found.for_each(|one| if explains { whole(&mut page, one) } else { line(&mut page, one) });
    }
    page.into_text()
}

fn heading(page: &mut Page, check: &HostCheck) {
    let count = |finding: Finding| format!("{} {}", check.count(finding), finding.name());
    let counts =
        [Finding::Wrong, Finding::Advice, Finding::Unknown, Finding::Stated, Finding::Good].map(count);
    let asked = &check.asked;
    let by = match asked.rate_bits_per_s {
        #[expect(clippy::cast_precision_loss, reason = "a rate, to be printed")]
        Some(bits) => format!(" at {} in messages of {} B", rate(Some(bits as f64)), asked.message_bytes),
        None => " (no rate was stated)".to_owned(),
    };
    let host = said::listed([clean(&check.host), check.kernel.clone().unwrap_or_default()]);
    page.heading(
        &format!("{host}: {}{by}", counts.join(", ")),
        if check.count(Finding::Wrong) > 0 { BAD } else { GOOD },
    );
}

/// With everything that is known of it.
fn whole(page: &mut Page, one: &Judgement) {
    let value = one.value.as_deref().unwrap_or(UNKNOWN);
    let wanted = one.wanted.as_ref().map(|wanted| format!(", wanted {wanted}")).unwrap_or_default();
    page.words(&Label::below(&name(one), NAME_CELLS), &format!("{value}{wanted}"));
    page.words(&Label::below("", NAME_CELLS), &one.reason);
    if let Some(command) = &one.command {
        page.words(&Label::below("", NAME_CELLS), &format!("-> {command}"));
    }
}

/// In one line: what it is, or why that is not known.
fn line(page: &mut Page, one: &Judgement) {
    let text = match &one.value {
        Some(value) => format!("{} ({})", cut(&clean(value), VALUE_CELLS), one.reason),
        None => one.reason.clone(),
    };
    let label = name(one);
    let label = Label::below(&label, NAME_CELLS);
    page.words(&if one.value.is_some() { label } else { label.body(FAINT) }, &text);
}

fn name(one: &Judgement) -> String {
    cut(&clean(&one.setting), NAME_CELLS)
}

/// `net.bridge.bridge-nf-call-iptables`.
const NAME_CELLS: usize = 34;
/// A list of interrupts or of masks is longer than anyone reads.
const VALUE_CELLS: usize = 60;
