//! Honest messages with one number replaced by another at the edge of a type.

use serde_json::Value;

/// Numbers at which sums and products go wrong. They are few on purpose: chance has to put the
/// right one in the right place.
const EDGES: [u64; 7] = [0, 1, 1 << 32, i64::MAX.unsigned_abs(), 1 << 63, u64::MAX - 1, u64::MAX];

/// `message` with number `place` of it replaced by `edge`; an edge of 0 replaces none.
pub fn replace(mut message: Value, place: u8, edge: u8) -> Value {
    let mut places = Vec::new();
    collect_numbers(&mut message, &mut places);
    let place = usize::from(place) % places.len().max(1);
    let edge = usize::from(edge) % (EDGES.len() + 1);
    if let (Some(place), Some(number)) = (places.get_mut(place), edge.checked_sub(1).map(|edge| EDGES[edge]))
    {
        **place = Value::from(number);
    }
    message
}

fn collect_numbers<'a>(value: &'a mut Value, places: &mut Vec<&'a mut Value>) {
    match value {
        Value::Number(_) => places.push(value),
        Value::Array(items) => items.iter_mut().for_each(|item| collect_numbers(item, places)),
        Value::Object(fields) => fields.values_mut().for_each(|field| collect_numbers(field, places)),
        _ => {}
    }
}
