//! The control plane from outside: files, sockets, the real `portcullisctl`, a real gate behind a small appliance.

mod audit;
mod cli;
mod config;
mod controller;
mod desk;
mod disk;
mod events;
mod four_eyes;
mod hang;
mod holdings;
mod instruments;
mod latch;
mod lists;
mod locates;
mod metrics;
mod mirror;
mod protocol;
mod readme;
mod server;
