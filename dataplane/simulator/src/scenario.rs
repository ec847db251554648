//! The scenarios: which markets, when, and what befalls them.

use crate::crisis;
use crate::error::{Result, SimulatorError};
use crate::feed::Loss;
use crate::market::{Cast, Cue, IcebergPlan, Intervention, PlantedOrder, Profile, SECOND, Strategy};
use crate::options::{Options, ScenarioInfo, chosen, fixed};
use crate::simulation::{Setup, Simulation};

use types::Side;

/// The scenarios there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// An iceberg seller drains a future's book and the makers withdraw.
    FlashCrash,
    /// An orderly stretch of the day; what models are trained on.
    Calm,
    /// The opening cross and the traffic after it.
    Open,
    /// News: the price jumps, volume bursts, then calm.
    NewsBurst,
    /// A share few people trade.
    ThinBook,
    /// Calm, with packets lost on one line and on both.
    FeedGap,
}

const INFOS: [ScenarioInfo; 6] = [
    ScenarioInfo {
        name: "flash-crash",
        description: "14:28:30-14:31:00 ET: an iceberg seller hits FUTX in 100-lot clips from 14:30:00; five calm shares beside it; --minutes 13 goes on to ten minutes after the low",
        length_s: 150,
    },
    ScenarioInfo {
        name: "calm",
        description: "an orderly stretch from 11:00 ET with busy and quiet minutes; the data models are trained on",
        length_s: 600,
    },
    ScenarioInfo {
        name: "open",
        description: "09:29:00-09:34:00 ET: quiet pre-market, the opening cross, then heavy traffic that fades",
        length_s: 300,
    },
    ScenarioInfo {
        name: "news-burst",
        description: "13:59:00-14:04:00 ET: news at 14:01:00 moves ALFA by 60 bps in a burst of volume, then calm",
        length_s: 300,
    },
    ScenarioInfo {
        name: "thin-book",
        description: "12:10:00-12:15:00 ET: THIN, a share with little depth and a wide spread, and nothing wrong with it",
        length_s: 300,
    },
    ScenarioInfo {
        name: "feed-gap",
        description: "10:45:00-10:48:00 ET: calm; packets lost on one line heal, packets lost on both leave a gap",
        length_s: 180,
    },
];

/// All scenarios, in the order of `--list`: the stories first, then the kinds of crisis.
pub fn scenarios() -> impl Iterator<Item = &'static ScenarioInfo> {
    INFOS.iter().chain(crisis::infos())
}

const ALL: [Scenario; 6] = [
    Scenario::FlashCrash,
    Scenario::Calm,
    Scenario::Open,
    Scenario::NewsBurst,
    Scenario::ThinBook,
    Scenario::FeedGap,
];

/// Most minutes a scenario may last: a trading day.
const MINUTES_MAX: u64 = 390;

/// Most instruments a scenario may have.
const INSTRUMENTS_MAX: u64 = 64;

impl Scenario {
    /// Prepares the scenario called `name`; nothing is simulated yet.
    ///
    /// # Errors
    /// [`SimulatorError::UnknownScenario`], or an option that is out of bounds or fixed by the story.
    pub fn build(name: &str, options: &Options) -> Result<Simulation> {
        let setup = match INFOS.iter().position(|info| info.name == name) {
            Some(index) => ALL[index].prepare(&INFOS[index], options)?,
            None => crisis::prepare(name, options)?.ok_or_else(|| {
                let names: Vec<_> = scenarios().map(|info| info.name).collect();
                SimulatorError::UnknownScenario { found: name.to_owned(), wanted: names.join(", ") }
            })?,
        };
        Ok(Simulation::new(setup))
    }

    fn prepare(self, info: &'static ScenarioInfo, options: &Options) -> Result<Setup> {
        fixed(info, "--symbol", options.symbol, 0)?;
        fixed(info, "--size", options.size_percent, 0)?;
        fixed(info, "--at", options.at_s, 0)?;
        let (start, seed, instruments) = match self {
            Self::FlashCrash => (clock(14, 28, 30), 3, fixed(info, "--instruments", options.instruments, 6)?),
            Self::Calm => {
                (clock(11, 0, 0), 1, chosen(info, "--instruments", options.instruments, 9, INSTRUMENTS_MAX)?)
            }
            Self::Open => (
                clock(9, 29, 0),
                930,
                chosen(info, "--instruments", options.instruments, 6, INSTRUMENTS_MAX)?,
            ),
            Self::NewsBurst => {
                (clock(13, 59, 0), 1401, fixed(info, "--instruments", options.instruments, 4)?)
            }
            Self::ThinBook => (clock(12, 10, 0), 1210, fixed(info, "--instruments", options.instruments, 3)?),
            Self::FeedGap => (
                clock(10, 45, 0),
                1045,
                chosen(info, "--instruments", options.instruments, 4, INSTRUMENTS_MAX)?,
            ),
        };
        let minutes = match self {
            Self::Calm => chosen(info, "--minutes", options.minutes, info.length_s / 60, MINUTES_MAX)?,
            // The story has its length; what may follow is the market alone.
            Self::FlashCrash => match options.minutes {
                None => 0,
                asked => chosen(info, "--minutes", asked, 0, MINUTES_MAX)?,
            },
            Self::Open | Self::NewsBurst | Self::ThinBook | Self::FeedGap => {
                fixed(info, "--minutes", options.minutes, 0)?
            }
        };
        let length = if minutes > 0 { minutes * 60 } else { info.length_s };
        let count = usize::try_from(instruments).expect("at most 64");
        let mut setup = Setup {
            name: info.name,
            seed: options.seed.unwrap_or(seed),
            start_ns: start,
            end_ns: start + length * SECOND,
            market_open_ns: None,
            orders_until_ns: None,
            markets: Profile::roster(count).into_iter().map(|p| (p, Cast::default())).collect(),
            losses: Vec::new(),
            planted: None,
            contagion: None,
        };
        match self {
            Self::FlashCrash => flash_crash(&mut setup),
            Self::Calm => {}
            Self::Open => open(&mut setup),
            Self::NewsBurst => news_burst(&mut setup),
            Self::ThinBook => thin_book(&mut setup),
            Self::FeedGap => feed_gap(&mut setup),
        }
        setup.hire_firm();
        Ok(setup)
    }
}

/// Nanoseconds since midnight of a time of day.
const fn clock(hour: u64, minute: u64, second: u64) -> u64 {
    ((hour * 60 + minute) * 60 + second) * SECOND
}

/// The seed's 14:30. Only the seller's orders and the firm's one large order are planted; the rest follows.
fn flash_crash(setup: &mut Setup) {
    let start_ns = clock(14, 30, 0);
    setup.orders_until_ns = Some(start_ns + 60 * SECOND);
    let cast = &mut setup.markets[0].1;
    cast.iceberg = Some(IcebergPlan {
        side: Side::Ask,
        start_ns,
        total_lots: 10_000,
        clip_lots: 100,
        base_lots_per_s: 140.0,
        participation: 0.45,
        max_lots_per_s: 700.0,
    });
    let firm = cast.firm.get_or_insert_default();
    firm.bids = Some((start_ns + 4 * SECOND, start_ns + 50 * SECOND));
    firm.planted.push(PlantedOrder {
        at_ns: start_ns + 28 * SECOND,
        strategy: Strategy::Momentum,
        side: Side::Ask,
        qty: 200,
        through_ticks: 40,
    });
}

fn open(setup: &mut Setup) {
    let bell = clock(9, 30, 0);
    setup.market_open_ns = Some(bell);
    for (i, (_, cast)) in (0..).zip(&mut setup.markets) {
        cast.quiet_start = true;
        for before in (1..=10).rev() {
            let what =
                Intervention::Indicative { paired: 400 * (11 - before) + 37 * i, imbalance: 90 * before };
            cast.script.push(Cue { at_ns: bell - u64::from(before) * SECOND, what });
        }
        cast.script.push(Cue { at_ns: bell, what: Intervention::OpeningCross { lots: 4_000 + 37 * i } });
        cast.script.push(Cue { at_ns: bell, what: Intervention::Rush { factor: 4.0, memory_s: 22.0 } });
    }
}

fn news_burst(setup: &mut Setup) {
    let at_ns = clock(14, 1, 0);
    let script = &mut setup.markets[1].1.script;
    script.push(Cue { at_ns, what: Intervention::News { jump_bps: 60.0 } });
    script.push(Cue { at_ns, what: Intervention::Rush { factor: 6.0, memory_s: 15.0 } });
}

fn thin_book(setup: &mut Setup) {
    setup.markets[0] = (Profile::thin_share(), Cast::default());
}

fn feed_gap(setup: &mut Setup) {
    let loss =
        |after, packets, on_a, on_b| Loss { from_ns: setup.start_ns + after * SECOND, packets, on_a, on_b };
    setup.losses = vec![
        loss(30, 25, true, false),
        loss(60, 40, false, true),
        loss(100, 12, true, true),
        loss(140, 8, true, false),
    ];
}
