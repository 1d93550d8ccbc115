//! Things that are under way, each with a number that is used again when it is there: nothing is allocated for
//! one as long as no more are under way than ever were.

/// Things by number.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// Nothing is under way.
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Puts a thing in, and gives its number.
    #[inline]
    pub(super) fn insert(&mut self, thing: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.places[number as usize] = Some(thing);
            return number;
        }
        let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        assert!(number != u32::MAX, "memory ends before numbers do");
        self.places.push(Some(thing));
        number
    }

    /// The thing of that number, if it is there.
    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.places.get_mut(number as usize)?.as_mut()
    }

    /// All things that are under way.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.places.iter().flatten()
    }

    /// Takes the thing of that number out, if it is there.
    #[inline]
    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let thing = self.places.get_mut(number as usize)?.take();
        if thing.is_some() {
            self.free.push(number);
        }
        thing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_nothing_is_taken_twice() {
        let mut slab = Slab::new();
        let (one, two) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((slab.remove(one), slab.remove(one)), (Some('a'), None));
        assert_eq!(slab.insert('c'), one);
        assert_eq!(slab.get_mut(two).copied(), Some('b'));
    }
}
