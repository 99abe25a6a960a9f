//! Flows that nobody has confirmed, in the order in which they came: links through one array.

/// The order.
pub(super) struct Queue {
    links: Box<[Link]>,
    oldest: u32,
    newest: u32,
}

#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
}

const NONE: u32 = u32::MAX;

impl Queue {
    /// An empty queue for `0..count`.
    pub(super) fn new(count: usize) -> Self {
        let links = vec![Link { older: NONE, newer: NONE }; count].into();
        Self { links, oldest: NONE, newest: NONE }
    }

    /// Adds `item`, which is not in it, as the newest.
    pub(super) fn push(&mut self, item: u32) {
        let older = core::mem::replace(&mut self.newest, item);
        self.links[item as usize] = Link { older, newer: NONE };
        match older {
            NONE => self.oldest = item,
            older => self.links[older as usize].newer = item,
        }
    }

    /// Takes out `item`, which is in it.
    pub(super) fn remove(&mut self, item: u32) {
        let Link { older, newer } = self.links[item as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
    }

    /// The one that has been in it longest.
    pub(super) const fn oldest(&self) -> Option<u32> {
        if self.oldest == NONE { None } else { Some(self.oldest) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_list(steps in prop::collection::vec(0..8_u32, 0..200)) {
            let (mut queue, mut model) = (Queue::new(8), Vec::new());
            for item in steps {
                if let Some(at) = model.iter().position(|held| *held == item) {
                    queue.remove(item);
                    model.remove(at);
                } else {
                    queue.push(item);
                    model.push(item);
                }
                prop_assert_eq!(queue.oldest(), model.first().copied());
                let mut at = queue.newest;
                for item in model.iter().rev() {
                    prop_assert_eq!(at, *item);
                    at = queue.links[at as usize].older;
                }
            }
        }
    }
}
