//! What a user writes.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use model::load::Spanned;
use model::value::OneOrMany;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Outside;
use super::calendar::{Calendar, Window};
use crate::policies::denial::{Mode, Tell};
use crate::program::Compile;

/// Lets requests in at certain times only, by the clock on the wall of a time zone. Where several levels have such a policy,
/// each must be open; what a plan or consumer says comes beside what the route says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Schedule")]
pub(crate) struct Spec {
    /// When it is open, from 1 to 100 windows; one that is open is enough.
    #[schemars(length(min = 1, max = 100))]
    windows: Vec<Spanned<WindowSpec>>,
    /// Dates on which no window opens, such as `2026-12-25`; at most 1000.
    #[serde(default)]
    except: Vec<Spanned<String>>,
    /// The time zone by its IANA name, such as `Europe/Berlin`; UTC when not given.
    timezone: Option<Spanned<String>>,
    /// What a request outside of the windows gets.
    #[serde(default)]
    pub(super) outside: Outside,
    /// Whether it denies.
    #[serde(default)]
    pub(super) mode: Mode,
    /// Who is told when it opens, with `outside: forbid`.
    #[serde(default)]
    pub(super) tell: Tell,
}

/// A window: all of what is given holds.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ScheduleWindow")]
struct WindowSpec {
    /// The days of the week on which it opens; all when not given.
    #[serde(default)]
    days: OneOrMany<Day>,
    /// The time at which it opens, such as `"08:00"`; midnight when not given.
    from: Option<Spanned<String>>,
    /// The time at which it closes, such as `"18:00"` or `"24:00"`; midnight when not given. One that is not after `from` is
    /// of the day after.
    to: Option<Spanned<String>>,
    /// The first date on which it opens, such as `2026-01-31`.
    first: Option<Spanned<String>>,
    /// The last date on which it opens.
    last: Option<Spanned<String>>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Weekday")]
enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Monday => Weekday::Monday,
            Day::Tuesday => Weekday::Tuesday,
            Day::Wednesday => Weekday::Wednesday,
            Day::Thursday => Weekday::Thursday,
            Day::Friday => Weekday::Friday,
            Day::Saturday => Weekday::Saturday,
            Day::Sunday => Weekday::Sunday,
        }
    }
}

const MOST_WINDOWS: usize = 100;
const MOST_DATES: usize = 1000;

impl Spec {
    /// When it is open.
    pub(super) fn calendar(&self, cx: &mut Compile<'_>) -> Option<Calendar> {
        if !(1..=MOST_WINDOWS).contains(&self.windows.len()) || self.except.len() > MOST_DATES {
            let message = format!("there are from 1 to {MOST_WINDOWS} `windows`, and at most {MOST_DATES} `except`");
            cx.problem(cx.span, message, "write `windows: [{ days: [monday], from: \"08:00\", to: \"18:00\" }]`");
            return None;
        }
        let zone = match &self.timezone {
            None => Some(TimeZone::UTC),
            Some(name) => TimeZone::get(name).ok().or_else(|| {
                let message = format!("`{}` is not a time zone", **name);
                cx.problem(name.span, message, "give an IANA name such as `Europe/Berlin` or `UTC`");
                None
            }),
        };
        let windows: Vec<_> = self.windows.iter().map(|window| window.compile(cx)).collect();
        let except: Vec<_> = self.except.iter().map(|written| date(written, cx)).collect();
        let mut except: Vec<Date> = except.into_iter().collect::<Option<_>>()?;
        except.sort_unstable();
        let windows = windows.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Calendar { windows: windows.into(), except: except.into(), zone: zone? })
    }
}

trait Written {
    fn compile(&self, cx: &mut Compile<'_>) -> Option<Window>;
}

impl Written for Spanned<WindowSpec> {
    fn compile(&self, cx: &mut Compile<'_>) -> Option<Window> {
        let mut optional = |written: &Option<Spanned<String>>,
                            read: fn(&Spanned<String>, &mut Compile<'_>) -> Option<Date>| {
            written.as_ref().map_or(Some(None), |written| read(written, cx).map(Some))
        };
        let (first, last) = (optional(&self.first, date), optional(&self.last, date));
        let from = self.from.as_ref().map_or(Some(Time::midnight()), |written| time(written, cx));
        let to = match &self.to {
            Some(written) if **written == "24:00" => Some(Time::midnight()),
            Some(written) => time(written, cx),
            None => Some(Time::midnight()),
        };
        let (first, last, from, to) = (first?, last?, from?, to?);
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            cx.problem(self.span, "`last` lies before `first`, so that it never opens", "change them round");
            return None;
        }
        let mut days = 0;
        for day in self.days.iter() {
            days |= 1 << Weekday::from(*day).to_monday_zero_offset();
        }
        Some(Window { days: if days == 0 { 0x7f } else { days }, from, to, first, last })
    }
}

fn date(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Date> {
    // Strictly so: a longer form could mean a moment elsewhere.
    let parsed = written.parse::<Date>().ok().filter(|date| date.to_string() == **written);
    if parsed.is_none() {
        cx.problem(written.span, format!("`{}` is not a date", **written), "write it as `2026-12-25`");
    }
    parsed
}

fn time(written: &Spanned<String>, cx: &mut Compile<'_>) -> Option<Time> {
    let read = || {
        let (hours, minutes) = written.split_once(':')?;
        let two = |digits: &str| {
            (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
        };
        Time::new(two(hours)?, two(minutes)?, 0, 0).ok()
    };
    let parsed = read();
    if parsed.is_none() {
        cx.problem(written.span, format!("`{}` is not a time of day", **written), "write it as `\"08:30\"`");
    }
    parsed
}
