//! The control plane from outside: files, sockets, the real `portcullisctl`, a real gate behind a small appliance.

mod audit;
mod cli;
mod config;
mod controller;
mod desk;
mod disk;
mod holdings;
mod instruments;
mod latch;
mod protocol;
mod readme;
mod server;
