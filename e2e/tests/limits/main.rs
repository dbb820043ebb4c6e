//! Limits: what a listener lets a client cost, and what policies count, in memory, on the disk and on a real Redis.

mod flights;
mod listener;
mod quotas;
mod rates;
mod redis;
mod shared;
