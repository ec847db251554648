//! The configuration: built-in defaults, then files, then `--set`, read once into a [`Plan`] that is valid by
//! construction. `default.toml` is both the defaults and the manual.
//!
//! Every error is collected before any is returned, each with its file, line and key, what was found and what was wanted.

mod check;
mod columns;
mod de;
mod envelopes;
mod error;
mod feeds;
mod gateway;
mod gateways;
mod gateways_copy;
mod gateways_fix;
mod instruments;
mod list_file;
mod list_set;
mod listen;
mod locate_list;
mod locates;
mod net;
mod ops;
mod plan;
mod restricted;
mod restricted_list;
mod schema;
mod schema_firm;
mod schema_ops;
mod schema_policy;
mod scope_limits;
mod scopes;
mod text;
mod ticks;
mod tiers;
mod tree;
mod warn;

pub use envelopes::LimitPlan;
pub use error::{ConfigError, ConfigErrors, Origin, Problem};
pub use feeds::{FeedShare, suffixed};
pub use gateway::{
    Gateway, GatewayCopyIn, GatewayDropCopy, GatewayFix, GatewayMpid, GatewayProtocol, GatewaySoup,
    OnDisconnect, OnHalt,
};
pub use instruments::{FxRate, Instrument, InstrumentPlan};
pub use list_set::{ListFiles, ListSet};
pub use listen::{Listen, ParseListenError};
pub use locate_list::{LocateList, Locates};
pub use locates::LocatePlan;
pub use net::{
    CpuChoice, CpuList, FeedSource, Group, HostAddress, PciAddress, PciDevice, RecoveryServer, Vdev,
};
pub use ops::Ops;
pub use plan::Plan;
pub use restricted::RestrictedPlan;
pub use restricted_list::{Restricted, RestrictedList};
pub use schema::{
    Audit, Book, Client, ClientMode, Eal, EalMemory, Feed, Gate, Igmp, Instance, Link, OnDaemonLoss, Orders,
    Placement, Scorer, ScorerBackend, SelfMatch,
};
pub use schema_ops::{FourEyes, Log, LogFormat, Metrics, SinkFile, SinkRedis, SinkWebhook, Sinks, TwoPeople};
pub use schema_policy::{
    CriticalPolicy, NormalPolicy, OverlayPct, Policy, ReferencePolicy, TierPolicy, Uncalibrated,
};
pub use scopes::DeclaredScopes;
pub use ticks::{TickChoice, TickPlan};

pub use warn::WarnPlan;

use check::way;
use columns::Columns;
use std::path::{Path, PathBuf};
use text::text_of;
use tree::{Node, Value};

/// The built-in configuration, which is also its manual: every key with its default, unit and when to change it.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// Reads the built-in defaults, lays `files` on top in order and then `set` (`a.b=c`), and checks the whole.
///
/// # Errors
/// [`ConfigErrors`]: everything that is wrong, not just the first.
pub fn load(files: &[PathBuf], set: &[String]) -> Result<Plan, ConfigErrors> {
    let defaults = tree::parse("built-in default.toml", DEFAULT_TOML).map_err(ConfigErrors)?;
    let mut merged = defaults.clone();
    let mut errors = Vec::new();
    let layers =
        files.iter().map(|path| read(path)).chain(set.iter().map(|argument| tree::parse_set(argument)));
    for layer in layers {
        match layer {
            Ok(mut node) => {
                RENAMED.iter().for_each(|(table, was, is)| node.rename(table, was, is));
                errors.extend(merged.merge(node).err());
            }
            Err(faults) => errors.extend(faults),
        }
    }
    for (at, under, columns) in FILES {
        errors.extend(lay_under(&mut merged, at, under, columns).err().unwrap_or_default());
    }
    match de::collect(&merged, &defaults).and_then(|config| plan::plan(config, &merged)) {
        Ok(plan) if errors.is_empty() => Ok(plan),
        Ok(_) => Err(ConfigErrors(errors)),
        Err(faults) => {
            errors.extend(faults);
            Err(ConfigErrors(errors))
        }
    }
}

/// Keys by another name before, which files may still have: their table, what they were called, and what they are called.
const RENAMED: &[(&str, &str, &str)] = &[("policy", "surface", "fat_finger")];

/// Comma-separated files that the configuration names: the key, the table whose rows they are, and the columns.
const FILES: [(&str, &str, Columns); 2] = [
    (
        "instruments.file",
        "instrument",
        Columns {
            name: "symbol",
            keys: &["multiplier", "currency", "worth_min", "settlement", "settlement_date", "lot", "tick"],
        },
    ),
    ("fx.file", "fx.rate", Columns { name: "currency", keys: &["rate", "at"] }),
];

/// Lays the rows of the file that key `at` names under the table `under`: what the configuration itself says comes on top.
fn lay_under(merged: &mut Node, at: &str, under: &str, columns: Columns) -> Result<(), Vec<ConfigError>> {
    // Neither a missing key nor one of another type is this function's to tell.
    let Some(Value::Text(path)) = merged.find(&way(at)).map(|node| node.value.clone()) else { return Ok(()) };
    if path.is_empty() {
        return Ok(());
    }
    let mut rows = columns::parse(&columns, &path, &text_of(Path::new(&path))?)?;
    if let Some(own) = merged.find(&way(under)) {
        rows.merge(own.clone()).map_err(|error| vec![error])?;
    }
    merged.put(&way(under), Some(rows));
    Ok(())
}

fn read(path: &Path) -> Result<Node, Vec<ConfigError>> {
    tree::parse(&path.display().to_string(), &text_of(path)?)
}
