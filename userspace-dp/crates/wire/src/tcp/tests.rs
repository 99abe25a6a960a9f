use core::net::Ipv4Addr;

use super::*;

const REPR: Repr = Repr {
    source_port: 40_000,
    destination_port: 443,
    sequence: 0x0102_0304,
    acknowledgment: 0x0506_0708,
    flags: Flags::SYN.with(Flags::ACK),
    window: 0x1234,
    mss: Some(1460),
    window_scale: Some(7),
    sack_permitted: true,
    timestamps: Some((9, 8)),
};
const ADDRESSES: Addresses =
    Addresses::V4 { source: Ipv4Addr::new(10, 0, 0, 1), destination: Ipv4Addr::new(10, 0, 0, 2) };

fn segment(repr: Repr) -> Vec<u8> {
    let mut segment = vec![0xaa; repr.header_len()];
    segment.extend_from_slice(b"data");
    assert_eq!(repr.emit(&mut segment, &ADDRESSES), Ok(repr.header_len()));
    segment
}

#[test]
fn what_is_emitted_reads_back_with_a_checksum_that_holds() {
    let segment = segment(REPR);
    let view = View::new(&segment).unwrap();
    assert_eq!((view.source_port(), view.destination_port()), (40_000, 443));
    assert_eq!((view.sequence(), view.acknowledgment()), (REPR.sequence, REPR.acknowledgment));
    assert_eq!((view.flags(), view.window()), (REPR.flags, 0x1234));
    assert_eq!((view.header_len(), view.payload()), (44, &b"data"[..]));
    assert_eq!(view.sequence_len(), 5);
    assert_eq!(checksum::of_segment(&ADDRESSES, protocol::TCP, &segment), 0);
    let text = "tcp 40000 > 443 [SYN|ACK] seq 16909060 ack 84281096";
    assert_eq!(REPR.to_string(), text);
}

#[test]
fn every_option_that_is_emitted_is_found_again() {
    let segment = segment(REPR);
    let view = View::new(&segment).unwrap();
    let found: Vec<_> = view.options().map(|(_, kind, data)| (kind, data.to_vec())).collect();
    let expected = [
        (option::MSS, vec![5, 180]),
        (option::SACK_PERMITTED, vec![]),
        (option::TIMESTAMPS, vec![0, 0, 0, 9, 0, 0, 0, 8]),
        (option::WINDOW_SCALE, vec![7]),
    ];
    assert_eq!(found, expected);
}

#[test]
fn data_offsets_are_strict() {
    let plain =
        Repr { mss: None, window_scale: None, sack_permitted: false, timestamps: None, ..REPR };
    let mut segment = segment(plain);
    assert_eq!(View::new(&segment[..19]).err(), Some(Malformed::TcpTruncated));
    for (words, expected) in [(4, None), (5, Some(4)), (6, Some(0)), (7, None), (15, None)] {
        segment[12] = words << 4;
        let view = View::new(&segment);
        assert_eq!(view.as_ref().ok().map(|view| view.payload().len()), expected, "{words}");
        assert!(view.is_ok() || view.err() == Some(Malformed::TcpDataOffset));
    }
}

#[test]
fn options_with_impossible_lengths_end_the_walk() {
    let walk = |bytes| Options::new(bytes).map(|(at, kind, _)| (at, kind)).collect::<Vec<_>>();
    assert_eq!(walk(&[1, 2, 4, 5, 180, 0, 3, 3]), [(3, 2)]);
    for bad in [&[2][..], &[2, 0, 0, 0], &[2, 1, 0, 0], &[2, 5, 0, 0]] {
        assert_eq!(walk(bad), [], "{bad:?}");
    }
}

#[test]
fn flags_are_told_apart() {
    let both = Flags::SYN.with(Flags::FIN);
    assert!(both.contains(Flags::SYN) && both.intersects(Flags::FIN.with(Flags::RST)));
    assert!(!both.contains(Flags::SYN.with(Flags::ACK)) && !both.intersects(Flags::RST));
    assert_eq!(Flags::NONE.to_string(), "");
}

#[test]
fn a_header_is_not_emitted_where_it_does_not_fit() {
    assert_eq!(REPR.emit(&mut [0; 43], &ADDRESSES), Err(NoRoom));
}
