//! What a user writes.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use model::load::Spanned;
use model::value::{Allowance, Name, Per};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limit::Mode;
use crate::limit::by::BySpec;
use crate::limit::calendar::Calendar;
use crate::limit::exempt::ExemptSpec;
use crate::limit::fields::{Family, ietf};
use crate::program::Compile;

/// Limits how much is used in a day, week or month of the calendar. A request over a quota is answered with 429 and
/// `Retry-After`. What is used survives a crash (`store: disk`), or is shared by all gateways (`store: redis`). What a plan or
/// consumer says replaces what the route says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The quotas, from 1 to 8; every one of them holds.
    #[schemars(length(min = 1, max = 8))]
    pub(super) limits: Vec<Spanned<LimitSpec>>,
    /// Where it is counted: on the `disk`, in the configuration's data directory; on the configuration's `redis`, for all
    /// gateways together; or in `memory`, gone with the process.
    #[serde(default)]
    pub(super) store: Spanned<StoreWord>,
    /// Whether it refuses.
    #[serde(default)]
    pub(super) mode: Mode,
    /// Whose requests pass uncounted.
    #[serde(default)]
    pub(super) exempt: ExemptSpec,
    /// The header fields that tell clients of their quotas, on every answer, as of `rate_limit`.
    #[serde(default = "ietf")]
    #[schemars(extend("default" = ["ietf"]))]
    pub(super) headers: Vec<Family>,
}

/// Where quotas are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QuotaStore")]
pub(crate) enum StoreWord {
    /// The data directory.
    #[default]
    Disk,
    /// Redis, for all gateways together.
    Redis,
    /// This gateway's memory, gone with the process.
    Memory,
}

/// One quota.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "QuotaEntry")]
pub(crate) struct LimitSpec {
    /// How many in which stretch of the calendar, such as `1000000/month`.
    pub(super) limit: Spanned<Allowance>,
    /// What is counted together, as of `rate_limit`.
    #[serde(default)]
    #[schemars(extend("default" = "consumer"))]
    pub(super) by: BySpec,
    /// The day of the month on which a month begins, from 1 to 31, 1 when not given; in a shorter month its last day.
    #[schemars(range(min = 1, max = 31))]
    pub(super) billing_day: Option<Spanned<u8>>,
    /// The day on which a week begins.
    #[serde(default)]
    pub(super) week_starts: WeekStart,
    /// The time zone whose midnights count, by its IANA name such as `Europe/Berlin`; UTC when not given.
    pub(super) timezone: Option<Spanned<String>>,
    /// An expression (CEL) for what a request counts; 1 when not given, or where it has no value.
    pub(super) cost: Option<Spanned<String>>,
    /// An expression (CEL) for what the request turned out to count, from its answer; where it has no value, `cost` stands.
    pub(super) settle: Option<Spanned<String>>,
    /// Shares of the quota at which a line is logged and counted, once a key and window, in hundredths.
    #[serde(default)]
    #[schemars(extend("default" = []))]
    pub(super) warn: Vec<Threshold>,
    /// Its name in `RateLimit` fields, metrics and Redis; `by` and the time when not given, such as `consumer-month`.
    pub(super) name: Option<Spanned<Name>>,
}

/// The first day of a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WeekStart {
    /// Monday (ISO 8601).
    #[default]
    Monday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

/// A share of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "QuotaThreshold")]
pub(crate) enum Threshold {
    /// Half of it.
    #[serde(rename = "50%")]
    Half,
    /// Three quarters of it.
    #[serde(rename = "75%")]
    ThreeQuarters,
    /// Four fifths of it.
    #[serde(rename = "80%")]
    FourFifths,
    /// Nine tenths of it.
    #[serde(rename = "90%")]
    NineTenths,
    /// All but a twentieth.
    #[serde(rename = "95%")]
    Nearly,
    /// All of it.
    #[serde(rename = "100%")]
    All,
}

impl Threshold {
    /// In hundredths, and as a label.
    pub(super) fn hundredths(self) -> (u64, &'static str) {
        match self {
            Threshold::Half => (50, "50"),
            Threshold::ThreeQuarters => (75, "75"),
            Threshold::FourFifths => (80, "80"),
            Threshold::NineTenths => (90, "90"),
            Threshold::Nearly => (95, "95"),
            Threshold::All => (100, "100"),
        }
    }
}

impl LimitSpec {
    /// The name that clients see.
    pub(super) fn name(&self) -> String {
        let derived = || format!("{}-{}", self.by.word(), self.limit.per().as_str());
        self.name.as_ref().map_or_else(derived, |name| name.to_string())
    }

    /// When its windows begin.
    pub(super) fn calendar(&self, cx: &mut Compile<'_>) -> Option<Calendar> {
        let per = self.limit.per();
        if let Some(day) = &self.billing_day
            && (per != Per::Month || !(1..=31).contains(&**day))
        {
            cx.problem(
                day.span,
                "`billing_day` is from 1 to 31, of a quota by the month",
                "mend the number, or take it out",
            );
            return None;
        }
        let zone = match &self.timezone {
            None => TimeZone::UTC,
            Some(name) => match TimeZone::get(name) {
                Ok(zone) => zone,
                Err(_) => {
                    let message = format!("`{}` is not a time zone", **name);
                    cx.problem(name.span, message, "give an IANA name such as `Europe/Berlin` or `UTC`");
                    return None;
                }
            },
        };
        let week_starts = match self.week_starts {
            WeekStart::Monday => Weekday::Monday,
            WeekStart::Saturday => Weekday::Saturday,
            WeekStart::Sunday => Weekday::Sunday,
        };
        let billing_day = self.billing_day.as_ref().map_or(1, |day| i8::try_from(**day).unwrap_or(1));
        Some(Calendar { per, billing_day, week_starts, zone })
    }

    /// What tells its counts from those of any other: not how many, so that a changed quota does not refill.
    pub(super) fn identity(&self) -> String {
        let mut identity = format!("{}|{}", self.by.identity(), self.limit.per().as_str());
        for part in [
            self.billing_day.as_ref().map(|day| day.to_string()),
            self.timezone.as_ref().map(|zone| zone.value.clone()),
            (self.week_starts != WeekStart::default()).then(|| format!("{:?}", self.week_starts)),
            self.cost.as_ref().map(|cost| cost.value.clone()),
        ]
        .into_iter()
        .flatten()
        {
            identity.push('|');
            identity.push_str(&part);
        }
        identity
    }
}
