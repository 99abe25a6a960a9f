//! DPDK's testpmd as a forwarder between the two links of a gateway, over its af_xdp driver.

use anyhow::{Result, ensure};
use lab::{Background, Lab, Namespace, wait_until};
use std::time::Duration;

/// Starts it on CPU 1 (its command thread on CPU 0) with one queue per link; frames leave with the next host's address.
pub fn start(
    lab: &Lab,
    gateway: &Namespace,
    client: [u8; 6],
    server: [u8; 6],
) -> Result<Background> {
    let line = format!(
        "dpdk-testpmd --no-huge -m 512 --no-pci --no-shconf --file-prefix={gateway} --log-level=error -l 0,1 \
         --vdev net_af_xdp0,iface=wan0,start_queue=0,queue_count=1 \
         --vdev net_af_xdp1,iface=lan0,start_queue=0,queue_count=1 -- \
         --no-mlockall --total-num-mbufs=32768 --forward-mode=mac --auto-start --nb-cores=1 --rxq=1 --txq=1 --no-lsc-interrupt \
         --eth-peer=0,{} --eth-peer=1,{} --stats-period 600",
        text(client),
        text(server)
    );
    let mut process = gateway.start(&line, &lab.path("testpmd.log"))?;
    wait_until("testpmd forwards", Duration::from_secs(15), || {
        process.log().contains("port 1:") || !process.is_running()
    })?;
    ensure!(process.is_running(), "testpmd ended:\n{}", process.log());
    Ok(process)
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
