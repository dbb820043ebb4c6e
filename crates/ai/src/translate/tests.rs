use std::collections::HashSet;

use super::{Format, Slot, rules};

#[test]
fn every_format_has_one_rule_for_every_slot() {
    assert_eq!(rules().len(), Format::ALL.len());
    for table in rules() {
        let slots: HashSet<Slot> = table.writes.iter().map(|(slot, _)| *slot).collect();
        assert_eq!(slots.len(), table.writes.len(), "{:?} has a slot twice", table.format);
        for slot in Slot::all() {
            assert!(slots.contains(&slot), "{:?} has no rule for {slot:?}", table.format);
        }
    }
}

#[test]
fn slots_are_named_in_order() {
    let all: Vec<Slot> = Slot::all().collect();
    assert!(all.is_sorted());
    assert_eq!(all.len(), Slot::Unknown as usize + 1);
}
