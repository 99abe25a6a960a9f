//! One packet at a time through `ring`, which verifies while it decrypts and zeroes what it rejects.
//!
//! `ring` keeps its expanded key in an object of half a kilobyte. It is built on the stack once per run of packets
//! under the same key, and wiped after the run.

use core::mem::{MaybeUninit, needs_drop};
use core::ptr;
use core::sync::atomic::{Ordering, compiler_fence};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::packet::{Failures, Packet};
use crate::{KEY_LENGTH, TAG_LENGTH};

pub(crate) fn seal(packets: &mut [Packet<'_>]) {
    for run in packets.chunk_by_mut(|a, b| ptr::eq(a.key, b.key)) {
        let Some(first) = run.first() else { continue };
        let key = WipedKey::new(first.key);
        for packet in run {
            let nonce = Nonce::assume_unique_for_key(packet.nonce());
            let (payload, tag) = packet.buffer.split_at_mut(packet.buffer.len() - TAG_LENGTH);
            let computed = key
                .get()
                .seal_in_place_separate_tag(nonce, Aad::empty(), payload)
                .expect("the cipher seals up to 256 GiB and a packet is shorter");
            tag.copy_from_slice(computed.as_ref());
        }
    }
}

pub(crate) fn open(packets: &mut [Packet<'_>]) -> Failures {
    let mut failures = Failures::NONE;
    let mut position = 0;
    for run in packets.chunk_by_mut(|a, b| ptr::eq(a.key, b.key)) {
        let Some(first) = run.first() else { continue };
        let key = WipedKey::new(first.key);
        for packet in run {
            let nonce = Nonce::assume_unique_for_key(packet.nonce());
            if key.get().open_in_place(nonce, Aad::empty(), packet.buffer).is_err() {
                failures.insert(position);
            }
            position += 1;
        }
    }
    failures
}

/// A key object of `ring` whose bytes are zeroed when it goes.
struct WipedKey(MaybeUninit<LessSafeKey>);

// Zeroing the bytes in place of dropping the object is only right while it owns nothing.
const _: () = assert!(!needs_drop::<LessSafeKey>());

impl WipedKey {
    #[inline]
    fn new(key: &[u8; KEY_LENGTH]) -> Self {
        let unbound = UnboundKey::new(&CHACHA20_POLY1305, key)
            .expect("the key has the cipher's length by its type");
        Self(MaybeUninit::new(LessSafeKey::new(unbound)))
    }

    #[inline]
    fn get(&self) -> &LessSafeKey {
        // SAFETY: `new` is the only constructor and initialises the object; only `drop` overwrites it.
        unsafe { self.0.assume_init_ref() }
    }
}

impl Drop for WipedKey {
    #[inline]
    fn drop(&mut self) {
        let object = self.0.as_mut_ptr();
        // SAFETY: `object` points to the storage of one `LessSafeKey` that is borrowed exclusively. Nobody reads it
        // afterwards, and it has nothing to drop.
        unsafe { ptr::write_bytes(object, 0, 1) };
        compiler_fence(Ordering::SeqCst);
        core::hint::black_box(object);
    }
}
