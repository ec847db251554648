//! Tests of the encoding, the store, the session and the gateway.

mod definitions;
mod desk;
mod encoding;
mod serving;
mod sessions;
mod stores;
