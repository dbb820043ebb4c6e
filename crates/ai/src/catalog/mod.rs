//! The models of the world: what each is called, how much it takes in and gives out, what it costs.
