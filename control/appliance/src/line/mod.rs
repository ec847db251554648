//! The line behind the receiver, one for every clock: books and features, scorer, order desk, verdict log.
//!
//! Start reading at [`link`], which declares every ring, its depth and overflow rule, and at [`topology`], which makes them and
//! every stage. The other files hold what the stages hand out, and to whom.

pub(crate) mod book_files;
mod book_sink;
pub(crate) mod books;
pub(crate) mod declared;
pub(crate) mod desk;
pub(crate) mod desk_stage;
pub(crate) mod ends;
pub(crate) mod explain;
pub(crate) mod gate_tables;
mod gates;
pub(crate) mod grant;
pub(crate) mod health;
mod last_trades;
pub(crate) mod levels;
pub(crate) mod link;
pub(crate) mod names;
pub(crate) mod notes;
pub(crate) mod order_file;
pub(crate) mod order_route;
pub(crate) mod order_source;
pub(crate) mod outlet;
pub(crate) mod runner;
mod schedule;
pub(crate) mod score_sink;
mod scorer;
pub(crate) mod spec;
#[cfg(test)]
mod tests;
mod timed;
pub(crate) mod topology;
pub(crate) mod verdict_log;
