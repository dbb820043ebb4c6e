mod goldens;
mod properties;
mod tables;
