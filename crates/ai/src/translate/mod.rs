//! From one format to another, by way of one canonical form.
