//! What the loader needs to be allowed to do, and no more.
use super::namespace::with_pair;
use super::process::Holder;
use super::rig::needs_root;

const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_BPF: u32 = 39;

#[test]
fn three_capabilities_are_enough() {
    needs_root!();
    with_pair(|pair| {
        let holder = Holder::start(pair.inside, Some(&[CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF]));
        assert!(holder.report.starts_with("attached native"), "{}", holder.report);
        let second = Holder::start(pair.inside, Some(&[CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF]));
        assert!(second.report.contains("runs another XDP program"), "{}", second.report);
        assert!(second.report.contains("name unknown"), "{}", second.report);
    });
}

#[test]
fn a_missing_capability_is_named() {
    needs_root!();
    with_pair(|pair| {
        let holder = Holder::start(pair.inside, Some(&[CAP_NET_ADMIN, CAP_NET_RAW]));
        assert!(holder.report.starts_with("failed"), "{}", holder.report);
        assert!(holder.report.contains("CAP_BPF"), "{}", holder.report);
    });
}
