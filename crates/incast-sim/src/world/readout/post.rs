//! Messages on their way: handed to the courier or to the trigger's own wires, and handed over as they come.

use incast_core::readout::{Assigned, EventNumber, Fragment, Length, Level, Message, Peer};
use incast_core::time::Time;
use incast_core::wire::mep_request::REQUEST_BYTES;
use incast_core::wire::readout::message_bytes;

use super::ReadoutWorld;
use super::lengths::{self, Cut};
use super::roster::Seat;
use crate::courier::{Channel, Courier, Fate, Service};

/// A message on a connection, or a token as a request of LHCb.
#[derive(Debug)]
pub(super) struct Letter {
    from: Seat,
    to: Seat,
    /// In which of its lives it is meant.
    to_lives: u32,
    message: Message<Length>,
}

/// A fragment, in as many pieces as its carrier needs.
#[derive(Debug)]
pub(super) struct Parcel {
    from: Seat,
    to: Seat,
    to_lives: u32,
    /// Pieces of which nothing has been heard yet.
    pub(super) pieces: u32,
    is_lost: bool,
    level: Level,
    fragment: Fragment<Length>,
}

/// A word of the trigger on the wires of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) at: Time,
    to: Seat,
    to_lives: u32,
    word: TimingWord,
}

#[derive(Clone, Copy, Debug)]
enum TimingWord {
    Assigned(Level, Assigned),
    Welcome(Level, EventNumber),
    Last(EventNumber),
}

impl TimingWord {
    /// What the trigger says to everybody goes by wires of its own, if there are any.
    fn of(message: &Message<Length>) -> Option<Self> {
        Some(match *message {
            Message::Assigned { level, assigned } => Self::Assigned(level, assigned),
            Message::Welcome { level, next } => Self::Welcome(level, next),
            Message::Last { next } => Self::Last(next),
            _ => return None,
        })
    }

    const fn message(self) -> Message<Length> {
        match self {
            Self::Assigned(level, assigned) => Message::Assigned { level, assigned },
            Self::Welcome(level, next) => Message::Welcome { level, next },
            Self::Last(next) => Message::Last { next },
        }
    }
}

/// Cargo: the number of a parcel or letter, and in the lowest bit which of them.
const LETTER: u64 = 1;

/// What a socket for datagrams holds for a process that does not read: as much as the real one asks for.
const SOCKET_BYTES: u64 = 16 << 20;
/// Messages of peers that wait for run control to say that they are there (`incast/src/readout/process.rs`).
const EARLY_MAX: usize = 1_024;

/// The connection from one role to another.
pub(super) const fn channel(from: Seat, to: Seat) -> Channel {
    Channel((from.0 as u64) << 32 | to.0 as u64)
}

impl<C: Courier> ReadoutWorld<C> {
    /// Sends what a role says, or holds it back.
    #[inline]
    pub(super) fn send(&mut self, from: Seat, to: Peer, message: Message<Length>) {
        let seat = self.roster.seat(to).filter(|to| self.actors[from.index()].connected.contains(*to));
        let Some(to) = seat else {
            let sender = &mut self.actors[from.index()];
            if self.roster.seat(to).is_some_and(|to| sender.there.contains(to)) {
                self.to_nobody += 1;
            } else {
                sender.counts.unsent += 1;
            }
            return;
        };
        if from == Self::TRIGGER
            && let Some(delay) = self.timing_delay
            && let Some(word) = TimingWord::of(&message)
        {
            self.actors[from.index()].counts.sent += 1;
            let to_lives = self.actors[to.index()].lives;
            self.timing.push_back(Wire { at: self.now + delay, to, to_lives, word });
            return;
        }
        let held_back = &mut self.actors[from.index()].held_back;
        if !held_back.is_empty()
            && let Some(waiting) = held_back.get_mut(&to)
        {
            waiting.push_back(message);
        } else if let Some(refused) = self.post(from, to, message) {
            self.actors[from.index()].held_back.entry(to).or_default().push_back(refused);
        }
    }

    /// Sends what was held back, as far as there is room.
    pub(super) fn send_held_back(&mut self, from: Seat) {
        let held_back = std::mem::take(&mut self.actors[from.index()].held_back);
        for (to, mut messages) in held_back {
            while let Some(message) = messages.pop_front() {
                if let Some(refused) = self.post(from, to, message) {
                    messages.push_front(refused);
                    break;
                }
            }
            if !messages.is_empty() {
                self.actors[from.index()].held_back.insert(to, messages);
            }
        }
    }

    /// Hands a message to the courier, or gives it back if too much waits for that peer.
    fn post(&mut self, from: Seat, to: Seat, message: Message<Length>) -> Option<Message<Length>> {
        match message {
            Message::Fragment { level, fragment } => self.post_fragment(from, to, level, fragment),
            message => self.post_letter(from, to, message),
        }
    }

    fn post_letter(&mut self, from: Seat, to: Seat, message: Message<Length>) -> Option<Message<Length>> {
        let is_request = self.is_mep && matches!(message, Message::Token(_));
        let (service, bytes) = if is_request {
            let header_bytes = lengths::datagram_header(self.carrier).unwrap_or(UDP_HEADER_BYTES);
            (Service::Datagram { header_bytes }, REQUEST_BYTES as u64)
        } else if self.is_full(from, to) {
            self.actors[from.index()].counts.queue_full += 1;
            return Some(message);
        } else {
            (Service::Connection(channel(from, to)), message_bytes(&message))
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.actors[from.index()].counts.record_sent(service, 1, bytes.into());
        self.pieces_sent += 1;
        let to_lives = self.actors[to.index()].lives;
        let number = self.letters.insert(Letter { from, to, to_lives, message });
        let cargo = u64::from(number) << 1 | LETTER;
        let hosts = (self.actors[from.index()].host, self.actors[to.index()].host);
        self.courier.handle_message(self.now, hosts.0, hosts.1, service, bytes, cargo);
        None
    }

    fn post_fragment(
        &mut self,
        from: Seat,
        to: Seat,
        level: Level,
        fragment: Fragment<Length>,
    ) -> Option<Message<Length>> {
        let service = match self.fragment_header {
            Some(header_bytes) => Service::Datagram { header_bytes },
            None if self.is_full(from, to) => {
                self.actors[from.index()].counts.queue_full += 1;
                return Some(Message::Fragment { level, fragment });
            }
            None => Service::Connection(channel(from, to)),
        };
        let is_sayable = !self.is_mep || level == Level::First;
        let cut = lengths::cut(self.carrier, fragment.payload.0, fragment.events).filter(|_| is_sayable);
        let Some(Cut { piece_bytes, pieces, last_bytes }) = cut else {
            self.actors[from.index()].counts.unsayable += 1;
            return None;
        };
        let to_lives = self.actors[to.index()].lives;
        let parcel = Parcel { from, to, to_lives, pieces, is_lost: false, level, fragment };
        let cargo = u64::from(self.parcels.insert(parcel)) << 1;
        let (sender, receiver) = (self.actors[from.index()].host, self.actors[to.index()].host);
        let bytes = u64::from(pieces - 1) * u64::from(piece_bytes) + u64::from(last_bytes);
        self.actors[from.index()].counts.record_sent(service, pieces.into(), bytes);
        self.pieces_sent += u64::from(pieces);
        for piece in 1..=pieces {
            let bytes = if piece == pieces { last_bytes } else { piece_bytes };
            self.courier.handle_message(self.now, sender, receiver, service, bytes, cargo);
        }
        None
    }

    /// Whether so much waits for a peer that a message is not taken.
    #[inline]
    fn is_full(&self, from: Seat, to: Seat) -> bool {
        let mut waiting = self.courier.backlog_bytes(channel(from, to));
        let receiver = &self.actors[to.index()];
        if receiver.is_hanging {
            waiting += receiver.inbox.stream_bytes.get(&from).copied().unwrap_or(0);
        }
        waiting >= self.actors[from.index()].queue_bytes_max
    }

    /// Takes in what became of a message.
    #[inline]
    pub(super) fn arrive(&mut self, cargo: u64, fate: Fate) {
        let number = u32::try_from(cargo >> 1).unwrap_or(u32::MAX);
        if cargo & LETTER != 0 {
            let Some(letter) = self.letters.remove(number) else { return };
            self.pieces_over += 1;
            match fate {
                Fate::Delivered => {
                    let Letter { from, to, to_lives, message } = letter;
                    let is_datagram = self.is_mep && matches!(message, Message::Token(_));
                    self.deliver(from, (to, to_lives), message, is_datagram);
                }
                Fate::Lost => self.lost_datagrams += 1,
                Fate::Cut => {}
            }
            return;
        }
        let Some(parcel) = self.parcels.get_mut(number) else { return };
        self.pieces_over += 1;
        parcel.pieces -= 1;
        parcel.is_lost |= fate != Fate::Delivered;
        self.lost_datagrams += u64::from(fate == Fate::Lost);
        if parcel.pieces > 0 {
            return;
        }
        let Some(Parcel { from, to, to_lives, is_lost, level, fragment, .. }) = self.parcels.remove(number)
        else {
            return;
        };
        if is_lost {
            self.lost_fragments += 1;
        } else {
            let is_datagram = self.fragment_header.is_some();
            self.deliver(from, (to, to_lives), Message::Fragment { level, fragment }, is_datagram);
        }
    }

    /// Hands over what came by the trigger's own wires.
    pub(super) fn arrive_by_wire(&mut self, wire: Wire) {
        self.deliver(Self::TRIGGER, (wire.to, wire.to_lives), wire.word.message(), false);
    }

    #[inline]
    fn deliver(&mut self, from: Seat, to: (Seat, u32), message: Message<Length>, is_datagram: bool) {
        let (to, to_lives) = to;
        self.note_step(from, to);
        let actor = &mut self.actors[to.index()];
        if !actor.is_alive() || actor.lives != to_lives {
            self.to_nobody += 1;
            return;
        }
        if actor.is_hanging {
            return self.keep(from, to, message, is_datagram);
        }
        actor.counts.datagrams_received += u64::from(is_datagram);
        self.hand_over(from, to, message);
    }

    /// Hands a message to the machine, or keeps it until run control has told of its sender.
    #[inline]
    pub(super) fn hand_over(&mut self, from: Seat, to: Seat, message: Message<Length>) {
        let from_peer = self.roster.peer(from);
        let actor = &mut self.actors[to.index()];
        actor.counts.received += 1;
        // A fragment is good whoever else is there.
        if matches!(from_peer, Peer::Source(_)) || actor.there.contains(from) {
            self.hand_message(to, from_peer, message);
        } else {
            actor.early.push_back((from, message));
            if actor.early.len() > EARLY_MAX
                && let Some((from, oldest)) = actor.early.pop_front()
            {
                self.hand_message(to, self.roster.peer(from), oldest);
            }
        }
        self.touch(to);
    }

    /// Keeps what came for a role that hangs, as its host would.
    fn keep(&mut self, from: Seat, to: Seat, message: Message<Length>, is_datagram: bool) {
        let bytes = match &message {
            Message::Fragment { fragment, .. } => u64::from(fragment.payload.0),
            message => message_bytes(message),
        };
        let life = (!is_datagram).then(|| self.actors[from.index()].life);
        let actor = &mut self.actors[to.index()];
        if !is_datagram {
            *actor.inbox.stream_bytes.entry(from).or_default() += bytes;
        } else if actor.inbox.datagram_bytes + bytes > SOCKET_BYTES {
            actor.counts.socket_drops += 1;
            return;
        } else {
            actor.inbox.datagram_bytes += bytes;
        }
        actor.inbox.messages.push_back((from, life, message));
    }
}

/// LHCb's requests go over UDP when its packets are on connections.
const UDP_HEADER_BYTES: u32 = 8;

impl super::actor::Counts {
    const fn record_sent(&mut self, service: Service, datagrams: u64, bytes: u64) {
        self.sent += 1;
        match service {
            Service::Datagram { .. } => self.datagrams_sent += datagrams,
            Service::Connection(_) => self.stream_sent_bytes += bytes,
        }
    }
}
