//! A judgement: one setting, what it is, what it should be and why, and what would mend it.

use serde::{Deserialize, Serialize};

use super::asked::{Asked, AskedFor};
use super::knob::Knob;
use super::settings::HostSettings;

/// The schema of a check.
pub const CHECK_SCHEMA: &str = "incast.host-check/1";

/// What the check of a host found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostCheck {
    /// Always [`CHECK_SCHEMA`].
    pub schema: String,
    /// Name of the host.
    pub host: String,
    /// Kernel name and release.
    pub kernel: Option<String>,
    /// What was asked of it.
    pub asked: AskedFor,
    /// Every setting, in the order in which a packet meets them.
    pub judgements: Vec<Judgement>,
    /// As read.
    pub settings: HostSettings,
}

/// What is to be said of one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judgement {
    /// What people call it: `net.core.rmem_max`, `eth0 rx ring`.
    pub setting: String,
    /// As read; null when nobody tells.
    pub value: Option<String>,
    /// How it is.
    pub finding: Finding,
    /// What it should be.
    pub wanted: Option<String>,
    /// Why: a formula with its numbers, or what the setting does.
    pub reason: String,
    /// What a person types to mend it.
    pub command: Option<String>,
    /// The same for `incast host tune`.
    pub change: Option<Change>,
}

/// A setting and the value that it should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which setting.
    pub knob: Knob,
    /// Its value.
    pub value: String,
}

/// How a setting is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It cannot carry what was asked.
    Wrong,
    /// It could be better.
    Advice,
    /// Nobody tells what it is.
    #[default]
    Unknown,
    /// Nothing to judge it by.
    Stated,
    /// It does.
    Good,
}

impl Finding {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Advice => "advice",
            Self::Unknown => "unknown",
            Self::Stated => "stated",
            Self::Good => "good",
        }
    }
}

impl HostCheck {
    /// A check of these settings, with no judgement yet.
    #[must_use]
    pub fn of(settings: HostSettings, asked: &Asked) -> Self {
        Self {
            schema: CHECK_SCHEMA.into(),
            host: settings.host.clone(),
            kernel: settings.kernel.clone(),
            asked: asked.numbers(),
            judgements: super::rules::judge(&settings, asked),
            settings,
        }
    }

    /// How many settings were found so.
    #[must_use]
    pub fn count(&self, finding: Finding) -> usize {
        self.judgements.iter().filter(|judgement| judgement.finding == finding).count()
    }

    /// Every change that would mend something.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        let mends = |judgement: &&Judgement| matches!(judgement.finding, Finding::Wrong | Finding::Advice);
        self.judgements.iter().filter(mends).filter_map(|judgement| judgement.change.as_ref())
    }
}

impl Judgement {
    pub(super) fn new(setting: impl Into<String>, value: Option<String>, reason: impl Into<String>) -> Self {
        let finding = if value.is_some() { Finding::Stated } else { Finding::Unknown };
        Self { setting: setting.into(), value, finding, reason: reason.into(), ..Self::default() }
    }

    /// Found so; what nobody tells stays unknown.
    pub(super) fn found(mut self, finding: Finding) -> Self {
        if self.value.is_some() {
            self.finding = finding;
        }
        self
    }

    /// What it should be.
    pub(super) fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(wanted.into());
        self
    }

    /// What would mend it, unless it is good.
    pub(super) fn mended_by(mut self, knob: Knob, value: impl Into<String>) -> Self {
        if matches!(self.finding, Finding::Wrong | Finding::Advice) {
            let value = value.into();
            self.command = Some(knob.kind.command(&value));
            self.change = Some(Change { knob, value });
        }
        self
    }

    /// What a person can do that `tune` does not.
    pub(super) fn by_hand(mut self, command: impl Into<String>) -> Self {
        if matches!(self.finding, Finding::Wrong | Finding::Advice) {
            self.command = Some(command.into());
        }
        self
    }
}
