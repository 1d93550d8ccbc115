//! Messages between the roles of a readout, one after the other as on a stream.

#![no_main]

use incast_core::wire::built_event::{self, BuiltEvent, PartState};
use incast_core::wire::readout::{Head, Kind, Message, emit_event_head};
use libfuzzer_sys::fuzz_target;

/// A first input, of which the others are made: one message of every kind.
const GOOD: &[u8] = include_bytes!("../seeds/readout/every_kind");

fuzz_target!(
    init: assert_eq!(read(GOOD), Kind::ALL, "every kind is read"),
    |data: &[u8]| {
        read(data);
        if let Ok(event) = BuiltEvent::parse(data) {
            same_again(&event);
        }
    }
);

/// Every message is written as it was; gives their kinds.
fn read(mut rest: &[u8]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    while let Ok((message, behind)) = Message::parse_prefix(rest) {
        let bytes = &rest[..rest.len() - behind.len()];
        let head = Head::parse(bytes).expect("it was read");
        assert_eq!((head.kind, head.message_bytes()), (message.kind(), bytes.len()));
        let mut written = Vec::new();
        message.emit(&mut written).expect("it was read");
        assert_eq!(written, bytes);
        if let Message::Event(event) = message {
            same_again(&event);
        }
        kinds.push(head.kind);
        rest = behind;
    }
    kinds
}

/// From its parts, the event is the same, whether its data are copied or sent from where they are.
fn same_again(event: &BuiltEvent<'_>) {
    let parts: Vec<_> = event.parts().collect();
    assert_eq!(event.is_complete(), parts.iter().all(|part| part.state == PartState::Good));
    let mut written = Vec::new();
    let bytes = built_event::emit(event.head(), &parts, &mut written).expect("it was read");
    assert_eq!((written.len(), &written[..]), (bytes as usize, event.bytes()));
    let mut apart = Vec::new();
    emit_event_head(event.head(), &parts, &mut apart).expect("it was read");
    parts.iter().for_each(|part| apart.extend_from_slice(part.data));
    assert_eq!(apart[8..], written);
}
