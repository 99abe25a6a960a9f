//! A packet out of a tunnel, anywhere in a buffer: where it begins only shifts the answer, and after a
//! parse no accessor or rewrite panics or breaks the packet.

use crate::touch;

/// The first byte is how many bytes lie before the packet; the rest is the packet.
pub fn run(data: &[u8]) {
    let [start, packet @ ..] = data else { return };
    let start = usize::from(*start);
    let buffer = [vec![0xee; start], packet.to_vec()].concat();
    let shifted = wire::parse_ip(&buffer, start);
    match wire::parse_ip(packet, 0) {
        Ok(plain) => assert_eq!(plain.after_push_front(start), shifted.ok()),
        Err(plain) => assert!(shifted == Err(plain) || shifted == Err(wire::Malformed::Oversize)),
    }
    if let Ok(parsed) = shifted {
        touch::everything(&buffer, parsed);
    }
}
