//! Links of the explicit engine: what is sent, what travels, what arrives; and what PAUSE frames do to them.
//!
//! A switch that cuts through knows where a packet goes when [`CUT_THROUGH_BYTES`] of it are there. If the link on
//! which it goes on is faster than the one by which it comes, the packet is stored first, or its bits would be
//! missing. A damaged packet dies on the link that damaged it, although a real switch that cuts through
//! forwards it, and only who has it whole sees its check.

use incast_core::time::Time;

use super::Explicit;
use super::line::Sending;
use super::pause::{PAUSE_FRAME_BYTES, longest, reaction};
use super::queue::Item;
use super::steps::Step;
use crate::fabric::{End, LinkId, News, SwitchId, Taken, Why};
use crate::packet::Packet;

/// Preamble and the first 64 B of a frame, within which every header that a switch reads is, and after which no
/// collision can follow ("fragment-free": Cisco, Cut-Through and Store-and-Forward Ethernet Switching for Low-Latency
/// Environments).
const CUT_THROUGH_BYTES: u64 = 72;

impl Explicit {
    /// A host hands a packet to its link.
    pub(super) fn handle_sending(&mut self, now: Time, link: LinkId, mut item: Item) -> Taken {
        let line = self.line_mut(link);
        let (bytes, cargo) = (item.packet.wire_bytes, item.packet.cargo);
        if line.is_free() {
            line.chain.record_arrival(now, cargo, None);
            line.meter.record_pass(now, bytes);
            line.clear_at = now + line.spec.byte_time.span(item.bytes());
            let leaves = line.clear_at;
            self.start(now, link, item);
            return Taken::Leaves(leaves);
        }
        if line.queue.bytes() + item.bytes() > line.spec.queue_bytes {
            line.chain.record_arrival(now, cargo, Some(Why::Full));
            line.meter.record_drop(now, bytes, Why::Full);
            return Taken::Dropped;
        }
        line.chain.record_arrival(now, cargo, None);
        line.meter.record_enter(now, bytes);
        line.clear_at += line.spec.byte_time.span(item.bytes());
        item.is_awaited = line.is_pausable();
        line.queue.push(item);
        if item.is_awaited { Taken::Waits } else { Taken::Leaves(line.clear_at) }
    }

    /// The first bit of a packet leaves, which is in no queue any more.
    pub(super) fn start(&mut self, now: Time, link: LinkId, item: Item) {
        let is_known = self.is_cut_through(link, item);
        let line = self.line_mut(link);
        let byte_time = line.spec.byte_time;
        line.wire.handle_start();
        if byte_time.is_zero() {
            self.leave(now, link, item, false);
            return;
        }
        let ends = now + byte_time.span(item.bytes());
        line.sending = Some(Sending::Packet { item, ends, is_known });
        self.steps.push(ends, Step::Sent(link));
        if is_known {
            let known = now + byte_time.span(CUT_THROUGH_BYTES.min(item.bytes()));
            self.steps.push(known, Step::Known { link, packet: item.packet });
        }
    }

    /// Begins to send what is next on a link, if it can.
    pub(super) fn start_next(&mut self, now: Time, link: LinkId) {
        let line = self.line_mut(link);
        if line.sending.is_some() {
            return;
        }
        if let Some(frame) = line.frame.take() {
            // MAC control frames wait for nobody but the frame that is being sent, not even for a pause.
            line.sending = Some(Sending::Frame(frame));
            let ends = now + line.spec.byte_time.span(PAUSE_FRAME_BYTES);
            self.steps.push(ends, Step::Sent(link));
            return;
        }
        if line.is_paused {
            return;
        }
        if let End::Switch(switch) = line.spec.from
            && self.switches[switch.0 as usize].crossbar.is_some()
        {
            self.request_match(now, switch);
            return;
        }
        let line = self.line_mut(link);
        let Some(item) = line.queue.pop() else { return };
        line.meter.record_start(now, item.packet.wire_bytes, now.since(item.entered));
        self.start(now, link, item);
        self.release(now, link, item);
    }

    /// The last bit of what a link sends leaves.
    pub(super) fn handle_sent(&mut self, now: Time, link: LinkId) {
        match self.line_mut(link).sending.take() {
            Some(Sending::Packet { item, is_known, .. }) => self.leave(now, link, item, is_known),
            Some(Sending::Frame(frame)) => {
                let back = self.line(link);
                // It takes hold when its partner must have stopped at the latest, and lets go likewise: so
                // the later of two never overtakes the earlier.
                let holds = now + back.spec.travel + reaction(self.line(frame.link).spec.byte_time);
                if !back.is_down {
                    self.steps.push(holds, Step::Pause { link: frame.link, on: frame.on });
                }
            }
            None => {}
        }
        self.start_next(now, link);
    }

    fn leave(&mut self, now: Time, link: LinkId, item: Item, is_known: bool) {
        self.packet_hops += 1;
        let line = self.line_mut(link);
        line.meter.record_leave(now, item.packet.wire_bytes);
        let from = line.spec.from;
        if !is_known {
            self.handle_known(now, link, item.packet);
        }
        match from {
            End::Nic(nic) if item.is_awaited => {
                self.news.push_back(News::Left { nic, packet: item.packet });
            }
            End::Nic(_) => {}
            End::Switch(switch) => self.handle_passed(now, switch, item),
        }
    }

    /// As much of a packet has left as the far end has to know.
    pub(super) fn handle_known(&mut self, now: Time, link: LinkId, packet: Packet) {
        self.lines[link.0 as usize].hand_to_wire(now, link, packet, &mut self.news);
        self.expect(link);
    }

    /// Sees to it that a wire is looked at when something is through.
    fn expect(&mut self, link: LinkId) {
        let line = self.line_mut(link);
        let Some(due) = line.wire.next_timeout() else { return };
        if line.through_due.is_none_or(|expected| due < expected) {
            line.through_due = Some(due);
            self.steps.push(due, Step::Through(link));
        }
    }

    /// Packets are through a link, if none of them was lost since.
    pub(super) fn handle_through(&mut self, now: Time, link: LinkId) {
        let line = self.line_mut(link);
        if line.through_due == Some(now) {
            line.through_due = None;
        }
        while let Some(packet) = self.line_mut(link).wire.poll_arrived(now) {
            match self.line(link).spec.to {
                End::Nic(_) => self.news.push_back(News::Delivered { packet }),
                End::Switch(switch) => self.handle_at_switch(now, switch, link, packet),
            }
        }
        self.expect(link);
    }

    fn handle_at_switch(&mut self, now: Time, switch: SwitchId, link: LinkId, packet: Packet) {
        if let Some(out) = self.switches[switch.0 as usize].route(packet.to) {
            self.handle_entered(now, link, out, packet);
            return;
        }
        // No way leads there: it ends here, and is counted.
        let (line, why) = (self.line_mut(link), Why::LinkDown);
        line.chain.record_lost(now, packet.cargo, why);
        line.meter.record_lost(now, packet.wire_bytes, why);
        self.news.push_back(News::Dropped { packet, link, why });
    }

    /// A PAUSE frame takes hold of a link, or lets it go.
    pub(super) fn handle_pause(&mut self, now: Time, link: LinkId, on: bool) {
        let line = self.line_mut(link);
        line.is_paused = on;
        if on {
            line.pauses += 1;
            let (pause, ends) = (line.pauses, now + longest(line.spec.byte_time));
            self.steps.push(ends, Step::PauseEnds { link, pause });
        } else {
            self.start_next(now, link);
        }
    }

    /// A pause has lasted for as long as it can.
    pub(super) fn handle_pause_end(&mut self, now: Time, link: LinkId, pause: u64) {
        let line = self.line_mut(link);
        if line.is_paused && line.pauses == pause {
            line.is_paused = false;
            self.start_next(now, link);
        }
    }

    fn is_cut_through(&self, link: LinkId, item: Item) -> bool {
        let line = self.line(link);
        let End::Switch(switch) = line.spec.to else { return false };
        let switch = &self.switches[switch.0 as usize];
        let route = switch.route(item.packet.to).filter(|_| switch.model.is_cut_through);
        route.is_some_and(|out| !self.line(out).spec.byte_time.is_faster_than(line.spec.byte_time))
    }
}
