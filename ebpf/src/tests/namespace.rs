//! A network namespace with a veth pair in it, for one test.
use std::ffi::CString;
use std::process::Command;

/// The two ends, up, with interface indices.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    /// The gateway's end.
    pub inside: u32,
    /// The end frames are sent from.
    pub outside: u32,
}

/// Runs the test on a thread of its own in a new network namespace, which ends with the thread.
/// Programs started from it live in the namespace too.
pub(super) fn with_pair(test: impl FnOnce(Pair) + Send) {
    std::thread::scope(|scope| {
        let body = scope.spawn(|| {
            // SAFETY: detaches this thread, and no other, from the network namespace.
            let outcome = unsafe { libc::unshare(libc::CLONE_NEWNET) };
            assert_eq!(outcome, 0, "unshare: {}", std::io::Error::last_os_error());
            ip("link add inside numrxqueues 2 numtxqueues 2 type veth peer name outside numrxqueues 1 numtxqueues 1");
            for end in ["inside", "outside"] {
                ip(&format!("link set {end} up arp off addrgenmode none"));
            }
            test(Pair { inside: index("inside"), outside: index("outside") });
        });
        if let Err(panic) = body.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs ip(8), of Debian's iproute2.
pub(super) fn ip(arguments: &str) {
    run("ip", arguments);
}

/// Runs a program with arguments split at blanks.
pub(super) fn run(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split(' ')).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments}: {output:?}");
}

/// The index of the interface with this name.
pub(super) fn index(name: &str) -> u32 {
    let name = CString::new(name).expect("name");
    // SAFETY: a terminated string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    assert_ne!(index, 0, "{name:?}");
    index
}

/// Sends one frame out of an interface.
pub(super) fn send(ifindex: u32, frame: &[u8]) {
    // SAFETY: plain system calls on a descriptor of our own; the address is a valid sockaddr_ll
    // of the length given, the frame lives through the call.
    unsafe {
        let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        assert!(socket >= 0, "packet socket: {}", std::io::Error::last_os_error());
        let mut address: libc::sockaddr_ll = core::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = ifindex as i32;
        let sent = libc::sendto(
            socket,
            frame.as_ptr().cast(),
            frame.len(),
            0,
            core::ptr::from_ref(&address).cast(),
            size_of_val(&address) as u32,
        );
        assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
        libc::close(socket);
    }
}

/// Waits until something holds, at most five seconds.
pub(super) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        std::thread::sleep(core::time::Duration::from_millis(10));
    }
    panic!("waited five seconds: {what}");
}
