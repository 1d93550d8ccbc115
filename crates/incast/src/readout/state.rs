//! The states of a run, and when each was entered.

use std::time::Instant;

use incast_core::record::StateEntered;

/// A state of run control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is there.
    Idle,
    /// Every role has its plan and its ports.
    Configured,
    /// Every role has reached its peers.
    Armed,
    /// Events are triggered.
    Running,
    /// No events are triggered, until somebody says so.
    Paused,
    /// No more events are triggered; those under way are finished.
    Draining,
    /// The account is closed.
    Stopped,
    /// Something could not be mended.
    Error,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Configured => "configured",
            Self::Armed => "armed",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Error => "error",
        }
    }

    /// Whether nobody is expected to do anything any more.
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Error)
    }
}

/// The state of a run and those before it.
pub(super) struct States {
    started: Instant,
    now: State,
    entered: Vec<StateEntered>,
}

/// Most changes that are kept: a person at the keyboard pauses less often.
const ENTERED_MAX: usize = 1_000;

impl States {
    pub(super) fn new() -> Self {
        let mut states = Self { started: Instant::now(), now: State::Idle, entered: Vec::new() };
        states.enter(State::Idle);
        states
    }

    pub(super) fn enter(&mut self, state: State) {
        self.now = state;
        if self.entered.len() < ENTERED_MAX {
            let at_s = self.started.elapsed().as_secs_f64();
            self.entered.push(StateEntered { state: state.name().into(), at_s });
        }
    }

    pub(super) const fn now(&self) -> State {
        self.now
    }

    pub(super) fn entered(&self) -> &[StateEntered] {
        &self.entered
    }
}
