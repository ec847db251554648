//! Tests of the data plane as a whole, in one binary.

mod arbitration;
mod capture;
mod common;
mod counted;
mod dbn;
mod formats;
mod live;
mod lobster;
mod messages;
mod real_data;
mod recovery;
mod wirekit;
