//! The way of an order in one process and one thread, by a clock that is told: the firm speaks OUCH 5.0 over SoupBinTCP to the gateway of
//! `portcullis gateway`, whose thread is attached to the desk's tables, and the gateway speaks it to the simulated venue. Same orders and
//! market, same bytes.

mod answer;
mod firm;
mod inside;
mod path;
mod street;

pub(crate) use answer::{Answer, Answers};
pub(crate) use path::route;
