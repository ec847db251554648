//! A control socket over ten thousand instruments whose tiers move, to look at the page and to test the description with other
//! people's tools: `cargo run -p rest --example market -- DIRECTORY [INSTRUMENTS]`, then `portcullis-rest --socket DIRECTORY/control.sock`.

#[path = "../tests/integration/market.rs"]
mod market;

use market::{ODD, Site};
use std::path::Path;
use std::time::Duration;
use types::Tier;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().expect("a directory");
    let count = arguments.next().map_or(10_000, |count| count.parse().expect("a number of instruments"));
    let site = Site::start(Path::new(&dir), count);
    println!("{} shows {count} instruments, {} of them of odd names", site.socket.display(), ODD.len());
    let mut random = 1_u64;
    loop {
        for _ in 0..count / 10 {
            // Knuth's linear congruential generator: any order will do.
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (random >> 33) as usize % site.market.symbols().len();
            let score = (random >> 20) as u32 % 1_000_000;
            let tier = match score {
                998_000.. => Tier::Critical,
                985_000.. => Tier::High,
                930_000.. => Tier::Elevated,
                _ => Tier::Normal,
            };
            site.market.set(place, tier, Some(score));
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
