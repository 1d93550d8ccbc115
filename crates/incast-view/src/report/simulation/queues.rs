//! How full the queues were: the fullest over time, and all that the record has in a table.
//!
//! A step is the most that a queue held in a slice, so that a short burst is as high as it was. The level line is what
//! the queue can hold, where that is not far above.

use incast_core::record::QueueHistory;

use crate::html::Html;
use crate::plot::Pen;
use crate::plot::axis::Axis;
use crate::plot::frame::{Area, Frame};
use crate::plot::mark::level_line;
use crate::plot::trace::{Slice, Trace};
use crate::report::sheet::{Cell, Sheet};
use crate::said::simulation::mean_bytes;
use crate::table::Side;
use crate::text::cut;
use crate::units::{byte_scale, bytes, count, f64_of, microseconds, percent, time_scale};

/// The plots and the table; nothing when nothing was queued.
pub(super) fn show(html: &mut Html, queues: &[QueueHistory], level: usize) {
    if queues.is_empty() {
        return;
    }
    html.heading(level, "How full the queues were");
    over_time(html, queues);
    let columns = queues.len();
    let (shown, rest) = queues.split_at(columns.min(ROWS_MAX));
    table(shown).show(html, "the fullest queues");
    if !rest.is_empty() {
        table(rest).fold(html, &format!("{} more queues of the record", rest.len()));
    }
}

fn over_time(html: &mut Html, queues: &[QueueHistory]) {
    let traces: Vec<(&QueueHistory, Trace)> = queues
        .iter()
        .map(|queue| (queue, trace(queue)))
        .filter(|(_, trace)| trace.slices.len() > 1)
        .take(PLOTS_MAX)
        .collect();
    let end_s = traces.iter().fold(0.0_f64, |end, (_, trace)| end.max(trace.end_s()));
    if end_s <= 0.0 {
        return;
    }
    let scale = time_scale(end_s);
    let x = Axis::exact(0.0, end_s, scale);
    let x_title = format!("virtual time, {}", scale.unit);
    html.tag("figure").class("over-time").holds(|html| {
        let last = traces.len() - 1;
        for (index, (queue, trace)) in traces.iter().enumerate() {
            plot(html, queue, trace, &x, (index == last).then_some(x_title.as_str()));
        }
    });
    html.note(
        "Each step is the most that was held in a slice of time; the level line is what the queue can hold.",
    );
}

/// Most bytes held, slice by slice.
fn trace(queue: &QueueHistory) -> Trace {
    let slices = queue.bytes_over_time.iter().enumerate().map(|(index, held)| {
        let start_s = f64_of(index as u64) * queue.interval_s;
        Slice { start_s, end_s: start_s + queue.interval_s, mean: Some(f64_of(*held)) }
    });
    Trace::of_peaks(&queue.place, slices)
}

fn plot(html: &mut Html, queue: &QueueHistory, trace: &Trace, x: &Axis, x_title: Option<&str>) {
    let most = f64_of(queue.bytes_max).max(trace.range().1);
    let capacity = queue.capacity_bytes.map(f64_of);
    let near = capacity.filter(|capacity| *capacity <= most * CAPACITY_FAR);
    let top = near.map_or(most, |capacity| capacity.max(most));
    let scale = byte_scale(top);
    let y = Axis::rounded(0.0, top, scale);
    let place = cut(&queue.place, PLACE_CELLS_MAX);
    let bound = match (capacity, near) {
        (None, _) => "; it has no bound".to_owned(),
        (Some(_), None) => format!("; it holds {}, far above", bytes(queue.capacity_bytes)),
        (Some(_), Some(_)) => format!(" of {}", bytes(queue.capacity_bytes)),
    };
    let title = format!("{place}: most bytes held, {}{bound}", scale.unit);
    let frame = Frame { title: &title, x, y: &y, height: HEIGHT, x_title, legend: &[] };
    frame.draw(html, |html, area: Area| {
        let path = html.tag("path").set("class", &Pen(0).line());
        path.set("d", &trace.path(x, &y, area)).holds(|html| html.tag("title").text(&queue.place));
        if let Some(capacity) = near {
            let title = format!("it holds {}", bytes(queue.capacity_bytes));
            level_line(html, area, y.place(capacity), &title);
        }
    });
}

fn table(queues: &[QueueHistory]) -> Sheet {
    let numbers = [
        "most held",
        "mean held",
        "can hold",
        "most packets",
        "wait: mean",
        "half at most",
        "99 %",
        "99.9 %",
        "largest",
        "busy",
        "packets",
        "dropped",
    ]
    .map(|name| (name, Side::Right));
    let mut sheet = Sheet::new(&[&[("queue", Side::Left)][..], &numbers].concat());
    for queue in queues {
        let capacity = queue.capacity_bytes.map_or_else(|| "no bound".to_owned(), |bound| bytes(Some(bound)));
        let wait = queue.wait_us.as_ref();
        let waits = [
            queue.wait_us_mean,
            wait.and_then(|wait| wait.us_p50),
            wait.and_then(|wait| wait.us_p99),
            wait.and_then(|wait| wait.us_p999),
            wait.and_then(|wait| wait.us_max),
        ];
        let mut row = vec![
            Cell::plain(&queue.place),
            Cell::plain(bytes(Some(queue.bytes_max))),
            Cell::plain(mean_bytes(queue.bytes_mean)),
            Cell::plain(capacity),
            Cell::plain(count(Some(queue.packets_max))),
        ];
        row.extend(waits.map(|us| Cell::plain(microseconds(us))));
        row.extend([
            Cell::plain(percent(queue.busy)),
            Cell::plain(count(Some(queue.packets))),
            Cell::flagged(count(Some(queue.dropped_packets)), queue.dropped_packets > 0),
        ]);
        sheet.push(row);
    }
    sheet
}

/// Queues with a plot: the fullest; two screens.
const PLOTS_MAX: usize = 6;
/// Queues with a row outside the fold.
const ROWS_MAX: usize = 16;
/// A bound so many times above what was held would press that flat.
const CAPACITY_FAR: f64 = 4.0;
/// A place in a title: `port of muxh-32 to rn` is half of it.
const PLACE_CELLS_MAX: usize = 44;
const HEIGHT: f64 = 120.0;
