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
fn wrong_budgets_are_problems() {
    for (budget, says) in [
        ("{ limits: [] }", "`limits` has 0 budgets"),
        ("{ limits: [{ limit: 50/month }] }", "write `USD`"),
        ("{ limits: [{ limit: 50 }] }", "50 USD/month"),
        ("{ limits: [{ limit: 1 USD/day, by: colour }] }", "colour"),
        (
            "{ limits: [{ limit: 1 USD/day, by: team }, { limit: 2 USD/day, by: team }] }",
            "two budgets are named `team-day`",
        ),
        ("{ limits: [{ limit: 1 USD/day, billing_day: 3 }] }", "of a budget by the month"),
        ("{ limits: [{ limit: 1 USD/day, timezone: Mars }] }", "not a time zone"),
        ("{ limits: [{ limit: 1 USD/day, warn: [\"81%\"] }] }", "81%"),
        ("{ limits: [{ limit: 1 USD/day }], lease: 20% }", "more than 10%"),
        ("{ limits: [{ limit: 1 USD/day }], store: redis }", "there is none"),
    ] {
        let text = include_str!("example.yaml");
        let (before, rest) = text.split_once("      budget:").unwrap();
        let (_, after) = rest.split_once("    to: { ai").unwrap();
        let text = format!("{before}      budget: {budget}\n    to: {{ ai{after}");
        let problems = try_program(&text, &world()).err().unwrap_or_default();
        assert!(problems.contains(says), "{budget}: {problems}");
    }
}
