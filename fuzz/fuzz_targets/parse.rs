//! Any bytes as a frame: ours, smoltcp and etherparse agree but for the table, and after a parse no
//! accessor or rewrite panics. The IPv4 header checksum is also tried repaired, so that mutants get
//! past it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../userspace-dp/crates/wire/tests/oracle/mod.rs"]
mod oracle;
#[path = "../../userspace-dp/crates/wire/tests/touch/mod.rs"]
mod touch;

fuzz_target!(|frame: &[u8]| {
    check(frame);
    for l3 in [14, 18, 22] {
        if frame.get(l3 - 2..l3) == Some(&[0x08, 0x00]) {
            let mut repaired = frame.to_vec();
            wire::build::restore_ipv4_checksum(&mut repaired[l3..]);
            check(&repaired);
        }
    }
});

fn check(frame: &[u8]) {
    if let Err(difference) = oracle::compare(frame) {
        panic!("{difference}");
    }
    if let Ok(parsed) = wire::parse(frame) {
        touch::everything(frame, parsed);
    }
}
