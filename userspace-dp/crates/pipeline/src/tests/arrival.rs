//! Parse and classify: what is taken from a device at all.

use telemetry::Reason;
use wire::Mac;
use wire::build::Packet;

use super::{from_lan, only, passes, refusal};
use crate::packet::Entry;
use crate::testing::{
    GATEWAY_MAC, HOST_MAC, LAN, LISTEN_PORT, SERVER, SERVER6, Site, WAN, WAN_ADDRESS,
};

#[test]
fn a_malformed_frame_ends_under_its_own_reason() {
    let whole = from_lan(SERVER).frame();
    let mut short = whole.clone();
    short.truncate(whole.len() - 1);
    let mut checksum = whole.clone();
    checksum[24] ^= 1;
    let mut arp = whole.clone();
    arp[12..14].copy_from_slice(&[0x88, 0xcc]);
    let cases = [
        (short, Reason::Ipv4TotalLength),
        (checksum, Reason::Ipv4HeaderChecksum),
        (arp, Reason::NotIp),
        (whole[..13].to_vec(), Reason::EthernetTruncated),
    ];
    for (frame, reason) in cases {
        let mut site = Site::new();
        assert_eq!(site.receive(LAN, [frame]), []);
        assert_eq!(only(&site.drops()), reason);
        site.assert_frames_complete();
    }
    let mut site = Site::new();
    assert_eq!(site.receive(LAN, [whole]).len(), 1);
}

#[test]
fn a_frame_of_an_unknown_vlan_or_device_is_refused_and_a_known_one_passes() {
    assert_eq!(refusal(&from_lan(SERVER).vlan(8)), Reason::IngressUnknown);
    assert_eq!(refusal(&from_lan(SERVER).vlan(7).vlan(7)), Reason::IngressUnknown);
    passes(&from_lan(SERVER).vlan(7));
    passes(&from_lan(SERVER).vlan(0));
    let mut site = Site::new();
    assert_eq!(site.receive(crate::PortId(9), [from_lan(SERVER).frame()]), []);
    assert_eq!(only(&site.drops()), Reason::IngressUnknown);
}

#[test]
fn a_frame_for_another_station_is_not_forwarded() {
    let other = Mac([2, 0, 0, 0, 0, 9]);
    assert_eq!(refusal(&from_lan(SERVER).macs(HOST_MAC, other)), Reason::OtherHost);
    passes(&from_lan(SERVER).macs(HOST_MAC, GATEWAY_MAC));
    let broadcast = Mac([0xff; 6]);
    assert_eq!(refusal(&from_lan(SERVER).macs(HOST_MAC, broadcast)), Reason::MartianDestination);
}

#[test]
fn what_is_for_the_gateway_itself_but_no_tunnel_is_refused() {
    let from = format!("{}:7", "192.0.2.10");
    for to in [WAN_ADDRESS, "10.1.0.1", "10.8.0.1"] {
        let other_port = Packet::udp(from.as_str(), format!("{to}:22").as_str());
        let mut site = Site::new();
        assert_eq!(site.receive(WAN, [other_port.frame()]), []);
        assert_eq!(only(&site.drops()), Reason::LocalNotTunnel);
        let ping = Packet::ping("192.0.2.10", to, 1, 1);
        assert_eq!(site.receive(WAN, [ping.frame()]), []);
        assert_eq!(site.drops(), [(Reason::LocalNotTunnel, 2)]);
        let tunnel = Packet::udp(from.as_str(), format!("{to}:{LISTEN_PORT}").as_str())
            .payload(&[9, 0, 0, 0]);
        assert_eq!(site.receive(WAN, [tunnel.frame()]), []);
        assert_eq!(site.drops(), [(Reason::LocalNotTunnel, 2), (Reason::WgType, 1)]);
        assert_eq!(site.punted(), [] as [Vec<u8>; 0]);
    }
}

#[test]
fn without_a_tunnel_no_port_of_the_gateway_is_one() {
    let mut site = Site::new();
    site.snapshot.tunnel.listen_port = 0;
    let packet = Packet::udp("192.0.2.10:7", "192.0.2.1:0").payload_len(32);
    assert_eq!(site.receive(WAN, [packet.frame()]), []);
    assert_eq!(only(&site.drops()), Reason::LocalNotTunnel);
}

#[test]
fn fragments_to_the_gateway_are_refused_and_transit_fragments_pass() {
    for (offset, more) in [(0, true), (1480, false)] {
        let to_us = Packet::udp("10.1.0.5:7", "192.0.2.1:51820").payload_len(64);
        assert_eq!(refusal(&to_us.fragment(offset, more)), Reason::OuterFragment);
        // Rules about ports leave later fragments of protocols with ports in doubt, so take another.
        passes(&Packet::raw("10.1.0.5", SERVER, 47).payload_len(64).fragment(offset, more));
        passes(&Packet::raw("fd00:1::5", SERVER6, 47).payload_len(64).fragment(offset, more));
    }
}

#[test]
fn link_padding_does_not_travel_on() {
    for to in [SERVER, SERVER6] {
        let packet = from_lan(to);
        let sent = passes(&packet.clone().padding(20));
        assert_eq!(sent.bytes.len(), packet.frame().len());
    }
}

#[test]
fn a_broken_packet_from_the_kernel_or_another_worker_ends_with_a_reason() {
    let mut site = Site::new();
    for entry in [Entry::Local, Entry::Seal(0)] {
        assert_eq!(site.enter(entry, [vec![0x45; 19], Vec::new(), vec![0x10; 40]]), []);
    }
    assert_eq!(site.drops().iter().map(|(_, count)| count).sum::<u64>(), 6);
    site.assert_frames_complete();
}
