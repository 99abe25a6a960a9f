//! What operators are shown after hard work: every frame is somewhere, every drop has a harmless reason.

use crate::ringwall;
use anyhow::{Context, Result, anyhow, bail, ensure};
use lab::{
    Lab, RingwallGateway, RunningGateway, SERVER_V4, SERVER_V6, Tunnel, TunnelOptions, iperf,
};
use serde_json::Value;
use std::time::Duration;

const WORKERS: usize = 2;
const CLIENTS: u8 = 3;

fn number(row: &Value, key: &str) -> Result<u64> {
    row[key].as_u64().with_context(|| format!("no number {key} in {row}"))
}

fn rows<'a>(table: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    table[key].as_array().with_context(|| format!("no rows {key} in {table}"))
}

/// Frames of each worker add up, and none is lost.
fn frames_are_all_there(gateway: &RingwallGateway) -> Result<()> {
    let rings = gateway.json("show rings", "rings")?;
    let workers = rows(&rings, "frames")?;
    ensure!(workers.len() == WORKERS, "{} workers answered:\n{rings}", workers.len());
    for worker in workers {
        ensure!(worker["sums_up"] == true, "frames do not add up: {worker}");
        let states = rows(worker, "states")?;
        let lost = states.iter().find(|state| state["state"] == "lost").context("no lost row")?;
        ensure!(number(lost, "frames")? == 0, "frames are lost: {worker}");
    }
    Ok(())
}

fn workers_handed_over(gateway: &RingwallGateway) -> Result<()> {
    let rings = gateway.json("show rings", "rings")?;
    // Rows to the slow path stand among those between workers.
    let mut handoffs = rows(&rings, "handoffs")?.clone();
    handoffs.retain(|row| row["slow_path"] == false);
    ensure!(handoffs.len() == WORKERS * (WORKERS - 1), "{handoffs:?}");
    let frames = handoffs.iter().map(|row| number(row, "frames")).sum::<Result<u64>>()?;
    ensure!(frames > 0, "no worker handed anything over: {handoffs:?}");
    Ok(())
}

/// What `show rings` shows of sockets is in the metrics, too.
fn sockets_are_in_the_metrics(gateway: &RingwallGateway) -> Result<()> {
    let rings = gateway.json("show rings", "rings")?;
    let sum = |of: &dyn Fn(&Value) -> Result<u64>| -> Result<u64> {
        rows(&rings, "queues")?.iter().map(of).sum()
    };
    let sizes = sum(&|queue| {
        let rings = ["rx", "tx", "fill", "completion"].map(|ring| number(&queue[ring], "size"));
        rings.into_iter().sum()
    })?;
    let shown = gateway.metric("ringwall_queue_ring_size")?;
    ensure!(sizes > 0 && shown == sizes, "{shown} entries, not {sizes}");
    let counted = ["rx_dropped", "rx_ring_full", "rx_fill_ring_empty_descs", "tx_ring_empty_descs"];
    for key in counted {
        let before = sum(&|queue| number(&queue["xdp"], key))?;
        let shown = gateway.metric(&format!("ringwall_queue_{key}_total"))?;
        ensure!(shown >= before, "{key}: {shown}, after {before}");
    }
    Ok(())
}

fn workers_shared_the_work(gateway: &RingwallGateway) -> Result<()> {
    let runtime = gateway.json("show runtime", "runtime")?;
    let workers = rows(&runtime, "workers")?;
    ensure!(workers.len() == WORKERS, "{} workers answered", workers.len());
    for worker in workers {
        for key in ["rx_packets", "tx_packets", "bursts", "busy_ns"] {
            ensure!(number(worker, key)? > 0, "a worker without {key}: {worker}");
        }
        let latency = &worker["latency"];
        let quantiles = ["p50_ns", "p99_ns", "p999_ns", "max_ns"].map(|key| number(latency, key));
        let quantiles = quantiles.into_iter().collect::<Result<Vec<_>>>()?;
        ensure!(number(latency, "count")? > 0 && quantiles[0] > 0, "no latency: {latency}");
        ensure!(quantiles.is_sorted(), "quantiles out of order: {latency}");
        for stage in rows(worker, "stages")? {
            ensure!(number(stage, "packets")? > 0, "a stage that did nothing: {worker}");
            let (timed, all) = (number(stage, "timed_packets")?, number(stage, "packets")?);
            ensure!(timed <= all, "more packets timed than seen: {stage}");
            ensure!(
                (timed > 0) == (number(stage, "timed_ns")? > 0),
                "time without packets: {stage}"
            );
        }
    }
    for stage in ["parse", "classify", "detunnel", "policy", "forward", "egress", "transmit"] {
        let of_stage = workers.iter().filter_map(|worker| rows(worker, "stages").ok()).flatten();
        let timed = of_stage.filter(|row| row["stage"] == stage).map(|row| number(row, "timed_ns"));
        ensure!(timed.sum::<Result<u64>>()? > 0, "no cost of {stage}: {runtime}");
    }
    Ok(())
}

/// Each client carried a TCP connection both ways, so each counts full packets and small ones in both directions.
fn peers_are_counted(gateway: &RingwallGateway) -> Result<()> {
    let peers = gateway.json("show peers", "peers")?;
    let peers = rows(&peers, "peers")?;
    ensure!(peers.len() == usize::from(CLIENTS), "{} peers", peers.len());
    for peer in peers {
        for (packets, bytes) in [("rx_packets", "rx_bytes"), ("tx_packets", "tx_bytes")] {
            let mean = number(peer, bytes)? / number(peer, packets)?.max(1);
            // Whole messages: header and tag around the inner packet, and a few handshakes.
            ensure!((72..=1500).contains(&mean), "{mean} bytes a packet: {peer}");
        }
    }
    Ok(())
}

/// Nothing hostile was sent, and nothing may be at fault; full rings are what TCP provokes.
fn drops_are_harmless(gateway: &RingwallGateway) -> Result<()> {
    let drops = gateway.json("show drops", "drops")?;
    for row in rows(&drops, "drops")? {
        if number(row, "count")? > 0 {
            println!("{}: {}", row["reason"], row["count"]);
            let severity = row["severity"].as_str().context("a severity")?;
            ensure!(["normal", "shortage"].contains(&severity), "an unexpected drop: {row}");
        }
    }
    Ok(())
}

/// One second of TCP over each family and in each direction, through the tunnel of one client.
fn keep_busy(lab: &Lab, interface: &str) -> Result<()> {
    let (client, server) = (lab.namespace("client"), lab.namespace("server"));
    for target in [SERVER_V4, SERVER_V6] {
        client.run(&format!("ip route replace {target} dev {interface}"))?;
        for options in ["--parallel 4", "--parallel 4 --reverse"] {
            let run = iperf(lab, &client, &server, target, 1, options)?;
            println!("{interface} {target} {options}: {:.0} Mbit/s", run.mbit_per_s);
            ensure!(run.bytes > 0, "{interface} {target} {options}: nothing arrived");
        }
    }
    Ok(())
}

#[test]
fn frames_add_up_under_load_and_after_it_and_drops_are_harmless() -> Result<()> {
    if !lab::available() {
        return Ok(());
    }
    // Each client's packets come by a queue of their own choice: both workers get work, and hand some of it over.
    Tunnel::with(&TunnelOptions { clients: CLIENTS, ..ringwall() }, |tunnel| {
        let RunningGateway::Ringwall(gateway) = &tunnel.gateway else { bail!("not Ringwall") };
        let (lab, clients) = (&tunnel.lab, &tunnel.clients);
        frames_are_all_there(gateway)?;
        std::thread::scope(|scope| {
            let load =
                scope.spawn(|| clients.iter().try_for_each(|client| keep_busy(lab, client.name())));
            while !load.is_finished() {
                frames_are_all_there(gateway)?;
                std::thread::sleep(Duration::from_millis(100));
            }
            load.join().map_err(|_| anyhow!("the load panicked"))?
        })?;
        frames_are_all_there(gateway)?;
        workers_handed_over(gateway)?;
        workers_shared_the_work(gateway)?;
        sockets_are_in_the_metrics(gateway)?;
        peers_are_counted(gateway)?;
        drops_are_harmless(gateway)
    })
}
