//! Network namespaces for tests of the control thread: two that belong to one test and go away with it.
//!
//! A test body runs in a process of its own, which is this test binary started again inside the first namespace:
//! a netlink socket belongs to the namespace it was made in, and changing that of a running thread takes unsafe
//! code. The second namespace stands for the machine at the other end of a cable.

use core::sync::atomic::{AtomicU32, Ordering};
use std::process::{Command, Stdio};
use std::{env, fs, process};

const INSIDE: &str = "RINGWALL_NAMESPACE";
const PREFIX: &str = "rwnl";
/// A hanging test is ended after this many seconds.
const SECONDS: &str = "120";

/// Runs `body`, which must be a closure written in the test function itself, in a fresh namespace. Without root
/// it says so and does not run it.
pub(super) fn inside<B: FnOnce(&Lab)>(body: B) {
    if let Ok(name) = env::var(INSIDE) {
        return body(&Lab { name });
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: network namespaces need root");
        return;
    }
    let test = core::any::type_name::<B>();
    let test = test.split_once("::").map_or(test, |(_, path)| path);
    let test = test.strip_suffix("::{{closure}}").unwrap_or(test);
    let lab = Namespaces::new();
    let status = Command::new("timeout")
        .args(["-k", "2", SECONDS, "ip", "netns", "exec", &lab.0])
        .arg(env::current_exe().expect("the test binary has a path"))
        .args(["--exact", test, "--nocapture", "--include-ignored"])
        .env(INSIDE, &lab.0)
        .stdin(Stdio::null())
        .output()
        .expect("timeout(1) and ip(8) are installed");
    let text = String::from_utf8_lossy(&status.stdout);
    print!("{text}{}", String::from_utf8_lossy(&status.stderr));
    assert!(status.status.success(), "{test} failed inside {}", lab.0);
    assert!(text.contains("1 passed"), "{test} was not found inside {}", lab.0);
}

/// The namespace a test body runs in, and the one at the other end.
pub(super) struct Lab {
    name: String,
}

impl Lab {
    /// Name of the other namespace, for `ip link set .. netns`.
    pub(super) fn peer(&self) -> String {
        format!("{}p", self.name)
    }

    /// `ip` with these words in this namespace; its output.
    pub(super) fn ip(&self, words: &str) -> String {
        run(Command::new("ip").args(words.split_whitespace()), words)
    }

    /// `ip` in this namespace; whether it succeeded.
    pub(super) fn try_ip(&self, words: &str) -> bool {
        let status = Command::new("ip")
            .args(words.split_whitespace())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.expect("ip(8) is installed").success()
    }

    /// `ip` with many commands in one go, one a line.
    pub(super) fn ip_batch(&self, lines: &str) {
        let path = env::temp_dir().join(format!("{}-batch", self.name));
        fs::write(&path, lines).expect("the temporary folder is writable");
        run(Command::new("ip").arg("-batch").arg(&path), "-batch");
        fs::remove_file(&path).expect("it was just written");
    }

    /// `ip` with these words at the other end.
    pub(super) fn peer_ip(&self, words: &str) -> String {
        run(Command::new("ip").args(["-n", &self.peer()]).args(words.split_whitespace()), words)
    }

    /// What `ip -j` prints for these words, numbers instead of names.
    pub(super) fn json(&self, words: &str) -> serde_json::Value {
        let text = self.ip(&format!("-j -N -d {words}"));
        if text.trim().is_empty() {
            return serde_json::Value::Array(Vec::new());
        }
        serde_json::from_str(&text).expect("ip -j prints JSON")
    }

    /// Index of the interface with this name.
    pub(super) fn index(&self, name: &str) -> u32 {
        let links = self.json(&format!("link show dev {name}"));
        links[0]["ifindex"].as_u64().expect("every link has an index") as u32
    }

    /// A cable with both ends here, `a0` and `a1`, both down; the index of `a0`.
    pub(super) fn loose_cable(&self) -> u32 {
        self.ip("link add a0 type veth peer name a1");
        self.index("a0")
    }

    /// A cable `a0` here to `a1` at the other end, both up, with 192.0.2.1/24 and fd00:a::1/64 here and .2 and ::2
    /// there.
    pub(super) fn cable(&self) -> u32 {
        self.ip(&format!("link add a0 type veth peer name a1 netns {}", self.peer()));
        self.ip("addr add 192.0.2.1/24 dev a0");
        self.ip("addr add fd00:a::1/64 dev a0 nodad");
        self.peer_ip("addr add 192.0.2.2/24 dev a1");
        self.peer_ip("addr add fd00:a::2/64 dev a1 nodad");
        self.ip("link set a0 up");
        self.peer_ip("link set a1 up");
        self.index("a0")
    }
}

fn run(command: &mut Command, words: &str) -> String {
    let output = command.stdin(Stdio::null()).output().expect("ip(8) is installed");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {message}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The two namespaces of a test.
struct Namespaces(String);

impl Namespaces {
    fn new() -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        sweep();
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let lab = Self(format!("{PREFIX}-{}-{serial}", process::id()));
        for name in lab.names() {
            run(Command::new("ip").args(["netns", "add", &name]), "netns add");
        }
        lab
    }

    fn names(&self) -> [String; 2] {
        [self.0.clone(), format!("{}p", self.0)]
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in self.names() {
            remove(&name);
        }
    }
}

/// Removes what a killed test left behind.
fn sweep() {
    let Ok(folder) = fs::read_dir("/run/netns") else { return };
    for name in folder.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if process.is_some_and(|id| !fs::exists(format!("/proc/{id}")).unwrap_or(true)) {
            remove(&name);
        }
    }
}

fn remove(name: &str) {
    let _ = Command::new("ip").args(["netns", "delete", name]).stderr(Stdio::null()).status();
}
