//! Switches of the explicit engine: packets that come to a queue, find room in its memory, and are let go.

use incast_core::time::{Span, Time};

use super::Explicit;
use super::line::PauseFrame;
use super::pause::{WATCHDOG, longest};
use super::queue::Item;
use super::steps::Step;
use crate::fabric::{End, LinkId, News, SwitchId, Why};
use crate::packet::Packet;

impl Explicit {
    /// A packet comes to the queue of its next link.
    pub(super) fn handle_entered(&mut self, now: Time, by: LinkId, out: LinkId, packet: Packet) {
        let line = self.line_mut(out);
        let ties = line.came.is_some_and(|(at, other)| at == now && other != by);
        line.came = Some((now, by));
        self.ties += u64::from(ties);
        let item = Item { packet, entered: now, by: Some(by), is_awaited: false };
        let End::Switch(switch) = self.line(out).spec.from else { return };
        if let Err(why) = self.find_room(switch, by, out, item) {
            let line = self.line_mut(out);
            line.chain.record_arrival(now, item.packet.cargo, Some(why));
            line.meter.record_drop(now, item.packet.wire_bytes, why);
            self.news.push_back(News::Dropped { packet: item.packet, link: out, why });
            return;
        }
        self.line_mut(out).chain.record_arrival(now, item.packet.cargo, None);
        if self.switches[switch.0 as usize].crossbar.is_some() {
            self.enter_input(now, switch, by, out, item);
        } else {
            self.enter_output(now, switch, by, out, item);
        }
    }

    /// Whether a packet need not wait, or may.
    fn find_room(&self, switch: SwitchId, by: LinkId, out: LinkId, item: Item) -> Result<(), Why> {
        let (switch, line) = (&self.switches[switch.0 as usize], self.line(out));
        let input = self.line(by).input;
        let need_not_wait = match (&switch.crossbar, input) {
            // It may still lose a draw against another input: then it waits where there is no room for more.
            (Some(crossbar), Some(input)) => line.can_send() && crossbar.is_idle(input.place),
            _ => line.is_free(),
        };
        if need_not_wait {
            return Ok(());
        }
        let has_room = match input.filter(|_| switch.keeps_by_input()) {
            Some(input) => input.pool.has_room(item.bytes()),
            None => line.queue.bytes() + item.bytes() <= line.spec.queue_bytes,
        };
        match &switch.memory {
            _ if !has_room => Err(Why::Full),
            Some(memory) if !memory.has_room(item.bytes()) => Err(Why::Memory),
            _ => Ok(()),
        }
    }

    fn enter_output(&mut self, now: Time, switch: SwitchId, by: LinkId, out: LinkId, item: Item) {
        let line = self.line_mut(out);
        if line.is_free() {
            line.meter.record_pass(now, item.packet.wire_bytes);
            self.start(now, out, item);
            return;
        }
        line.meter.record_enter(now, item.packet.wire_bytes);
        line.queue.push(item);
        self.hold(switch, by, item);
        self.ask_to_stop(now, switch, by);
    }

    fn enter_input(&mut self, now: Time, switch: SwitchId, by: LinkId, out: LinkId, item: Item) {
        let (input, output) = (self.line(by).input.map_or(0, |input| input.place), self.line(out).output);
        self.hold(switch, by, item);
        let inside = &mut self.switches[switch.0 as usize];
        inside.fresh.push((out, item));
        if let Some(crossbar) = &mut inside.crossbar {
            crossbar.handle_item(input, output, item);
        }
        self.request_match(now, switch);
    }

    /// Has the crossbar matched when all that happens now has happened.
    pub(super) fn request_match(&mut self, now: Time, switch: SwitchId) {
        let inside = &mut self.switches[switch.0 as usize];
        if inside.match_due != Some(now) {
            inside.match_due = Some(now);
            self.steps.push(now, Step::Matched(switch));
        }
    }

    /// Joins inputs and outputs of a crossbar. What came in at this moment and passes at once has not waited.
    pub(super) fn handle_match(&mut self, now: Time, switch: SwitchId) {
        let inside = &mut self.switches[switch.0 as usize];
        inside.match_due = None;
        let Some(crossbar) = &mut inside.crossbar else { return };
        let (lines, outputs) = (&self.lines, &inside.outputs);
        let transfers = crossbar.poll_transfers(|output| lines[outputs[output].0 as usize].can_send());
        let mut fresh = std::mem::take(&mut inside.fresh);
        for transfer in &transfers {
            let out = self.switches[switch.0 as usize].outputs[transfer.output];
            let item = transfer.item;
            let at = fresh.iter().position(|(to, new)| *to == out && new.by == item.by);
            let line = self.line_mut(out);
            match at.filter(|_| item.entered == now) {
                Some(at) => {
                    fresh.remove(at);
                    line.meter.record_pass(now, item.packet.wire_bytes);
                }
                None => line.meter.record_start(now, item.packet.wire_bytes, now.since(item.entered)),
            }
            self.start(now, out, item);
        }
        for (out, item) in &fresh {
            self.line_mut(*out).meter.record_enter(now, item.packet.wire_bytes);
        }
        for transfer in &transfers {
            let out = self.switches[switch.0 as usize].outputs[transfer.output];
            self.release(now, out, transfer.item);
        }
        for by in fresh.iter().filter_map(|(_, item)| item.by) {
            self.ask_to_stop(now, switch, by);
        }
    }

    /// The last bit of a packet has left a switch.
    pub(super) fn handle_passed(&mut self, now: Time, switch: SwitchId, item: Item) {
        let input = item.by.and_then(|by| self.line(by).input);
        let inside = &mut self.switches[switch.0 as usize];
        if let (Some(crossbar), Some(input)) = (&mut inside.crossbar, input) {
            crossbar.handle_end(input.place);
            self.request_match(now, switch);
        }
    }

    /// A packet takes memory.
    fn hold(&mut self, switch: SwitchId, by: LinkId, item: Item) {
        if let Some(memory) = &mut self.switches[switch.0 as usize].memory {
            memory.held += item.bytes();
        }
        if let Some(input) = &mut self.line_mut(by).input {
            input.pool.held += item.bytes();
        }
    }

    /// A packet that has waited in a switch gives its memory back: whoever was stopped may go on.
    pub(super) fn release(&mut self, now: Time, out: LinkId, item: Item) {
        let (End::Switch(switch), Some(by)) = (self.line(out).spec.from, item.by) else { return };
        let inside = &mut self.switches[switch.0 as usize];
        let was_high = inside.memory.is_some_and(|memory| memory.held > inside.memory_high);
        if let Some(memory) = &mut inside.memory {
            memory.held -= item.bytes();
        }
        let is_high = inside.memory.is_some_and(|memory| memory.held > inside.memory_high);
        if let Some(input) = &mut self.line_mut(by).input {
            input.pool.held -= item.bytes();
            input.moved = now;
        }
        if was_high && !is_high {
            for place in 0..self.switches[switch.0 as usize].inputs.len() {
                let link = self.switches[switch.0 as usize].inputs[place];
                self.let_go(now, link);
            }
        } else if !is_high {
            self.let_go(now, by);
        }
    }

    /// Pauses whoever sends on a link, if the memory for it is above its mark.
    fn ask_to_stop(&mut self, now: Time, switch: SwitchId, by: LinkId) {
        let inside = &self.switches[switch.0 as usize];
        let is_high = inside.memory.is_some_and(|memory| memory.held > inside.memory_high);
        let line = self.line_mut(by);
        let is_pausable = line.is_pausable();
        let Some(input) = &mut line.input else { return };
        let (Some(marks), Some(back)) = (input.marks, input.back) else { return };
        if is_pausable && input.asked.is_none() && (is_high || input.pool.held > marks.high) {
            input.asked = Some(now);
            self.pause_again_later(now, by, now);
            self.send_frame(now, back, PauseFrame { link: by, on: true });
        }
    }

    /// A pause is about to end: it is renewed if it is still wanted, and of any use.
    pub(super) fn handle_pause_again(&mut self, now: Time, link: LinkId, asked: Time) {
        let Some(input) = &mut self.line_mut(link).input else { return };
        let Some(back) = input.back.filter(|_| input.asked == Some(asked)) else { return };
        if now.since(asked.max(input.moved)) > WATCHDOG {
            input.asked = None;
            return;
        }
        self.pause_again_later(now, link, asked);
        self.send_frame(now, back, PauseFrame { link, on: true });
    }

    fn pause_again_later(&mut self, now: Time, link: LinkId, asked: Time) {
        let half = Span(longest(self.line(link).spec.byte_time).0 / 2);
        self.steps.push(now + half, Step::PauseAgain { link, asked });
    }

    /// Lets whoever sends on a link go on, if there is room again.
    fn let_go(&mut self, now: Time, link: LinkId) {
        let Some(input) = &mut self.line_mut(link).input else { return };
        let (Some(marks), Some(back)) = (input.marks, input.back) else { return };
        if input.asked.is_some() && input.pool.held <= marks.low {
            input.asked = None;
            self.send_frame(now, back, PauseFrame { link, on: false });
        }
    }

    fn send_frame(&mut self, now: Time, back: LinkId, frame: PauseFrame) {
        self.line_mut(back).frame = Some(frame);
        self.start_next(now, back);
    }
}
