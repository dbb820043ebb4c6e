//! The wiring of Tollgate.
