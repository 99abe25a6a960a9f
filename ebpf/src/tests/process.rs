//! The end of the process, however it ends, ends the program.
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use super::namespace::{wait_until, with_pair};
use super::rig::{needs_root, options, port};
use crate::{AttachMode, ForeignProgram, Steering, attached};

const HOLD: &str = "RINGWALL_TEST_HOLD_INTERFACE";

/// A child process that attaches the program to an interface and then waits to be killed.
pub(super) struct Holder {
    child: Child,
    /// What it said: `attached <mode> <map id>...`, or `failed <error>`.
    pub report: String,
}

impl Holder {
    /// Starts this very test binary again as [`holder`], in the namespace of this thread, with no
    /// capabilities but `keep` if some are given.
    pub(super) fn start(ifindex: u32, keep: Option<&'static [u32]>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("own path"));
        command
            .args(["tests::process::holder", "--exact", "--ignored", "--nocapture"])
            .env(HOLD, ifindex.to_string())
            .stdout(Stdio::piped());
        if let Some(keep) = keep {
            // SAFETY: the closure makes async-signal-safe system calls only.
            unsafe { command.pre_exec(move || drop_capabilities_but(keep)) };
        }
        let mut child = command.spawn().expect("spawn");
        let output = BufReader::new(child.stdout.take().expect("stdout"));
        let report = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("holder: ").map(|(_, report)| report.to_owned()))
            .unwrap_or_default();
        Self { child, report }
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Empties the bounding set: after exec even root has no more than what is left in it.
fn drop_capabilities_but(keep: &[u32]) -> std::io::Result<()> {
    for capability in (0..=40).filter(|capability| !keep.contains(capability)) {
        // SAFETY: takes two numbers.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

#[test]
#[ignore = "run by other tests as a process of its own"]
fn holder() {
    let Some(ifindex) = std::env::var(HOLD).ok().and_then(|text| text.parse().ok()) else {
        println!("not started by a test");
        return;
    };
    let hold = || -> Result<_, String> {
        let mut steering = Steering::load(&options()).map_err(|error| error.to_string())?;
        steering.set_port(&port(ifindex)).map_err(|error| error.to_string())?;
        let attachment = steering
            .attach(ifindex, AttachMode::Native, ForeignProgram::Refuse)
            .map_err(|error| error.to_string())?;
        Ok((steering, attachment))
    };
    match hold() {
        Ok((steering, attachment)) => {
            let info = steering.xdp().and_then(|xdp| xdp.info()).expect("info");
            // Asking for the ids takes CAP_SYS_ADMIN, which not every holder has.
            let maps = info.map_ids().ok().flatten().unwrap_or_default();
            println!("\nholder: attached {} {maps:?}", attachment.mode());
            std::thread::sleep(core::time::Duration::from_secs(30));
        }
        Err(error) => println!("\nholder: failed {error}"),
    }
}

#[test]
fn a_killed_process_leaves_neither_program_nor_maps() {
    needs_root!();
    with_pair(|pair| {
        let mut holder = Holder::start(pair.inside, None);
        let found = attached(pair.inside).expect("query").expect(&holder.report);
        let maps: Vec<u32> = holder
            .report
            .split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        assert!(maps.len() >= 12 && exist(&maps) == maps.len(), "{}", holder.report);
        holder.kill();
        wait_until("the program is off the interface", || {
            attached(pair.inside).expect("query").is_none()
        });
        wait_until("the program and its maps are gone", || {
            let programs = aya::programs::loaded_programs().filter_map(Result::ok);
            programs.into_iter().all(|info| info.id() != found.program) && exist(&maps) == 0
        });
    });
}

/// How many of these maps exist.
fn exist(maps: &[u32]) -> usize {
    maps.iter().filter(|id| aya::maps::MapInfo::from_id(**id).is_ok()).count()
}
