//! Messages between the roles of a readout, one after the other as on a stream.

#![no_main]

use incast_core::readout::{Built, Message};
use incast_core::wire::built_event::{self, BuiltEvent};
use incast_core::wire::readout::{HEAD_BYTES, Head, Kind, emit_head, parse_body, parse_prefix};
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
    while let Ok((message, behind)) = parse_prefix(rest) {
        let bytes = &rest[..rest.len() - behind.len()];
        let head = Head::parse(bytes).expect("it was read");
        assert_eq!((Some(head.kind), head.message_bytes()), (Kind::of(&message), bytes.len()));
        let mut written = Vec::new();
        let built = emit_head(&message, &mut written).expect("it was read");
        if let Some(built) = built {
            built.event().parts().for_each(|(_, part)| written.extend_from_slice(part));
            whole_or_not(built);
        }
        assert_eq!(written, bytes);
        by_reference(head.kind, &bytes[HEAD_BYTES..], &message);
        kinds.push(head.kind);
        rest = behind;
    }
    kinds
}

/// Payloads that are taken by their places are the same, in order, and do not overlap.
fn by_reference(kind: Kind, body: &[u8], message: &Message<Vec<u8>>) {
    let mut end = 0;
    let again = parse_body(kind, body, |place| {
        assert!(end <= place.start && place.end <= body.len());
        end = place.end;
        body[place].to_vec()
    });
    assert_eq!(again.as_ref(), Ok(message));
}

fn whole_or_not(built: &Built<Vec<u8>>) {
    let absent = built.event().places().filter(|(_, part)| part.is_none()).map(|(source, _)| source);
    assert!(absent.eq(built.missing().iter().flat_map(|missing| missing.iter())));
}

/// From its parts, the event is the same.
fn same_again(event: &BuiltEvent<'_>) {
    let parts: Vec<_> = event.parts().collect();
    assert_eq!(event.is_complete(), parts.iter().all(|part| part.data.is_some()));
    let mut written = Vec::new();
    let bytes = built_event::emit(event.head(), &parts, &mut written).expect("it was read");
    assert_eq!((written.len(), &written[..]), (bytes as usize, event.bytes()));
}
