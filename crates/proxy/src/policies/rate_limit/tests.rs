mod accuracy;
mod exact;
mod scenarios;
