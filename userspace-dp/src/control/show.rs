//! Replies to `status` and `show`: from counters and the view to the tables of [`crate::api`].

mod drops;
mod peers;
mod rings;
mod routes;
mod runtime;
mod status;

use super::observer::{Observer, unix_now};
use crate::api::{Body, ConfigReport, RefusalKind, Reply, Subject};

pub(super) use drops::dropped;
pub(super) use peers::peer_rows;
pub(super) use rings::queues;
pub(super) use status::status;

/// The table that was asked for.
pub(super) fn show(observer: &Observer, what: Subject) -> Reply {
    match what {
        Subject::Runtime => Reply::new(Body::Runtime(runtime::runtime(observer))),
        Subject::Drops => Reply::new(Body::Drops(drops::drops(observer))),
        Subject::Interfaces => Reply::new(Body::Interfaces(status::interfaces(observer))),
        Subject::Rings => Reply::new(Body::Rings(rings::rings(observer))),
        Subject::Peers => Reply::new(Body::Peers(peers::peers(observer))),
        Subject::Routes => routes(observer),
        Subject::Config => config(observer),
    }
}

/// A gateway that is too busy to say its routes is not one without routes.
fn routes(observer: &Observer) -> Reply {
    match routes::routes(observer) {
        Some(routes) => Reply::new(Body::Routes(routes)),
        None => {
            let why = "the control thread does not answer: it is busy with a reload or with changes of many routes";
            Reply::refusal(RefusalKind::Failed, why)
        }
    }
}

fn config(observer: &Observer) -> Reply {
    let view = observer.view();
    match serde_json::to_value(&view.loaded.config) {
        Ok(config) => Reply::new(Body::Config(ConfigReport {
            generation: view.snapshot.generation,
            files: view.loaded.files.iter().map(|file| file.display().to_string()).collect(),
            config,
        })),
        Err(error) => Reply::refusal(RefusalKind::Failed, error.to_string()),
    }
}

/// Puts a fault into a worker, for tests of how the gateway fails.
#[cfg(debug_assertions)]
pub(super) fn put_fault(observer: &Observer, fault: crate::api::Fault, worker: u32) -> Reply {
    use crate::runtime::shared::Fault;
    let Some(watched) = observer.workers.get(worker as usize) else {
        return Reply::refusal(RefusalKind::BadRequest, format!("there is no worker {worker}"));
    };
    watched.shared.set_fault(match fault {
        crate::api::Fault::KillWorker => Fault::Kill,
        crate::api::Fault::StopWorker => Fault::Stop,
    });
    watched.waker.wake();
    status(observer)
}

/// When a table was taken.
fn taken_at() -> u64 {
    unix_now()
}
