mod metrics;
mod parser;
