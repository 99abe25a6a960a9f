use super::*;
use crate::control::namespaces::inside;

const RECEIVE: &str = "rx-vlan-hw-parse";
const SERVICE: &str = "rx-vlan-stag-hw-parse";

#[test]
fn features_are_read_and_set_and_the_others_stay() {
    inside(|lab| {
        let index = lab.loose_cable();
        let mut ethtool = Ethtool::open().expect("the kernel has the ethtool family");
        let before = ethtool.features(index).expect("veth has features");
        for name in [RECEIVE, SERVICE] {
            assert!(before.on.contains(name) && before.changeable.contains(name), "{before:?}");
        }
        // A veth has no filter that could be switched on.
        let filter = "rx-vlan-filter";
        assert!(!before.on.contains(filter) && !before.changeable.contains(filter), "{before:?}");
        ethtool.set_features(index, &[RECEIVE, SERVICE], false).expect("veth can change them");
        let mut after = ethtool.features(index).expect("veth has features");
        assert!(!after.on.contains(RECEIVE) && !after.on.contains(SERVICE), "{after:?}");
        after.on.extend([RECEIVE, SERVICE].map(str::to_owned));
        assert_eq!(after, before);
        ethtool.set_features(index, &[RECEIVE], true).expect("veth can change it");
        let last = ethtool.features(index).expect("veth has features");
        assert!(last.on.contains(RECEIVE) && !last.on.contains(SERVICE), "{last:?}");
    });
}

#[test]
fn unknown_names_and_devices_are_refused() {
    inside(|lab| {
        let index = lab.loose_cable();
        let mut ethtool = Ethtool::open().expect("the kernel has the ethtool family");
        let unknown = ethtool.set_features(index, &["rx-vlan-hw-purse"], false);
        assert!(unknown.expect_err("no such feature").refusal().is_some());
        assert!(ethtool.features(4711).expect_err("no such device").refusal().is_some());
    });
}

/// A bitset as the kernel writes it: bits by name, each with whether it carries its value.
fn bitset(request: Request, kind: u16, without_mask: bool, bits: &[(&str, bool)]) -> Request {
    request.nested(kind, |set| {
        let set = if without_mask { set.attribute(ETHTOOL_A_BITSET_NOMASK, &[]) } else { set };
        set.nested(ETHTOOL_A_BITSET_BITS, |list| {
            bits.iter().fold(list, |list, (name, value)| bit(list, name, *value))
        })
    })
}

fn read(answer: Request) -> Result<Features, Malformed> {
    decode(answer.finish(0).get(super::super::super::message::HEADER..).unwrap_or_default())
}

#[test]
fn what_is_listed_as_never_changing_is_not_changeable_whatever_the_driver_says() {
    let answer =
        bitset(Request::new(0, 0), ETHTOOL_A_FEATURES_HW, true, &[("a", false), ("b", false)]);
    let answer = bitset(answer, ETHTOOL_A_FEATURES_ACTIVE, true, &[("a", false), ("c", false)]);
    let answer = bitset(answer, ETHTOOL_A_FEATURES_NOCHANGE, true, &[("b", false)]);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(read(answer), Ok(Features { on: set(&["a", "c"]), changeable: set(&["a"]) }));
}

#[test]
fn in_a_list_with_a_mask_only_bits_with_a_value_are_set() {
    let answer =
        bitset(Request::new(0, 0), ETHTOOL_A_FEATURES_ACTIVE, false, &[("a", true), ("b", false)]);
    assert_eq!(read(answer).expect("whole").on, BTreeSet::from(["a".to_owned()]));
}

#[test]
fn an_answer_that_does_not_say_what_is_on_is_malformed() {
    assert_eq!(read(Request::new(0, 0)), Err(Malformed));
    let other = bitset(Request::new(0, 0), ETHTOOL_A_FEATURES_HW, true, &[("a", false)]);
    assert_eq!(read(other), Err(Malformed));
    let compact = Request::new(0, 0)
        .nested(ETHTOOL_A_FEATURES_ACTIVE, |set| set.attribute(ETHTOOL_A_BITSET_NOMASK, &[]));
    assert_eq!(read(compact), Err(Malformed));
    let nameless = Request::new(0, 0).nested(ETHTOOL_A_FEATURES_ACTIVE, |set| {
        set.nested(ETHTOOL_A_BITSET_BITS, |list| list.nested(ETHTOOL_A_BITSET_BITS_BIT, |bit| bit))
    });
    assert_eq!(read(nameless), Err(Malformed));
}
