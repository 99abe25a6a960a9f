use super::*;
use crate::build::{Packet, restore_ipv4_checksum};

const REPR: Repr = Repr {
    source: Ipv4Addr::new(10, 0, 0, 1),
    destination: Ipv4Addr::new(192, 0, 2, 2),
    protocol: 17,
    ttl: 64,
    traffic_class: 0xb9,
    identification: 0x1234,
    dont_fragment: true,
};

fn packet() -> Vec<u8> {
    let mut packet = vec![7; 28];
    assert_eq!(REPR.emit(&mut packet), Ok(20));
    packet
}

/// The packet with one header byte set and the checksum made right.
fn with(at: usize, value: u8) -> Vec<u8> {
    let mut packet = packet();
    packet[at] = value;
    restore_ipv4_checksum(&mut packet);
    packet
}

#[test]
fn what_is_emitted_reads_back() {
    let packet = packet();
    let view = View::new(&packet).unwrap();
    assert_eq!((view.source(), view.destination()), (REPR.source, REPR.destination));
    assert_eq!((view.protocol(), view.ttl(), view.traffic_class()), (17, 64, 0xb9));
    assert_eq!((view.identification(), view.dont_fragment()), (0x1234, true));
    assert_eq!((view.header_len(), view.options()), (20, &[][..]));
    assert_eq!(view.fragment(), Ok(Fragment::None));
    assert_eq!(view.payload(), [7; 8]);
    assert_eq!(REPR.to_string(), "10.0.0.1 > 192.0.2.2 protocol 17 ttl 64");
}

#[test]
fn each_field_that_lies_has_its_reason() {
    assert_eq!(View::new(&packet()[..19]).err(), Some(Malformed::Ipv4Truncated));
    assert_eq!(View::new(&with(0, 0x65)).err(), Some(Malformed::Ipv4Version));
    assert_eq!(View::new(&with(0, 0x44)).err(), Some(Malformed::Ipv4HeaderLength));
    assert_eq!(View::new(&with(0, 0x48)).err(), Some(Malformed::Ipv4TotalLength));
    assert_eq!(View::new(&with(3, 19)).err(), Some(Malformed::Ipv4TotalLength));
    assert_eq!(View::new(&with(3, 29)).err(), Some(Malformed::Ipv4TotalLength));
    assert_eq!(View::new(&with(3, 20)).unwrap().payload(), []);
}

#[test]
fn any_flipped_bit_of_the_header_is_refused() {
    for bit in 0..160 {
        let mut packet = packet();
        packet[bit / 8] ^= 1 << (bit % 8);
        assert!(View::new(&packet).is_err(), "bit {bit}");
    }
}

#[test]
fn fragments_must_have_a_size_that_fits() {
    let fragment = |offset, more, len| {
        let packet = Packet::raw("10.0.0.1", "10.0.0.2", 17).identification(9);
        let packet = packet.payload_len(len).fragment(offset, more).ip();
        View::new(&packet).unwrap().fragment()
    };
    assert_eq!(fragment(0, true, 8), Ok(Fragment::First { identification: 9 }));
    let later = |offset, more| Ok(Fragment::Later { identification: 9, offset, more });
    assert_eq!(fragment(1480, true, 16), later(1480, true));
    assert_eq!(fragment(1480, false, 3), later(1480, false));
    assert_eq!(fragment(1480, true, 15), Err(Malformed::FragmentLength));
    assert_eq!(fragment(1480, false, 0), Err(Malformed::FragmentLength));
    assert_eq!(fragment(0, true, 0), Err(Malformed::FragmentLength));
    // 65,535 less a header of 20 is 65,515: the last byte that fits.
    assert_eq!(fragment(65_512, false, 3), later(65_512, false));
    assert_eq!(fragment(65_512, false, 4), Err(Malformed::FragmentOverflow));
}

#[test]
fn options_are_walked_to_their_end_and_bad_lengths_end_the_walk() {
    let walk = |bytes| Options::new(bytes).collect::<Vec<_>>();
    assert_eq!(walk(&[1, 1, 148, 4, 0, 0, 0, 9]), [Ok((148, &[0, 0][..]))]);
    assert_eq!(walk(&[131, 3, 4, 137, 3, 4]), [Ok((131, &[4][..])), Ok((137, &[4][..]))]);
    for bad in [&[7, 0, 0, 0][..], &[7, 1, 0, 0], &[7, 5, 0, 0], &[1, 1, 1, 7]] {
        assert_eq!(walk(bad), [Err(Malformed::Ipv4HeaderLength)], "{bad:?}");
    }
}

#[test]
fn a_header_is_not_emitted_where_it_does_not_fit() {
    assert_eq!(REPR.emit(&mut [0; 19]), Err(NoRoom));
    assert_eq!(REPR.emit(&mut vec![0; 65_536]), Err(NoRoom));
}
