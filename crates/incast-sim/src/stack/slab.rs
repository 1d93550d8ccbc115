//! A place for each thing that is under way, and a name for it that no other thing ever has.

/// Things by their names. A name holds a place and the number of its use, so that an old name finds nothing.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Place<T> {
    use_number: u32,
    thing: Option<T>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Takes a thing in; the name says where it is.
    pub(crate) fn insert(&mut self, thing: T) -> u64 {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            place.thing = Some(thing);
            return name(index, place.use_number);
        }
        // A place for each of 2^32 packets in flight would take more memory than there is.
        let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(Place { use_number: 0, thing: Some(thing) });
        name(index, 0)
    }

    pub(crate) fn get(&self, name: u64) -> Option<&T> {
        let (index, use_number) = parts(name);
        let place = self.places.get(index).filter(|place| place.use_number == use_number)?;
        place.thing.as_ref()
    }

    pub(crate) fn get_mut(&mut self, name: u64) -> Option<&mut T> {
        let (index, use_number) = parts(name);
        let place = self.places.get_mut(index)?;
        place.thing.as_mut().filter(|_| place.use_number == use_number)
    }

    pub(crate) fn remove(&mut self, name: u64) -> Option<T> {
        let (index, use_number) = parts(name);
        let place = self.places.get_mut(index).filter(|place| place.use_number == use_number)?;
        let thing = place.thing.take()?;
        place.use_number = (place.use_number + 1) & USE_NUMBER_MAX;
        self.free.push(u32::try_from(index).unwrap_or(u32::MAX));
        Some(thing)
    }
}

/// Names have 56 bits: 24 of a use number above 32 of a place. What waits for longer than 16 million uses of its
/// place does not exist: a place is used again after the packet before it is gone.
const USE_NUMBER_MAX: u32 = 0x00FF_FFFF;

fn name(index: u32, use_number: u32) -> u64 {
    u64::from(use_number) << 32 | u64::from(index)
}

fn parts(name: u64) -> (usize, u32) {
    let index = u32::try_from(name & 0xFFFF_FFFF).unwrap_or(0);
    (index as usize, u32::try_from(name >> 32).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_name_finds_nothing() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!(slab.remove(a), Some('a'));
        let c = slab.insert('c');
        assert_ne!(a, c);
        assert_eq!((slab.remove(a), slab.get_mut(b).copied()), (None, Some('b')));
        assert_eq!(slab.remove(c), Some('c'));
    }
}
