//! LOBSTER samples: one instrument's day as a message file and an order book file, in one zip archive.
//!
//! Source: "LOBSTER Sample Files Readme" of 2013-09-01. A message row changes the book to what the order book row of the
//! same number shows, to a limited depth. What lies deeper is told neither before it comes into view nor while it is out
//! of view, so the translation here keeps a book of its own: levels that come into view are added as synthetic orders
//! (flag `SNAPSHOT`, numbers from 2^63 up), orders that nobody announced are taken from those, and what changed out of
//! view is put right when it is seen again. The events then describe an ordinary order-by-order book that shows exactly
//! the order book file after each row. Events carry the number of their row, those of the book before the first row 0.

mod archive;
mod book;
mod feed;
mod row;

pub(crate) use feed::LobsterReader;
