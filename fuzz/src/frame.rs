//! A frame as it comes from a ring: ours, smoltcp and etherparse agree but for the table of allowed
//! disagreements, and after a parse no accessor or rewrite panics or breaks the packet.

use crate::{oracle, touch};

/// As it is, and with the IPv4 header checksum made right, so that mutants get past it.
pub fn run(data: &[u8]) {
    check(data);
    for l3 in [14, 18, 22] {
        if data.get(l3 - 2..l3) == Some(&[0x08, 0x00]) {
            let mut repaired = data.to_vec();
            wire::build::restore_ipv4_checksum(&mut repaired[l3..]);
            check(&repaired);
        }
    }
}

fn check(data: &[u8]) {
    if let Err(difference) = oracle::compare(data) {
        panic!("{difference}");
    }
    let Ok(parsed) = wire::parse(data) else { return };
    touch::everything(data, parsed);
    // Link padding is not part of the packet: without it nothing changes.
    assert_eq!(wire::parse(&data[..parsed.end()]), Ok(parsed));
}
