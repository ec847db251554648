//! One binary for all integration tests: one link, and shared helpers stay shared.

mod structure;
