//! Locks of what threads share when connections begin and end.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, whatever a panicking thread left: the tables hold no half-made entry.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
