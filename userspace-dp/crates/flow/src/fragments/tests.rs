use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use clock::Time;
use proptest::prelude::*;
use wire::Addresses;
use wire::build::Packet;

use super::*;
use crate::hash::tests::hash_key;

const LIFETIME: Duration = Duration::from_secs(30);

fn table(associations: u32) -> FragmentTable<char> {
    FragmentTable::new(associations, LIFETIME, hash_key(3))
}

fn at(seconds: u64) -> Time {
    Time::from_nanos(seconds * 1_000_000_000)
}

fn key(identification: u32) -> FragmentKey {
    let addresses =
        Addresses::V4 { source: [10, 0, 0, 1].into(), destination: [10, 0, 0, 2].into() };
    FragmentKey { zone: 1, addresses, identification, protocol: 17 }
}

fn piece(offset: u16, length: u16, more: bool) -> Piece {
    Piece { offset, length, more, is_tcp: false }
}

/// A first fragment of 800 bytes, judged to be `value`.
fn begin(table: &mut FragmentTable<char>, identification: u32, value: char) {
    assert_eq!(table.first(&key(identification), &piece(0, 800, true), value, at(0)), Ok(()));
}

fn refused(refusal: FragmentRefusal) -> Association<char> {
    Association::Refused(refusal)
}

#[test]
fn later_fragments_are_what_their_first_one_was() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    begin(&mut table, 2, 'b');
    assert_eq!(table.later(&key(1), &piece(800, 800, true), at(1)), Association::Known('a'));
    assert_eq!(table.later(&key(2), &piece(800, 13, false), at(1)), Association::Known('b'));
    assert_eq!(table.later(&key(1), &piece(1600, 9, false), at(1)), Association::Known('a'));
}

#[test]
fn a_datagram_is_known_by_all_of_its_key_and_for_its_lifetime() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    let FragmentKey { addresses, .. } = key(1);
    let others = [
        key(2),
        FragmentKey { zone: 2, ..key(1) },
        FragmentKey { protocol: 1, ..key(1) },
        FragmentKey { addresses: addresses.reversed(), ..key(1) },
    ];
    for other in others {
        assert_eq!(table.later(&other, &piece(800, 8, true), at(0)), Association::Unknown);
    }
    assert_eq!(table.later(&key(1), &piece(800, 8, true), at(30)), Association::Known('a'));
    assert_eq!(table.later(&key(1), &piece(808, 8, true), at(31)), Association::Unknown);
}

#[test]
fn order_does_not_matter_behind_the_first() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    for offset in [1600, 800, 2400] {
        let last = offset == 2400;
        assert_eq!(
            table.later(&key(1), &piece(offset, 800, !last), at(0)),
            Association::Known('a')
        );
    }
}

#[test]
fn an_overlap_ends_the_whole_datagram() {
    for (offset, length) in [(0, 1600), (792, 16), (8, 800), (400, 2000)] {
        let mut table = table(64);
        begin(&mut table, 1, 'a');
        begin(&mut table, 2, 'b');
        let overlapping = table.later(&key(1), &piece(offset, length, true), at(0));
        assert_eq!(overlapping, refused(FragmentRefusal::Overlap), "{offset} {length}");
        for honest in [piece(1600, 800, true), piece(800, 800, true)] {
            assert_eq!(table.later(&key(1), &honest, at(0)), refused(FragmentRefusal::Overlap));
        }
        let again = table.first(&key(1), &piece(0, 800, true), 'c', at(0));
        assert_eq!(again, Err(FragmentRefusal::Overlap));
        assert_eq!(table.later(&key(2), &piece(800, 8, false), at(0)), Association::Known('b'));
    }
}

#[test]
fn a_longer_first_fragment_is_an_overlap_and_an_equal_one_a_copy() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    let copy = table.first(&key(1), &piece(0, 800, true), 'b', at(0));
    assert_eq!(copy, Err(FragmentRefusal::Duplicate));
    assert_eq!(table.later(&key(1), &piece(800, 8, true), at(0)), Association::Known('a'));
    let longer = table.first(&key(1), &piece(0, 900, true), 'b', at(0));
    assert_eq!(longer, Err(FragmentRefusal::Overlap));
}

#[test]
fn a_copy_is_refused_and_the_datagram_goes_on() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    assert_eq!(table.later(&key(1), &piece(800, 800, true), at(0)), Association::Known('a'));
    for copy in [piece(800, 800, true), piece(880, 80, true), piece(8, 16, true)] {
        assert_eq!(table.later(&key(1), &copy, at(0)), refused(FragmentRefusal::Duplicate));
    }
    assert_eq!(table.later(&key(1), &piece(1600, 1, false), at(0)), Association::Known('a'));
}

#[test]
fn a_datagram_has_one_end_and_nothing_behind_it() {
    let cases = [
        (piece(2400, 100, false), piece(3200, 8, true)),
        (piece(2400, 100, false), piece(3200, 8, false)),
        (piece(2400, 100, false), piece(1600, 8, false)),
        (piece(2400, 800, true), piece(1600, 8, false)),
        (piece(2400, 0, true), piece(1600, 8, true)),
    ];
    for (one, other) in cases {
        let mut table = table(64);
        begin(&mut table, 1, 'a');
        let answers = [one, other].map(|piece| table.later(&key(1), &piece, at(0)));
        assert!(answers.contains(&refused(FragmentRefusal::Inconsistent)), "{one:?} {other:?}");
        let honest = table.later(&key(1), &piece(800, 8, true), at(0));
        assert_eq!(honest, refused(FragmentRefusal::Inconsistent));
    }
}

#[test]
fn nothing_is_written_into_a_tcp_header() {
    let mut table = table(64);
    for offset in [8, 16] {
        let tiny = Piece { is_tcp: true, ..piece(offset, 8, true) };
        assert_eq!(
            table.later(&key(9), &tiny, at(0)),
            refused(FragmentRefusal::Tiny),
            "unknown or not"
        );
    }
    let behind = Piece { is_tcp: true, ..piece(24, 8, true) };
    assert_eq!(table.later(&key(9), &behind, at(0)), Association::Unknown);
    // Of other protocols, and of TCP behind extension headers, the first fragment's own range guards its header.
    assert_eq!(table.first(&key(1), &piece(0, 24, true), 'a', at(0)), Ok(()));
    assert_eq!(
        table.later(&key(1), &piece(8, 8, true), at(0)),
        refused(FragmentRefusal::Duplicate)
    );
    assert_eq!(
        table.later(&key(1), &piece(16, 16, true), at(0)),
        refused(FragmentRefusal::Overlap)
    );
}

#[test]
fn a_datagram_in_too_many_pieces_is_refused() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    let answers: Vec<_> =
        (0..9).map(|hole| table.later(&key(1), &piece(1000 + hole * 80, 8, true), at(0))).collect();
    assert_eq!(answers[..7], [Association::Known('a'); 7]);
    assert_eq!(answers[7..], [refused(FragmentRefusal::Scattered); 2]);
}

#[test]
fn an_identification_is_used_again_once_its_datagram_is_complete() {
    let mut table = table(64);
    begin(&mut table, 1, 'a');
    assert_eq!(table.later(&key(1), &piece(800, 10, false), at(0)), Association::Known('a'));
    begin(&mut table, 1, 'b');
    assert_eq!(table.later(&key(1), &piece(800, 10, false), at(0)), Association::Known('b'));
}

#[test]
fn a_flood_of_first_fragments_lets_nothing_pass_and_spares_the_latest() {
    let mut table = table(8);
    for identification in 0..1000 {
        begin(&mut table, identification, 'a');
    }
    let known: Vec<u32> = (0..1000)
        .filter(|number| {
            table.later(&key(*number), &piece(800, 8, true), at(0)) == Association::Known('a')
        })
        .collect();
    assert_eq!(known.len(), 8);
    // What is complete goes first.
    let mut table = self::table(8);
    (0..8).for_each(|identification| begin(&mut table, identification, 'a'));
    assert_eq!(table.later(&key(5), &piece(800, 8, false), at(0)), Association::Known('a'));
    begin(&mut table, 99, 'b');
    assert_eq!(table.later(&key(5), &piece(808, 8, true), at(0)), Association::Unknown);
    for other in [0, 1, 2, 3, 4, 6, 7] {
        assert_eq!(table.later(&key(other), &piece(800, 8, true), at(0)), Association::Known('a'));
    }
}

#[test]
fn every_refusal_has_its_name() {
    let names: BTreeSet<&str> = FragmentRefusal::ALL.iter().map(|refusal| refusal.name()).collect();
    assert_eq!(names.len(), FragmentRefusal::ALL.len());
}

/// The piece of a packet in zone 3.
fn read(packet: &[u8]) -> Option<(FragmentKey, Piece)> {
    Piece::of(&wire::parse_ip(packet, 0).unwrap(), packet, 3)
}

#[test]
fn the_pieces_of_a_datagram_share_a_key_and_join() {
    let v4 = || Packet::tcp("10.0.0.1:1", "10.0.0.2:2", wire::tcp::Flags::ACK).identification(77);
    let v6 = || Packet::udp("[fd::1]:1", "[fd::2]:2").identification(0x1234_5678);
    let first = read(&v4().payload_len(60).fragment(0, true).ip()).unwrap();
    let later = read(&v4().payload_len(33).fragment(80, false).ip()).unwrap();
    assert_eq!((first.0, first.0.protocol, first.0.identification), (later.0, 6, 77));
    assert_eq!(first.1, Piece { offset: 0, length: 80, more: true, is_tcp: true });
    assert_eq!(later.1, Piece { offset: 80, length: 33, more: false, is_tcp: true });
    let first = read(&v6().payload_len(72).fragment(0, true).ip()).unwrap();
    let later = read(&v6().payload_len(33).fragment(80, false).ip()).unwrap();
    assert_eq!((first.0, first.0.protocol, first.0.identification), (later.0, 0, 0x1234_5678));
    assert_eq!(first.1, piece(0, 80, true));
    assert_eq!(later.1, piece(80, 33, false));
    assert_eq!(read(&v6().payload_len(72).ip()), None);
}

#[test]
fn extension_headers_in_a_first_fragment_count_for_what_is_fragmented() {
    // Hop-by-hop options before the fragment header, destination options behind it; then eight bytes of UDP.
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 0, 64];
    packet.extend([[0xfd; 16], [0xfe; 16]].concat());
    packet.extend([44, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend([60, 0, 0, 1, 0, 0, 0, 9]);
    packet.extend([17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend([0, 1, 0, 2, 0, 40, 0, 0]);
    packet[5] = (packet.len() - 40) as u8;
    let (key, first) = read(&packet).unwrap();
    assert_eq!((key.protocol, key.identification), (0, 9));
    assert_eq!(first, piece(0, 24, true), "16 bytes of options and 8 of UDP");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Whatever comes, what has passed of one datagram never overlaps, never goes beyond its end, and has one value.
    #[test]
    fn what_passes_can_be_reassembled_in_one_way_only(
        pieces in prop::collection::vec((0..3_u32, 0..40_u16, 1..400_u16, any::<bool>()), 1..60),
    ) {
        let mut table = table(64);
        let mut passed: BTreeMap<u32, (usize, Vec<Piece>)> = BTreeMap::new();
        for (number, (identification, unit, length, more)) in pieces.into_iter().enumerate() {
            let length = if more { length.next_multiple_of(8) } else { length };
            let piece = piece(unit * 8, length, more || unit == 0);
            let piece = if unit == 0 { Piece { length: length.next_multiple_of(8), ..piece } } else { piece };
            let value = char::from_u32(0x100 + number as u32).unwrap();
            if unit == 0 {
                if table.first(&key(identification), &piece, value, at(0)).is_ok() {
                    passed.insert(identification, (number, vec![piece]));
                }
            } else if let Association::Known(known) = table.later(&key(identification), &piece, at(0)) {
                let (first, pieces) = passed.get_mut(&identification).expect("a first one has passed");
                prop_assert_eq!(known as usize, 0x100 + *first);
                pieces.push(piece);
            }
        }
        for (_, pieces) in passed.into_values() {
            for (at, one) in pieces.iter().enumerate() {
                for other in &pieces[at + 1..] {
                    let apart = one.end() <= u32::from(other.offset) || other.end() <= u32::from(one.offset);
                    prop_assert!(apart, "{:?} {:?}", one, other);
                    for (last, before) in [(one, other), (other, one)] {
                        prop_assert!(last.more || before.end() <= u32::from(last.offset), "{:?} {:?}", last, before);
                    }
                }
            }
        }
    }
}
