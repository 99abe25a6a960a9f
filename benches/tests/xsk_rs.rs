//! Cross-check of our AF_XDP sockets against xsk-rs over a veth pair: each receives what the other
//! sends, byte for byte and in order.

#[path = "../benches/rings/peer.rs"]
mod peer;

use io::af_xdp::{AfXdpPort, Attached, SocketConfig, ZeroCopy};
use io::memory::Station;
use io::testing::{Steering, in_namespace, index_of, veth, wait_until};
use io::{HugePages, Umem, UmemConfig};
use peer::Peer;

const PACKETS: u64 = 5000;
const WINDOW: u64 = 32;

/// An Ethernet frame of a local experimental type with a number, of a length that varies with it.
fn packet(number: u64) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
    bytes.extend(number.to_be_bytes());
    bytes.resize(60 + (number * 37 % 1400) as usize, number as u8);
    bytes
}

fn ours(bytes: &[u8]) -> bool {
    bytes.get(12..14) == Some(&[0x88, 0xb5])
}

fn station(device: &str) -> Station<AfXdpPort> {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(8192) };
    let (umem, mut pool) = Umem::new(config).unwrap();
    let config = SocketConfig::new(index_of(device), 0, 1500, ZeroCopy::Auto, Attached::Native);
    let port = AfXdpPort::open(&umem, &mut pool, &config).unwrap();
    Station::new(port, pool)
}

#[test]
fn xsk_rs_receives_what_we_send() {
    in_namespace(|| {
        veth("near", "far", 1500);
        let mut peer = Peer::open("far", 0, 1024, 2048);
        // SAFETY: all frames are in our hands.
        assert_eq!(unsafe { peer.fill.produce(&peer.frames) }, 1024);
        let steering = Steering::attach("far", Attached::Native, false);
        steering.steer(0, &peer);
        let mut near = station("near");
        let (mut sent, mut expected) = (0, 0);
        let mut received = [peer.frames[0]; 64];
        wait_until("xsk-rs to receive everything", || {
            while sent < PACKETS && sent - expected < WINDOW {
                assert!(near.send(&packet(sent)).unwrap());
                sent += 1;
            }
            // SAFETY: `received` names frames only to be overwritten.
            let count = unsafe { peer.receive.consume(&mut received) };
            for frame in received.iter().take(count) {
                // SAFETY: the frame was just received and is in our hands.
                let data = unsafe { peer.umem.data(frame) };
                if ours(data.contents()) {
                    assert_eq!(data.contents(), packet(expected));
                    expected += 1;
                }
            }
            // SAFETY: these frames were just received and nobody reads them any more.
            assert_eq!(unsafe { peer.fill.produce(received.split_at(count).0) }, count);
            expected == PACKETS
        });
        (near.census() + near.umem().census()).audit(near.umem()).unwrap();
    });
}

#[test]
fn we_receive_what_xsk_rs_sends() {
    in_namespace(|| {
        veth("near", "far", 1500);
        let mut peer = Peer::open("far", 0, 1024, 2048);
        let steering = Steering::attach("near", Attached::Native, false);
        let mut near = station("near");
        steering.steer(0, near.port());
        let mut free = peer.frames.clone();
        let mut completed = [free[0]; 64];
        let (mut sent, mut expected) = (0, 0);
        wait_until("us to receive everything", || {
            while sent < PACKETS && sent - expected < WINDOW {
                let Some(mut frame) = free.pop() else { break };
                peer.write(&mut frame, &packet(sent));
                // SAFETY: the frame is in our hands until it is completed.
                assert_eq!(unsafe { peer.transmit.produce_one_and_wakeup(&frame) }.unwrap(), 1);
                sent += 1;
            }
            // SAFETY: `completed` names frames only to be overwritten.
            let count = unsafe { peer.completion.consume(&mut completed) };
            free.extend_from_slice(completed.split_at(count).0);
            for bytes in near.receive_all().into_iter().filter(|bytes| ours(bytes)) {
                assert_eq!(bytes, packet(expected));
                expected += 1;
            }
            expected == PACKETS
        });
        (near.census() + near.umem().census()).audit(near.umem()).unwrap();
        assert_eq!(near.statistics().invalid, 0);
    });
}
