//! The corpora hold at least these packets; a missing one is written. Fuzzing grows the corpora from here.

use std::fs;
use std::path::Path;
use wire::build::Packet;
use wire::tcp::Flags;

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let inner = Packet::ping("10.8.0.2", "10.8.0.1", 7, 1).ip();
    vec![
        ("udp4", Packet::udp("192.0.2.2:4000", "192.0.2.1:51820").payload(&[4, 0, 0, 0]).frame()),
        ("udp6", Packet::udp("[fd00::2]:4000", "[fd00::1]:53").payload(b"query").frame()),
        ("syn4", Packet::tcp("192.0.2.2:4000", "192.0.2.1:443", Flags::SYN).mss(1460).frame()),
        ("syn6", Packet::tcp("[fd00::2]:4000", "[fd00::1]:443", Flags::SYN).mss(1440).frame()),
        ("ping4", Packet::ping("192.0.2.2", "192.0.2.1", 7, 1).frame()),
        ("ping6", Packet::ping("fd00::2", "fd00::1", 7, 1).frame()),
        ("ipip", Packet::ipip("192.0.2.2", "192.0.2.1", &inner).frame()),
        ("vlan", Packet::udp("192.0.2.2:1", "192.0.2.1:2").vlan(7).padding(18).frame()),
        (
            "fragment4",
            Packet::udp("192.0.2.2:1", "192.0.2.1:2").payload_len(16).fragment(1480, true).frame(),
        ),
        ("options", Packet::udp("192.0.2.2:1", "192.0.2.1:2").ipv4_options(&[1, 1, 1, 0]).frame()),
        (
            "extension",
            Packet::udp("[fd00::2]:1", "[fd00::1]:2").extension(0, &[1, 4, 0, 0, 0, 0]).frame(),
        ),
    ]
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let message = |kind: u8, length: usize| {
        let mut bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
        bytes[..4].copy_from_slice(&[kind, 0, 0, 0]);
        bytes
    };
    vec![
        ("initiation", message(1, 148)),
        ("response", message(2, 92)),
        ("cookie_reply", message(3, 64)),
        ("keepalive", message(4, 32)),
        ("data", message(4, 112)),
    ]
}

#[test]
fn the_seeds_are_in_the_corpora_and_are_accepted() {
    for (name, bytes) in frames() {
        assert!(wire::parse(&bytes).is_ok(), "{name}");
        keep("frame", name, &bytes);
        keep("rewrite", name, &[&[0b11, 2, 0], bytes.as_slice()].concat());
    }
    for (name, bytes) in messages() {
        assert!(wire::wireguard::Message::parse(&bytes).is_ok(), "{name}");
        keep("wireguard_message", name, &bytes);
    }
}

fn keep(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let path = folder.join(name);
    if !path.exists() {
        fs::create_dir_all(&folder).expect("the corpus folder");
        fs::write(&path, bytes).expect("a seed");
    }
}
