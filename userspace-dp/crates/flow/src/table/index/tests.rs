use std::collections::HashSet;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn place(flow: u32) -> Place {
    Place::new(flow, Direction::Opening)
}

fn has(index: &Index, hash: Hash, wanted: Place) -> bool {
    index.find(hash, |place| place == wanted) == Some(wanted)
}

#[test]
fn a_place_keeps_flow_and_direction_apart() {
    for direction in Direction::ALL {
        let place = Place::new(0x0fff_ffff, direction);
        assert_eq!((place.flow(), place.direction()), (0x0fff_ffff, direction));
    }
}

#[test]
fn random_hashes_fill_it_to_four_fifths_and_none_is_refused_or_lost() {
    for seed in 0..8 {
        let random = &mut StdRng::seed_from_u64(seed);
        // Entries that make the fill as high as it gets: four fifths of 2^13 places.
        let entries = (1 << 13) * 4 / 5;
        let mut index = Index::new(entries);
        assert_eq!(index.buckets.len() * WAYS, 1 << 13);
        let hashes: Vec<Hash> = (0..entries).map(|_| Hash(random.random())).collect();
        for (flow, hash) in hashes.iter().enumerate() {
            assert!(index.insert(*hash, place(flow as u32)), "seed {seed}: {flow} is refused");
        }
        for (flow, hash) in hashes.iter().enumerate() {
            assert!(has(&index, *hash, place(flow as u32)), "seed {seed}: {flow} is lost");
        }
    }
}

#[test]
fn keys_of_one_hash_fill_two_buckets_and_then_are_refused_and_disturb_nobody() {
    let mut index = Index::new(1000);
    let neighbour = Hash(0x1234_5678_0000_0003);
    assert!(index.insert(neighbour, place(7777)));
    let crowded = Hash(0x9999_9999_0000_0003);
    let held = (0..100).take_while(|flow| index.insert(crowded, place(*flow))).count() as u32;
    assert_eq!(held, 16, "the neighbour in one of the two buckets has moved away");
    assert!(!index.insert(crowded, place(200)));
    assert!((0..held).all(|flow| has(&index, crowded, place(flow))));
    assert!(has(&index, neighbour, place(7777)));
    assert!(index.remove(crowded, place(3)));
    assert!(index.insert(crowded, place(200)), "a freed place is used again");
}

#[test]
fn a_hash_of_zeros_is_a_hash_like_others() {
    let mut index = Index::new(10);
    assert!(index.find(Hash(0), |_| true).is_none());
    assert!(index.insert(Hash(0), place(1)));
    assert!(has(&index, Hash(0), place(1)));
    assert_eq!(index.glance(Hash(0)), Some(place(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Few buckets and few different hashes, so that moving and refusing happen all the time.
    #[test]
    fn it_is_a_set_of_what_was_put_in(
        hashes in prop::collection::vec((0..4_u64, 0..6_u64), 12),
        steps in prop::collection::vec((0..3_u8, 0..96_u32), 1..300),
    ) {
        let mut index = Index::new(24);
        let mut model: HashSet<u32> = HashSet::new();
        let hash = |flow: u32| {
            let (upper, lower) = hashes[flow as usize % hashes.len()];
            Hash(upper << 32 | lower)
        };
        for (kind, flow) in steps {
            if kind == 0 {
                prop_assert_eq!(index.remove(hash(flow), place(flow)), model.remove(&flow));
            } else if !model.contains(&flow) && index.insert(hash(flow), place(flow)) {
                model.insert(flow);
            }
            for flow in &model {
                prop_assert!(has(&index, hash(*flow), place(*flow)));
            }
            let entries = index.buckets.iter().flat_map(|bucket| bucket.tags);
            prop_assert_eq!(entries.filter(|tag| *tag != FREE).count(), model.len());
        }
    }
}
