//! Which algorithm a node runs, and what it may take. Plain data, as the coordinator tells it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::fraction::Fraction;
use crate::time::Span;

/// An algorithm with its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlgorithmPlan {
    /// Which one.
    pub kind: AlgorithmKind,
    /// What it may take. The built-in one needs no limits.
    pub limits: Limits,
    /// What becomes of an event at which it failed.
    pub on_failure: OnFailure,
}

/// Which algorithm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmKind {
    /// One of our own.
    Builtin(BuiltinPlan),
    /// A program, in any language.
    Program(ProgramPlan),
    /// A WebAssembly module.
    Module(ModulePlan),
}

/// The built-in algorithm: it accepts some events, and takes some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltinPlan {
    /// How many of the events that pass the cut it accepts.
    pub accept: Fraction,
    /// Which events can be accepted at all.
    pub size: SizeCut,
    /// How long it takes over one event.
    pub time: TimePlan,
    /// How a real node lets that time pass.
    pub passing: Passing,
    /// Output streams of accepted events; all are of stream 0 when there is none.
    pub streams: Vec<StreamPlan>,
}

/// Events can be accepted when the bytes of their payloads are within these, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeCut {
    /// Fewest bytes.
    pub least: u64,
    /// Most bytes.
    pub most: u64,
}

/// Processing time of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimePlan {
    /// Always the same.
    Fixed {
        /// The time.
        time: Span,
    },
    /// Exponentially distributed.
    Exponential {
        /// The mean, before `most` cuts off the longest.
        mean: Span,
        /// None takes longer: what would, takes so long.
        most: Span,
    },
    /// Pareto distributed: few events take most of the time.
    Pareto {
        /// The mean, before `most` cuts off the longest.
        mean: Span,
        /// In thousandths, above 1000: the closer to it, the heavier the tail.
        shape_milli: u32,
        /// None takes longer: what would, takes so long.
        most: Span,
    },
}

/// How a real node lets processing time pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passing {
    /// Asleep: others have the core.
    #[default]
    Sleep,
    /// Computing: it costs a core, as a real algorithm does.
    Busy,
}

/// An output stream. Every accepted event is of one stream by weight, and of others by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPlan {
    /// Its number, 0 to 31: the bit that it has in a verdict.
    pub stream: u8,
    /// Its weight when the one stream of an event is drawn.
    pub weight: u32,
    /// How many of the other events it gets as well.
    pub also: Fraction,
}

/// A program that decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramPlan {
    /// Its file, or a name that is looked for in `PATH`.
    pub program: String,
    /// What it is called with.
    pub arguments: Vec<String>,
    /// Environment that it gets, besides `PATH` and `LANG`.
    pub environment: Vec<(String, String)>,
}

/// A WebAssembly module that decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModulePlan {
    /// Its file, binary or as text.
    pub module: String,
    /// Most fuel for an event, about one for each instruction. Unlike a time, it ends the same event on
    /// every machine.
    pub fuel_max: Option<u64>,
}

/// What an algorithm may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// For what it is given at once: an event, or a packet of events.
    pub time_out: Span,
    /// From its start until it is ready for events.
    pub start_time_out: Span,
    /// Memory. Of a program its address space, of a module its linear memory.
    pub memory_bytes_max: u64,
}

/// What becomes of an event at which the algorithm failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// It is kept, and flagged.
    Accept {
        /// For these streams: one bit for each, at least one.
        streams: u32,
    },
    /// It is not kept.
    Reject,
}

impl OnFailure {
    /// The streams of an unjudged event: one bit for each, none when it is not kept.
    #[must_use]
    pub const fn streams(self) -> u32 {
        match self {
            Self::Accept { streams } => streams,
            Self::Reject => 0,
        }
    }
}

impl Default for OnFailure {
    /// A failure loses no event.
    fn default() -> Self {
        Self::Accept { streams: 1 }
    }
}

impl Default for Limits {
    /// Generous to a trigger algorithm, and short enough that a node that hangs is not taken for dead.
    fn default() -> Self {
        Self { time_out: Span::from_s(1), start_time_out: Span::from_s(10), memory_bytes_max: 1 << 30 }
    }
}

impl Default for AlgorithmKind {
    fn default() -> Self {
        Self::Builtin(BuiltinPlan::default())
    }
}

impl Default for BuiltinPlan {
    /// Accepts every event in no time.
    fn default() -> Self {
        Self {
            accept: Fraction::ONE,
            size: SizeCut::default(),
            time: TimePlan::default(),
            passing: Passing::default(),
            streams: Vec::new(),
        }
    }
}

impl Default for SizeCut {
    /// Any size.
    fn default() -> Self {
        Self { least: 0, most: u64::MAX }
    }
}

impl Default for TimePlan {
    /// No time.
    fn default() -> Self {
        Self::Fixed { time: Span::ZERO }
    }
}

/// What is wrong with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanFault {
    /// No event can be within the cut.
    EmptyCut,
    /// A stream beyond 31.
    Stream,
    /// A stream that is there twice.
    StreamTwice,
    /// Streams without any weight.
    Weights,
    /// A Pareto distribution of that shape has no mean.
    Shape,
    /// Events that are kept for no stream.
    NoStream,
    /// Nothing to run is named.
    Unnamed,
    /// No time, no memory or no fuel to run in.
    Nothing,
}

impl AlgorithmPlan {
    /// Checks what the types allow too much.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), PlanFault> {
        let Limits { time_out, start_time_out, memory_bytes_max } = self.limits;
        if time_out == Span::ZERO || start_time_out == Span::ZERO || memory_bytes_max == 0 {
            return Err(PlanFault::Nothing);
        }
        if matches!(self.on_failure, OnFailure::Accept { streams: 0 }) {
            return Err(PlanFault::NoStream);
        }
        match &self.kind {
            AlgorithmKind::Builtin(plan) => plan.check(),
            AlgorithmKind::Program(plan) if plan.program.is_empty() => Err(PlanFault::Unnamed),
            AlgorithmKind::Module(plan) if plan.module.is_empty() => Err(PlanFault::Unnamed),
            AlgorithmKind::Module(plan) if plan.fuel_max == Some(0) => Err(PlanFault::Nothing),
            AlgorithmKind::Program(_) | AlgorithmKind::Module(_) => Ok(()),
        }
    }
}

impl BuiltinPlan {
    /// Checks what the types allow too much.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), PlanFault> {
        let mut seen = 0_u32;
        for stream in &self.streams {
            let bit = 1_u32.checked_shl(stream.stream.into()).ok_or(PlanFault::Stream)?;
            if seen & bit != 0 {
                return Err(PlanFault::StreamTwice);
            }
            seen |= bit;
        }
        if !self.streams.is_empty() && self.streams.iter().all(|stream| stream.weight == 0) {
            return Err(PlanFault::Weights);
        }
        match self.time {
            TimePlan::Pareto { shape_milli: 0..=1_000, .. } => Err(PlanFault::Shape),
            _ if self.size.least > self.size.most => Err(PlanFault::EmptyCut),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for PlanFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::EmptyCut => "the smallest size accepted is above the largest",
            Self::Stream => "output streams are numbered 0 to 31",
            Self::StreamTwice => "an output stream is there twice",
            Self::Weights => "no output stream has a weight",
            Self::Shape => "a Pareto distribution has a mean for shapes above 1 only",
            Self::NoStream => "events at which the algorithm fails are kept for no stream",
            Self::Unnamed => "no program or module is named",
            Self::Nothing => "no time, memory or fuel to run in",
        })
    }
}

impl std::error::Error for PlanFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin(change: impl FnOnce(&mut BuiltinPlan)) -> Result<(), PlanFault> {
        let mut plan = BuiltinPlan::default();
        change(&mut plan);
        AlgorithmPlan { kind: AlgorithmKind::Builtin(plan), ..AlgorithmPlan::default() }.check()
    }

    fn stream(stream: u8, weight: u32) -> StreamPlan {
        StreamPlan { stream, weight, also: Fraction::ZERO }
    }

    #[test]
    fn each_fault_of_a_plan_is_named() {
        assert_eq!(AlgorithmPlan::default().check(), Ok(()));
        let streams = |streams: &[StreamPlan]| builtin(|plan| plan.streams = streams.to_vec());
        assert_eq!(streams(&[stream(31, 1), stream(0, 0)]), Ok(()));
        assert_eq!(streams(&[stream(32, 1)]), Err(PlanFault::Stream));
        assert_eq!(streams(&[stream(1, 1), stream(1, 2)]), Err(PlanFault::StreamTwice));
        assert_eq!(streams(&[stream(1, 0)]), Err(PlanFault::Weights));
        assert_eq!(builtin(|plan| plan.size = SizeCut { least: 2, most: 1 }), Err(PlanFault::EmptyCut));
        let pareto = |shape_milli| {
            let (mean, most) = (Span::from_ms(1), Span::from_s(1));
            builtin(|plan| plan.time = TimePlan::Pareto { mean, shape_milli, most })
        };
        assert_eq!((pareto(1_000), pareto(1_001)), (Err(PlanFault::Shape), Ok(())));
        let with = |kind, limits, on_failure| AlgorithmPlan { kind, limits, on_failure }.check();
        let program = AlgorithmKind::Program(ProgramPlan::default());
        assert_eq!(with(program, Limits::default(), OnFailure::Reject), Err(PlanFault::Unnamed));
        let no_fuel = ModulePlan { module: "a".into(), fuel_max: Some(0) };
        let no_fuel = with(AlgorithmKind::Module(no_fuel), Limits::default(), OnFailure::Reject);
        assert_eq!(no_fuel, Err(PlanFault::Nothing));
        let no_time = Limits { time_out: Span::ZERO, ..Limits::default() };
        let kind = AlgorithmKind::default;
        assert_eq!(with(kind(), no_time, OnFailure::Reject), Err(PlanFault::Nothing));
        let no_stream = OnFailure::Accept { streams: 0 };
        assert_eq!(with(kind(), Limits::default(), no_stream), Err(PlanFault::NoStream));
    }

    #[test]
    fn a_plan_comes_back_from_text() {
        let mut plan = AlgorithmPlan::default();
        for kind in [
            AlgorithmKind::default(),
            AlgorithmKind::Program(ProgramPlan {
                program: "python3".into(),
                arguments: vec!["a.py".into()],
                environment: vec![("A".into(), "b".into())],
            }),
            AlgorithmKind::Module(ModulePlan { module: "a.wasm".into(), fuel_max: Some(7) }),
        ] {
            plan.kind = kind;
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<AlgorithmPlan>(&text).unwrap(), plan, "{text}");
        }
    }
}
