//! Which processor a worker runs on.
//!
//! Pinning is asked for through `core_affinity` and then checked with the kernel, since the crate does not
//! report errors: a worker that wanders between processors is a silent loss of speed.

use anyhow::{Context, Result, bail, ensure};

/// A processor number as the kernel counts them.
pub type CpuNumber = usize;

/// The processors this process may use, lowest first.
pub fn allowed_cpus() -> Result<Vec<CpuNumber>> {
    let mut cpus: Vec<_> = core_affinity::get_core_ids()
        .context("the kernel did not say which processors this process may use")?
        .into_iter()
        .map(|core| core.id)
        .collect();
    cpus.sort_unstable();
    ensure!(!cpus.is_empty(), "this process may use no processor at all");
    Ok(cpus)
}

/// Chooses a processor for each of `workers` workers: those that were configured, else the allowed ones from
/// the highest down, so that processor 0, where interrupts and housekeeping land, is taken last.
pub fn choose(workers: usize, configured: &[CpuNumber]) -> Result<Vec<CpuNumber>> {
    let allowed = allowed_cpus()?;
    if configured.is_empty() {
        if let Some(problem) = crowding(workers, allowed.len()) {
            tracing::warn!("{problem}");
        }
        return Ok((0..workers).map(|w| allowed[allowed.len() - 1 - w % allowed.len()]).collect());
    }
    if configured.len() < workers {
        bail!("gateway.cpus names {} processors for {workers} workers", configured.len());
    }
    for cpu in configured {
        ensure!(
            allowed.contains(cpu),
            "gateway.cpus: processor {cpu} is not among the allowed {allowed:?}"
        );
    }
    Ok(configured[..workers].to_vec())
}

/// What is wrong with so many workers on so many processors. They work, each on its turn, so it is no reason to end: a
/// laboratory on a small machine wants just that.
fn crowding(workers: usize, processors: usize) -> Option<String> {
    let why = "they take turns, and packets wait meanwhile";
    (workers > processors)
        .then(|| format!("gateway.workers: {workers} workers share {processors} processors; {why}"))
}

/// Pins the calling thread to `cpu` and makes sure that the kernel did it.
pub fn pin_current_thread(cpu: CpuNumber) -> Result<()> {
    core_affinity::set_for_current(core_affinity::CoreId { id: cpu });
    let mask = rustix::thread::sched_getaffinity(None).context("cannot read the affinity back")?;
    ensure!(
        mask.count() == 1 && mask.is_set(cpu),
        "the thread could not be pinned to processor {cpu}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_stays_where_it_was_put() {
        let cpu = allowed_cpus().unwrap()[0];
        std::thread::spawn(move || {
            pin_current_thread(cpu).unwrap();
            assert_eq!(rustix::thread::sched_getcpu(), cpu);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_processor_that_is_not_allowed_is_refused_by_name() {
        let error = choose(1, &[9_999]).unwrap_err().to_string();
        assert!(error.contains("9999"), "{error}");
    }

    #[test]
    fn more_workers_than_processors_share_them_evenly_and_that_is_said() {
        let allowed = allowed_cpus().unwrap();
        let mut chosen = choose(2 * allowed.len(), &[]).unwrap();
        chosen.sort_unstable();
        let twice: Vec<CpuNumber> = allowed.iter().flat_map(|cpu| [*cpu, *cpu]).collect();
        assert_eq!(chosen, twice);
        assert_eq!(crowding(2, 2), None);
        assert!(crowding(3, 2).is_some_and(|problem| problem.contains("3 workers share 2")));
    }

    #[test]
    fn too_few_processors_for_the_workers_are_refused() {
        assert!(choose(2, &[0]).is_err());
    }
}
