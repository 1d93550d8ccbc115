//! A courier that is as bad as a storm wants it: every message takes its own time, datagrams are lost and
//! overtake each other. Messages on a connection keep their order, and arrive unless it is cut.

use std::collections::{BTreeMap, VecDeque};

use incast_core::random::Random;
use incast_core::time::{Span, Time};

use super::Storm;
use crate::courier::{Channel, Courier, Fate, HostIndex, Service};

/// Messages under way in bad weather.
#[derive(Clone, Debug)]
pub struct Weather {
    random: Random,
    within: Span,
    loss_percent: u64,
    under_way: BTreeMap<(Time, u64), Message>,
    /// Of each connection, when the last message on it arrives, and the bytes that have not.
    channels: BTreeMap<Channel, (Time, u64)>,
    cut: VecDeque<u64>,
    number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    channel: Option<Channel>,
    bytes: u32,
    cargo: u64,
    fate: Fate,
}

/// What a message takes at least.
const LEAST: Span = Span::from_us(1);

impl Weather {
    /// The weather of a storm.
    #[must_use]
    pub fn new(storm: &Storm) -> Self {
        Self {
            random: Random::named(storm.seed, "weather"),
            within: storm.delay_within,
            loss_percent: storm.loss_percent,
            under_way: BTreeMap::new(),
            channels: BTreeMap::new(),
            cut: VecDeque::new(),
            number: 0,
        }
    }
}

impl Courier for Weather {
    fn handle_message(
        &mut self,
        now: Time,
        _from: HostIndex,
        _to: HostIndex,
        service: Service,
        bytes: u32,
        cargo: u64,
    ) {
        let within = self.within.0.saturating_add(1);
        let mut at = now + LEAST + Span(self.random.next_u64() % within);
        let (channel, fate) = match service {
            Service::Connection(channel) => {
                let (last, waiting) = self.channels.entry(channel).or_default();
                at = at.max(*last);
                (*last, *waiting) = (at, *waiting + u64::from(bytes));
                (Some(channel), Fate::Delivered)
            }
            Service::Datagram { .. } => {
                let is_lost = self.random.next_u64() % 100 < self.loss_percent;
                (None, if is_lost { Fate::Lost } else { Fate::Delivered })
            }
        };
        self.number += 1;
        self.under_way.insert((at, self.number), Message { channel, bytes, cargo, fate });
    }

    fn handle_cut(&mut self, _now: Time, channel: Channel) {
        if self.channels.remove(&channel).is_none_or(|(_, waiting)| waiting == 0) {
            return;
        }
        let cut = &mut self.cut;
        self.under_way.retain(|_, message| {
            let is_cut = message.channel == Some(channel);
            if is_cut {
                cut.push_back(message.cargo);
            }
            !is_cut
        });
    }

    fn backlog_bytes(&self, channel: Channel) -> u64 {
        self.channels.get(&channel).map_or(0, |(_, waiting)| *waiting)
    }

    fn next_timeout(&self) -> Option<Time> {
        if !self.cut.is_empty() {
            return Some(Time::ZERO);
        }
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    fn poll(&mut self, now: Time) -> Option<(u64, Fate)> {
        if let Some(cargo) = self.cut.pop_front() {
            return Some((cargo, Fate::Cut));
        }
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now)?;
        let message = entry.remove();
        if let Some((_, waiting)) = message.channel.and_then(|channel| self.channels.get_mut(&channel)) {
            *waiting = waiting.saturating_sub(message.bytes.into());
        }
        Some((message.cargo, message.fate))
    }
}
