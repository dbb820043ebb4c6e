//! Where the few fields stand that policies and routing care for, found in one pass without building a tree.
