//! What a user writes.

use jiff::tz::TimeZone;
use model::load::Spanned;
use model::value::{Name, Per, Percent, Spending, SpendingPer};
use proxy::limit::calendar::Calendar;
use proxy::program::Compile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policies::whose::{self, BySpec};

/// Limits how much money calls of models cost. Before a call the most that it may cost is held (its input as estimated, and
/// the most output that it or its model allows, at the dearest of the model's targets); afterwards what it did cost is spent. A
/// call that does not fit is answered with 402, or with 429 where open calls hold what is missing. Models that are free are
/// never held up. What a plan or consumer says replaces what the route says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BudgetPolicy")]
pub(crate) struct Spec {
    /// The budgets, from 1 to 8; every one of them holds.
    #[schemars(length(min = 1, max = 8))]
    pub(super) limits: Vec<Spanned<LimitSpec>>,
    /// Where it is counted: on the `disk`, in the configuration's data directory; on the configuration's `redis`, for all
    /// gateways together; or in `memory`, gone with the process.
    #[serde(default)]
    pub(super) store: Spanned<StoreWord>,
    /// What of a budget a gateway draws ahead at most, up to `10%`: a gateway that is killed loses as much, which counts as
    /// spent.
    #[serde(default = "lease")]
    #[schemars(extend("default" = "1%"))]
    pub(super) lease: Spanned<Percent>,
    /// What becomes of a call of a model whose price is not known.
    #[serde(default)]
    pub(super) unpriced: Unpriced,
    /// Tokens of output that are held for a call whose request sets no bound; the most that the model can say when not given.
    /// Less lets more calls run at once, and is exceeded by those that say more.
    pub(super) expected_output: Option<Spanned<u64>>,
}

fn lease() -> Spanned<Percent> {
    Spanned::from(Percent::new(1))
}

/// Where budgets are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BudgetStore")]
pub(crate) enum StoreWord {
    /// The data directory.
    #[default]
    Disk,
    /// Redis, for all gateways together.
    Redis,
    /// This gateway's memory, gone with the process.
    Memory,
}

/// What becomes of calls whose price is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BudgetUnpriced")]
pub(crate) enum Unpriced {
    /// They are refused where a budget is hard: nobody could say what they spend.
    #[default]
    Refuse,
    /// They pass, and cost nothing.
    Allow,
}

/// One budget.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BudgetEntry")]
pub(crate) struct LimitSpec {
    /// How much in which stretch of the calendar, such as `50 USD/month`, or in all: `1000 USD/total`.
    pub(super) limit: Spanned<Spending>,
    /// What is counted together, as of `rate_limit`, and each `model`, `group` (a caller in several counts on every one) or
    /// `team` (what `metadata` of a consumer calls `team`, else its first group).
    #[serde(default)]
    #[schemars(extend("default" = "consumer"))]
    pub(super) by: BySpec,
    /// Whether it refuses.
    #[serde(default)]
    pub(super) mode: Mode,
    /// Shares of the budget at which a line is logged and counted, once a key and window.
    #[serde(default)]
    #[schemars(extend("default" = []))]
    pub(super) warn: Vec<Threshold>,
    /// The day of the month on which a month begins, from 1 to 31, 1 when not given; in a shorter month its last day.
    #[schemars(range(min = 1, max = 31))]
    pub(super) billing_day: Option<Spanned<u8>>,
    /// The time zone whose midnights count, by its IANA name such as `Europe/Berlin`; UTC when not given.
    pub(super) timezone: Option<Spanned<String>>,
    /// Its name in metrics and the log; `by` and the time when not given, such as `consumer-month`.
    pub(super) name: Option<Spanned<Name>>,
}

/// Whether a budget refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BudgetMode")]
pub(crate) enum Mode {
    /// It does.
    #[default]
    Hard,
    /// It counts and warns.
    Soft,
}

/// A share of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "BudgetThreshold")]
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
    pub(super) const fn hundredths(self) -> (u64, &'static str) {
        match self {
            Self::Half => (50, "50"),
            Self::ThreeQuarters => (75, "75"),
            Self::FourFifths => (80, "80"),
            Self::NineTenths => (90, "90"),
            Self::Nearly => (95, "95"),
            Self::All => (100, "100"),
        }
    }
}

impl LimitSpec {
    /// Its name.
    pub(super) fn name(&self) -> String {
        whose::name(self.name.as_ref().map(|name| name.as_str()), &self.by, self.limit.per().as_str())
    }

    /// When its windows begin; none where it has no end.
    pub(super) fn calendar(&self, cx: &mut Compile<'_>) -> Result<Option<Calendar>, ()> {
        let per = self.limit.per();
        if let Some(day) = &self.billing_day
            && (per != SpendingPer::Calendar(Per::Month) || !(1..=31).contains(&**day))
        {
            let message = "`billing_day` is from 1 to 31, of a budget by the month";
            cx.problem(day.span, message, "mend the number, or take it out");
            return Err(());
        }
        let zone = match &self.timezone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                let message = format!("`{}` is not a time zone", **name);
                cx.problem(name.span, message, "give an IANA name such as `Europe/Berlin` or `UTC`");
            })?,
        };
        let SpendingPer::Calendar(per) = per else { return Ok(None) };
        let billing_day = self.billing_day.as_ref().map_or(1, |day| i8::try_from(**day).unwrap_or(1));
        Ok(Some(Calendar { per, billing_day, week_starts: jiff::civil::Weekday::Monday, zone }))
    }

    /// What tells its accounts from those of any other: not how much, so that a changed budget does not refill.
    pub(super) fn identity(&self) -> String {
        let mut identity = format!("{}|{}", self.by.identity(), self.limit.per().as_str());
        let day = self.billing_day.as_ref().map(|day| day.to_string());
        for part in [day, self.timezone.as_ref().map(|zone| zone.value.clone())].into_iter().flatten() {
            identity.push('|');
            identity.push_str(&part);
        }
        identity
    }
}
