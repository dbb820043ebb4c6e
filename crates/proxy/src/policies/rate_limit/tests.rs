mod exact;
mod scenarios;
