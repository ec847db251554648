//! Tests of the data plane as a whole, in one binary.

mod arbitration;
mod common;
mod lobster;
mod real_data;
