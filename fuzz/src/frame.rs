//! A frame as it comes from a ring: whatever the parser accepts lies inside the frame, in order.

use wire::{Fragment, Parsed, Transport};

/// Parses as a frame, and the rest after the link header as a bare packet, which must agree.
pub fn run(data: &[u8]) {
    let Ok(parsed) = wire::parse(data) else { return };
    check_offsets(&parsed, data.len());
    if let Ok(inner) = wire::parse_ip(data, parsed.l3()) {
        check_offsets(&inner, data.len());
        assert_eq!((inner.l3(), inner.l4(), inner.end()), (parsed.l3(), parsed.l4(), parsed.end()));
        assert_eq!(inner.addresses, parsed.addresses);
        assert_eq!(inner.transport, parsed.transport);
    }
    // Link padding is not part of the packet: without it nothing changes.
    assert_eq!(
        wire::parse(&data[..parsed.end()]).map(|bare| bare.payload_range()),
        Ok(parsed.payload_range())
    );
}

fn check_offsets(parsed: &Parsed, length: usize) {
    assert!(parsed.l3() < parsed.l4() && parsed.l4() <= parsed.payload());
    assert!(parsed.payload() <= parsed.end() && parsed.end() <= length);
    let payload = parsed.payload_range();
    assert!(payload.start <= payload.end && payload.end <= parsed.end());
    if matches!(parsed.fragment, Fragment::Later { .. }) {
        assert!(
            !matches!(parsed.transport, Transport::Tcp { .. } | Transport::Udp { .. }),
            "ports read from the middle of a packet"
        );
    }
}
