//! The three places for sessions of a peer: previous, current, next (WireGuard paper, section 6.3).
//!
//! `current` is what we send under. `previous` still receives what was on its way when `current` changed. `next`
//! is a session in which we are the responder and of which no packet has arrived: the initiator may not have it
//! yet, so nothing is sent under it. This file only moves names of storage cells; keys lie elsewhere.

use crate::Role;

/// One of the three storage cells of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cell {
    A,
    B,
    C,
}

impl Cell {
    pub(super) const ALL: [Self; 3] = [Self::A, Self::B, Self::C];
}

/// Which cell plays which part. No cell plays two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slots {
    pub(super) previous: Option<Cell>,
    pub(super) current: Option<Cell>,
    pub(super) next: Option<Cell>,
}

/// What an event leaves to do with the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    /// Where the new session goes.
    pub(super) into: Cell,
    /// Cells whose sessions end, to be wiped before `into` is written.
    pub(super) ended: [Option<Cell>; 2],
}

impl Slots {
    pub(super) const EMPTY: Self = Self { previous: None, current: None, next: None };

    /// Makes room for a new session.
    pub(super) fn install(&mut self, role: Role) -> Installed {
        match role {
            Role::Initiator => self.install_current(),
            Role::Responder => self.install_next(),
        }
    }

    /// The peer has answered us, so it has the keys: send under them at once. A session in `next` is not lost, since
    /// the peer may already be sending under it: it becomes the previous one in place of the current.
    fn install_current(&mut self) -> Installed {
        let ended = match self.next.take() {
            Some(next) => [self.previous.replace(next), self.current.take()],
            None => [core::mem::replace(&mut self.previous, self.current.take()), None],
        };
        let into = self.vacant();
        self.current = Some(into);
        Installed { into, ended }
    }

    fn install_next(&mut self) -> Installed {
        let ended = [self.next.take(), None];
        let into = self.vacant();
        self.next = Some(into);
        Installed { into, ended }
    }

    /// The first authenticated packet arrived in `cell`: if that was the next session it is the current one from
    /// here on. Tells which session ends by that.
    #[inline]
    pub(super) fn confirm(&mut self, cell: Cell) -> Option<Confirmed> {
        if self.next != Some(cell) {
            return None;
        }
        let ended = core::mem::replace(&mut self.previous, self.current.take());
        self.current = self.next.take();
        Some(Confirmed { ended })
    }

    /// The session in `cell` is gone.
    pub(super) fn vacate(&mut self, cell: Cell) {
        for slot in [&mut self.previous, &mut self.current, &mut self.next] {
            if *slot == Some(cell) {
                *slot = None;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// A cell that plays no part. Every caller has emptied at least one part before.
    fn vacant(&self) -> Cell {
        let taken = [self.previous, self.current, self.next];
        Cell::ALL.into_iter().find(|cell| !taken.contains(&Some(*cell))).unwrap_or(Cell::A)
    }
}

/// The next session became the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Confirmed {
    /// The cell whose session ends.
    pub(super) ended: Option<Cell>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sixteen states a peer can be in, up to renaming cells: each part filled or not.
    fn states() -> impl Iterator<Item = Slots> {
        (0..8u8).map(|bits| {
            let part = |bit: u8, cell| (bits & bit != 0).then_some(cell);
            Slots { previous: part(1, Cell::A), current: part(2, Cell::B), next: part(4, Cell::C) }
        })
    }

    fn assert_sound(slots: &Slots) {
        let taken: Vec<Cell> =
            [slots.previous, slots.current, slots.next].into_iter().flatten().collect();
        for (i, cell) in taken.iter().enumerate() {
            assert!(!taken[..i].contains(cell), "{slots:?} uses a cell twice");
        }
    }

    /// Every session of `before` is either in `after` or was reported as ended, and never both.
    fn assert_accounted(before: &Slots, after: &Slots, ended: &[Cell], new: Option<Cell>) {
        assert_sound(after);
        for cell in [before.previous, before.current, before.next].into_iter().flatten() {
            let kept = [after.previous, after.current, after.next].contains(&Some(cell))
                && new != Some(cell);
            assert_ne!(kept, ended.contains(&cell), "{before:?} -> {after:?}");
        }
    }

    #[test]
    fn an_initiator_sends_under_its_new_session_at_once() {
        for before in states() {
            let mut slots = before;
            let installed = slots.install(Role::Initiator);
            assert_eq!(slots.current, Some(installed.into), "{before:?}");
            assert_eq!(slots.next, None, "{before:?}");
            // What may still arrive: the unconfirmed session if there was one, else the one just left.
            assert_eq!(slots.previous, before.next.or(before.current), "{before:?}");
            let ended: Vec<Cell> = installed.ended.into_iter().flatten().collect();
            assert_accounted(&before, &slots, &ended, Some(installed.into));
        }
    }

    #[test]
    fn a_responder_keeps_sending_under_the_old_session() {
        for before in states() {
            let mut slots = before;
            let installed = slots.install(Role::Responder);
            assert_eq!(slots.next, Some(installed.into), "{before:?}");
            assert_eq!((slots.current, slots.previous), (before.current, before.previous));
            let ended: Vec<Cell> = installed.ended.into_iter().flatten().collect();
            assert_eq!(ended, before.next.into_iter().collect::<Vec<_>>());
            assert_accounted(&before, &slots, &ended, Some(installed.into));
        }
    }

    #[test]
    fn a_packet_on_the_next_session_and_on_no_other_moves_all_up() {
        for before in states() {
            for cell in Cell::ALL {
                let mut slots = before;
                let confirmed = slots.confirm(cell);
                if before.next == Some(cell) {
                    assert_eq!(confirmed, Some(Confirmed { ended: before.previous }));
                    let moved = Slots { previous: before.current, current: Some(cell), next: None };
                    assert_eq!(slots, moved);
                    let ended: Vec<Cell> = before.previous.into_iter().collect();
                    assert_accounted(&before, &slots, &ended, None);
                } else {
                    assert_eq!((confirmed, slots), (None, before));
                }
            }
        }
    }

    #[test]
    fn a_vacated_cell_plays_no_part() {
        for before in states() {
            for cell in Cell::ALL {
                let mut slots = before;
                slots.vacate(cell);
                let expected = |slot: Option<Cell>| slot.filter(|kept| *kept != cell);
                assert_eq!(slots.previous, expected(before.previous));
                assert_eq!(slots.current, expected(before.current));
                assert_eq!(slots.next, expected(before.next));
            }
        }
        let mut slots = Slots::EMPTY;
        let installed = slots.install(Role::Initiator);
        slots.vacate(installed.into);
        assert!(slots.is_empty());
    }
}
