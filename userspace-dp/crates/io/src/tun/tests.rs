use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::testing::{in_namespace, ip};

/// An IPv4 ICMP echo request from 10.9.0.2 to 10.9.0.1 with right checksums.
fn echo_request() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 9, 0, 2, 10, 9, 0, 1, // IPv4
        8, 0, 0, 0, 0x12, 0x34, 0, 1, // ICMP
    ];
    let sum = |bytes: &[u8]| {
        let words = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum: u32 = words.sum();
        (!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes()
    };
    let header = sum(&packet[..20]);
    packet[10..12].copy_from_slice(&header);
    let icmp = sum(&packet[20..]);
    packet[22..24].copy_from_slice(&icmp);
    packet
}

#[test]
fn whole_packets_go_to_the_kernel_and_come_back() {
    in_namespace(|| {
        let tun = Tun::open("slow%d").unwrap();
        assert_eq!(tun.name(), "slow0");
        ip("addr add 10.9.0.1/24 dev slow0");
        ip("link set dev slow0 addrgenmode none");
        ip("link set dev slow0 up");
        assert!(tun.write(&echo_request()).unwrap());
        let mut buffer = [0; 1500];
        let begun = Instant::now();
        let reply = loop {
            match tun.read(&mut buffer).unwrap() {
                Some(length) if buffer[20] == 0 => break &buffer[..length],
                _ => thread::yield_now(),
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "no echo reply");
        };
        assert_eq!((reply.len(), &reply[12..20]), (28, &[10, 9, 0, 1, 10, 9, 0, 2][..]));
        assert_eq!(&reply[24..28], &[0x12, 0x34, 0, 1]);
    });
}

#[test]
fn reading_never_blocks_and_a_device_in_use_is_refused() {
    in_namespace(|| {
        let tun = Tun::open("slow").unwrap();
        ip("link set dev slow addrgenmode none");
        ip("link set dev slow up");
        assert_eq!(tun.read(&mut [0; 100]).unwrap(), None);
        let error = Tun::open("slow").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
        drop(tun);
        Tun::open("slow").unwrap();
    });
}

#[test]
fn impossible_names_are_refused_before_the_kernel_is_asked() {
    for name in ["", "sixteen-letters-", "a/b", "a\0b"] {
        assert_eq!(Tun::open(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name:?}");
    }
}
