//! Campaigns on the terminal and as a page: the words for a loss and for none, and whatever is in a result.

use incast_core::campaign::{RunOutcome, compare, variant};
use incast_core::record::{Campaign, CampaignAsked, CampaignVariant, LossStage, Verdict};

/// So many runs of 10^6 messages, the number of each losing what `lost` says.
fn of(name: Option<&str>, runs: u64, lost: impl Fn(u64) -> u64) -> CampaignVariant {
    let run = |number: u64| {
        let lost = lost(number);
        let stages = vec![LossStage {
            stage: "socket_buffer".into(),
            place: "x".into(),
            packets: lost,
            messages: lost,
        }];
        let (sent, sent_bits) = (1_000_000, 32_768_000_000);
        RunOutcome { number, sent, lost, sent_bits, stages, unexplained: Some(0), ..RunOutcome::default() }
    };
    variant(name, &(0..runs).map(run).collect::<Vec<_>>(), &[], 0.95)
}

fn campaign() -> Campaign {
    let asked =
        CampaignAsked { runs: 200, precision: Some(0.05), confidence: 0.95, runs_min: 30, failures_max: 10 };
    let variants = vec![of(None, 200, |number| 30 + number % 2 * 252), of(Some("tuned"), 200, |_| 0)];
    let comparisons = compare(&variants[0], &variants[1], 0.95).into_iter().collect();
    let (end, verdict) = ("all".into(), Verdict::Good);
    Campaign { end, verdict, asked, variants, comparisons, runs_finished: 400, ..Campaign::default() }
}

fn words(campaign: &Campaign, width: usize) -> String {
    let shown = incast_view::terminal::campaign(campaign, width);
    crate::uncoloured(&shown).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn losses_have_their_interval_and_none_has_a_limit() {
    let said = words(&campaign(), 120);
    for part in [
        "good: the mean of all runs is as expected",
        "asked for 200 runs of each of 2 variants, or half of an interval of 5 % of the mean; all were played",
        "31 200 of 200 000 000: 1.56e-4, one in 6 410;",
        "at 95 % (by runs, with room for one more heap)",
        "none of 200 000 000: the lost fraction is < 1.50e-8 at 95 %",
        "bit error rate < 4.57e-13 at 95 %, if every loss is a message with one wrong bit",
        "over-dispersed: runs differ",
        "1/33 333 (3.00e-5), 100 runs; made by socket buffer (x) 100 %",
        "1/3 546 (2.82e-4), 100 runs",
        "no loss (0), 200 runs",
        "tuned less 0",
        "none (Mann-Kendall tau",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[test]
fn runs_beyond_those_that_are_asked_for_are_said_to_count() {
    let fewer = |runs| Campaign { asked: CampaignAsked { runs, ..campaign().asked }, ..campaign() };
    let said = words(&fewer(3), 120);
    assert!(
        said.contains(
            "asked for 3 runs of each of 2 variants (more are there already, and all of them count)"
        ),
        "{said}"
    );
    assert!(!words(&fewer(200), 120).contains("are there already"));
}

#[test]
fn any_result_is_shown_at_any_width_and_as_a_page() {
    let hostile = "</pre><script>alert(1)</script>\u{1b}[31m";
    let mut odd = campaign();
    odd.scenario.name = hostile.into();
    odd.end = hostile.into();
    odd.failures = vec![hostile.into()];
    odd.variants[1].name = Some(hostile.into());
    odd.variants[0].lost_fractions = vec![f64::NAN, f64::INFINITY, -1.0];
    odd.variants[0].stages[0].place = hostile.into();
    odd.variants[0].distribution.bins.truncate(1);
    for campaign in [Campaign::default(), campaign(), odd] {
        for width in [0, 40, 80, 1_000] {
            let shown = incast_view::terminal::campaign(&campaign, width);
            assert!(!crate::uncoloured(&shown).contains('\u{1b}'), "{shown}");
        }
        let page = incast_view::report::campaign(&campaign, hostile);
        assert!(!page.contains("<script>") && page.ends_with("</html>\n"));
        assert!(!page.contains("NaN") && !page.contains("inf\""), "{page}");
    }
}

#[test]
fn the_page_names_the_peaks_and_draws_every_run() {
    let page = incast_view::report::campaign(&campaign(), "runs/campaign-x");
    for part in [
        "1/33 333",
        "1/3 546",
        "lost fraction of each run in turn",
        "where 31 200 messages died",
        "&lt; 1.50e-8",
    ] {
        assert!(page.contains(part), "{part} is not on the page");
    }
    assert_eq!(page.matches("mark dot c0").count(), 200, "a mark for each run of the variant that loses");
}

#[test]
fn a_campaign_in_which_nothing_died_has_no_empty_table() {
    let mut one = campaign();
    one.comparisons.clear();
    one.variants = vec![of(None, 20, |_| 0)];
    one.variants[0].unexplained = Some(0);
    let said = words(&one, 120);
    assert!(said.contains("where messages died, over all runs nothing died"), "{said}");
    assert!(!words(&campaign(), 120).contains("nothing died"));
}
