//! Tests of the encoding, the store and the session.

mod copies;
mod definitions;
mod desk;
mod encoding;
mod serving;
mod sessions;
mod stores;
mod street;
mod sweeps;
