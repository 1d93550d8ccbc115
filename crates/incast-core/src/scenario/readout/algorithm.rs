//! What a `[[node]]` runs: the keys of its algorithm.

use crate::readout::algorithm::{
    AlgorithmKind, AlgorithmPlan, BuiltinPlan, Fraction, Limits, ModulePlan, OnFailure, Passing, ProgramPlan,
    SizeCut, StreamPlan, TimePlan,
};
use crate::scenario::findings::quoted;
use crate::scenario::reader::Reader;
use crate::time::Span;
use crate::units::{BYTES_EXAMPLES, Bytes, SPAN_EXAMPLES};

/// Reads the algorithm of a node; `streams` are the names of the output streams.
pub(super) fn read(reader: &mut Reader<'_, '_>, streams: &[String]) -> AlgorithmPlan {
    let faults_before = reader.findings.count();
    let kind = match (reader.has("program"), reader.has("module")) {
        (true, true) => {
            reader.fault("module", "a node runs a `program` or a `module`, not both");
            AlgorithmKind::default()
        }
        (true, false) => AlgorithmKind::Program(read_program(reader)),
        (false, true) => AlgorithmKind::Module(ModulePlan {
            module: reader.sentence("module").unwrap_or_default(),
            fuel_max: reader.integer("fuel", 1..=u64::MAX),
        }),
        (false, false) => AlgorithmKind::Builtin(read_builtin(reader, streams)),
    };
    if !matches!(kind, AlgorithmKind::Builtin(_)) {
        note_unused(reader, BUILTIN_KEYS, "is of the built-in algorithm, and this node runs another");
    }
    if !matches!(kind, AlgorithmKind::Program(_)) {
        note_unused(reader, &["environment"], "goes with `program`");
    }
    if !matches!(kind, AlgorithmKind::Module(_)) {
        note_unused(reader, &["fuel"], "goes with `module`");
    }
    let plan = AlgorithmPlan { kind, limits: read_limits(reader), on_failure: read_on_failure(reader) };
    if reader.findings.count() == faults_before
        && let Err(fault) = plan.check()
    {
        let header = reader.header.clone();
        reader.findings.add(&header, format!("the algorithm of this node: {fault}"));
    }
    plan
}

fn note_unused(reader: &mut Reader<'_, '_>, keys: &[&str], why: &str) {
    for key in keys {
        if reader.has(key) {
            reader.fault(key, format!("`{key}` {why}"));
        }
    }
}

fn read_limits(reader: &mut Reader<'_, '_>) -> Limits {
    let default = Limits::default();
    let spans = [Span::from_ms(1), Span::from_s(3600)];
    let memory = [Bytes(64 << 10), Bytes(1 << 40)];
    Limits {
        time_out: reader.quantity_within("time_out", SPAN_EXAMPLES, spans).unwrap_or(default.time_out),
        start_time_out: reader
            .quantity_within("start_time_out", SPAN_EXAMPLES, spans)
            .unwrap_or(default.start_time_out),
        memory_bytes_max: reader
            .quantity_within("memory", BYTES_EXAMPLES, memory)
            .map_or(default.memory_bytes_max, |memory: Bytes| memory.0),
    }
}

fn read_on_failure(reader: &mut Reader<'_, '_>) -> OnFailure {
    let words = [("accept", OnFailure::default()), ("reject", OnFailure::Reject)];
    reader.word("on_failure", "answer", &words).unwrap_or_default()
}

fn read_program(reader: &mut Reader<'_, '_>) -> ProgramPlan {
    let mut words =
        reader.names("program").unwrap_or_default().into_iter().map(|word| (*word.get_ref()).to_owned());
    let program = words.next().unwrap_or_default();
    let environment = reader.settings("environment").into_iter();
    let environment =
        environment.map(|(name, value)| ((*name.get_ref()).to_owned(), (*value.get_ref()).to_owned()));
    ProgramPlan { program, arguments: words.collect(), environment: environment.collect() }
}

fn read_builtin(reader: &mut Reader<'_, '_>, streams: &[String]) -> BuiltinPlan {
    let fraction = reader.number("accept", "a number from 0 to 1", |_| None);
    let accept = fraction.and_then(Fraction::from_f64);
    if let (Some(fraction), None) = (fraction, accept) {
        reader.fault("accept", format!("`accept` is {fraction}; allowed: 0 to 1, a fraction"));
    }
    let sizes = [Bytes(0), Bytes(1 << 40)];
    let any = SizeCut::default();
    BuiltinPlan {
        accept: accept.unwrap_or(Fraction::ONE),
        size: SizeCut {
            least: reader
                .quantity_within("size_least", BYTES_EXAMPLES, sizes)
                .map_or(any.least, |size: Bytes| size.0),
            most: reader
                .quantity_within("size_most", BYTES_EXAMPLES, sizes)
                .map_or(any.most, |size: Bytes| size.0),
        },
        time: read_time(reader),
        passing: reader
            .word("passing", "way", &[("sleep", Passing::Sleep), ("busy", Passing::Busy)])
            .unwrap_or_default(),
        streams: read_streams(reader, streams),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Spread {
    Fixed,
    Exponential,
    Pareto,
}

fn read_time(reader: &mut Reader<'_, '_>) -> TimePlan {
    let spans = [Span::ZERO, Span::from_s(3600)];
    let time = reader.quantity_within("time", SPAN_EXAMPLES, spans).unwrap_or_default();
    let spreads =
        [("fixed", Spread::Fixed), ("exponential", Spread::Exponential), ("pareto", Spread::Pareto)];
    let spread = reader.word("spread_of_time", "distribution", &spreads).unwrap_or(Spread::Fixed);
    let shape = reader.number("shape", "a number, for example 1.5", |_| None);
    if spread != Spread::Pareto {
        note_unused(reader, &["shape"], "goes with spread_of_time = \"pareto\"");
    }
    if spread == Spread::Fixed {
        note_unused(reader, &["time_max"], "goes with a `spread_of_time`");
    }
    let most = reader.quantity_within("time_max", SPAN_EXAMPLES, spans);
    let most = most.unwrap_or_else(|| Span(time.0.saturating_mul(TIME_MAX)));
    let shape = shape.unwrap_or(1.5);
    if !(1.001..=100.0).contains(&shape) {
        reader.fault("shape", format!("`shape` is {shape}; allowed: 1.001 to 100"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
    let shape_milli = (shape.clamp(1.001, 100.0) * 1e3).round() as u32;
    match spread {
        Spread::Fixed => TimePlan::Fixed { time },
        Spread::Exponential => TimePlan::Exponential { mean: time, most },
        Spread::Pareto => TimePlan::Pareto { mean: time, shape_milli, most },
    }
}

/// `streams = ["physics:9", "calibration:1"]`: by weight; `copies = ["express:0.1"]`: by chance as well.
fn read_streams(reader: &mut Reader<'_, '_>, known: &[String]) -> Vec<StreamPlan> {
    let mut plans: Vec<StreamPlan> = Vec::new();
    for key in ["streams", "copies"] {
        for text in reader.names(key).unwrap_or_default() {
            let (name, value) = text.get_ref().split_once(':').unwrap_or_else(|| (text.get_ref(), "1"));
            let Some(place) = known.iter().position(|stream| stream == name) else {
                let names = known.iter().map(String::as_str);
                let advice = reader.findings.advice(name, names, &known.join(", "));
                reader.findings.add(&text.span(), format!("unknown stream {}{advice}", quoted(name)));
                continue;
            };
            let stream = u8::try_from(place).unwrap_or(u8::MAX);
            let (weight, also) = match key {
                "streams" => (value.parse().ok(), Some(Fraction::ZERO)),
                _ => (Some(0), value.parse().ok().and_then(Fraction::from_f64)),
            };
            let (Some(weight), Some(also)) = (weight, also) else {
                let wanted = if key == "streams" {
                    "a weight, for example physics:9"
                } else {
                    "a fraction, for example express:0.1"
                };
                reader.findings.add(&text.span(), format!("{} has no {wanted}", quoted(text.get_ref())));
                continue;
            };
            match plans.iter_mut().find(|plan| plan.stream == stream) {
                Some(plan) if key == "copies" => plan.also = also,
                _ => plans.push(StreamPlan { stream, weight, also }),
            }
        }
    }
    if reader.has("copies") && !reader.has("streams") {
        reader.fault("copies", "`copies` go beside `streams`, of which each event has one");
    }
    plans
}

pub(super) const BUILTIN_KEYS: &[&str] = &[
    "accept",
    "copies",
    "passing",
    "shape",
    "size_least",
    "size_most",
    "spread_of_time",
    "streams",
    "time",
    "time_max",
];
/// The longest processing time, in means: beyond it a tail is a hang.
const TIME_MAX: u64 = 1_000;
