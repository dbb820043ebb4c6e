mod injections;
mod languages;
mod masking;
mod measured;
mod pieces;
mod vocabulary;
