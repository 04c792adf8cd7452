//! The `gatehouse` binary: a few lines over the library.

fn main() {}
