use super::*;
use crate::control::namespaces::inside;

#[test]
fn channels_are_read_and_set() {
    inside(|lab| {
        lab.ip("link add a0 numrxqueues 4 numtxqueues 4 type veth peer name a1 numrxqueues 4 numtxqueues 4");
        let index = lab.index("a0");
        let mut ethtool = Ethtool::open().expect("the kernel has the ethtool family");
        let before = ethtool.channels(index).expect("veth has channels");
        assert_eq!((before.rx_max, before.tx_max), (4, 4));
        assert!(before.pairs() >= 1);
        for wanted in [2, 3, 3, 1] {
            ethtool.set_channels(index, &before.with_pairs(wanted)).expect("veth can change them");
            let after = ethtool.channels(index).expect("veth has channels");
            assert_eq!(
                (after.rx_queues(), after.tx_queues(), after.pairs()),
                (wanted, wanted, wanted)
            );
        }
    });
}

#[test]
fn a_device_without_channels_says_so() {
    inside(|lab| {
        lab.ip("link add br0 type bridge");
        let mut ethtool = Ethtool::open().expect("the kernel has the ethtool family");
        let error = ethtool.channels(lab.index("br0")).expect_err("a bridge has none");
        assert_eq!(error.refusal(), Some(std::io::ErrorKind::Unsupported), "{error}");
        assert!(ethtool.channels(4711).is_err());
    });
}

#[test]
fn pairs_stay_within_what_the_driver_can_do() {
    let combined = Channels { combined: 2, combined_max: 8, ..Channels::default() };
    assert_eq!(combined.with_pairs(4).pairs(), 4);
    assert_eq!(combined.with_pairs(64).pairs(), 8);
    assert_eq!(combined.with_pairs(0).pairs(), 1);
    let separate = Channels { rx: 1, tx: 1, rx_max: 4, tx_max: 2, ..Channels::default() };
    assert_eq!(separate.with_pairs(4), Channels { rx: 2, tx: 2, ..separate });
    // Receive-only channels beside combined ones would be queues without a socket to send.
    let mixed = Channels { rx: 1, combined: 1, rx_max: 2, combined_max: 4, ..Channels::default() };
    assert_eq!(mixed.with_pairs(2), Channels { rx: 0, combined: 2, ..mixed });
}
