//! One instance of a module: where questions are written in its memory, and what it returns.
//!
//! ```text
//!  memory                                   its only one
//!  alloc(bytes: i32) -> i32                 room for a question; stays ours until the next call
//!  judge(at: i32, bytes: i32, index: i32)   about event `index` of the question there
//!      -> i64                               0: reject; 2^32 + streams: accept
//! ```

use incast_core::readout::{Failure, Verdict};
use wasmi::{Error, Instance, Linker, Memory, Module, Store, StoreLimits, StoreLimitsBuilder, TypedFunc};

use super::fuel::{Fuel, fault};
use crate::fault::Fault;
use crate::view::EventView;

/// An instance.
#[derive(Debug)]
pub(super) struct Life {
    store: Store<StoreLimits>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    judge: TypedFunc<(u32, u32, u32), u64>,
    room: Room,
}

/// Where questions are written.
#[derive(Clone, Copy, Debug, Default)]
struct Room {
    at: u32,
    bytes: u32,
}

/// Fuel for what a module does when it is made, some seconds: nearly all do nothing.
const START_FUEL: u64 = 500_000_000;
/// Entries of a table of functions: as many as a module can have.
const TABLE_ENTRIES_MAX: usize = 1_000_000;

impl Life {
    /// A new instance, as if no event had been before.
    pub(super) fn new(module: &Module, memory_bytes_max: u64) -> Result<Self, Fault> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(usize::try_from(memory_bytes_max).unwrap_or(usize::MAX))
            .table_elements(TABLE_ENTRIES_MAX)
            .memories(1)
            .tables(4)
            .instances(1)
            .trap_on_grow_failure(true)
            .build();
        let mut store = Store::new(module.engine(), limits);
        store.limiter(|limits| limits);
        store.set_fuel(START_FUEL).map_err(|error| fault(&error))?;
        let linker = Linker::new(module.engine());
        let instance = linker.instantiate_and_start(&mut store, module).map_err(|error| fault(&error))?;
        let missing = |name| Fault::new(Failure::Nonsense, format!("it does not export {name}"));
        let memory = instance.get_memory(&store, "memory").ok_or_else(|| missing("a memory `memory`"))?;
        let alloc = function(&instance, &store, "alloc", "alloc(i32) -> i32")?;
        let judge = function(&instance, &store, "judge", "judge(i32, i32, i32) -> i64")?;
        Ok(Self { store, memory, alloc, judge, room: Room::default() })
    }

    /// Writes the question, and has each of its events judged.
    pub(super) fn judge(
        &mut self,
        head: &[u8],
        bytes: usize,
        view: &EventView<'_>,
        fuel: &mut Fuel,
        verdicts: &mut Vec<Verdict>,
    ) -> Result<(), Fault> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.make_room(bytes, fuel)?;
        self.write(head, view)?;
        for index in 0..u32::from(view.events) {
            let judged = fuel.call(&mut self.store, self.judge, (self.room.at, bytes, index))?;
            verdicts.push(verdict(judged).ok_or_else(|| {
                Fault::new(Failure::Nonsense, format!("judge returned {judged:#x}, which is no verdict"))
            })?);
        }
        Ok(())
    }

    /// Asks the module for more room if the question needs it. Rarely: twice the room each time.
    fn make_room(&mut self, bytes: u32, fuel: &mut Fuel) -> Result<(), Fault> {
        if bytes <= self.room.bytes {
            return Ok(());
        }
        let wanted = bytes.checked_next_power_of_two().unwrap_or(bytes);
        let at = fuel.call(&mut self.store, self.alloc, wanted)?;
        let end = u64::from(at) + u64::from(wanted);
        if at == 0 || end > self.memory.data_size(&self.store) as u64 {
            let text = format!("alloc returned {at}, where there is no room for {wanted} bytes");
            return Err(Fault::new(Failure::Nonsense, text));
        }
        self.room = Room { at, bytes: wanted };
        Ok(())
    }

    fn write(&mut self, head: &[u8], view: &EventView<'_>) -> Result<(), Fault> {
        let mut at = self.room.at as usize;
        for piece in std::iter::once(head).chain(view.data()) {
            let written = self.memory.write(&mut self.store, at, piece);
            written.map_err(|error| Fault::new(Failure::Nonsense, format!("its room is gone: {error}")))?;
            at += piece.len();
        }
        Ok(())
    }
}

fn function<P: wasmi::WasmParams, R: wasmi::WasmResults>(
    instance: &Instance,
    store: &Store<StoreLimits>,
    name: &str,
    shape: &str,
) -> Result<TypedFunc<P, R>, Fault> {
    let function: Result<_, Error> = instance.get_typed_func(store, name);
    function.map_err(|_| Fault::new(Failure::Nonsense, format!("it does not export {shape}")))
}

/// What `judge` returned.
fn verdict(judged: u64) -> Option<Verdict> {
    let [s0, s1, s2, s3, code @ ..] = judged.to_le_bytes();
    match (u32::from_le_bytes(code), u32::from_le_bytes([s0, s1, s2, s3])) {
        (0, 0) => Some(Verdict::Reject),
        (1, streams @ 1..) => Some(Verdict::Accept { streams }),
        _ => None,
    }
}
