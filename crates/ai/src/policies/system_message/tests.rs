use proxy::exchange::testing::{environment, program_in, try_program};
use proxy::program::Environment;
use proxy::registry::Registry;

static REGISTRY: Registry = Registry {
    policies: &[proxy::policies::registry::POLICIES, crate::POLICIES],
    terminals: &[proxy::terminals::TERMINALS, crate::TERMINALS],
};

fn world() -> Environment {
    Environment { registry: &REGISTRY, ..environment() }
}

#[test]
fn the_example_compiles() {
    program_in(include_str!("example.yaml"), &world());
}

#[test]
fn what_says_nothing_or_cannot_be_read_is_a_problem() {
    let example = include_str!("example.yaml");
    let (before, rest) = example.split_once("        prepend").unwrap();
    let (_, after) = rest.split_once("    routes:").unwrap();
    for (spec, says) in [
        ("        {}\n", "nothing to say"),
        ("        append: \"{{ nobody }}\"\n", "nobody"),
        ("        append: \"{{ auth.consumer\"\n", "the template"),
    ] {
        let text = format!("{before}{spec}    routes:{after}");
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{spec}: {problems}");
    }
}
