//! Copies between private and shared memory, during which peers may write what is read.
//!
//! Aligned machine words go whole, the bytes at either end one by one: each is one relaxed atomic access, so a peer's
//! stores are seen or not seen but never break the language's rules. A word is never torn; the copy as a
//! whole can be. Machine words, because a load of no more than a word is an ordinary load everywhere, which read-only
//! pages allow.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

const WORD: usize = size_of::<usize>();

/// Copies all of `from`; both have the same length.
pub(crate) fn load(from: &[AtomicU8], to: &mut [u8]) {
    debug_assert_eq!(from.len(), to.len());
    let (head, words, tail) = words(from);
    let (to_head, rest) = to.split_at_mut(head.len());
    let (to_words, to_tail) = rest.split_at_mut(words.len() * WORD);
    load_bytes(head, to_head);
    for (word, to) in words.iter().zip(to_words.as_chunks_mut::<WORD>().0) {
        *to = word.load(Relaxed).to_ne_bytes();
    }
    load_bytes(tail, to_tail);
}

/// Copies all of `from`; both have the same length.
pub(crate) fn store(to: &[AtomicU8], from: &[u8]) {
    debug_assert_eq!(from.len(), to.len());
    let (head, words, tail) = words(to);
    let (from_head, rest) = from.split_at(head.len());
    let (from_words, from_tail) = rest.split_at(words.len() * WORD);
    store_bytes(head, from_head);
    for (word, from) in words.iter().zip(from_words.as_chunks::<WORD>().0) {
        word.store(usize::from_ne_bytes(*from), Relaxed);
    }
    store_bytes(tail, from_tail);
}

fn load_bytes(from: &[AtomicU8], to: &mut [u8]) {
    for (cell, to) in from.iter().zip(to) {
        *to = cell.load(Relaxed);
    }
}

fn store_bytes(to: &[AtomicU8], from: &[u8]) {
    for (cell, from) in to.iter().zip(from) {
        cell.store(*from, Relaxed);
    }
}

/// The aligned words among `cells`, and what is left before and after them.
fn words(cells: &[AtomicU8]) -> (&[AtomicU8], &[AtomicUsize], &[AtomicU8]) {
    // SAFETY: AtomicUsize has the layout of usize, of which every bit pattern is valid, and is as free to be changed by
    // others as the AtomicU8s are. Accesses of both sizes may meet at one byte; LLVM's memory model, which rustc
    // follows, defines atomic accesses byte by byte, each load taking for each byte one of the values stored there.
    unsafe { cells.align_to() }
}
