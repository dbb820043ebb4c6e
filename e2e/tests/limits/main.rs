//! Limits that policies count, in memory, on the disk and on a real Redis. What a listener lets a client cost is beside.

mod flights;
mod quotas;
mod rates;
mod redis;
mod shared;
