//! Any bytes as a packet out of a tunnel, at any offset: the offset only shifts the answer, and after a
//! parse no accessor or rewrite panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../userspace-dp/crates/wire/tests/touch/mod.rs"]
mod touch;

fuzz_target!(|input: (u8, &[u8])| {
    let (start, packet) = input;
    let start = usize::from(start);
    let buffer = [vec![0xee; start], packet.to_vec()].concat();
    let shifted = wire::parse_ip(&buffer, start);
    let plain = wire::parse_ip(packet, 0);
    match (plain, shifted) {
        (Ok(plain), shifted) => assert_eq!(plain.after_push_front(start), shifted.ok()),
        (Err(plain), shifted) => assert_eq!(Err(plain), shifted),
    }
    if let Ok(parsed) = shifted {
        touch::everything(&buffer, parsed);
    }
});
