//! Nesting of blocks, against a model that looks at every rule for every address.
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use aya::maps::MapError;
use clock::Time;
use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::{BlockError, BlockList, Tries};
use crate::layout::{BLOCKS_IPV4, BLOCKS_IPV6, BlockValue};

/// What the kernel's tries would hold.
#[derive(Default)]
struct Model(BTreeMap<IpNet, u64>);

impl Tries for Model {
    fn write(&mut self, prefix: IpNet, value: BlockValue) -> Result<(), MapError> {
        self.0.insert(prefix, value.until_ns);
        Ok(())
    }

    fn erase(&mut self, prefix: IpNet) -> Result<(), MapError> {
        self.0.remove(&prefix).map(drop).ok_or(MapError::KeyNotFound)
    }
}

impl Model {
    /// Whether the program would drop: the longest match alone decides.
    fn drops(&self, address: Ipv4Addr, now: u64) -> bool {
        let address = IpNet::from(std::net::IpAddr::V4(address));
        self.0
            .iter()
            .filter(|(net, _)| net.contains(&address))
            .max_by_key(|(net, _)| net.prefix_len())
            .is_some_and(|(_, until)| *until != 0 && now < *until)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Block(Ipv4Net, u64),
    Unblock(Ipv4Net),
    Allow(Vec<Ipv4Net>),
    Expire(u64),
}

/// A prefix in a space of sixteen addresses.
fn prefix() -> impl Strategy<Value = Ipv4Net> {
    (0..16_u8, 27..=32_u8).prop_map(|(last, length)| {
        Ipv4Net::new(Ipv4Addr::new(10, 0, 0, last), length).expect("length").trunc()
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prefix(), 1..20_u64).prop_map(|(net, until)| Step::Block(net, until)),
        2 => prefix().prop_map(Step::Unblock),
        1 => prop::collection::vec(prefix(), 0..3).prop_map(Step::Allow),
        1 => (0..20_u64).prop_map(Step::Expire),
    ]
}

/// The rules as an operator reads them, without tries.
#[derive(Default)]
struct Rules {
    blocks: BTreeMap<Ipv4Net, u64>,
    allowed: Vec<Ipv4Net>,
}

impl Rules {
    fn apply(&mut self, step: &Step) {
        match step {
            Step::Block(net, _) if self.allowed.iter().any(|allowed| allowed.contains(net)) => {}
            Step::Block(net, until) => {
                let entry = self.blocks.entry(*net).or_default();
                *entry = (*entry).max(*until);
            }
            Step::Unblock(net) => drop(self.blocks.remove(net)),
            Step::Allow(nets) => {
                self.blocks.retain(|net, _| !nets.iter().any(|allowed| allowed.contains(net)));
                self.allowed.clone_from(nets);
            }
            Step::Expire(now) => self.blocks.retain(|_, until| *until > *now),
        }
    }

    fn drops(&self, address: Ipv4Addr, now: u64) -> bool {
        let blocked = |(net, until): (&Ipv4Net, &u64)| net.contains(&address) && now < *until;
        !self.allowed.iter().any(|net| net.contains(&address)) && self.blocks.iter().any(blocked)
    }
}

proptest! {
    #[test]
    fn the_longest_match_alone_says_what_all_rules_together_say(
        steps in prop::collection::vec(step(), 1..30)
    ) {
        let mut list = BlockList::new(Model::default(), 1000);
        let mut rules = Rules::default();
        // What is expired may no longer be asked about at an earlier time.
        let mut earliest = 0;
        for step in &steps {
            rules.apply(step);
            match step {
                Step::Block(net, until) => {
                    let outcome = list.block((*net).into(), Time::from_nanos(*until));
                    let fine = matches!(outcome, Ok(()) | Err(BlockError::Allowed { .. }));
                    prop_assert!(fine);
                }
                Step::Unblock(net) => drop(list.unblock((*net).into()).expect("unblock")),
                Step::Allow(nets) => {
                    let nets: Vec<IpNet> = nets.iter().map(|net| (*net).into()).collect();
                    list.allow(&nets).expect("allow");
                }
                Step::Expire(now) => {
                    earliest = earliest.max(*now);
                    list.expire(Time::from_nanos(*now)).expect("expire");
                }
            }
            for last in 0..32 {
                let address = Ipv4Addr::new(10, 0, 0, last);
                for now in earliest..21 {
                    prop_assert_eq!(
                        list.tries.drops(address, now),
                        rules.drops(address, now),
                        "{} at {} after {:?}", address, now, step
                    );
                }
            }
        }
        prop_assert_eq!(list.blocked().count(), rules.blocks.len());
    }
}

#[test]
fn the_families_with_entries_are_known() {
    let mut list = BlockList::new(Model::default(), 10);
    let (v4, v6): (IpNet, IpNet) =
        ("10.0.0.0/8".parse().expect("prefix"), "2001:db8::/32".parse().expect("prefix"));
    assert_eq!(list.families(), 0);
    list.block(v4, Time::from_nanos(5)).expect("block");
    assert_eq!(list.families(), BLOCKS_IPV4);
    list.block(v6, Time::from_nanos(5)).expect("block");
    assert_eq!(list.families(), BLOCKS_IPV4 | BLOCKS_IPV6);
    list.unblock(v4).expect("unblock");
    assert_eq!(list.families(), BLOCKS_IPV6);
    assert_eq!(list.expire(Time::from_nanos(5)).expect("expire"), 1);
    assert_eq!(list.families(), 0);
}

#[test]
fn host_bits_do_not_matter() {
    let mut list = BlockList::new(Model::default(), 10);
    let sloppy: IpNet = "10.1.2.3/8".parse().expect("prefix");
    list.block(sloppy, Time::from_nanos(5)).expect("block");
    assert!(list.tries.drops(Ipv4Addr::new(10, 200, 0, 1), 4));
    assert!(list.unblock("10.0.0.0/8".parse().expect("prefix")).expect("unblock"));
}

#[test]
fn the_allow_list_counts_against_the_capacity() {
    let mut list = BlockList::new(Model::default(), 2);
    list.allow(&["10.0.0.0/8".parse().expect("prefix")]).expect("allow");
    list.block("11.0.0.0/8".parse().expect("prefix"), Time::NEVER).expect("block");
    let full = list.block("12.0.0.0/8".parse().expect("prefix"), Time::NEVER);
    assert!(matches!(full, Err(BlockError::Full { capacity: 2 })));
    list.block("2001:db8::/32".parse().expect("prefix"), Time::NEVER).expect("other family");
}
