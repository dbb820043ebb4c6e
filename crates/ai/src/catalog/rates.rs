//! What things cost at a model: a price for each kind, by the length of the request and the service it was asked for.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::money::{Money, Price};
use crate::translate::canonical::Usage;

/// What a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Per {
    /// Tokens of the input.
    In,
    /// Tokens of the input that the provider's cache had.
    Read,
    /// Tokens of the input that were put into it.
    Write,
    /// The same, to be kept for an hour.
    WriteHour,
    /// Tokens of the output.
    Out,
    /// Tokens of reasoning.
    Reasoning,
    /// Audio tokens of the input.
    AudioIn,
    /// Audio tokens of the input that the cache had.
    AudioRead,
    /// Audio tokens of the output.
    AudioOut,
    /// Image tokens of the input.
    ImageIn,
    /// Image tokens of the output.
    ImageOut,
    /// Images made.
    Image,
    /// Seconds of audio given.
    SecondIn,
    /// Seconds of audio made.
    SecondOut,
    /// Characters spoken.
    Character,
    /// Calls.
    Call,
}

impl Per {
    /// Every one, by place.
    pub const ALL: [Self; 16] = [
        Self::In,
        Self::Read,
        Self::Write,
        Self::WriteHour,
        Self::Out,
        Self::Reasoning,
        Self::AudioIn,
        Self::AudioRead,
        Self::AudioOut,
        Self::ImageIn,
        Self::ImageOut,
        Self::Image,
        Self::SecondIn,
        Self::SecondOut,
        Self::Character,
        Self::Call,
    ];

    /// The key of the data.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteHour => "write_1h",
            Self::Out => "out",
            Self::Reasoning => "reasoning",
            Self::AudioIn => "audio_in",
            Self::AudioRead => "audio_read",
            Self::AudioOut => "audio_out",
            Self::ImageIn => "image_in",
            Self::ImageOut => "image_out",
            Self::Image => "image",
            Self::SecondIn => "second_in",
            Self::SecondOut => "second_out",
            Self::Character => "character",
            Self::Call => "call",
        }
    }

    /// Whether the price is written for a million.
    pub const fn is_token(self) -> bool {
        (self as usize) < (Self::Image as usize)
    }

    /// What is charged instead where a model has no price for this: a special kind of token is a token.
    pub const fn instead(self) -> Option<Self> {
        match self {
            Self::Read | Self::Write | Self::AudioIn | Self::ImageIn => Some(Self::In),
            Self::WriteHour => Some(Self::Write),
            Self::AudioRead => Some(Self::Read),
            Self::Reasoning | Self::AudioOut | Self::ImageOut => Some(Self::Out),
            _ => None,
        }
    }

    fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|per| per.as_str() == key)
    }
}

/// A price for each kind that has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates([Option<Price>; Per::ALL.len()]);

impl Rates {
    /// The price of this kind alone.
    pub fn get(&self, per: Per) -> Option<Price> {
        self.0.get(per as usize).copied().flatten()
    }

    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Those that are there.
    pub fn iter(&self) -> impl Iterator<Item = (Per, Price)> + '_ {
        Per::ALL.into_iter().filter_map(|per| Some((per, self.get(per)?)))
    }

    fn set(&mut self, per: Per, price: Price) {
        if let Some(slot) = self.0.get_mut(per as usize) {
            *slot = Some(price);
        }
    }
}

/// Prices, and those that stand in their place for long requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Of a request of any length that has no other.
    pub base: Rates,
    /// Of a request with more input tokens than this, in rising order; for all its tokens, not only for those beyond.
    pub over: Vec<(u64, Rates)>,
}

impl Schedule {
    /// Whether there is no price at all.
    pub fn is_empty(&self) -> bool {
        self.base.is_empty() && self.over.is_empty()
    }

    /// The price of one kind for a request of this many input tokens.
    pub fn price(&self, per: Per, input: u64) -> Option<Price> {
        let tier = self.over.iter().rev().find(|(over, _)| input > *over);
        tier.and_then(|(_, rates)| rates.get(per)).or_else(|| self.base.get(per))
    }
}

/// The service that a call asked for; what is not standard costs otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// As usual.
    #[default]
    Standard,
    /// In a batch, within a day.
    Batch,
    /// When there is room.
    Flex,
    /// Before others.
    Priority,
}

/// What a call is charged for. Every token stands in one field: what the cache had is not in `input`, reasoning is not in
/// `output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// Tokens of the input.
    pub input: u64,
    /// Tokens of the input that the provider's cache had.
    pub cached: u64,
    /// Tokens of the input that were put into it.
    pub cache_write: u64,
    /// The same, to be kept for an hour.
    pub cache_write_hour: u64,
    /// Tokens of the output.
    pub output: u64,
    /// Tokens of reasoning.
    pub reasoning: u64,
    /// Audio tokens of the input.
    pub audio_input: u64,
    /// Audio tokens of the input that the cache had.
    pub audio_cached: u64,
    /// Audio tokens of the output.
    pub audio_output: u64,
    /// Image tokens of the input.
    pub image_input: u64,
    /// Image tokens of the output.
    pub image_output: u64,
    /// Images made.
    pub images: u64,
    /// Audio given, in milliseconds.
    pub audio_in_ms: u64,
    /// Audio made, in milliseconds.
    pub audio_out_ms: u64,
    /// Characters spoken.
    pub characters: u64,
    /// Calls, or documents' searches, where they are charged.
    pub calls: u64,
}

/// A [`Usage`] says how much of the whole each kind is; here each is taken out of the whole. What is said of a kind beyond
/// the whole is charged as that kind.
impl From<&Usage> for Charged {
    fn from(usage: &Usage) -> Self {
        let special = [usage.cached_input, usage.cache_write, usage.audio_input];
        Self {
            input: special.into_iter().fold(usage.input, u64::saturating_sub),
            cached: usage.cached_input,
            cache_write: usage.cache_write.saturating_sub(usage.cache_write_hour),
            cache_write_hour: usage.cache_write_hour,
            output: usage.output.saturating_sub(usage.reasoning).saturating_sub(usage.audio_output),
            reasoning: usage.reasoning,
            audio_input: usage.audio_input,
            audio_output: usage.audio_output,
            ..Self::default()
        }
    }
}

impl Charged {
    /// Tokens of the input of every kind: what decides on the price of long requests.
    pub fn input_tokens(&self) -> u64 {
        let kinds = [
            self.input,
            self.cached,
            self.cache_write,
            self.cache_write_hour,
            self.audio_input,
            self.audio_cached,
            self.image_input,
        ];
        kinds.into_iter().fold(0, u64::saturating_add)
    }

    /// Tokens of the output of every kind.
    pub fn output_tokens(&self) -> u64 {
        let kinds = [self.output, self.reasoning, self.audio_output, self.image_output];
        kinds.into_iter().fold(0, u64::saturating_add)
    }

    /// How much there is of each kind, durations in thousandths.
    const fn counts(&self) -> [(Per, u64); Per::ALL.len()] {
        [
            (Per::In, self.input),
            (Per::Read, self.cached),
            (Per::Write, self.cache_write),
            (Per::WriteHour, self.cache_write_hour),
            (Per::Out, self.output),
            (Per::Reasoning, self.reasoning),
            (Per::AudioIn, self.audio_input),
            (Per::AudioRead, self.audio_cached),
            (Per::AudioOut, self.audio_output),
            (Per::ImageIn, self.image_input),
            (Per::ImageOut, self.image_output),
            (Per::Image, self.images),
            (Per::SecondIn, self.audio_in_ms),
            (Per::SecondOut, self.audio_out_ms),
            (Per::Character, self.characters),
            (Per::Call, self.calls),
        ]
    }
}

/// What it costs; what has no price of its own by the first schedule that has one costs what it is an instance of.
/// None if something was used and none of the schedules has any price.
pub(super) fn cost(schedules: &[&Schedule], charged: &Charged) -> Option<Money> {
    let input = charged.input_tokens();
    if schedules.iter().all(|schedule| schedule.is_empty()) {
        return None;
    }
    let mut total = Money::ZERO;
    for (per, count) in charged.counts().into_iter().filter(|(_, count)| *count > 0) {
        let mut kind = Some(per);
        let price = std::iter::from_fn(|| {
            let now = kind?;
            kind = now.instead();
            Some(now)
        })
        .find_map(|kind| schedules.iter().find_map(|schedule| schedule.price(kind, input)));
        let Some(price) = price else { continue };
        let part = match per {
            Per::SecondIn | Per::SecondOut => price.of_thousandths(count),
            _ => price.of(count),
        };
        total = total.saturating_add(part);
    }
    Some(total)
}

/// `{"in": "1.25", "out": "10", "over": {"200000": {"in": "2.5", "out": "15"}}}`.
impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ScheduleVisitor)
    }
}

struct ScheduleVisitor;

impl<'de> Visitor<'de> for ScheduleVisitor {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("prices by what they are for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Schedule, A::Error> {
        let mut schedule = Schedule::default();
        while let Some(key) = map.next_key::<String>()? {
            if key == "over" {
                let tiers = map.next_value::<std::collections::BTreeMap<String, Tier>>()?;
                for (over, Tier(rates)) in tiers {
                    let over = over.parse().map_err(|_| de::Error::custom("`over` has numbers of tokens as keys"))?;
                    schedule.over.push((over, rates));
                }
                schedule.over.sort_by_key(|(over, _)| *over);
            } else {
                rate(&mut schedule.base, &key, &mut map)?;
            }
        }
        Ok(schedule)
    }
}

/// Rates without tiers of their own.
struct Tier(Rates);

impl<'de> Deserialize<'de> for Tier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let schedule = deserializer.deserialize_map(ScheduleVisitor)?;
        if schedule.over.is_empty() { Ok(Self(schedule.base)) } else { Err(de::Error::custom("`over` within `over`")) }
    }
}

fn rate<'de, A: MapAccess<'de>>(rates: &mut Rates, key: &str, map: &mut A) -> Result<(), A::Error> {
    let Some(per) = Per::parse(key) else {
        let known: Vec<&str> = Per::ALL.iter().map(|per| per.as_str()).collect();
        return Err(de::Error::custom(format!("unknown price `{key}`, one of: {}, over", known.join(", "))));
    };
    let Amount(text) = map.next_value()?;
    let price = if per.is_token() { Price::per_million(&text) } else { Price::each(&text) };
    rates.set(per, price.map_err(|why| de::Error::custom(format!("`{key}`: {why}")))?);
    Ok(())
}

/// A decimal as text, or a whole number; never a float, which could not say 0.1.
struct Amount(String);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal in quotes, such as \"1.25\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount(number.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}
