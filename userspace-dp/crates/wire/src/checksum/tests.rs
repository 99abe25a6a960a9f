use core::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

/// RFC 1071, section 1, word by word.
fn slow(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[test]
fn the_example_of_rfc_1071_sums_as_it_says() {
    let sum = Sum::of(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    assert_eq!(sum.folded(), 0xddf2);
    assert_eq!(sum.checksum(), !0xddf2);
}

#[test]
fn the_examples_of_rfc_1624_update_as_it_says() {
    // Section 4: checksum 0xdd2f, a field changes from 0x5555 to 0x3285.
    assert_eq!(Delta::of_u16(0x5555, 0x3285).apply(0xdd2f), 0x0000);
}

#[test]
fn nothing_sums_to_zero_and_only_nothing() {
    assert_eq!(Sum::of(&[]).folded(), 0);
    assert_eq!(Sum::of(&[0; 40]).folded(), 0);
    assert_eq!(Sum::of(&[0xff; 40]).folded(), 0xffff);
}

#[test]
fn the_largest_packet_of_the_largest_bytes_does_not_overflow() {
    let bytes = vec![0xff; 65_535];
    assert_eq!(Sum::of(&bytes).folded(), slow(&bytes));
}

#[test]
fn a_udp_checksum_of_none_stays_none_and_is_never_made() {
    let delta = Delta::of_u16(80, 8080);
    assert_eq!(delta.apply_udp(0), 0);
    // The one checksum that the change turns into zero.
    let unlucky = (1..=u16::MAX).find(|sum| delta.apply(*sum) == 0);
    assert_eq!(unlucky.map(|sum| delta.apply_udp(sum)), Some(u16::MAX));
}

proptest! {
    #[test]
    fn any_slice_sums_as_the_slow_loop_and_smoltcp_say(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        skip in 0_usize..9,
    ) {
        let bytes = bytes.get(skip..).unwrap_or(&[]);
        prop_assert_eq!(Sum::of(bytes).folded(), slow(bytes));
        prop_assert_eq!(Sum::of(bytes).folded(), smoltcp::wire::checksum::data(bytes));
    }

    #[test]
    fn sums_of_parts_add_up_to_the_sum_of_the_whole(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        cut in 0_usize..150,
    ) {
        let (left, right) = bytes.split_at((cut * 2).min(bytes.len() & !1));
        prop_assert_eq!(Sum::of(left).and(Sum::of(right)).folded(), slow(&bytes));
    }

    #[test]
    fn a_checksum_in_place_makes_the_bytes_valid(
        mut bytes in proptest::collection::vec(any::<u8>(), 4..300),
    ) {
        bytes[2..4].copy_from_slice(&[0, 0]);
        let sum = Sum::of(&bytes).checksum();
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        prop_assert!(is_valid(&bytes) || bytes.iter().all(|byte| *byte == 0));
        let at = usize::from(bytes[0]) % bytes.len();
        bytes[at] ^= 1 << (bytes[1] % 8);
        prop_assert!(!is_valid(&bytes), "one flipped bit must show");
    }

    #[test]
    fn an_incremental_update_equals_a_new_sum(
        mut words in proptest::collection::vec(any::<u32>(), 11),
        new in any::<[u32; 4]>(),
        ports in any::<(u16, u16)>(),
    ) {
        // Word 0 is never zero, as in any real header: there is then only one zero to fear.
        words[0] |= 0x4500_0000;
        let bytes = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_be_bytes()).collect()
        };
        let before = Sum::of(&bytes(&words)).checksum();
        let wide = |words: &[u32]| {
            let value = words.iter().fold(0_u128, |value, word| value << 32 | u128::from(*word));
            Ipv6Addr::from_bits(value)
        };
        let delta = Delta::of_u32(words[1], new[0])
            .and(Delta::of_ipv4(Ipv4Addr::from_bits(words[2]), Ipv4Addr::from_bits(new[1])))
            .and(Delta::of_ipv6(wide(&words[3..7]), wide(&new)))
            .and(Delta::of_u16((words[7] >> 16) as u16, ports.0))
            .and(Delta::of_u16(words[7] as u16, ports.1));
        words[1] = new[0];
        words[2] = new[1];
        words[3..7].copy_from_slice(&new);
        words[7] = u32::from(ports.0) << 16 | u32::from(ports.1);
        prop_assert_eq!(delta.apply(before), Sum::of(&bytes(&words)).checksum());
        prop_assert_eq!(Delta::NONE.apply(before), before);
    }

    #[test]
    fn pseudo_headers_sum_as_smoltcp_says(
        source in any::<u32>(), destination in any::<u32>(),
        source6 in any::<u128>(), destination6 in any::<u128>(),
        len in any::<u16>(),
    ) {
        use smoltcp::wire::{IpAddress, IpProtocol, checksum};
        let len = u32::from(len);
        let (source, destination) = (Ipv4Addr::from_bits(source), Ipv4Addr::from_bits(destination));
        let ours = Sum::of_pseudo_header(&Addresses::V4 { source, destination }, 17, len);
        let theirs = checksum::pseudo_header(
            &IpAddress::Ipv4(source), &IpAddress::Ipv4(destination), IpProtocol::Udp, len);
        prop_assert_eq!(ours.folded(), theirs);
        let (source, destination) = (Ipv6Addr::from_bits(source6), Ipv6Addr::from_bits(destination6));
        let ours = Sum::of_pseudo_header(&Addresses::V6 { source, destination }, 58, len);
        let theirs = checksum::pseudo_header(
            &IpAddress::Ipv6(source), &IpAddress::Ipv6(destination), IpProtocol::Icmpv6, len);
        prop_assert_eq!(ours.folded(), theirs);
    }
}
