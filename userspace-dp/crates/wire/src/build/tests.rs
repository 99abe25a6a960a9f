use smoltcp::wire::{
    EthernetFrame, Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet,
    TcpPacket, UdpPacket,
};

use super::*;
use crate::tcp::Flags;

const A: &str = "10.0.0.1:1000";
const B: &str = "10.0.0.2:2000";
const A6: &str = "[fd00::1]:1000";
const B6: &str = "[fd00::2]:2000";

/// An independent stack checks every checksum in the frame.
fn smoltcp_accepts(frame: &[u8]) -> bool {
    let ethernet = EthernetFrame::new_checked(frame).unwrap();
    let packet = ethernet.payload();
    let (source, destination, number, segment) = match packet[0] >> 4 {
        4 => {
            let packet = Ipv4Packet::new_checked(packet).unwrap();
            assert!(packet.verify_checksum());
            let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
            (source, destination, packet.next_header(), packet.payload())
        }
        _ => {
            let packet = Ipv6Packet::new_checked(packet).unwrap();
            let (source, destination) = (packet.src_addr().into(), packet.dst_addr().into());
            (source, destination, packet.next_header(), packet.payload())
        }
    };
    if number == IpProtocol::Udp {
        return UdpPacket::new_checked(segment).unwrap().verify_checksum(&source, &destination);
    }
    if number == IpProtocol::Tcp {
        return TcpPacket::new_checked(segment).unwrap().verify_checksum(&source, &destination);
    }
    if number == IpProtocol::Icmp {
        return Icmpv4Packet::new_checked(segment).unwrap().verify_checksum();
    }
    match (source, destination) {
        (IpAddress::Ipv6(source), IpAddress::Ipv6(destination)) => {
            let packet = Icmpv6Packet::new_checked(segment).unwrap();
            packet.verify_checksum(&source, &destination)
        }
        _ => false,
    }
}

#[test]
fn an_independent_stack_accepts_what_is_built() {
    for (a, b) in [(A, B), (A6, B6)] {
        for len in [0, 1, 2, 31, 32, 33, 1200] {
            assert!(smoltcp_accepts(&Packet::udp(a, b).payload_len(len).frame()));
            let tcp = Packet::tcp(a, b, Flags::SYN).mss(1400).payload_len(len);
            assert!(smoltcp_accepts(&tcp.frame()));
            assert!(smoltcp_accepts(&Packet::ping(a, b, 1, 2).payload_len(len).frame()));
        }
    }
}

#[test]
fn a_partial_checksum_is_not_accepted_by_an_independent_stack() {
    assert!(!smoltcp_accepts(&Packet::udp(A, B).payload(b"data").partial_checksum().frame()));
}

#[test]
fn endpoints_are_written_in_several_ways() {
    let socket: SocketAddr = A.parse().unwrap();
    let expected = Packet::udp(A, B).ip();
    assert_eq!(Packet::udp(socket, B).ip(), expected);
    assert_eq!(Packet::udp((socket.ip(), 1000), B).ip(), expected);
    assert_eq!(Packet::udp(socket.ip(), B).ip(), Packet::udp("10.0.0.1:0", B).ip());
}

#[test]
#[should_panic(expected = "two families")]
fn two_families_do_not_make_a_packet() {
    let _ = Packet::udp(A, B6);
}
