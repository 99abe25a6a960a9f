use super::*;
use crate::protocol::{
    AUTHENTICATION, DESTINATION_OPTIONS, ESP, FRAGMENT, HOP_BY_HOP, MOBILITY, NO_NEXT_HEADER,
    ROUTING, UDP,
};

/// An extension header of eight bytes.
fn header(next: u8, fields: [u8; 6]) -> Vec<u8> {
    let [a, b, c, d, e, f] = fields;
    vec![next, 0, a, b, c, d, e, f]
}

fn plain(next: u8) -> Vec<u8> {
    header(next, [1, 4, 0, 0, 0, 0])
}

fn piece(next: u8, offset: u16, more: bool) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    let repr = FragmentRepr { next_header: next, offset, more, identification: 7 };
    assert_eq!(repr.emit(&mut bytes), Ok(8));
    bytes
}

#[test]
fn upper_layers_end_the_walk_at_once() {
    for number in [UDP, ESP, NO_NEXT_HEADER, 6, 58, 47, 132] {
        assert_eq!(walk(number, &[]), Ok(Chain::none(number)));
    }
}

#[test]
fn a_chain_in_the_recommended_order_is_walked_to_its_end() {
    let mut authentication = plain(UDP);
    authentication[1] = 4;
    authentication.resize(24, 0);
    let chain = [
        plain(DESTINATION_OPTIONS),
        plain(ROUTING),
        header(FRAGMENT, [4, 0, 0, 0, 0, 0]),
        piece(AUTHENTICATION, 0, false),
        authentication,
    ]
    .concat();
    let found = walk(HOP_BY_HOP, &chain).unwrap();
    assert_eq!((found.protocol, found.len), (UDP, chain.len()));
    assert_eq!((found.fragment, found.source_routed), (Fragment::None, false));
}

#[test]
fn eight_headers_are_walked_and_nine_are_not() {
    let chain = |count| {
        let mut bytes = plain(DESTINATION_OPTIONS).repeat(count - 1);
        bytes.extend(plain(UDP));
        walk(DESTINATION_OPTIONS, &bytes)
    };
    assert_eq!(chain(CHAIN_LIMIT).map(|chain| chain.protocol), Ok(UDP));
    assert_eq!(chain(CHAIN_LIMIT + 1), Err(Malformed::Ipv6ExtensionChain));
}

#[test]
fn hop_by_hop_options_stand_first_or_nowhere() {
    let chain = [plain(HOP_BY_HOP), plain(UDP)].concat();
    assert_eq!(walk(DESTINATION_OPTIONS, &chain), Err(Malformed::Ipv6ExtensionOrder));
    assert_eq!(walk(HOP_BY_HOP, &chain), Err(Malformed::Ipv6ExtensionOrder));
    assert!(walk(HOP_BY_HOP, &plain(UDP)).is_ok());
}

#[test]
fn a_second_fragment_header_is_refused() {
    let chain = [piece(FRAGMENT, 0, false), piece(UDP, 0, false)].concat();
    assert_eq!(walk(FRAGMENT, &chain), Err(Malformed::Ipv6ExtensionOrder));
}

#[test]
fn an_unregistered_skip_is_never_guessed() {
    for number in [MOBILITY, 139, 140, 253, 254] {
        assert_eq!(walk(number, &plain(UDP)), Err(Malformed::Ipv6ExtensionUnknown), "{number}");
        let behind = plain(number);
        let found = walk(DESTINATION_OPTIONS, &behind);
        assert_eq!(found, Err(Malformed::Ipv6ExtensionUnknown), "{number}");
    }
}

#[test]
fn routing_type_0_with_segments_left_is_refused_and_others_are_told() {
    let routing = |kind, left| walk(ROUTING, &header(UDP, [kind, left, 0, 0, 0, 0]));
    assert_eq!(routing(0, 1), Err(Malformed::Ipv6SourceRoute));
    assert!(!routing(0, 0).unwrap().source_routed);
    assert!(routing(4, 1).unwrap().source_routed);
    assert!(!routing(4, 0).unwrap().source_routed);
}

#[test]
fn headers_that_run_beyond_the_packet_are_refused() {
    for number in [HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING, FRAGMENT, AUTHENTICATION] {
        let found = walk(number, &plain(UDP)[..7]);
        assert_eq!(found, Err(Malformed::Ipv6ExtensionTruncated), "{number}");
    }
    let mut long = plain(UDP);
    long[1] = 1;
    assert_eq!(walk(HOP_BY_HOP, &long), Err(Malformed::Ipv6ExtensionTruncated));
    assert_eq!(walk(AUTHENTICATION, &long), Err(Malformed::Ipv6ExtensionTruncated));
    long[1] = 0;
    assert_eq!(walk(AUTHENTICATION, &long), Err(Malformed::Ipv6ExtensionLength));
}

#[test]
fn a_first_fragment_is_walked_on_and_a_later_one_is_not() {
    let tail = [plain(UDP), vec![0; 8]].concat();
    let first = walk(FRAGMENT, &[piece(DESTINATION_OPTIONS, 0, true), tail.clone()].concat());
    let first = first.unwrap();
    assert_eq!((first.protocol, first.len), (UDP, 16));
    assert_eq!(first.fragment, Fragment::First { identification: 7 });
    let later = walk(FRAGMENT, &[piece(DESTINATION_OPTIONS, 64, false), tail].concat()).unwrap();
    assert_eq!((later.protocol, later.len), (DESTINATION_OPTIONS, 8));
    let expected = Fragment::Later { identification: 7, offset: 64, more: false };
    assert_eq!(later.fragment, expected);
}

#[test]
fn fragments_must_have_a_size_that_fits() {
    let sized = |offset, more, len| {
        let chain = [piece(UDP, offset, more), vec![0; len]].concat();
        walk(FRAGMENT, &chain).map(|chain| chain.fragment)
    };
    assert!(sized(8, true, 8).is_ok());
    assert_eq!(sized(8, true, 7), Err(Malformed::FragmentLength));
    assert_eq!(sized(8, false, 0), Err(Malformed::FragmentLength));
    assert!(sized(65_528, false, 7).is_ok());
    assert_eq!(sized(65_528, false, 8), Err(Malformed::FragmentOverflow));
    // Eight bytes of other headers in front leave eight bytes less.
    let behind = [plain(FRAGMENT), piece(UDP, 65_528, false), vec![0; 1]].concat();
    assert_eq!(walk(HOP_BY_HOP, &behind), Err(Malformed::FragmentOverflow));
}
