//! What a gateway costs on the wire, and how fast a halt is through it.
//!
//! `cargo bench --workspace --bench gateways [-- wire | kill]`. Firm, gateway and venue are threads over loopback. Orders are due by the
//! clock, whether or not anybody keeps up, and each is timed from when it was due to when the venue has read it: what waits in line is in
//! the figure, so nothing is left to correct for coordinated omission. A relay that copies bytes runs between the same firm and venue.

#[path = "../../../dataplane/gate-ffi/tests/support/mod.rs"]
mod desk;
mod fix;
mod kill;
mod ouch;
mod street;
mod wire_to_wire;

use bench::machine::{Fingerprint, load_average};
use bench::report::{Percentiles, Transcript, results_folder, write_histograms};

fn main() {
    let machine = Fingerprint::read();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |what: &str| wanted.is_empty() || wanted.iter().any(|word| word == what);
    let mut out = Transcript::begin("gateways: cargo bench --workspace --bench gateways", &machine);
    let mut all = Vec::new();
    if wants("wire") {
        let (rows, told) = wire_to_wire::all();
        out.line("wire to wire, from when an order was due to when the venue has read it:");
        out.percentiles(&of(&rows));
        told.iter().for_each(|line| out.line(line));
        all.extend(rows);
    }
    if wants("kill") {
        let rows = kill::all();
        out.line("kill, from the latched halt word to the last cancel that the venue has read:");
        out.percentiles(&of(&rows));
        all.extend(rows);
    }
    out.line(format!("load average at end: {}", load_average()));
    let folder = results_folder().expect("a folder for results");
    out.save(&folder, "gateways.txt").expect("the transcript is written");
    write_histograms(&folder, "gateways", &machine.lines(), &of(&all)).expect("the histograms are written");
    println!("files: {}", folder.display());
}

fn of(rows: &[street::Row]) -> Vec<Percentiles<'_>> {
    rows.iter().map(|(tag, histogram)| Percentiles { tag, histogram }).collect()
}
