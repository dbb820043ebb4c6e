//! The tables of rules as a page of the docs.

use std::fmt::Write as _;

use super::{Fate, Read, Slot, rules};

/// What each format carries, in Markdown: made from the tables that the writers obey.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# What translation keeps\n\nBetween two calls of one format nothing is translated. Between two formats, what the \
         provider's format cannot say is changed, dropped or refused by these rules; what was changed or dropped is told \
         with the call, and a model's `unsupported: refuse` and `unsupported: drop_params` make the rules stricter or laxer. \
         Fields that no table names are dropped as fields that this gateway does not know.\n",
    );
    for table in rules() {
        let _ = write!(
            page,
            "\n## To {} (`{}`)\n\n| what | becomes |\n|---|---|\n",
            table.format.title(),
            table.format.name()
        );
        for slot in Slot::all() {
            let (word, text) = match table.fate(slot) {
                Fate::Carried(field) => ("", field),
                Fate::Changed(how) => ("**changed:** ", how),
                Fate::Dropped(why) => ("**dropped:** ", why),
                Fate::Refused(why) => ("**refused:** ", why),
            };
            let _ = writeln!(page, "| {} | {word}{} |", slot.name(), text.replace('|', "\\|"));
        }
        let _ = write!(page, "\nOf its own requests' fields, these reach no other format:\n\n");
        for (field, read) in table.reads {
            let (word, why) = match read {
                Read::Dropped(why) => ("dropped", why),
                Read::Refused(why) => ("refused", why),
            };
            let _ = writeln!(page, "- `{field}` is {word}: {why}");
        }
    }
    super::other::page(&mut page);
    page
}
