mod destinations;
mod lines;
