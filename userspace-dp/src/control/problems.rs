//! What does not work while the gateway goes on: said in the log once, and in `status` for as long as it lasts.
//!
//! The control thread notes each matter again and again; what has not begun or ended is not logged anew.

use std::collections::BTreeMap;

use tracing::{info, warn};

use super::routing::Report;

/// What a problem is about; each has one line at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matter {
    /// The gateway's addresses in the steering program.
    Steering,
    /// The kernel's routes to the tunnel.
    TunnelRoutes,
    /// Networks of peers that are no routes to the tunnel, since they hold endpoints.
    WithheldRoutes,
    /// Routing rules, which workers do not follow.
    RoutingRules,
    /// Routes that workers cannot follow.
    UnsupportedRoutes,
    /// Next hops that are not looked after.
    Neighbours,
    /// Devices that take VLAN tags off frames.
    VlanTags,
    /// A kernel that forwards beside the gateway.
    KernelForwarding,
}

/// What became of a matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is a problem since now.
    Began,
    /// It is none since now.
    Ended,
    /// It is what it was.
    Same,
}

/// The present problems.
#[derive(Debug, Default)]
pub struct Problems {
    present: BTreeMap<Matter, String>,
}

impl Problems {
    /// Notes how `matter` stands, and logs when it begins or ends to be a problem.
    pub fn note(&mut self, matter: Matter, problem: Option<String>) -> Turn {
        let Some(problem) = problem else {
            return match self.present.remove(&matter) {
                Some(former) => {
                    info!("no longer: {former}");
                    Turn::Ended
                }
                None => Turn::Same,
            };
        };
        let text = problem.clone();
        if self.present.insert(matter, problem).is_some() {
            return Turn::Same;
        }
        warn!("{text}");
        Turn::Began
    }

    /// Whether `matter` is a problem.
    pub fn has(&self, matter: Matter) -> bool {
        self.present.contains_key(&matter)
    }

    /// One line each.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.present.values().cloned()
    }
}

/// What `rules` routing rules beside the kernel's own mean.
pub fn of_routing_rules(rules: usize) -> Option<String> {
    let what = "are not followed: routes are looked up by destination, in the main table";
    (rules > 0).then(|| format!("{rules} routing rules (`ip rule`) {what}"))
}

/// What the compilation of routes left out.
pub fn of_routes(report: Report) -> Option<String> {
    let what = "are not followed: by source prefix, by type of service, or of an unknown kind";
    (report.unsupported > 0).then(|| format!("{} routes {what}", report.unsupported))
}

/// What it means that the number of next hops turned away was `before` at the last look and is `now`.
pub fn of_neighbours(before: u64, now: u64) -> Option<String> {
    let what = "have been turned away since the start: limits.neighbours is too small";
    (now > before).then(|| format!("{now} reports of next hops {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_do_not_follow_is_told_and_what_they_do_is_not() {
        assert_eq!(
            (of_routing_rules(0), of_neighbours(0, 0), of_neighbours(7, 7)),
            (None, None, None)
        );
        assert!(of_routing_rules(2).unwrap().starts_with("2 routing rules"));
        assert!(of_neighbours(3, 7).unwrap().starts_with("7 reports"));
        let followed = Report { prefixes: 9, unattached: 2, down: 1, unsupported: 0 };
        assert_eq!(of_routes(followed), None);
        assert!(of_routes(Report { unsupported: 3, ..followed }).unwrap().starts_with("3 routes"));
    }

    #[test]
    fn a_problem_begins_once_lasts_with_its_latest_words_and_ends_once() {
        let mut problems = Problems::default();
        let mut note = |text: Option<&str>| {
            let turn = problems.note(Matter::Steering, text.map(str::to_owned));
            (turn, problems.lines().collect::<Vec<_>>())
        };
        assert_eq!(note(None), (Turn::Same, vec![]));
        assert_eq!(note(Some("full: 5")), (Turn::Began, vec!["full: 5".to_owned()]));
        assert_eq!(note(Some("full: 6")), (Turn::Same, vec!["full: 6".to_owned()]));
        assert_eq!(note(None), (Turn::Ended, vec![]));
        assert_eq!(note(Some("full: 5")).0, Turn::Began);
    }

    #[test]
    fn matters_are_independent() {
        let mut problems = Problems::default();
        problems.note(Matter::Neighbours, Some("one".into()));
        problems.note(Matter::Steering, Some("other".into()));
        problems.note(Matter::Neighbours, None);
        assert!(problems.has(Matter::Steering) && !problems.has(Matter::Neighbours));
        assert_eq!(problems.lines().collect::<Vec<_>>(), ["other"]);
    }
}
