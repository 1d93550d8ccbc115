//! What replies have that no honest reflector sends: counted by kind, and left out.

/// Replies that were not what they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderFaults {
    /// Too short to be a reply.
    pub too_short: u64,
    /// With the wrong proof, or none.
    pub not_authentic: u64,
    /// Of another session.
    pub other_session: u64,
    /// To a test that was never sent, or so long ago that nobody remembers.
    pub never_sent: u64,
    /// With another time of departure than the test had.
    pub wrong_echo: u64,
    /// Without a time of arrival or departure.
    pub no_stamps: u64,
    /// That left before they came, or stayed longer than they were away.
    pub impossible_stamps: u64,
    /// With a count that went back.
    pub restarts: u64,
}

impl SenderFaults {
    /// Each with its name in words.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("too short", self.too_short),
            ("with a wrong proof", self.not_authentic),
            ("of another session", self.other_session),
            ("to a test that was never sent", self.never_sent),
            ("with another time of departure than the test had", self.wrong_echo),
            ("without times", self.no_stamps),
            ("with impossible times", self.impossible_stamps),
            ("with a count that went back", self.restarts),
        ]
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.named().iter().map(|(_, count)| count).sum()
    }
}
