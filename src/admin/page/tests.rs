//! Tests of what escapes.
