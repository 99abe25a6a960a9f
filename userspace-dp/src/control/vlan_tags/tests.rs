use std::collections::BTreeSet;

use super::super::namespaces::inside;
use super::*;

fn features(on: &[&str], changeable: &[&str]) -> Features {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Features { on: set(on), changeable: set(changeable) }
}

#[test]
fn what_takes_tags_off_is_switched_off_and_nothing_else() {
    let [customer, service] = STRIPPING;
    let all = [customer, service, "rx-checksum", "tx-vlan-hw-insert", "rx-vlan-filter"];
    assert_eq!(changeable(&features(&all, &all)).unwrap(), STRIPPING);
    assert_eq!(changeable(&features(&[service], &all)).unwrap(), [service]);
    assert_eq!(changeable(&features(&all[2..], &all)).unwrap(), [""; 0]);
    // Off and fixed is as good as off.
    assert_eq!(changeable(&features(&[customer], &[customer])).unwrap(), [customer]);
}

#[test]
fn a_device_that_takes_tags_off_and_cannot_do_otherwise_is_refused() {
    let [customer, service] = STRIPPING;
    for fixed in STRIPPING {
        let others: Vec<_> = STRIPPING.into_iter().filter(|name| *name != fixed).collect();
        let error = changeable(&features(&STRIPPING, &others)).expect_err("fixed");
        assert!(error.to_string().starts_with(fixed), "{error}");
    }
    assert!(changeable(&features(&[customer], &[service])).is_err());
}

fn on(ifindex: u32) -> BTreeSet<String> {
    Ethtool::open().unwrap().features(ifindex).unwrap().on
}

#[test]
fn a_device_leaves_tags_in_frames_while_it_is_kept_and_gets_back_what_it_had() {
    inside(|lab| {
        let device = lab.loose_cable();
        let before = on(device);
        let mut keeper = TagKeeper::open().unwrap();
        keeper.add(device, "a0").unwrap();
        let kept = on(device);
        assert!(STRIPPING.iter().all(|name| !kept.contains(*name)), "{kept:?}");
        drop(keeper);
        assert_eq!(on(device), before);
    });
}

#[test]
fn what_was_off_before_stays_off() {
    inside(|lab| {
        let device = lab.loose_cable();
        let [customer, service] = STRIPPING;
        Ethtool::open().unwrap().set_features(device, &[service], false).unwrap();
        let mut keeper = TagKeeper::open().unwrap();
        keeper.add(device, "a0").unwrap();
        drop(keeper);
        assert!(on(device).contains(customer) && !on(device).contains(service));
    });
}

#[test]
fn what_somebody_switches_on_again_is_switched_off_at_the_next_look() {
    inside(|lab| {
        let device = lab.loose_cable();
        let mut keeper = TagKeeper::open().unwrap();
        keeper.add(device, "a0").unwrap();
        Ethtool::open().unwrap().set_features(device, &STRIPPING, true).unwrap();
        assert_eq!(keeper.look(), None);
        assert!(STRIPPING.iter().all(|name| !on(device).contains(*name)));
        lab.ip("link delete a0");
        assert!(keeper.look().expect("the device is gone").contains("a0"));
    });
}

#[test]
fn a_device_without_such_features_is_let_through() {
    inside(|lab| {
        lab.ip("link add br0 type bridge");
        let mut keeper = TagKeeper::open().unwrap();
        keeper.add(lab.index("br0"), "br0").unwrap();
        assert_eq!(keeper.look(), None);
    });
}
