//! Tests of the encoding, the store and the session.

mod definitions;
mod encoding;
mod sessions;
mod stores;
