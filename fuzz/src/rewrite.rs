//! What forwarding changes in a packet: afterwards it parses as before, with the change, and a right checksum stays right.

use wire::{Ecn, Parsed, checksum, rewrite};

/// The first byte picks the ECN mark, the second and third the MSS limit; the rest is the frame.
pub fn run(data: &[u8]) {
    let [mark, high, low, frame @ ..] = data else { return };
    let mut frame = frame.to_vec();
    let Ok(mut parsed) = wire::parse(&frame) else { return };
    let before = parsed;
    let header_was_right = ipv4_header_is_right(&frame, &before);

    let hop_limit = rewrite::decrement_hop_limit(&mut frame, &mut parsed);
    assert_eq!(hop_limit.is_ok(), before.hop_limit > 1, "hop limit {}", before.hop_limit);
    rewrite::set_ecn(&mut frame, &mut parsed, Ecn::from_bits(*mark));
    rewrite::clamp_mss(&mut frame, &parsed, u16::from_be_bytes([*high, *low]));

    let after = wire::parse(&frame).expect("a rewritten packet still parses");
    assert_eq!(after, parsed, "the values kept beside the packet drifted from its bytes");
    assert_eq!(after.dscp(), before.dscp());
    assert_eq!(after.addresses, before.addresses);
    assert_eq!(after.transport, before.transport);
    assert_eq!(after.payload_range(), before.payload_range());
    if header_was_right {
        assert!(ipv4_header_is_right(&frame, &after), "the IPv4 header checksum went wrong");
    }
}

fn ipv4_header_is_right(frame: &[u8], parsed: &Parsed) -> bool {
    parsed.family() == wire::Family::V4
        && checksum::is_valid(&frame[parsed.l3()..parsed.l3() + ipv4_header_len(frame, parsed)])
}

fn ipv4_header_len(frame: &[u8], parsed: &Parsed) -> usize {
    usize::from(frame[parsed.l3()] & 0x0f) * 4
}
