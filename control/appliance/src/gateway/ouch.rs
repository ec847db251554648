//! OUCH over SoupBinTCP, as it is declared.

use super::carrier::{Parties, carry};
use crate::cli::WrongUsage;
use anyhow::{Context, Result};
use control::config::{Gateway as Declared, OnDisconnect, OnHalt};
use egress::ouch::{Dialect, Gateway, Logins, Setup};
use std::path::{Path, PathBuf};

carry!(Gateway, |gateway| {
    let copies = gateway.copy_counts();
    let copies = copies.iter().map(|(name, count)| format!(" {name}={count}"));
    let [firm, venue] = gateway.unkept();
    let unkept =
        if firm + venue > 0 { format!(" firm_unkept={firm} venue_unkept={venue}") } else { String::new() };
    gateway.counters().to_string() + &copies.collect::<String>() + &unkept
});

/// What the gateway is made of.
pub(super) fn setup(declared: &Declared, dialect: Dialect, store_dir: PathBuf) -> Result<Setup> {
    let mpid =
        |text: &str| <[u8; 4]>::try_from(text.as_bytes()).context("an MPID of other than 4 characters");
    let soup = declared.soup.as_ref().context("no [gateway.soup]")?;
    Ok(Setup {
        dialect,
        mpids: declared.mpid.iter().map(|declared| mpid(&declared.id)).collect::<Result<_>>()?,
        logins: Logins {
            firm_username: soup.firm_username.clone(),
            firm_password: password(&soup.firm_password_file)?,
            venue_username: soup.venue_username.clone(),
            venue_password: password(&soup.venue_password_file)?,
        },
        cancel_on_disconnect: declared.on_disconnect == OnDisconnect::Cancel,
        cancel_on_halt: declared.on_halt == OnHalt::Cancel,
        store_dir,
        copy_in: None,
    })
}

/// The password in a file: its first line.
pub(super) fn password(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the password file {} cannot be read", path.display()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    let is_password = (1..=10).contains(&line.len()) && line.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_password {
        // What stands there is nobody's business.
        let found = format!("the password file {}: found {} characters", path.display(), line.len());
        return Err(WrongUsage(format!("{found}, wanted a line of 1 to 10 letters and digits")).into());
    }
    Ok(line.to_owned())
}

/// Who talks.
pub(super) fn parties(setup: &Setup) -> Parties {
    Parties {
        protocol: match setup.dialect {
            Dialect::V50 => "OUCH 5.0 over SoupBinTCP",
            Dialect::V42 => "OUCH 4.2 over SoupBinTCP",
        },
        firm: setup.logins.firm_username.clone(),
        at_venue: setup.logins.venue_username.clone(),
    }
}
