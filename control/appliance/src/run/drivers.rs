//! The features that drove a score, by name.

use crate::line::notes::Drivers;
use control::protocol::Driver;
use types::FEATURES;

/// The drivers of a score by their rows of the schema.
pub(super) fn named(drivers: &Drivers) -> Vec<Driver> {
    let rows = drivers.features.iter().zip(drivers.values);
    let driver = |(id, value): (&u8, Option<f64>)| {
        let feature = FEATURES.get(usize::from(*id))?;
        Some(Driver {
            feature: feature.name.to_owned(),
            name: feature.plain.to_owned(),
            value,
            unit: feature.unit.to_owned(),
        })
    };
    rows.filter_map(driver).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_the_rows_of_the_schema_with_the_values_that_the_scorer_saw() {
        let drivers = Drivers { features: [10, 0, u8::MAX], values: [None, Some(6.25), Some(1.0)] };
        let said: Vec<String> = named(&drivers).iter().map(ToString::to_string).collect();
        assert_eq!(said, ["share of cancels in order messages unknown", "bid-ask spread 6.25 bps"]);
    }
}
