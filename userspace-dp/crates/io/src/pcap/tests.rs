use std::io::Write;
use std::sync::{Arc as Shared, Mutex};
use std::time::Duration;

use pcap_file::pcap::PcapWriter;
use pcap_file::pcapng::{Block, PcapNgReader};
use proptest::prelude::*;

use super::*;
use crate::memory::{CableConfig, Station, WhenFull, cable};
use crate::ring::RingSize;
use crate::{HugePages, UmemConfig};

/// A file in memory that a test reads while a port writes to it.
#[derive(Clone, Default)]
struct Scratch(Shared<Mutex<Vec<u8>>>);

impl Scratch {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A recorder whose clock advances by a second and a nanosecond each time.
fn recorder(output: &Scratch) -> Recorder {
    let mut time = Duration::from_secs(1_700_000_000);
    Recorder::new(output.clone(), move || {
        time += Duration::new(1, 1);
        time
    })
}

fn region(frames: u32) -> (Arc<Umem>, FramePool) {
    let config = UmemConfig { huge_pages: HugePages::Never, ..UmemConfig::with_frames(frames) };
    Umem::new(config).unwrap()
}

/// A classic capture by an independent writer.
fn classic_capture(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for (number, data) in packets.iter().enumerate() {
        let time = Duration::new(number as u64, 5_000);
        let length = data.len() as u32;
        let packet = pcap_file::pcap::PcapPacket::new(time, length, data);
        writer.write_packet(&packet).unwrap();
    }
    writer.into_writer()
}

fn packets() -> Vec<Vec<u8>> {
    (0..200_usize).map(|number| vec![number as u8; 14 + number * 7]).collect()
}

#[test]
fn a_capture_is_replayed_and_what_comes_out_is_recorded() {
    let (umem, mut pool) = region(64);
    let scratch = Scratch::default();
    let capture = Capture::parse(classic_capture(&packets())).unwrap();
    let mut port = PcapPort::new(&umem, capture, Some(recorder(&scratch)));
    let mut burst = Burst::new();
    while port.remaining() > 0 {
        port.reap(&mut pool);
        port.refill(&mut pool);
        port.receive(&mut burst);
        port.transmit(&mut burst);
        assert!(burst.is_empty());
        (port.census() + pool.census() + umem.census()).audit(&umem).unwrap();
    }
    port.finish().unwrap();
    let recorded = Capture::parse(scratch.bytes()).unwrap();
    let data: Vec<_> = recorded.packets().map(|packet| packet.data.to_vec()).collect();
    assert_eq!(data, packets());
    assert_eq!(recorded.packet(0).unwrap().time, Duration::new(1_700_000_001, 1));
    assert_eq!(port.statistics().received, 200);
    drop(port);
    (pool.census() + umem.census()).audit(&umem).unwrap();
}

#[test]
fn an_independent_reader_finds_what_was_recorded() {
    let scratch = Scratch::default();
    let mut recorder = recorder(&scratch);
    for packet in packets() {
        recorder.write(&packet, Direction::In);
    }
    recorder.finish().unwrap();
    let bytes = scratch.bytes();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut found = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.unwrap() {
            assert_eq!(packet.original_len as usize, packet.data.len());
            found.push(packet.data.to_vec());
        }
    }
    assert_eq!(found, packets());
}

#[test]
fn both_byte_orders_and_resolutions_of_classic_captures_are_read() {
    let record = |seconds: u32, fraction: u32, order: fn(u32) -> [u8; 4]| {
        [order(seconds), order(fraction), order(3), order(60)].concat()
    };
    for (order, magic, nanos) in [
        (u32::to_le_bytes as fn(u32) -> [u8; 4], 0xa1b2_c3d4, 7_000),
        (u32::to_be_bytes, 0xa1b2_c3d4, 7_000),
        (u32::to_le_bytes, 0xa1b2_3c4d, 7),
        (u32::to_be_bytes, 0xa1b2_3c4d, 7),
    ] {
        let mut bytes = order(magic).to_vec();
        bytes.extend([0; 16]);
        bytes.extend(order(1));
        bytes.extend(record(9, 7, order));
        bytes.extend(b"abc");
        let capture = Capture::parse(bytes).unwrap();
        let time = Duration::new(9, nanos);
        let packet = Packet { time, data: b"abc", original_length: 60 };
        assert_eq!(capture.packets().collect::<Vec<_>>(), [packet]);
    }
}

#[test]
fn packets_that_the_capture_cut_or_that_fit_no_frame_are_skipped_and_counted() {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for (length, data) in [(100, vec![1; 60]), (9000, vec![2; 9000]), (60, vec![3; 60])] {
        let packet = pcap_file::pcap::PcapPacket::new(Duration::ZERO, length, &data);
        writer.write_packet(&packet).unwrap();
    }
    let (umem, mut pool) = region(8);
    let capture = Capture::parse(writer.into_writer()).unwrap();
    let mut port = PcapPort::new(&umem, capture, None);
    port.refill(&mut pool);
    let mut burst = Burst::new();
    assert_eq!(port.receive(&mut burst), 1);
    assert_eq!(burst[0].data(), [3; 60]);
    assert_eq!(port.statistics().receive_dropped, 2);
    port.transmit(&mut burst);
}

#[test]
fn what_is_no_ethernet_capture_is_refused() {
    assert!(matches!(Capture::parse(Vec::new()), Err(CaptureError::Format)));
    assert!(matches!(Capture::parse(vec![0; 100]), Err(CaptureError::Format)));
    let mut raw_ip = classic_capture(&[]);
    raw_ip[20] = 101;
    assert!(matches!(Capture::parse(raw_ip), Err(CaptureError::LinkType(101))));
    let mut cut = classic_capture(&packets());
    cut.pop();
    assert!(matches!(Capture::parse(cut), Err(CaptureError::Broken { .. })));
}

#[test]
fn a_tap_records_what_passed_both_ways_and_only_that() {
    let (umem, mut pool) = region(64);
    let ring_size = RingSize::new(4).unwrap();
    let (left, right) = cable(&umem, &umem, CableConfig { ring_size, when_full: WhenFull::Wait });
    let scratch = Scratch::default();
    let mut right = Station::new(right, pool.split(32));
    let mut left = Station::new(Tap::new(left, recorder(&scratch)), pool);
    let mut expected = Vec::new();
    assert!(right.send(b"from the right").unwrap());
    expected.extend(left.receive());
    for number in 0..20 {
        let packet = vec![number; 30];
        if left.send(&packet).unwrap() {
            expected.push(packet);
        }
    }
    assert!(expected.len() < 21, "the ring must have been full once");
    left.port().finish().unwrap();
    let recorded = Capture::parse(scratch.bytes()).unwrap();
    assert_eq!(recorded.packets().map(|packet| packet.data.to_vec()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_recording_that_cannot_be_written_says_so_and_harms_no_packet() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (umem, mut pool) = region(8);
    let record = Recorder::new(Full, || Duration::ZERO);
    let mut port = PcapPort::new(&umem, Capture::default(), Some(record));
    let mut frame = pool.take().unwrap();
    frame.fill(b"packet").unwrap();
    assert_eq!(port.transmit(&mut Burst::from_iter([frame])), 1);
    assert_eq!(port.finish().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..4_usize) {
        let magic = [0x0a0d_0d0a_u32, 0xa1b2_c3d4, 0xd4c3_b2a1, 0][kind];
        if bytes.len() >= 12 && magic != 0 {
            bytes[..4].copy_from_slice(&magic.to_le_bytes());
            bytes[8..12].copy_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        }
        if let Ok(capture) = Capture::parse(bytes) {
            prop_assert_eq!(capture.packets().count(), capture.len());
        }
    }

    #[test]
    fn any_damage_to_a_recording_is_survived(at in 0..4000_usize, value in any::<u8>()) {
        let scratch = Scratch::default();
        let mut recorder = recorder(&scratch);
        (0..40_u8).for_each(|number| recorder.write(&vec![number; usize::from(number)], Direction::Out));
        let mut bytes = scratch.bytes();
        let at = at % bytes.len();
        bytes[at] = value;
        if let Ok(capture) = Capture::parse(bytes) {
            prop_assert_eq!(capture.packets().count(), capture.len());
        }
    }
}
