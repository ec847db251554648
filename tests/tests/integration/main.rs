//! One binary for all integration tests: one link, and shared helpers stay shared.

mod bad_input;
mod c_processes;
mod daemon;
mod determinism;
mod doubted_books;
mod feed_gap;
mod flash_crash;
mod fuzz;
mod gateways;
mod helps;
mod histograms;
mod live_multicast;
mod on_a_wire;
mod order_process;
mod pages;
mod prices;
mod real_captures;
mod seen;
mod slippage;
mod stopped_orders;
mod sniff;
mod structure;
mod surface;
mod tables;
mod through_faults;
mod two_lines;
