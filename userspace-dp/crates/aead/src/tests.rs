//! Vectors, the differential against `chacha20poly1305`, and what a rejected packet leaves behind.

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use proptest::prelude::*;

use super::*;

fn aead() -> Aead {
    Aead::new(Choice::Auto).unwrap()
}

/// What the reference crate makes of a payload: ciphertext and tag.
fn reference(key: &[u8; KEY_LENGTH], counter: u64, payload: &[u8]) -> Vec<u8> {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_le_bytes());
    let mut sealed = payload.to_vec();
    let tag = ChaCha20Poly1305::new(key.into())
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], &mut sealed)
        .unwrap();
    sealed.extend_from_slice(&tag);
    sealed
}

#[test]
fn known_answers_are_those_of_the_reference() {
    let computed: Vec<u128> = (0..self_test::LENGTHS.len())
        .map(|position| {
            let payload: Vec<u8> =
                (0..self_test::LENGTHS[position]).map(|i| self_test::byte(position, i)).collect();
            let sealed =
                reference(&self_test::key(position), self_test::counter(position), &payload);
            u128::from_be_bytes(sealed[payload.len()..].try_into().unwrap())
        })
        .collect();
    assert_eq!(computed, self_test::TAGS, "{computed:#034x?}");
}

#[test]
fn every_backend_passes_its_self_test_when_forced() {
    for backend in Backend::ALL {
        assert_eq!(Aead::new(Choice::Forced(backend)).unwrap().backend(), backend);
    }
}

/// The construction without additional data over a zero nonce: the ChaCha20 block function vector of RFC 8439,
/// appendix A.1 (test vector 2: zero key, block 1) is the keystream under which a zero payload is sealed.
#[test]
fn a_zero_payload_becomes_the_keystream_of_rfc_8439() {
    let keystream = [
        0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08,
        0x0d, 0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6, 0x53, 0x3e, 0x32, 0xee,
        0x7a, 0xed, 0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e, 0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74,
        0xd8, 0x39, 0xd5, 0x31, 0xed, 0x1f, 0x28, 0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f,
        0x4b, 0x79, 0x4d, 0x6f,
    ];
    let mut buffer = [0; 64 + TAG_LENGTH];
    aead().seal(&mut [Packet::new(&[0; 32], 0, &mut buffer).unwrap()]);
    assert_eq!(buffer[..64], keystream);
}

#[test]
fn a_buffer_that_cannot_hold_a_tag_is_refused() {
    let key = [1; 32];
    assert_eq!(Packet::new(&key, 0, &mut [0; 15]).err(), Some(BadLength(15)));
    assert!(Packet::new(&key, 0, &mut [0; 16]).is_ok());
    let mut long = vec![0; MAX_BUFFER + 1];
    assert_eq!(Packet::new(&key, 0, &mut long).err(), Some(BadLength(MAX_BUFFER + 1)));
}

#[test]
fn a_full_batch_opens_and_only_the_damaged_packets_fail() {
    let keys: Vec<[u8; 32]> = (0..MAX_BATCH).map(|i| [i as u8 / 3; 32]).collect();
    let mut buffers: Vec<Vec<u8>> = (0..MAX_BATCH).map(|i| vec![i as u8 + 1; 64 + i]).collect();
    let mut packets: Vec<_> = keys
        .iter()
        .zip(&mut buffers)
        .enumerate()
        .map(|(i, (key, buffer))| Packet::new(key, i as u64, buffer).unwrap())
        .collect();
    aead().seal(&mut packets);
    for damaged in [0, 63, 64, 127] {
        packets[damaged].buffer[5] ^= 0x80;
    }
    let failures = aead().open(&mut packets);
    assert_eq!(failures.count(), 4);
    for (i, packet) in packets.iter().enumerate() {
        let damaged = [0, 63, 64, 127].contains(&i);
        assert_eq!(failures.contains(i), damaged, "packet {i}");
        assert_eq!(packet.payload().iter().all(|b| *b == i as u8 + 1), !damaged, "packet {i}");
    }
}

#[test]
fn each_damaged_bit_is_noticed_and_leaves_no_plaintext() {
    let (key, payload) =
        ([7; 32], *b"a payload that must not be seen without its tag, and no byte of it");
    let sealed = reference(&key, 9, &payload);
    for bit in 0..sealed.len() * 8 {
        let mut buffer = sealed.clone();
        buffer[bit / 8] ^= 1 << (bit % 8);
        let mut packet = [Packet::new(&key, 9, &mut buffer).unwrap()];
        assert!(aead().open(&mut packet).contains(0), "bit {bit}");
        // Chance makes a few bytes of anything equal the plaintext, never a run of eight.
        let seen = packet[0].payload().windows(8).zip(payload.windows(8)).any(|(a, b)| a == b);
        assert!(!seen, "bit {bit} left plaintext");
    }
}

#[test]
fn another_counter_or_key_does_not_open() {
    let sealed = reference(&[1; 32], 5, b"payload");
    for (key, counter) in [([1; 32], 6), ([2; 32], 5), ([1; 32], 5 << 32)] {
        let mut buffer = sealed.clone();
        let mut packet = [Packet::new(&key, counter, &mut buffer).unwrap()];
        assert!(aead().open(&mut packet).contains(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_mixed_batch_seals_and_opens_like_the_reference(
        packets in prop::collection::vec(
            (any::<[u8; 32]>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..=1500), any::<bool>()),
            0..=40,
        ),
    ) {
        // A run under one key, now and then, as bursts have.
        let mut keys: Vec<[u8; 32]> = packets.iter().map(|p| p.0).collect();
        for i in 1..keys.len() {
            if packets[i].3 {
                keys[i] = keys[i - 1];
            }
        }
        let mut buffers: Vec<Vec<u8>> =
            packets.iter().map(|p| [p.2.as_slice(), &[0; TAG_LENGTH]].concat()).collect();
        let mut batch: Vec<_> = keys.iter().zip(&packets).zip(&mut buffers)
            .map(|((key, p), buffer)| Packet::new(key, p.1, buffer).unwrap())
            .collect();
        aead().seal(&mut batch);
        for ((packet, key), plain) in batch.iter().zip(&keys).zip(&packets) {
            let expected = reference(key, plain.1, &plain.2);
            prop_assert_eq!(&*packet.buffer, expected.as_slice());
        }
        prop_assert!(aead().open(&mut batch).is_empty());
        for (packet, plain) in batch.iter().zip(&packets) {
            prop_assert_eq!(packet.payload(), plain.2.as_slice());
        }
    }
}
